#include <algorithm>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "cli/commands.h"
#include "cli/records_view.h"

namespace roost {

namespace {

namespace bj = boost::json;

struct RecordOptions {
  std::string collection;
  std::vector<std::string> keys;
  std::string filter;
  std::string tenant;
  std::vector<std::string> fields;
  bool vectors = false;
  bool count = false;
  bool yes = false;
  uint64_t limit = 100;
  uint64_t offset = 0;
};
using OptionsPtr = std::shared_ptr<RecordOptions>;

// The keys as the collection has them: 42 is a number or a text.
Result<bj::array> KeyArray(Session& session, const RecordOptions& options) {
  const std::string reply = TRY(session.api().Call("GET", CollectionPath(options.collection)));
  const bj::value document = TRY(ParseReply(reply));
  const bj::value* key = document.get_object().if_contains("key");
  const bool numbers = key != nullptr && TextMember(*key, "type") == "INT64";
  bj::array keys;
  for (const std::string& text : options.keys) {
    if (!numbers) {
      keys.emplace_back(text);
      continue;
    }
    const Result<int64_t> number = ParseInt64(text);
    if (!number.ok()) {
      return InvalidArgument(fmt::format("\"{}\" has whole numbers as keys; \"{}\" is none",
                                         options.collection, text));
    }
    keys.emplace_back(*number);
  }
  return keys;
}

bj::array Texts(const std::vector<std::string>& texts) {
  return bj::array(texts.begin(), texts.end());
}

Result<ExitStatus> Get(Session& session, const RecordOptions& options) {
  bj::object body;
  body["ids"] = TRY(KeyArray(session, options));
  body["vectors"] = options.vectors;
  if (!options.tenant.empty()) {
    body["tenant"] = options.tenant;
  }
  if (!options.fields.empty()) {
    body["fields"] = Texts(options.fields);
  }
  const std::string reply = TRY(
      session.api().Call("POST", CollectionPath(options.collection, "/get"), bj::serialize(body)));
  const bj::value document = TRY(ParseReply(reply));
  const bj::value* records = document.get_object().if_contains("records");
  if (records == nullptr || !records->is_array()) {
    return Internal("the server's reply has no records");
  }
  if (session.json()) {
    session.PrintJson(reply);
  } else {
    session.Print(RecordsTable(records->get_array()));
  }
  ExitStatus status = ExitStatus::kOk;
  for (size_t i = 0; i < records->get_array().size() && i < options.keys.size(); ++i) {
    if (records->get_array()[i].is_null()) {
      session.Note(fmt::format("roost: there is no record {}", options.keys[i]));
      status = ExitStatus::kNotFound;
    }
  }
  return status;
}

Result<ExitStatus> Count(Session& session, const RecordOptions& options, bj::object body) {
  const std::string reply = TRY(session.api().Call(
      "POST", CollectionPath(options.collection, "/count"), bj::serialize(body)));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  session.Say(fmt::format("{}", NumberMember(document, "count")));
  return ExitStatus::kOk;
}

Result<ExitStatus> Query(Session& session, const RecordOptions& options) {
  bj::object body;
  if (!options.filter.empty()) {
    body["filter"] = options.filter;
  }
  if (!options.tenant.empty()) {
    body["tenant"] = options.tenant;
  }
  if (options.count) {
    return Count(session, options, std::move(body));
  }
  body["limit"] = options.limit;
  body["offset"] = options.offset;
  body["vectors"] = options.vectors;
  if (!options.fields.empty()) {
    body["fields"] = Texts(options.fields);
  }
  const std::string reply = TRY(session.api().Call(
      "POST", CollectionPath(options.collection, "/query"), bj::serialize(body)));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  const bj::value* records = document.get_object().if_contains("records");
  if (records != nullptr && records->is_array()) {
    session.Print(RecordsTable(records->get_array()));
  }
  return ExitStatus::kOk;
}

Result<ExitStatus> Delete(Session& session, const RecordOptions& options) {
  if (options.keys.empty() == options.filter.empty()) {
    return InvalidArgument("give either keys or --filter");
  }
  bj::object body;
  if (!options.keys.empty()) {
    body["ids"] = TRY(KeyArray(session, options));
  } else {
    if (!options.yes) {
      TRY(session.Confirm(
          fmt::format("Delete all records of {} where {}?", options.collection, options.filter)));
    }
    body["filter"] = options.filter;
  }
  if (!options.tenant.empty()) {
    body["tenant"] = options.tenant;
  }
  const std::string reply = TRY(session.api().Call(
      "POST", CollectionPath(options.collection, "/delete"), bj::serialize(body)));
  const bj::value document = TRY(ParseReply(reply));
  if (session.json()) {
    session.PrintJson(reply);
  } else {
    session.Say(fmt::format("{} deleted", NumberMember(document, "deleted")));
  }
  const bj::value* errors = document.get_object().if_contains("errors");
  if (errors == nullptr || !errors->is_array() || errors->get_array().empty()) {
    return ExitStatus::kOk;
  }
  for (const bj::value& error : errors->get_array()) {
    session.Note("roost: " + TextMember(error, "message"));
  }
  return ExitStatus::kFailed;
}

void AddOutputOptions(CLI::App& command, const OptionsPtr& options) {
  command.add_option("--fields", options->fields, "Only these fields, parted by commas")
      ->type_name("NAMES")
      ->delimiter(',')
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command.add_flag("--vectors", options->vectors, "With their vectors");
}

void AddTenant(CLI::App& command, const OptionsPtr& options) {
  command.add_option("--tenant", options->tenant, "The tenant")->type_name("NAME");
}

}  // namespace

void AddRecordCommands(CLI::App& app, Session& session) {
  auto options = std::make_shared<RecordOptions>();
  const auto run = [&session,
                    options](Result<ExitStatus> (*command)(Session&, const RecordOptions&)) {
    return [&session, options, command] {
      session.action = [&session, options, command] { return command(session, *options); };
    };
  };
  CLI::App* get = AddCommand(app, "get", "Print records by key",
                             "roost get 42 43 -c books --fields title,price");
  AddCollectionOption(*get, options->collection);
  get->add_option("KEY", options->keys, "Keys of records")->type_name("")->required();
  AddTenant(*get, options);
  AddOutputOptions(*get, options);
  get->callback(run(Get));

  CLI::App* query = AddCommand(app, "query", "Print or count the records that match a filter",
                               "roost query -c books --filter 'price < 10 and year >= 2000'\n"
                               "roost query -c books --count");
  AddCollectionOption(*query, options->collection);
  query->add_option("--filter", options->filter, "Which records; else all")
      ->type_name("EXPRESSION");
  AddTenant(*query, options);
  query->add_option("--limit", options->limit, "At most so many (100)")
      ->type_name("N")
      ->check(CLI::Range(1, 16'384).description(""));
  query->add_option("--offset", options->offset, "Pass over so many first")->type_name("N");
  query->add_flag("--count", options->count, "Only their number");
  AddOutputOptions(*query, options);
  query->callback(run(Query));

  CLI::App* remove = AddCommand(app, "delete", "Delete records by key or by filter",
                                "roost delete 42 43 -c books\n"
                                "roost delete -c books --filter 'year < 1900' --yes");
  AddCollectionOption(*remove, options->collection);
  remove->add_option("KEY", options->keys, "Keys of records")->type_name("");
  remove->add_option("--filter", options->filter, "All records that match")
      ->type_name("EXPRESSION");
  AddTenant(*remove, options);
  remove->add_flag("-y,--yes", options->yes, "Do not ask");
  remove->callback(run(Delete));
}

}  // namespace roost
