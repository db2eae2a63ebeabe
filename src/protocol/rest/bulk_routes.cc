#include <fmt/format.h>

#include "protocol/rest/record_codec.h"
#include "protocol/rest/rest_api.h"

namespace roost::rest {

namespace {

constexpr size_t kMaxReportedErrors = 100;

// Takes an NDJSON body apart and writes it batch by batch while it arrives.
class Import {
 public:
  Import(Gateway& gateway, const RestCall& request, const CollectionSchema& schema,
         const RestLimits& limits, bool insert)
      : gateway_(gateway), request_(request), schema_(schema), limits_(limits), insert_(insert) {}

  Status Run() {
    for (;;) {
      const std::string piece = TRY(request_.http.body_reader->Read());
      if (piece.empty()) {
        return Take(true);
      }
      pending_ += piece;
      TRY(Take(false));
    }
  }

  std::string Report() const {
    std::string out = EncodeWriteResult({.written = written_, .errors = errors_});
    out.pop_back();
    return out + fmt::format(R"(,"lines":{},"error_count":{}}})", lines_, error_count_);
  }

 private:
  // Writes whole batches of lines; at the end also what is left.
  Status Take(bool end) {
    size_t start = 0;
    for (;;) {
      const size_t stop = BatchEnd(start, end);
      if (stop == start) {
        break;
      }
      TRY(Write(std::string_view(pending_).substr(start, stop - start)));
      start = stop;
    }
    pending_.erase(0, start);
    if (pending_.size() > limits_.import_line_bytes && pending_.find('\n') == std::string::npos) {
      return InvalidArgument(
          fmt::format("line {} is longer than {} bytes", lines_ + 1, limits_.import_line_bytes));
    }
    return {};
  }

  // The end of import_batch_rows lines from `start`; `start` when there are not that many yet.
  size_t BatchEnd(size_t start, bool end) const {
    size_t at = start;
    for (size_t rows = 0; rows < limits_.import_batch_rows; ++rows) {
      const size_t line = pending_.find('\n', at);
      if (line == std::string::npos) {
        return end ? pending_.size() : start;
      }
      at = line + 1;
    }
    return at;
  }

  Status Write(std::string_view lines) {
    WriteRequest write{.collection = schema_.name, .records = {}, .fence = {}};
    write.records = TRY(DecodeLines(lines, schema_, lines_ + 1));
    Result<WriteResult> result = insert_ ? gateway_.Insert(request_.http.context, write)
                                         : gateway_.Upsert(request_.http.context, write);
    if (!result.ok()) {
      return result.error().Within(fmt::format("lines from {} on", lines_ + 1));
    }
    written_ += result->written;
    error_count_ += result->errors.size();
    for (RowError& error : result->errors) {
      if (errors_.size() < kMaxReportedErrors) {
        error.row += lines_;
        errors_.push_back(std::move(error));
      }
    }
    lines_ += static_cast<uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
    return {};
  }

  Gateway& gateway_;
  const RestCall& request_;
  const CollectionSchema& schema_;
  const RestLimits& limits_;
  const bool insert_;
  std::string pending_;
  uint64_t lines_ = 0;
  uint64_t written_ = 0;
  uint64_t error_count_ = 0;
  std::vector<RowError> errors_;
};

Result<HttpResponse> ImportLines(Gateway& gateway, const RestLimits& limits,
                                 const RestCall& request) {
  const std::string mode = request.Query("mode").value_or("upsert");
  if (mode != "insert" && mode != "upsert") {
    return InvalidArgument("\"mode\" must be insert or upsert, not \"" + mode + "\"");
  }
  const auto schema = TRY(gateway.Schema(request.http.context, request.PathValue(0)));
  Import import(gateway, request, *schema, limits, mode == "insert");
  const Status status = import.Run();
  if (!status.ok()) {
    return status.error().Within("stopped; what came before is written");
  }
  return JsonResponse(import.Report());
}

Status ExportLines(Gateway& gateway, const RestLimits& limits, const RestCall& request,
                   HttpResponseWriter& writer) {
  const auto schema = TRY(gateway.Schema(request.http.context, request.PathValue(0)));
  ScanRequest scan{.collection = schema->name, .tenant = request.Query("tenant")};
  scan.vectors = request.Query("vectors").value_or("true") != "false";
  scan.limit = limits.export_page_rows;
  bool started = false;
  for (;;) {
    const ScanPage page = TRY(gateway.Scan(request.http.context, scan));
    if (!started) {
      HttpResponse response;
      response.content_type = "application/x-ndjson";
      TRY(writer.Start(std::move(response)));
      started = true;
    }
    std::string lines;
    for (const Record& record : page.records) {
      AppendRecord(lines, record, *schema);
      lines.push_back('\n');
    }
    if (!lines.empty()) {
      TRY(writer.Write(lines));
      scan.after = page.records.back().key;
    }
    if (page.done) {
      return {};
    }
  }
}

}  // namespace

void AddBulkRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies,
                   const RestLimits& limits) {
  Gateway& gateway = dependencies.gateway;
  routes.push_back(
      {.method = "POST",
       .path = "/v1/collections/{collection}/import",
       .operation = "importRecords",
       .tag = "records",
       .summary = "Write a stream of records, one JSON object a line",
       .request_schema = "Record",
       .response_schema = "ImportResult",
       .query = {{"mode", "string", "upsert (default) or insert"}},
       .call = [&gateway,
                limits](const RestCall& request) { return ImportLines(gateway, limits, request); },
       .stream_body = true});
  routes.push_back(
      {.method = "GET",
       .path = "/v1/collections/{collection}/export",
       .operation = "exportRecords",
       .tag = "records",
       .summary = "Read all records as a stream, one JSON object a line",
       .response_type = "application/x-ndjson",
       .query = {{"tenant", "string", "only this tenant's records"},
                 {"vectors", "boolean", "false leaves the vectors out"}},
       .stream = [&gateway, limits](const RestCall& request, HttpResponseWriter& writer) {
         return ExportLines(gateway, limits, request, writer);
       }});
}

}  // namespace roost::rest
