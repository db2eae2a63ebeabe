#pragma once

#include <string>

#include "base/result.h"
#include "store/vector_store.h"

namespace roost::rest {

// Records as JSON. A record is one flat object: the key under the collection's key field, the
// tenant under its tenant field, every declared and dynamic field and every vector under its own
// name. Scalars are JSON's own; timestamps are microseconds or RFC 3339 text on the way in and
// microseconds on the way out; int64 are JSON integers. Dense vectors are arrays of numbers, or
// (in) base64 text of their little-endian elements; binary vectors are base64 text of their bits;
// sparse vectors are
// {"indices": […], "values": […]}.
//
// All bodies must have 64 spare bytes of capacity (HttpRequest::body has). Errors:
// kInvalidArgument with the member, the row, what was found.

/// {"records": [{…}, …]}
Result<WriteRequest> DecodeWrite(const std::string& body, const CollectionSchema& schema);
/// Lines of NDJSON: one record each; empty lines are passed over. `first_line` numbers errors.
Result<std::vector<Record>> DecodeLines(std::string_view lines, const CollectionSchema& schema,
                                        uint64_t first_line);

/// {"ids": […], "tenant": "…", "fields": […], "vectors": true}
Result<GetRequest> DecodeGet(const std::string& body, const CollectionSchema& schema);

/// Either "ids" or "filter" is filled.
struct DeleteBody {
  std::vector<RecordKey> keys;
  FilterPtr filter;
  std::optional<std::string> tenant;
};
/// {"ids": […], "tenant": "…"} or {"filter": "…", "params": {…}, "tenant": "…"}
Result<DeleteBody> DecodeDelete(const std::string& body, const CollectionSchema& schema);

/// {"filter", "params", "tenant", "offset", "limit", "fields", "vectors", "consistency"}
Result<QueryRequest> DecodeQuery(const std::string& body, const CollectionSchema& schema);
/// {"filter", "params", "tenant"}
Result<CountRequest> DecodeCount(const std::string& body, const CollectionSchema& schema);
/// {"tenant", "after", "after_tenant", "limit", "vectors"}
Result<ScanRequest> DecodeScan(const std::string& body, const CollectionSchema& schema);
/// {"vector" | "vectors" | "text" | "texts", "field", "top_k", "offset", "filter", "params",
///  "tenant", "max_distance", "ef", "exact", "fields", "include_vectors", "consistency"}
Result<SearchRequest> DecodeSearch(const std::string& body, const CollectionSchema& schema);
/// {"searches": [{…}, …], "fusion": "rrf" | "weighted", "rrf_k", "weights", "top_k", "offset",
///  "filter", "tenant", "fields", …}
Result<HybridSearchRequest> DecodeHybrid(const std::string& body, const CollectionSchema& schema);

/// Appends one record as a JSON object.
void AppendRecord(std::string& out, const Record& record, const CollectionSchema& schema);
void AppendKey(std::string& out, const Key& key);
/// {"hits": [[{"id", "distance", "score", "record": {…}}, …], …]}
std::string EncodeSearchResult(const SearchResult& result, const CollectionSchema& schema);
/// {"written": n, "errors": [{"row", "code", "message"}]}
std::string EncodeWriteResult(const WriteResult& result);

}  // namespace roost::rest
