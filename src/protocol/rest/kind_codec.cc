#include "protocol/rest/kind_codec.h"

#include <limits>

#include <fmt/format.h>

#include "base/json.h"
#include "gateway/records/flat_record.h"
#include "protocol/rest/json_body.h"
#include "protocol/rest/scalar_text.h"
#include "protocol/rest/vector_text.h"
#include "store/scalar_text.h"

namespace roost::rest {

namespace {

namespace f = record_field;

constexpr std::string_view kOriginMembers =
    "last_update_device, last_update_device_id, long_job_id";

// null stands for a member that is left out, as clients of many languages send it.
std::string ReadText(std::string_view name, sj::value value) {
  return value.is_null() ? std::string() : std::string(ReadString(name, value));
}

bool ReadFlag(std::string_view name, sj::value value) {
  return !value.is_null() && ReadBool(name, value);
}

uint32_t ReadCount(std::string_view name, sj::value value) {
  return static_cast<uint32_t>(ReadInt(name, value, 1, std::numeric_limits<uint32_t>::max()));
}

std::vector<std::string> ReadTexts(std::string_view name, sj::value value) {
  std::vector<std::string> texts;
  if (value.is_null()) {
    return texts;
  }
  if (value.type() != sj::json_type::array) {
    FailBody(fmt::format("\"{}\" must be an array of strings", name));
  }
  for (auto element : value.get_array()) {
    texts.push_back(ReadText(name, element.value()));
  }
  return texts;
}

int64_t ReadMoment(std::string_view name, sj::value value) {
  FieldSchema moment;
  moment.type = DataType::kTimestamp;
  return std::get<int64_t>(ReadScalar(name, value, moment));
}

bool TakeOrigin(RecordOrigin& origin, std::string_view name, sj::value value) {
  if (name == f::kDevice) {
    origin.device = ReadText(name, value);
  } else if (name == f::kDeviceId) {
    origin.device_id = ReadText(name, value);
  } else if (name == f::kJob) {
    origin.long_job_id = ReadText(name, value);
  } else {
    return false;
  }
  return true;
}

void ReadProperties(std::string_view name, sj::value value, const CollectionSchema& schema,
                    Record& record) {
  if (value.is_null()) {
    return;
  }
  if (value.type() != sj::json_type::object) {
    FailBody(fmt::format("\"{}\" must be an object of properties", name));
  }
  for (auto member : value.get_object()) {
    const std::string_view property = member.unescaped_key();
    if (const FieldSchema* field = schema.FindField(property)) {
      record.fields.insert_or_assign(std::string(property),
                                     ReadScalar(property, member.value(), *field));
      continue;
    }
    record.dynamic += record.dynamic.empty() ? '{' : ',';
    AppendJsonString(record.dynamic, property);
    record.dynamic += ':';
    record.dynamic += std::string_view(simdjson::to_json_string(member.value()));
  }
  if (!record.dynamic.empty()) {
    record.dynamic += '}';
  }
}

Record ReadKindRecord(sj::value value, const CollectionSchema& schema) {
  if (value.type() != sj::json_type::object) {
    FailBody("must be an object: {\"unique_id\": …, \"vector\": …, \"properties\": {…}}");
  }
  Record record;
  record.key.key = std::string();
  for (auto member : value.get_object()) {
    const std::string_view name = member.unescaped_key();
    sj::value inner = member.value();
    if (name == "unique_id") {
      record.key.key = std::string(ReadString(name, inner));
    } else if (name == "vector") {
      if (!inner.is_null()) {
        record.vectors.insert_or_assign(std::string(f::kVector),
                                        ReadVector(name, inner, *schema.FindVector(f::kVector)));
      }
    } else if (name == "properties") {
      ReadProperties(name, inner, schema, record);
    } else {
      UnknownMember(name, "unique_id, vector, properties");
    }
  }
  if (std::get<std::string>(record.key.key).empty()) {
    FailBody("\"unique_id\" is missing or empty");
  }
  return record;
}

void ReadRecords(sj::value value, const CollectionSchema& schema, std::vector<Record>& records) {
  if (value.type() != sj::json_type::array) {
    FailBody("\"records\" must be an array of objects");
  }
  for (auto element : value.get_array()) {
    try {
      records.push_back(ReadKindRecord(element.value(), schema));
    } catch (const BodyError& error) {
      FailBody(fmt::format("record {}: {}", records.size(), error.message));
    }
  }
}

SimilaritySetting ReadSimilarity(std::string_view name, sj::value value) {
  SimilaritySetting setting;
  if (value.is_null()) {
    return setting;
  }
  if (value.type() == sj::json_type::number) {
    setting.min_score = ReadDouble(name, value);
    return setting;
  }
  if (value.type() != sj::json_type::object) {
    FailBody("\"similarity_setting\" must be a number (the least score) or an object");
  }
  for (auto member : value.get_object()) {
    const std::string_view part = member.unescaped_key();
    sj::value inner = member.value();
    if (part == "metric") {
      const Result<Metric> metric = ParseMetric(ReadString(part, inner));
      if (!metric.ok()) {
        FailBody(metric.error().message);
      }
      setting.metric = *metric;
    } else if (part == "min_score") {
      setting.min_score = ReadDouble(part, inner);
    } else if (part == "max_distance") {
      setting.max_distance = ReadDouble(part, inner);
    } else if (part == "ef") {
      setting.ef = static_cast<uint32_t>(ReadInt(part, inner, 1, 32'768));
    } else if (part == "exact") {
      setting.exact = ReadBool(part, inner);
    } else {
      UnknownMember(part, "metric, min_score, max_distance, ef, exact");
    }
  }
  return setting;
}

// "filter_expr" and "params", parsed once both are known.
struct FilterMembers {
  std::string text;
  FilterParameters parameters;

  bool Take(std::string_view name, sj::value value) {
    if (name == "filter_expr") {
      text = ReadText(name, value);
    } else if (name == "params") {
      if (!value.is_null()) {
        for (auto member : value.get_object()) {
          const std::string_view parameter = member.unescaped_key();
          parameters.insert_or_assign(std::string(parameter),
                                      ReadParameter(parameter, member.value()));
        }
      }
    } else {
      return false;
    }
    return true;
  }
  Result<FilterPtr> Parse(const CollectionSchema& schema) const {
    return ParseFilter(text, schema, parameters);
  }
};

Status Need(bool there, std::string_view what) {
  return there ? Status() : InvalidArgument(fmt::format("the body needs {}", what));
}

}  // namespace

Result<RecordCollectionSpec> DecodeRecordCollection(const std::string& body,
                                                    std::string collection) {
  RecordCollectionSpec spec;
  spec.collection = std::move(collection);
  std::string kinds;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "dimension") {
      spec.dimension = static_cast<uint32_t>(ReadInt(name, value, 1, 32'768));
    } else if (name == "metric") {
      const Result<Metric> metric = ParseMetric(ReadString(name, value));
      if (!metric.ok()) {
        FailBody(metric.error().message);
      }
      spec.metric = *metric;
    } else if (name == "store") {
      spec.store = ReadText(name, value);
    } else if (name == "kinds") {
      if (!value.is_null()) {
        kinds = std::string_view(simdjson::to_json_string(value));
      }
    } else {
      UnknownMember(name, "dimension, metric, store, kinds");
    }
  }));
  if (!kinds.empty()) {
    spec.kinds = TRY(RecordKinds::Parse(fmt::format(R"({{"kinds":{}}})", kinds)));
  }
  return spec;
}

Result<RecordBatch> DecodeBatch(const std::string& body, const CollectionSchema& schema,
                                bool single) {
  RecordBatch batch;
  bool found = false;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "type") {
      batch.type = ReadString(name, value);
    } else if (single && name == "record") {
      batch.records.push_back(ReadKindRecord(value, schema));
      found = true;
    } else if (!single && name == "records") {
      ReadRecords(value, schema, batch.records);
      found = true;
    } else if (name == "check_only") {
      batch.check_only = ReadFlag(name, value);
    } else if (!TakeOrigin(batch.origin, name, value)) {
      UnknownMember(name, fmt::format("type, {}, check_only, {}", single ? "record" : "records",
                                      kOriginMembers));
    }
  }));
  TRY(Need(found, single ? "\"record\": {…}" : "\"records\": [{…}, …]"));
  TRY(Need(!batch.type.empty(), "\"type\", the name of the records' kind"));
  return batch;
}

