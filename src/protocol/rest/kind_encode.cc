#include <fmt/format.h>

#include "base/json.h"
#include "gateway/records/flat_record.h"
#include "protocol/rest/kind_codec.h"
#include "protocol/rest/vector_text.h"
#include "store/json_value.h"
#include "store/scalar_text.h"

namespace roost::rest {

namespace {

namespace f = record_field;

void AppendName(std::string& out, std::string_view name) {
  if (out.back() != '{') {
    out.push_back(',');
  }
  AppendJsonString(out, name);
  out.push_back(':');
}

void AppendText(std::string& out, std::string_view name, std::string_view text) {
  if (!text.empty()) {
    AppendName(out, name);
    AppendJsonString(out, text);
  }
}

void AppendMoment(std::string& out, const Record& record, std::string_view field) {
  if (const int64_t micros = MicrosOf(record, field); micros != 0) {
    AppendText(out, field, FormatTimestamp(micros));
  }
}

std::string_view Bool(bool value) { return value ? "true" : "false"; }

}  // namespace

void AppendKindRecord(std::string& out, const Record& record) {
  out += "{";
  AppendName(out, "unique_id");
  AppendJsonString(out, std::get<std::string>(record.key.key));
  AppendText(out, "type", TextOf(record, f::kType));
  AppendMoment(out, record, f::kCreated);
  AppendMoment(out, record, f::kModified);
  AppendText(out, f::kDevice, TextOf(record, f::kDevice));
  AppendText(out, f::kDeviceId, TextOf(record, f::kDeviceId));
  AppendText(out, f::kJob, TextOf(record, f::kJob));
  if (IsDeletion(record)) {
    out += R"(,"deleted":true})";
    return;
  }
  out += R"(,"properties":{)";
  for (const auto& [name, value] : record.fields) {
    if (!IsReservedProperty(name) && !value.is_null()) {
      AppendName(out, name);
      AppendJsonValue(out, value);
    }
  }
  if (record.dynamic.size() > 2) {
    if (out.back() != '{') {
      out.push_back(',');
    }
    out.append(record.dynamic, 1, record.dynamic.size() - 2);
  }
  out.push_back('}');
  if (const auto vector = record.vectors.find(f::kVector); vector != record.vectors.end()) {
    AppendName(out, f::kVector);
    AppendVector(out, vector->second);
  }
  out.push_back('}');
}

std::string EncodeKindRecords(std::string_view member, const std::vector<Record>& records) {
  std::string out = fmt::format(R"({{"{}":[)", member);
  for (const Record& record : records) {
    if (out.back() != '[') {
      out.push_back(',');
    }
    AppendKindRecord(out, record);
  }
  return out + "]}";
}

std::string EncodeKindHits(const std::vector<Hit>& hits, bool with_records) {
  std::string out = R"({"hits":[)";
  for (const Hit& hit : hits) {
    out += out.back() == '[' ? "{" : ",{";
    AppendName(out, "unique_id");
    AppendJsonString(out, std::get<std::string>(hit.record.key.key));
    AppendName(out, "distance");
    AppendJsonDouble(out, hit.distance);
    AppendName(out, "score");
    AppendJsonDouble(out, hit.score);
    if (with_records) {
      AppendName(out, "record");
      AppendKindRecord(out, hit.record);
    } else {
      AppendText(out, "type", TextOf(hit.record, f::kType));
    }
    out.push_back('}');
  }
  return out + "]}";
}

std::string EncodeConnected(const ConnectedRecords& result) {
  std::string out = EncodeKindRecords("records", result.records);
  out.back() = ',';
  out += EncodeKindRecords("connected", result.connected).substr(1);
  out.back() = ',';
  out += R"("links":[)";
  for (const RecordLink& link : result.links) {
    out += out.back() == '[' ? "{" : ",{";
    AppendName(out, "from");
    AppendJsonString(out, link.from);
    AppendName(out, "property");
    AppendJsonString(out, link.property);
    AppendName(out, "to");
    AppendJsonString(out, link.to);
    out.push_back('}');
  }
  return out + fmt::format(R"(],"complete":{}}})", Bool(result.complete));
}

std::string EncodeSync(const SyncPage& page) {
  std::string out = EncodeKindRecords("records", page.records);
  out.pop_back();
  out += fmt::format(R"(,"next_offset":{},"has_more":{})", page.next_offset, Bool(page.has_more));
  AppendText(out, "next_cursor", page.next_cursor);
  if (page.next_since) {
    AppendText(out, "next_sync_datetime", FormatTimestamp(*page.next_since));
  }
  return out + "}";
}

}  // namespace roost::rest
