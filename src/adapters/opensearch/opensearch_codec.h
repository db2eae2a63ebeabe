#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/types.h"
#include "store/vector_store.h"

namespace roost {

/// Records as OpenSearch documents and back, bit for bit. Pure. README.md tells the format.

/// Names of Roost's own properties. Fields of users never begin with '_'.
inline constexpr std::string_view kOsOrder = "_pk";  ///< keyword: tenant and key, in scan order
inline constexpr std::string_view kOsKey = "_key";   ///< long or keyword
inline constexpr std::string_view kOsTenant = "_tenant";  ///< keyword
inline constexpr std::string_view kOsDead = "_dead";      ///< boolean: a tombstone
inline constexpr std::string_view kOsFence = "_fence";    ///< long: of a tombstone
inline constexpr std::string_view kOsBuried = "_buried";  ///< long: when, ms since 1970
inline constexpr std::string_view kOsTokens = "_tokens";  ///< keyword: opensearch_tokens.h
inline constexpr std::string_view kOsWords = "_words";    ///< object of text: words of TEXT fields
inline constexpr std::string_view kOsPacked = "_packed";  ///< object of long: opensearch_codec.cc
inline constexpr std::string_view kOsCut = "_cut";        ///< keyword: fields with cut strings
inline constexpr std::string_view kOsExact = "_x";        ///< what is not indexed as it is

inline constexpr size_t kOsMaxIdBytes = 512;

/// Order-preserving text of tenant and key.
std::string OsOrder(const CollectionSchema& schema, const RecordKey& key);
/// The document's id: the order's text where it is plain and short enough, else a digest of it.
std::string OsDocumentId(const CollectionSchema& schema, const RecordKey& key);

/// How a vector is kept: as floats of a knn_vector, or packed into longs.
bool OsIsPacked(DataType type);

/// One line of JSON. Precondition: ValidateRecords said yes.
std::string EncodeRecord(const CollectionSchema& schema, const Record& record);
std::string EncodeTombstone(const CollectionSchema& schema, const RecordKey& key, uint64_t fence,
                            int64_t now_ms);

/// Elements as JSON, of a dense vector that is not packed.
void AppendVector(std::string& out, const Vector& vector);
std::string PackedName(std::string_view vector);
/// The longs of a packed vector; a sparse one without entries gives none.
std::vector<int64_t> PackVector(const Vector& vector);

struct OsDecoded {
  bool dead = false;
  uint64_t fence = 0;  ///< of a tombstone
  Record record;
};
/// `source` lies in a text made ready by PadReply. kDataLoss for what Roost has not written.
Result<OsDecoded> DecodeRecord(const CollectionSchema& schema, std::string_view source);

}  // namespace roost
