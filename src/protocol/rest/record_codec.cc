#include "protocol/rest/record_codec.h"

#include <fmt/format.h>

#include "base/json.h"
#include "protocol/rest/json_body.h"
#include "protocol/rest/scalar_text.h"
#include "protocol/rest/vector_text.h"
#include "store/json_value.h"

namespace roost::rest {

namespace {

void ReadMember(Record& record, const CollectionSchema& schema, std::string_view name,
                sj::value value, bool& has_key) {
  if (name == schema.key_field) {
    record.key.key = ReadKey(name, value, schema.key_type);
    has_key = true;
  } else if (schema.multi_tenant() && name == schema.tenant_field) {
    record.key.tenant = ReadString(name, value);
  } else if (const FieldSchema* field = schema.FindField(name)) {
    record.fields.insert_or_assign(std::string(name), ReadScalar(name, value, *field));
  } else if (const VectorFieldSchema* vector = schema.FindVector(name)) {
    if (!value.is_null()) {
      record.vectors.insert_or_assign(std::string(name), ReadVector(name, value, *vector));
    }
  } else if (schema.dynamic) {
    record.dynamic += record.dynamic.empty() ? '{' : ',';
    AppendJsonString(record.dynamic, name);
    record.dynamic += ':';
    record.dynamic += std::string_view(simdjson::to_json_string(value));
  } else {
    FailBody(fmt::format("collection \"{}\" has no field \"{}\"", schema.name, name));
  }
}

Record ReadRecord(sj::object object, const CollectionSchema& schema) {
  Record record;
  bool has_key = false;
  for (auto field : object) {
    const std::string_view name = field.unescaped_key();
    ReadMember(record, schema, name, field.value(), has_key);
  }
  if (!has_key) {
    FailBody(fmt::format("the key \"{}\" is missing", schema.key_field));
  }
  if (!record.dynamic.empty()) {
    record.dynamic += '}';
  }
  return record;
}

std::vector<Record> ReadRecords(sj::value value, const CollectionSchema& schema) {
  if (value.type() != sj::json_type::array) {
    FailBody("\"records\" must be an array of objects");
  }
  std::vector<Record> records;
  for (auto element : value.get_array()) {
    try {
      records.push_back(ReadRecord(element.get_object(), schema));
    } catch (const BodyError& error) {
      FailBody(fmt::format("record {}: {}", records.size(), error.message));
    }
  }
  return records;
}

}  // namespace

Result<WriteRequest> DecodeWrite(const std::string& body, const CollectionSchema& schema) {
  WriteRequest request{.collection = schema.name, .records = {}, .fence = {}};
  bool found = false;
  TRY(ReadBody(body, [&](std::string_view name, sj::value value) {
    if (name != "records") {
      UnknownMember(name, "records");
    }
    request.records = ReadRecords(value, schema);
    found = true;
  }));
  if (!found) {
    return InvalidArgument("the body needs \"records\": [{…}, …]");
  }
  return request;
}

Result<std::vector<Record>> DecodeLines(std::string_view lines, const CollectionSchema& schema,
                                        uint64_t first_line) {
  std::vector<Record> records;
  uint64_t number = first_line;
  std::string line;
  for (size_t start = 0; start < lines.size(); ++number) {
    const size_t end = std::min(lines.find('\n', start), lines.size());
    const std::string_view text = lines.substr(start, end - start);
    start = end + 1;
    if (text.find_first_not_of(" \t\r") == std::string_view::npos) {
      continue;
    }
    line.reserve(text.size() + simdjson::SIMDJSON_PADDING);
    line.assign(text);
    Record record;
    bool has_key = false;
    const Status status = ReadBody(line, [&](std::string_view name, sj::value value) {
      ReadMember(record, schema, name, value, has_key);
    });
    if (!status.ok()) {
      return status.error().Within(fmt::format("line {}", number));
    }
    if (!has_key) {
      return InvalidArgument(
          fmt::format("line {}: the key \"{}\" is missing", number, schema.key_field));
    }
    if (!record.dynamic.empty()) {
      record.dynamic += '}';
    }
    records.push_back(std::move(record));
  }
  return records;
}

void AppendKey(std::string& out, const Key& key) {
  if (const auto* number = std::get_if<int64_t>(&key)) {
    AppendJsonInt(out, *number);
  } else {
    AppendJsonString(out, std::get<std::string>(key));
  }
}

namespace {

void AppendName(std::string& out, std::string_view name) {
  out.push_back(',');
  AppendJsonString(out, name);
  out.push_back(':');
}

}  // namespace

void AppendRecord(std::string& out, const Record& record, const CollectionSchema& schema) {
  out.push_back('{');
  AppendJsonString(out, schema.key_field);
  out.push_back(':');
  AppendKey(out, record.key.key);
  if (schema.multi_tenant()) {
    AppendName(out, schema.tenant_field);
    AppendJsonString(out, record.key.tenant);
  }
  for (const auto& [name, value] : record.fields) {
    AppendName(out, name);
    AppendJsonValue(out, value);
  }
  if (record.dynamic.size() > 2) {
    out.push_back(',');
    out.append(record.dynamic, 1, record.dynamic.size() - 2);
  }
  for (const auto& [name, vector] : record.vectors) {
    AppendName(out, name);
    AppendVector(out, vector);
  }
  out.push_back('}');
}

std::string EncodeSearchResult(const SearchResult& result, const CollectionSchema& schema) {
  std::string out = R"({"hits":[)";
  for (size_t i = 0; i < result.hits.size(); ++i) {
    out += i > 0 ? ",[" : "[";
    for (size_t j = 0; j < result.hits[i].size(); ++j) {
      const Hit& hit = result.hits[i][j];
      out += j > 0 ? R"(,{"id":)" : R"({"id":)";
      AppendKey(out, hit.record.key.key);
      out += R"(,"distance":)";
      AppendJsonDouble(out, hit.distance);
      out += R"(,"score":)";
      AppendJsonDouble(out, hit.score);
      out += R"(,"record":)";
      AppendRecord(out, hit.record, schema);
      out.push_back('}');
    }
    out.push_back(']');
  }
  out += "]}";
  return out;
}

std::string EncodeWriteResult(const WriteResult& result) {
  std::string out = fmt::format(R"({{"written":{},"errors":[)", result.written);
  for (size_t i = 0; i < result.errors.size(); ++i) {
    const RowError& error = result.errors[i];
    out += fmt::format(R"({}{{"row":{},"code":"{}","message":)", i > 0 ? "," : "", error.row,
                       CodeName(error.error.code));
    AppendJsonString(out, error.error.message);
    out.push_back('}');
  }
  out += "]}";
  return out;
}

}  // namespace roost::rest
