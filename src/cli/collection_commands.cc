#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/infer_schema.h"
#include "cli/records_view.h"
#include "cli/transfer.h"
#include "store/schema_json.h"

namespace roost {

namespace {

namespace bj = boost::json;

struct CollectionOptions {
  std::string name;
  std::string database;
  std::string file;
  std::string store;
  bool yes = false;
};
using OptionsPtr = std::shared_ptr<CollectionOptions>;
using Run = Result<ExitStatus> (*)(Session&, const CollectionOptions&);

// `name` and what it does; the options are added by the caller.
CLI::App* AddVerb(CLI::App& parent, Session& session, const OptionsPtr& options,
                  const std::string& name, const std::string& summary, const std::string& example,
                  Run run) {
  CLI::App* command = AddCommand(parent, name, summary, example);
  command->callback([&session, options, run] {
    session.action = [&session, options, run] { return run(session, *options); };
  });
  return command;
}

// What a command that only does something says of it.
Result<ExitStatus> Done(Session& session, const std::string& reply, const std::string& words) {
  if (session.json()) {
    session.PrintJson(reply);
  }
  session.Say(words);
  return ExitStatus::kOk;
}

// The names under `member` of a reply, one a line.
Result<ExitStatus> PrintNames(Session& session, const std::string& path, std::string_view member) {
  const std::string reply = TRY(session.api().Call("GET", path));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  const bj::value* names =
      document.get_object().if_contains(bj::string_view(member.data(), member.size()));
  if (names != nullptr && names->is_array()) {
    for (const bj::value& name : names->get_array()) {
      session.Say(CellText(name));
    }
  }
  return ExitStatus::kOk;
}

Result<ExitStatus> ListCollections(Session& session, const CollectionOptions& options) {
  const std::string query =
      options.database.empty() ? std::string() : "?database=" + PercentEncode(options.database);
  return PrintNames(session, "/v1/collections" + query, "collections");
}

Result<ExitStatus> CreateCollection(Session& session, const CollectionOptions& options) {
  const std::string text = TRY(ReadInput(options.file));
  const CollectionSchema schema = TRY(ReadSchemaText(text, options.name));
  const std::string query =
      options.store.empty() ? std::string() : "?store=" + PercentEncode(options.store);
  const std::string reply =
      TRY(session.api().Call("POST", "/v1/collections" + query, SchemaToJson(schema)));
  return Done(session, reply, "created " + DescribeSchema(schema));
}

void PrintDescription(Session& session, const bj::value& document) {
  session.Say(fmt::format("{}: on store {}, about {} records, {} bytes on disk, index {}",
                          TextMember(document, "name"), TextMember(document, "store"),
                          NumberMember(document, "estimated_count"),
                          NumberMember(document, "bytes_on_disk"),
                          document.at("index_ready").as_bool() ? "ready" : "being built"));
  const bj::value& key = document.at("key");
  Table table({"field", "type", "dimension", "metric", "index"});
  table.AddRow({TextMember(key, "name"), TextMember(key, "type") + " key", "", "", ""});
  if (const std::string tenant = TextMember(document, "tenant_field"); !tenant.empty()) {
    table.AddRow({tenant, "VARCHAR tenant", "", "", ""});
  }
  for (const bj::value& field : document.at("fields").as_array()) {
    const std::string element = TextMember(field, "element_type");
    table.AddRow({TextMember(field, "name"),
                  TextMember(field, "type") + (element.empty() ? "" : " of " + element), "", "",
                  ""});
  }
  for (const bj::value& vector : document.at("vectors").as_array()) {
    table.AddRow({TextMember(vector, "name"), TextMember(vector, "type"),
                  fmt::format("{}", NumberMember(vector, "dimension")),
                  TextMember(vector, "metric"), TextMember(vector.at("index"), "type")});
  }
  session.Print(table);
}

Result<ExitStatus> DescribeCollection(Session& session, const CollectionOptions& options) {
  const std::string reply = TRY(session.api().Call("GET", CollectionPath(options.name)));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  try {
    PrintDescription(session, document);
  } catch (const std::exception& error) {
    return Internal(fmt::format("the server's reply lacks something: {}", error.what()));
  }
  return ExitStatus::kOk;
}

Result<ExitStatus> DropCollection(Session& session, const CollectionOptions& options) {
  if (!options.yes) {
    TRY(session.Confirm(fmt::format("Drop collection {} with all its records?", options.name)));
  }
  const std::string reply = TRY(session.api().Call("DELETE", CollectionPath(options.name)));
  return Done(session, reply, "dropped " + options.name);
}

Result<ExitStatus> ListDatabases(Session& session, const CollectionOptions&) {
  return PrintNames(session, "/v1/databases", "databases");
}

Result<ExitStatus> CreateDatabase(Session& session, const CollectionOptions& options) {
  std::string body = R"({"name":)";
  AppendJsonString(body, options.name);
  const std::string reply = TRY(session.api().Call("POST", "/v1/databases", body + "}"));
  return Done(session, reply, "created " + options.name);
}

Result<ExitStatus> DropDatabase(Session& session, const CollectionOptions& options) {
  const std::string path = "/v1/databases/" + PercentEncode(options.name);
  const std::string reply = TRY(session.api().Call("DELETE", path));
  return Done(session, reply, "dropped " + options.name);
}

Result<ExitStatus> ListStores(Session& session, const CollectionOptions&) {
  const std::string reply = TRY(session.api().Call("GET", "/v1/stores"));
  if (session.json()) {
    session.PrintJson(reply);
    return ExitStatus::kOk;
  }
  const bj::value document = TRY(ParseReply(reply));
  Table table({"store", "kind", "version", "healthy", "trouble"});
  if (const bj::value* stores = document.get_object().if_contains("stores")) {
    for (const bj::value& store : stores->get_array()) {
      const bj::value* healthy = store.get_object().if_contains("healthy");
      const bool well = healthy != nullptr && healthy->is_bool() && healthy->get_bool();
      table.AddRow({TextMember(store, "name"), TextMember(store, "kind"),
                    TextMember(store, "version"), well ? "yes" : "no", TextMember(store, "error")});
    }
  }
  session.Print(table);
  return ExitStatus::kOk;
}

void AddName(CLI::App* command, const OptionsPtr& options, const std::string& what) {
  command->add_option("NAME", options->name, what)->type_name("")->required();
}

}  // namespace

void AddCollectionCommands(CLI::App& app, Session& session) {
  auto options = std::make_shared<CollectionOptions>();
  CLI::App* collections = AddCommand(
      app, "collections", "List, make, describe and drop collections", "roost collections list");
  collections->alias("collection");
  collections->require_subcommand(1);
  AddVerb(*collections, session, options, "list", "Print the names of the collections",
          "roost collections list --database shop", ListCollections)
      ->add_option("--database", options->database, "Only those of this database")
      ->type_name("NAME");
  CLI::App* create =
      AddVerb(*collections, session, options, "create", "Make a collection from a schema in JSON",
              "roost collections describe books --json > schema.json\n"
              "roost collections create books2 --schema schema.json",
              CreateCollection);
  create->add_option("NAME", options->name, "Its name; else the schema's own")->type_name("");
  create->add_option("--schema", options->file, "The schema, - for standard input")
      ->type_name("FILE")
      ->required();
  create->add_option("--store", options->store, "Where it shall live; else the default store")
      ->type_name("NAME");
  AddName(AddVerb(*collections, session, options, "describe", "Print schema, store and size",
                  "roost collections describe books", DescribeCollection),
          options, "The collection");
  CLI::App* drop =
      AddVerb(*collections, session, options, "drop", "Drop a collection with its records",
              "roost collections drop books --yes", DropCollection);
  AddName(drop, options, "The collection");
  drop->add_flag("-y,--yes", options->yes, "Do not ask");

  CLI::App* databases =
      AddCommand(app, "databases", "List, make and drop databases", "roost databases create shop");
  databases->require_subcommand(1);
  AddVerb(*databases, session, options, "list", "Print the names of the databases",
          "roost databases list", ListDatabases);
  AddName(AddVerb(*databases, session, options, "create", "Make a database",
                  "roost databases create shop", CreateDatabase),
          options, "The database");
  AddName(AddVerb(*databases, session, options, "drop", "Drop a database that holds no collections",
                  "roost databases drop shop", DropDatabase),
          options, "The database");
  AddVerb(app, session, options, "stores", "Print the stores and their health", "roost stores",
          ListStores);
}

}  // namespace roost
