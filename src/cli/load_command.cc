#include <memory>
#include <ostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/json.h"
#include "base/strings.h"
#include "cli/commands.h"
#include "cli/infer_schema.h"
#include "cli/loader.h"
#include "cli/progress.h"
#include "cli/transfer.h"
#include "store/schema_json.h"

namespace roost {

namespace {

constexpr size_t kSampleRows = 1'000;     ///< that tell the schema of a new collection
constexpr uint64_t kReportedErrors = 20;  ///< rows that are named; the others are counted

struct LoadOptions {
  std::vector<std::string> files;
  std::string format;
  std::string vectors;
  std::string vector_field = "embedding";
  bool create = false;
  std::string store;
  std::string metric = "COSINE";
  std::vector<std::string> types;  // NAME=TYPE
  InferOptions infer;
  LoaderOptions loader;
};

Result<std::unique_ptr<RowSource>> OpenSource(const LoadOptions& options, const std::string& path) {
  const std::string format =
      options.format.empty() ? std::string(FormatOfName(path)) : options.format;
  std::unique_ptr<RowSource> source;
  if (format == "npy") {
    const std::string key = options.infer.key_field.empty() ? "id" : options.infer.key_field;
    source = TRY(OpenNpyRows(path, key, options.vector_field));
  } else if (format == "parquet") {
    source = TRY(OpenParquetRows(path));
  } else {
    source = TRY(OpenJsonLines(path));
  }
  if (!options.vectors.empty()) {
    source = TRY(OpenWithVectors(std::move(source), options.vectors, options.vector_field));
  }
  return source;
}

// The load of one file.
class Load {
 public:
  Load(Session& session, const LoadOptions& options) : session_(session), options_(options) {}

  Status Run(const std::string& path) {
    path_ = path;
    source_ = TRY(OpenSource(options_, path));
    if (options_.create) {
      TRY(CreateCollection());
    }
    const CollectionSchema schema = TRY(FetchSchema(session_.api(), options_.loader.collection));
    source_->UseSchema(schema);
    const Status status = SendAll();
    session_.Note(fmt::format("{}: {} written, {} refused{}", path_, totals_.written,
                              totals_.refused, status.ok() ? "" : "; stopped"));
    return status.ok() ? status : Status(status.error().Within(path_));
  }

  const LoaderCounts& totals() const { return totals_; }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  // Reads the first rows; they are sent like the others afterwards.
  Status CreateCollection() {
    InferOptions infer = options_.infer;
    infer.known = source_->schema();
    CollectionSchema schema;
    if (source_->schema_is_complete() && infer.known && infer.types.empty()) {
      schema = *infer.known;
      schema.name = infer.collection;
      for (VectorFieldSchema& vector : schema.vectors) {
        const bool npy = vector.name == options_.vector_field && path_.ends_with(".npy");
        vector.metric =
            npy && vector.type != DataType::kBinaryVector ? infer.metric : vector.metric;
      }
    } else {
      TRY(Sample());
      schema = TRY(InferSchema(sample_, infer));
    }
    const std::string query =
        options_.store.empty() ? std::string() : "?store=" + PercentEncode(options_.store);
    const std::string path = "/v1/collections" + query;
    const Result<std::string> reply = session_.api().Call("POST", path, SchemaToJson(schema));
    if (!reply.ok()) {
      return reply.error().Within("the collection is not created");
    }
    session_.Note("created " + DescribeSchema(schema));
    return {};
  }

  Status Sample() {
    while (sample_.size() < kSampleRows) {
      std::optional<SourceRow> row = TRY(source_->Next());
      if (!row) {
        break;
      }
      sample_.push_back(std::move(*row));
    }
    return {};
  }

  Status SendAll() {
    Loader loader(options_.loader, session_.api(),
                  [this](uint64_t number, const std::string& why) { Report(number, why); });
    Progress progress(
        {.label = path_, .live = session_.terminal().err_is_tty, .quiet = session_.options.quiet},
        session_.terminal().err, session_.clock());
    Status status = AddRows(loader, progress);
    const Status finished = loader.Finish();
    status = status.ok() ? finished : std::move(status);
    progress.Clear();
    totals_ = loader.counts();
    return status;
  }

  Status AddRows(Loader& loader, Progress& progress) {
    for (SourceRow& row : sample_) {
      TRY(loader.Add(std::move(row)));
    }
    for (uint64_t rows = 0;; ++rows) {
      if (Interrupted()) {
        return Cancelled("interrupted; what was sent before is written");
      }
      std::optional<SourceRow> row = TRY(source_->Next());
      if (!row) {
        return {};
      }
      TRY(loader.Add(std::move(*row)));
      if (rows % 256 == 0) {
        const LoaderCounts counts = loader.counts();
        progress.Update({.done = counts.written,
                         .total = source_->total(),
                         .fraction = source_->fraction(),
                         .failed = counts.refused});
      }
    }
  }

  void Report(uint64_t number, const std::string& why) {
    if (++reported_ <= kReportedErrors) {
      // A line as compilers name it, so that editors jump there.
      const std::string place = source_->unit() == "line"
                                    ? fmt::format("{}:{}", path_, number)
                                    : fmt::format("{}: {} {}", path_, source_->unit(), number);
      const std::string line = fmt::format("{}: {}", place, why);
      errors_.push_back(line);
      session_.terminal().err << (session_.terminal().err_is_tty ? "\r\033[K" : "") << line
                              << std::endl;
    } else if (reported_ == kReportedErrors + 1) {
      session_.terminal().err << path_ << ": further refused rows are only counted" << std::endl;
    }
  }