Result<RecordUpdate> DecodeUpdate(const std::string& body, const CollectionSchema& schema,
                                  bool with_vector) {
  RecordUpdate update;
  bool changes = false;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "unique_id") {
      update.unique_id = ReadString(name, value);
    } else if (with_vector && name == "new_vector") {
      update.vector = ReadVector(name, value, *schema.FindVector(f::kVector));
    } else if (name == "metadata_updates") {
      ReadProperties(name, value, schema, update.properties);
      changes = true;
    } else if (!TakeOrigin(update.origin, name, value)) {
      UnknownMember(name, fmt::format("unique_id, {}metadata_updates, {}",
                                      with_vector ? "new_vector, " : "", kOriginMembers));
    }
  }));
  TRY(Need(!update.unique_id.empty(), "\"unique_id\""));
  TRY(Need(!with_vector || update.vector.has_value(), "\"new_vector\""));
  TRY(Need(with_vector || changes, "\"metadata_updates\": {…}"));
  return update;
}

Result<RecordDeletion> DecodeDeletion(const std::string& body, bool single) {
  RecordDeletion deletion;
  std::string path;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (single && name == "unique_id") {
      deletion.ids.emplace_back(ReadString(name, value));
    } else if (!single && name == "id_list") {
      deletion.ids = ReadTexts(name, value);
    } else if (name == "record_type") {
      deletion.record_type = ReadText(name, value);
    } else if (single && name == "s3_path") {
      path = ReadText(name, value);
    } else if (!single && name == "s3_paths") {
      deletion.s3_paths = ReadTexts(name, value);
    } else if (!TakeOrigin(deletion.origin, name, value)) {
      UnknownMember(name, fmt::format("{}, record_type, {}, {}", single ? "unique_id" : "id_list",
                                      single ? "s3_path" : "s3_paths", kOriginMembers));
    }
  }));
  TRY(Need(!deletion.ids.empty() || !single, "\"unique_id\""));
  if (!path.empty()) {
    deletion.s3_paths.push_back(std::move(path));
  }
  return deletion;
}

