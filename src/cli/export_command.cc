#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/records_view.h"
#include "cli/row_sink.h"
#include "cli/row_source.h"
#include "cli/transfer.h"
#include "store/schema_json.h"

namespace roost {

namespace {

namespace bj = boost::json;

struct ExportOptions {
  std::string collection;
  std::string tenant;
  bool no_vectors = false;
  uint32_t page = 1'000;
  SinkOptions sink;
};

// Pages of the scan route, which goes on behind the last record of the page before.
class Pages {
 public:
  Pages(Api& api, const ExportOptions& options, const CollectionSchema& schema)
      : api_(api), options_(options), schema_(schema) {}

  bool done() const { return done_; }

  Result<std::vector<std::string>> Next() {
    bj::object body;
    body["limit"] = options_.page;
    body["vectors"] = !options_.no_vectors;
    if (!options_.tenant.empty()) {
      body["tenant"] = options_.tenant;
    }
    if (!after_.is_null()) {
      body["after"] = after_;
      if (schema_.multi_tenant()) {
        body["after_tenant"] = after_tenant_;
      }
    }
    const std::string reply = TRY(api_.CallPatiently("POST", CollectionPath(schema_.name, "/scan"),
                                                     bj::serialize(body), true));
    std::vector<std::string> records = TRY(SplitRecords(reply));
    // The member stands behind the records, at the very end.
    done_ =
        reply.size() < 32 || reply.find("\"done\":true", reply.size() - 32) != std::string::npos;
    if (!records.empty()) {
      const bj::value last = TRY(ParseReply(records.back()));
      const bj::value* key = last.get_object().if_contains(schema_.key_field);
      if (key == nullptr) {
        return Internal("a record of the server has no key");
      }
      after_ = *key;
      after_tenant_ = TextMember(last, schema_.tenant_field);
    } else if (!done_) {
      return Internal("the server sent a page without records that is not the last");
    }
    return records;
  }

 private:
  Api& api_;
  const ExportOptions& options_;
  const CollectionSchema& schema_;
  bj::value after_;
  std::string after_tenant_;
  bool done_ = false;
};

CollectionSchema WithoutVectors(CollectionSchema schema, bool without) {
  if (without) {
    schema.vectors.clear();
  }
  return schema;
}

Result<ExitStatus> RunExport(Session& session, ExportOptions& options) {
  if (options.sink.format.empty()) {
    options.sink.format = FormatOfName(options.sink.path);
  }
  if (options.no_vectors && options.sink.format == "npy") {
    return InvalidArgument("a .npy file holds vectors: --no-vectors leaves nothing");
  }
  CatchInterrupts();
  uint64_t total = 0;
  const CollectionSchema schema = WithoutVectors(
      TRY(FetchSchema(session.api(), options.collection, &total)), options.no_vectors);
  const std::unique_ptr<RowSink> sink =
      TRY(MakeRowSink(options.sink, schema, SchemaToJson(schema)));
  Progress progress({.label = options.collection,
                     .live = session.terminal().err_is_tty,
                     .quiet = session.options.quiet},
                    session.terminal().err, session.clock());
  Pages pages(session.api(), options, schema);
  uint64_t rows = 0;
  while (!pages.done()) {
    if (Interrupted()) {
      return Cancelled("interrupted; nothing is kept");
    }
    const std::vector<std::string> records = TRY(pages.Next());
    TRY(sink->Write(records));
    rows += records.size();
    progress.Update(
        {.done = rows,
         .total = options.tenant.empty() && total >= rows ? std::optional(total) : std::nullopt});
  }
  TRY(sink->Finish());
  progress.Clear();
  const bool to_file = !options.sink.path.empty() && options.sink.path != "-";
  if (session.json() && to_file) {
    session.PrintJson(fmt::format(R"({{"records":{}}})", rows));
  } else {
    session.Note(fmt::format("{}: {} records exported", options.collection, rows));
  }
  return ExitStatus::kOk;
}

}  // namespace

Result<CollectionSchema> ReadSchemaText(const std::string& text, const std::string& name) {
  bj::error_code error;
  bj::value document = bj::parse(text, error);
  if (error || !document.is_object()) {
    return InvalidArgument("the schema is not a JSON object");
  }
  for (const char* state : {"store", "estimated_count", "bytes_on_disk", "index_ready"}) {
    document.get_object().erase(state);
  }
  if (!name.empty()) {
    document.get_object()["name"] = name;
  }
  return SchemaFromJson(bj::serialize(document));
}

Result<CollectionSchema> FetchSchema(Api& api, const std::string& collection, uint64_t* records) {
  const std::string reply = TRY(api.Call("GET", CollectionPath(collection)));
  if (records != nullptr) {
    const bj::value document = TRY(ParseReply(reply));
    *records = static_cast<uint64_t>(NumberMember(document, "estimated_count"));
  }
  return ReadSchemaText(reply, "");
}

void AddExportCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App* command = AddCommand(app, "export", "Write the records of a collection into a file",
                                 "roost export -c books -o books.parquet\n"
                                 "roost export -c books -o books.npy --rows books.jsonl\n"
                                 "roost export -c books --no-vectors | gzip > books.jsonl.gz");
  AddCollectionOption(*command, options->collection);
  command->add_option("-o,--out", options->sink.path, "The file; else standard output")
      ->type_name("FILE");
  AddChoice(*command, "--format", options->sink.format, "jsonl|parquet|npy",
            "Else by the file's name");
  command->add_option("--tenant", options->tenant, "Only this tenant's records")->type_name("NAME");
  command->add_flag("--no-vectors", options->no_vectors, "Leave the vectors out");
  command
      ->add_option("--vector-field", options->sink.vector_field,
                   "Of npy: which vectors; may be left out where there is one field")
      ->type_name("NAME");
  command
      ->add_option("--rows", options->sink.rows_path,
                   "Of npy: the rest of each record, as JSON lines in the same order")
      ->type_name("FILE");
  command->add_option("--page", options->page, "Records of one request (1000)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000).description(""));
  command->callback([&session, options] {
    session.action = [&session, options] { return RunExport(session, *options); };
  });
}

}  // namespace roost