  Session& session_;
  const LoadOptions& options_;
  std::string path_;
  std::unique_ptr<RowSource> source_;
  std::vector<SourceRow> sample_;
  LoaderCounts totals_;
  uint64_t reported_ = 0;
  std::vector<std::string> errors_;
};

Status ReadTypes(LoadOptions& options) {
  options.infer.metric = TRY(ParseMetric(options.metric));
  options.infer.collection = options.loader.collection;
  for (const std::string& type : options.types) {
    const size_t equals = type.find('=');
    if (equals == std::string::npos || equals == 0) {
      return InvalidArgument("--type must be NAME=TYPE, e.g. body=TEXT");
    }
    options.infer.types[type.substr(0, equals)] = TRY(ParseDataType(type.substr(equals + 1)));
  }
  if (!options.vectors.empty() && options.files.size() != 1) {
    return InvalidArgument("--vectors goes with one file of records");
  }
  return {};
}

std::string ReportJson(const LoaderCounts& totals, const std::vector<std::string>& errors,
                       uint64_t retries) {
  std::string out = fmt::format(R"({{"rows":{},"written":{},"refused":{},"retries":{},"errors":[)",
                                totals.rows, totals.written, totals.refused, retries);
  for (size_t i = 0; i < errors.size(); ++i) {
    out += i > 0 ? "," : "";
    AppendJsonString(out, errors[i]);
  }
  return out + "]}";
}

Result<ExitStatus> RunLoad(Session& session, LoadOptions& options) {
  TRY(ReadTypes(options));
  CatchInterrupts();
  LoaderCounts totals;
  std::vector<std::string> errors;
  Status failure;
  for (const std::string& file : options.files) {
    Load load(session, options);
    failure = load.Run(file);
    totals.rows += load.totals().rows;
    totals.written += load.totals().written;
    totals.refused += load.totals().refused;
    errors.insert(errors.end(), load.errors().begin(), load.errors().end());
    options.create = false;  // The first file made it.
    if (!failure.ok()) {
      break;
    }
  }
  if (session.json()) {
    session.PrintJson(ReportJson(totals, errors, session.api().retries()));
  }
  if (!failure.ok()) {
    return failure.error();
  }
  return totals.refused == 0 ? ExitStatus::kOk : ExitStatus::kFailed;
}

void AddCreateOptions(CLI::App& load, LoadOptions& options) {
  load.add_flag("--create", options.create, "Make the collection, by the first rows");
  load.add_option("--key", options.infer.key_field, "With --create: the key's field (id)")
      ->type_name("NAME");
  load.add_option("--tenant-field", options.infer.tenant_field,
                  "With --create: the field that names each record's tenant")
      ->type_name("NAME");
  load.add_option("--type", options.types, "With --create: the type of a field, e.g. body=TEXT")
      ->type_name("NAME=TYPE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  AddChoice(load, "--metric", options.metric, "COSINE|L2|IP",
            "With --create: how far apart vectors are");
  load.add_flag("--dynamic", options.infer.dynamic,
                "With --create: allow fields that the first rows do not have");
  load.add_option("--store", options.store, "With --create: where it shall live")
      ->type_name("NAME");
}

}  // namespace

void AddLoadCommand(CLI::App& app, Session& session) {
  auto options = std::make_shared<LoadOptions>();
  CLI::App* load =
      AddCommand(app, "load", "Write the records of files into a collection",
                 "roost load books.jsonl.gz -c books --create --key isbn --type summary=TEXT\n"
                 "roost load books.jsonl -c books --vectors books.npy --vector-field embedding");
  load->add_option("FILE", options->files, "JSON lines (also gzip), Parquet, .npy; - is stdin")
      ->type_name("FILE")
      ->required();
  AddCollectionOption(*load, options->loader.collection);
  AddChoice(*load, "--format", options->format, "jsonl|parquet|npy", "Else by the file's name");
  load->add_option("--vectors", options->vectors, "Vectors of the same rows, a .npy file")
      ->type_name("FILE");
  load->add_option("--vector-field", options->vector_field, "Field of these vectors (embedding)")
      ->type_name("NAME");
  AddCreateOptions(*load, *options);
  load->add_flag("--insert", options->loader.insert, "Existing keys are errors; else replaced");
  load->add_option("--batch", options->loader.batch_rows, "Rows of one request (1000)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000).description(""));
  load->add_option("--parallel", options->loader.parallel,
                   "Requests at once (2); with 1 the rows keep their order")
      ->type_name("N")
      ->check(CLI::Range(1, 64).description(""));
  load->add_option("--max-errors", options->loader.max_errors,
                   "Stop when more rows are refused (1000)")
      ->type_name("N");
  load->callback([&session, options] {
    session.action = [&session, options] { return RunLoad(session, *options); };
  });
}

void AddTransferCommands(CLI::App& app, Session& session) {
  AddLoadCommand(app, session);
  AddExportCommand(app, session);
}

}  // namespace roost