Result<RecordOrigin> DecodeOrigin(const std::string& body) {
  RecordOrigin origin;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (!TakeOrigin(origin, name, value)) {
      UnknownMember(name, kOriginMembers);
    }
  }));
  return origin;
}

Result<VectorQuery> DecodeVectorQuery(const std::string& body, const CollectionSchema& schema) {
  VectorQuery query;
  FilterMembers filter;
  bool found = false;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "query_vector") {
      query.query_vector = ReadVector(name, value, *schema.FindVector(f::kVector));
      found = true;
    } else if (name == "top_k") {
      query.top_k = ReadCount(name, value);
    } else if (name == "similarity_setting") {
      query.similarity = ReadSimilarity(name, value);
    } else if (name == "include_vector") {
      query.include_vector = ReadFlag(name, value);
    } else if (!filter.Take(name, value)) {
      UnknownMember(name,
                    "query_vector, top_k, similarity_setting, include_vector, filter_expr, params");
    }
  }));
  TRY(Need(found, "\"query_vector\""));
  query.filter = TRY(filter.Parse(schema));
  return query;
}

Result<KeywordQuery> DecodeKeywordQuery(const std::string& body, const CollectionSchema& schema) {
  KeywordQuery query;
  FilterMembers filter;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "keyword") {
      query.keyword = ReadString(name, value);
    } else if (name == "top_k") {
      query.top_k = ReadCount(name, value);
    } else if (name == "include_metadata") {
      query.include_metadata = ReadBool(name, value);
    } else if (!filter.Take(name, value)) {
      UnknownMember(name, "keyword, top_k, include_metadata, filter_expr, params");
    }
  }));
  query.filter = TRY(filter.Parse(schema));
  return query;
}

Result<FilterQuery> DecodeFilterQuery(const std::string& body, const CollectionSchema& schema) {
  FilterQuery query;
  FilterMembers filter;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "top_k") {
      query.top_k = ReadCount(name, value);
    } else if (name == "get_connected_results") {
      query.get_connected_results = ReadFlag(name, value);
    } else if (name == "include_vector") {
      query.include_vector = ReadFlag(name, value);
    } else if (!filter.Take(name, value)) {
      UnknownMember(name, "filter_expr, params, top_k, get_connected_results, include_vector");
    }
  }));
  query.filter = TRY(filter.Parse(schema));
  return query;
}

Result<IdsBody> DecodeIds(const std::string& body, bool single) {
  IdsBody ids;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (single && name == "unique_id") {
      ids.ids.emplace_back(ReadString(name, value));
    } else if (!single && name == "id_list") {
      ids.ids = ReadTexts(name, value);
    } else if (name == "include_vector") {
      ids.include_vector = ReadFlag(name, value);
    } else {
      UnknownMember(name, single ? "unique_id, include_vector" : "id_list, include_vector");
    }
  }));
  TRY(Need(!single || !ids.ids.empty(), "\"unique_id\""));
  return ids;
}

Result<RecentBody> DecodeRecent(const std::string& body) {
  RecentBody recent;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "limit") {
      recent.limit = ReadCount(name, value);
    } else if (name == "include_vector") {
      recent.include_vector = ReadFlag(name, value);
    } else {
      UnknownMember(name, "limit, include_vector");
    }
  }));
  return recent;
}

Result<SyncRequest> DecodeSync(const std::string& body) {
  SyncRequest request;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name == "last_sync_datetime") {
      if (!value.is_null()) {
        request.since = ReadMoment(name, value);
      }
    } else if (name == "curr_device_id") {
      request.device_id = ReadText(name, value);
    } else if (name == "limit") {
      request.limit = ReadCount(name, value);
    } else if (name == "offset") {
      request.offset =
          static_cast<uint64_t>(ReadInt(name, value, 0, std::numeric_limits<uint32_t>::max()));
    } else if (name == "cursor") {
      request.cursor = ReadText(name, value);
    } else if (name == "include_vector") {
      request.include_vector = ReadFlag(name, value);
    } else {
      UnknownMember(name,
                    "last_sync_datetime, curr_device_id, limit, offset, cursor, include_vector");
    }
  }));
  return request;
}

Result<int64_t> DecodePurge(const std::string& body) {
  std::optional<int64_t> before;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name != "before") {
      UnknownMember(name, "before");
    }
    before = ReadMoment(name, value);
  }));
  TRY(Need(before.has_value(), "\"before\", a time such as 2024-05-01T12:00:00Z"));
  return *before;
}

}  // namespace roost::rest
