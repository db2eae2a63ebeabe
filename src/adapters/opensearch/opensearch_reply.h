#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace roost {

/// Reading of OpenSearch's replies. Pure. A reply that is not what the call answers with is
/// kUnavailable: something else than OpenSearch stands in between.

/// What an error reply says.
struct OsFailure {
  std::string type;
  std::string reason;  ///< of the innermost cause
};

/// One document of a search or a multi-get. `source` points into the reply's text and may be given
/// to DecodeRecord as long as that lives.
struct OsDocument {
  std::string id;
  bool found = true;  ///< multi-get
  int64_t version = -1;
  int64_t seq_no = -1;
  int64_t primary_term = -1;
  double score = 0;
  OsFailure error;  ///< multi-get
  std::string_view source;
};

/// One line of a bulk reply.
struct OsItem {
  int status = 0;      ///< 200, 201, 404 (delete), 409, 429, …
  std::string result;  ///< created, updated, deleted, not_found
  int64_t version = -1;
  std::string error_type;
  std::string error_reason;
};

/// Makes room behind the text that the parser needs. Call before the others; views stay valid while
/// the string is not changed.
void PadReply(std::string& body);

Result<std::vector<OsDocument>> ParseSearch(const std::string& body);
/// One answer a search.
Result<std::vector<std::vector<OsDocument>>> ParseMultiSearch(const std::string& body);
Result<std::vector<OsDocument>> ParseMultiGet(const std::string& body);
Result<std::vector<OsItem>> ParseBulk(const std::string& body);
/// A number at the top level of an object: "count", "deleted".
Result<int64_t> ParseNumber(const std::string& body, std::string_view member);
Result<std::string> ParseText(const std::string& body, std::string_view member);
/// Of "GET /index/_stats/store".
Result<int64_t> ParseStoreBytes(const std::string& body);
/// Whether some shard could not do it: _shards.failed.
Result<int64_t> ParseFailedShards(const std::string& body);
OsFailure ParseFailure(const std::string& body);
/// The version of the document that stands in the way, out of a conflict's reason.
std::optional<int64_t> ConflictingVersion(std::string_view reason);

/// What "GET /" says.
struct OsGreeting {
  std::string distribution;  ///< "opensearch"; empty for others
  std::string version;
  std::string tagline;
};
Result<OsGreeting> ParseGreeting(const std::string& body);

/// An index as "GET /index" tells it.
struct OsIndexDescription {
  std::string name;
  std::string collection;  ///< of Roost's _meta; empty where there is none
  std::string schema;
  std::string alias;
  bool alias_exists = false;
  int64_t format = 0;
  std::vector<std::pair<std::string, int64_t>> vector_dimensions;  ///< of knn_vector properties
};
Result<std::vector<OsIndexDescription>> ParseIndexes(const std::string& body);

}  // namespace roost
