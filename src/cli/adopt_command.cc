#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/plan_view.h"
#include "cli/records_view.h"

namespace roost {

namespace {

namespace bj = boost::json;

struct AdoptOptions {
  std::string store;
  std::string foreign;
  std::string name;
  std::string metric;
  bool dry_run = false;
};

const bj::array* List(const bj::value& reply, std::string_view name) {
  const bj::value* member =
      reply.is_object() ? reply.get_object().if_contains(bj::string_view(name.data(), name.size()))
                        : nullptr;
  return member != nullptr && member->is_array() ? &member->get_array() : nullptr;
}

Result<ExitStatus> ListForeign(Session& session, const AdoptOptions& options) {
  const std::string reply =
      TRY(session.api().Call("GET", "/v1/stores/" + PercentEncode(options.store) + "/foreign"));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  Table table({"on the store", "collection", "obstacle"});
  if (const bj::array* foreign = List(document, "foreign")) {
    for (const bj::value& one : *foreign) {
      table.AddRow(
          {TextMember(one, "name"), TextMember(one, "adopted_as"), TextMember(one, "obstacle")});
    }
  }
  session.Print(table);
  return ExitStatus::kOk;
}

std::string RequestOf(const AdoptOptions& options) {
  std::string body = R"({"foreign":)" + JsonString(options.foreign);
  if (!options.name.empty()) {
    body += R"(,"name":)" + JsonString(options.name);
  }
  if (!options.metric.empty()) {
    body += R"(,"metric":)" + JsonString(options.metric);
  }
  return body + "}";
}

Result<ExitStatus> Adopt(Session& session, const AdoptOptions& options) {
  if (options.foreign.empty()) {
    return ListForeign(session, options);
  }
  const std::string path = "/v1/stores/" + PercentEncode(options.store) + "/adopt" +
                           (options.dry_run ? "?dry_run=true" : "");
  const std::string reply = TRY(session.api().Call("POST", path, RequestOf(options)));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  if (const bj::array* rows = List(document, "fidelity")) {
    session.Print(FidelityTable(*rows));
  }
  if (const bj::array* notes = List(document, "notes")) {
    for (const bj::value& note : *notes) {
      session.Say("  note: " + CellText(note));
    }
  }
  const bj::value* collection = document.get_object().if_contains("collection");
  const std::string name = collection == nullptr ? "" : TextMember(*collection, "name");
  session.Say(options.dry_run ? fmt::format("nothing was changed; it would be collection {}", name)
                              : fmt::format("{} of store {} is collection {} from now on",
                                            options.foreign, options.store, name));
  return ExitStatus::kOk;
}

}  // namespace

void AddAdoptCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<AdoptOptions>();
  CLI::App* command =
      AddCommand(app, "adopt", "Make a collection of a table or class that others made",
                 "roost adopt pg                        # what there is\n"
                 "roost adopt pg public.items --dry-run # what it would be\n"
                 "roost adopt pg public.items --as items");
  command->add_option("STORE", options->store, "The store it is on")->type_name("")->required();
  command
      ->add_option("FOREIGN", options->foreign,
                   "Its name there; without it, those that there are get listed")
      ->type_name("");
  command->add_option("--as", options->name, "The collection's name; else made of its name there")
      ->type_name("NAME");
  AddChoice(*command, "--metric", options->metric, "L2|COSINE|IP",
            "What distances mean where no index on the store tells");
  command->add_flag("--dry-run", options->dry_run, "Only tell what the collection would be");
  command->callback([&session, options] {
    session.action = [&session, options] { return Adopt(session, *options); };
  });
}

}  // namespace roost
