#include "gateway/records/flat_record.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"
#include "store/json_value.h"

namespace roost {

namespace {

namespace f = record_field;

Error Refuse(const Record& record, std::string what) {
  return InvalidArgument(fmt::format("record {}: {}", ToString(record.key), what));
}

void SetPaths(Record& record, const std::vector<std::string>& paths) {
  if (paths.empty()) {
    record.fields.erase(std::string(f::kPendingPaths));
    return;
  }
  Array array;
  for (const std::string& path : paths) {
    array.emplace_back(path);
  }
  record.fields.insert_or_assign(std::string(f::kPendingPaths), Value(std::move(array)));
}

}  // namespace

std::string_view TextOf(const Record& record, std::string_view field) {
  const auto found = record.fields.find(field);
  const auto* text =
      found == record.fields.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

int64_t MicrosOf(const Record& record, std::string_view field) {
  const auto found = record.fields.find(field);
  const auto* micros =
      found == record.fields.end() ? nullptr : std::get_if<int64_t>(&found->second);
  return micros == nullptr ? 0 : *micros;
}

bool IsDeletion(const Record& record) {
  const auto found = record.fields.find(f::kDeleted);
  const auto* deleted = found == record.fields.end() ? nullptr : std::get_if<bool>(&found->second);
  return deleted != nullptr && *deleted;
}

void SetText(Record& record, std::string_view field, std::string_view text) {
  if (text.empty()) {
    record.fields.erase(std::string(field));
  } else {
    record.fields.insert_or_assign(std::string(field), Value(std::string(text)));
  }
}

void SetMicros(Record& record, std::string_view field, int64_t micros) {
  record.fields.insert_or_assign(std::string(field), Value(micros));
}

std::vector<std::string> PendingPathsOf(const Record& record) {
  std::vector<std::string> paths;
  const auto found = record.fields.find(f::kPendingPaths);
  if (found != record.fields.end()) {
    if (const auto* array = std::get_if<Array>(&found->second)) {
      for (const Value& value : *array) {
        if (const auto* path = std::get_if<std::string>(&value)) {
          paths.push_back(*path);
        }
      }
    }
  }
  return paths;
}

void AddPendingPath(Record& record, std::string_view path) {
  std::vector<std::string> paths = PendingPathsOf(record);
  if (!path.empty() && std::find(paths.begin(), paths.end(), path) == paths.end()) {
    paths.emplace_back(path);
    SetPaths(record, paths);
  }
}

void RemovePendingPath(Record& record, std::string_view path) {
  std::vector<std::string> paths = PendingPathsOf(record);
  if (std::erase(paths, path) > 0) {
    SetPaths(record, paths);
  }
}

Status CheckKind(const RecordKind& kind, const Record& record) {
  const auto check = [&](std::string_view name) -> Status {
    if (IsReservedProperty(name)) {
      return Refuse(record, fmt::format("\"{}\" is a field of Roost's own; choose another name for "
                                        "the property",
                                        name));
    }
    if (!kind.extra_properties && name != f::kS3Path && kind.Find(name) == nullptr) {
      return Refuse(record, fmt::format("kind \"{}\" has no property \"{}\"", kind.name, name));
    }
    return {};
  };
  for (const auto& [name, value] : record.fields) {
    TRY(check(name));
  }
  if (!record.dynamic.empty()) {
    for (const auto& [name, value] : JsonMembers(record.dynamic)) {
      TRY(check(name));
    }
  }
  for (const RecordProperty& property : kind.properties) {
    if (!property.required) {
      continue;
    }
    const auto found = record.fields.find(property.field.name);
    bool there = found != record.fields.end() && !found->second.is_null();
    if (!there && !record.dynamic.empty()) {
      there = !JsonAt(record.dynamic, {property.field.name}).is_null();
    }
    if (!there) {
      return Refuse(record,
                    fmt::format("kind \"{}\" needs \"{}\"", kind.name, property.field.name));
    }
  }
  return {};
}

Result<Record> MergeProperties(Record base, const Record& update) {
  for (const auto& [name, value] : update.fields) {
    if (value.is_null()) {
      base.fields.erase(name);
    } else {
      base.fields.insert_or_assign(name, value);
    }
  }
  if (update.dynamic.empty()) {
    return base;
  }
  const std::string canonical = TRY(CanonicalJson(update.dynamic));
  std::map<std::string, std::string> members;
  for (auto& [name, value] : JsonMembers(base.dynamic)) {
    members.insert_or_assign(std::move(name), std::move(value));
  }
  for (auto& [name, value] : JsonMembers(canonical)) {
    if (value == "null") {
      members.erase(name);
    } else {
      members.insert_or_assign(std::move(name), std::move(value));
    }
  }
  base.dynamic = JsonObject({members.begin(), members.end()});
  return base;
}

Record Deletion(const RecordKey& key, const Record* stored) {
  Record deletion;
  deletion.key = key;
  deletion.fields.insert_or_assign(std::string(f::kDeleted), Value(true));
  if (stored != nullptr) {
    SetText(deletion, f::kType, TextOf(*stored, f::kType));
    if (const int64_t created = MicrosOf(*stored, f::kCreated); created != 0) {
      SetMicros(deletion, f::kCreated, created);
    }
    for (const std::string& path : PendingPathsOf(*stored)) {
      AddPendingPath(deletion, path);
    }
    AddPendingPath(deletion, TextOf(*stored, f::kS3Path));
  }
  return deletion;
}

void SetOrigin(Record& record, const RecordOrigin& origin, int64_t stamp) {
  SetMicros(record, f::kModified, stamp);
  SetText(record, f::kDevice, origin.device);
  SetText(record, f::kDeviceId, origin.device_id);
  SetText(record, f::kJob, origin.long_job_id);
}

}  // namespace roost
