#pragma once

#include <string>

#include "base/result.h"
#include "gateway/records/record_types.h"

namespace roost::rest {

// The bodies of the operations on records that have a kind (docs/api.md, "Records of
// applications"). A record is {"unique_id", "type", "vector", "properties": {…}} with what Roost
// keeps beside it. Times are RFC 3339 text, or microseconds on the way in. Errors: kInvalidArgument
// with the member and what was found.

/// {"dimension", "metric", "store", "kinds"}
Result<RecordCollectionSpec> DecodeRecordCollection(const std::string& body,
                                                    std::string collection);
/// {"type", "record" | "records", "last_update_device", "last_update_device_id", "long_job_id",
///  "check_only"}; `single`: "record".
Result<RecordBatch> DecodeBatch(const std::string& body, const CollectionSchema& schema,
                                bool single);
/// {"unique_id", "new_vector", "metadata_updates", …}; `with_vector`: "new_vector" must be there,
/// else it must not.
Result<RecordUpdate> DecodeUpdate(const std::string& body, const CollectionSchema& schema,
                                  bool with_vector);
/// {"unique_id", "record_type", "s3_path", …} or {"id_list", "record_type", "s3_paths", …}
Result<RecordDeletion> DecodeDeletion(const std::string& body, bool single);
/// {"last_update_device", "last_update_device_id", "long_job_id"}
Result<RecordOrigin> DecodeOrigin(const std::string& body);
Result<VectorQuery> DecodeVectorQuery(const std::string& body, const CollectionSchema& schema);
Result<KeywordQuery> DecodeKeywordQuery(const std::string& body, const CollectionSchema& schema);
Result<FilterQuery> DecodeFilterQuery(const std::string& body, const CollectionSchema& schema);

struct IdsBody {
  std::vector<std::string> ids;
  bool include_vector = false;
};
/// {"unique_id" | "id_list", "include_vector"}
Result<IdsBody> DecodeIds(const std::string& body, bool single);
struct RecentBody {
  uint32_t limit = 10;
  bool include_vector = false;
};
Result<RecentBody> DecodeRecent(const std::string& body);
Result<SyncRequest> DecodeSync(const std::string& body);
/// {"before"}: microseconds.
Result<int64_t> DecodePurge(const std::string& body);

void AppendKindRecord(std::string& out, const Record& record);
std::string EncodeKindRecords(std::string_view member, const std::vector<Record>& records);
std::string EncodeKindHits(const std::vector<Hit>& hits, bool with_records);
std::string EncodeConnected(const ConnectedRecords& result);
std::string EncodeSync(const SyncPage& page);

}  // namespace roost::rest
