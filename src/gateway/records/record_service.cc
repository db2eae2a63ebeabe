#include "gateway/records/record_service.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json.h"
#include "gateway/records/flat_record.h"
#include "store/scalar_text.h"
#include "store/validate.h"

namespace roost {

namespace {

namespace f = record_field;

constexpr std::string_view kKindsSetting = "records/kinds/";
constexpr std::string_view kPurgedSetting = "records/purged/";

std::string SettingKey(std::string_view prefix, const std::string& collection) {
  return std::string(prefix) + collection;
}

// What differs between a collection that is there and the one that is asked for; empty: nothing.
std::string Difference(const CollectionSchema& schema, const RecordCollectionSpec& spec) {
  const VectorFieldSchema& vector = *schema.FindVector(f::kVector);
  if (vector.dimension != spec.dimension) {
    return fmt::format("its vectors have {} dimensions, not {}", vector.dimension, spec.dimension);
  }
  if (vector.metric != spec.metric) {
    return fmt::format("its metric is {}, not {}", MetricName(vector.metric),
                       MetricName(spec.metric));
  }
  return {};
}

}  // namespace

RecordService::RecordService(RecordServiceOptions options, Gateway& gateway, ControlStore& control,
                             Clock& clock)
    : options_(options), gateway_(gateway), control_(control), clock_(clock) {}

Status RecordService::CreateCollection(const RequestContext& context,
                                       const RecordCollectionSpec& spec) {
  const Result<RecordLayout> there = Layout(context, spec.collection);
  if (!there.ok() && there.code() != Code::kNotFound) {
    return there.code() == Code::kFailedPrecondition ? AlreadyExists(there.error().message)
                                                     : there.error();
  }
  if (there.ok()) {
    if (const std::string difference = Difference(*there->schema, spec); !difference.empty()) {
      return AlreadyExists(
          fmt::format("collection \"{}\" is there already, and {}; choose another "
                      "name or drop it",
                      spec.collection, difference));
    }
    if (!spec.kinds) {
      return {};
    }
  }
  const RecordKinds kinds = spec.kinds ? *spec.kinds : RecordKinds::Default();
  if (!there.ok()) {
    TRY(gateway_.CreateCollection(
        context, kinds.Layout(spec.collection, spec.dimension, spec.metric), spec.store));
  }
  // After the collection: a crash between the two leaves one with the default kinds, and the same
  // call again sets these.
  ControlTransaction transaction;
  transaction.put_settings.push_back(
      {.key = SettingKey(kKindsSetting, spec.collection), .value = kinds.text()});
  if (!there.ok()) {
    transaction.delete_settings.push_back(SettingKey(kPurgedSetting, spec.collection));
  }
  TRY(control_.Commit(context, std::move(transaction)));
  const std::lock_guard lock(mutex_);
  kinds_.erase(spec.collection);
  return {};
}

Result<std::shared_ptr<const RecordKinds>> RecordService::Kinds(const std::string& collection) {
  const SteadyTime now = clock_.Now();
  {
    const std::lock_guard lock(mutex_);
    const auto found = kinds_.find(collection);
    if (found != kinds_.end() && now - found->second.read_at < options_.kinds_ttl) {
      return found->second.kinds;
    }
  }
  const auto text = TRY(control_.GetSetting(SettingKey(kKindsSetting, collection)));
  auto kinds = std::make_shared<RecordKinds>(RecordKinds::Default());
  if (text) {
    *kinds = TRY(RecordKinds::Parse(*text));
  }
  const std::lock_guard lock(mutex_);
  if (kinds_.size() >= 10'000) {
    kinds_.clear();
  }
  kinds_.insert_or_assign(collection, CachedKinds{.kinds = kinds, .read_at = now});
  return std::shared_ptr<const RecordKinds>(std::move(kinds));
}

Result<RecordLayout> RecordService::Layout(const RequestContext& context,
                                           const std::string& collection) {
  RecordLayout layout;
  layout.schema = TRY(gateway_.Schema(context, collection));
  TRY(CheckRecordLayout(*layout.schema));
  layout.kinds = TRY(Kinds(collection));
  return layout;
}

int64_t RecordService::Stamp(size_t count) {
  const int64_t now = ToUnixMicros(clock_.WallNow());
  const std::lock_guard lock(mutex_);
  const int64_t first = std::max(now, last_stamp_ + 1);
  last_stamp_ = first + static_cast<int64_t>(count) - 1;
  return first;
}

Result<KeyLocks::Hold> RecordService::Lock(const RequestContext& context, const RecordScope& scope,
                                           const std::vector<std::string>& ids) {
  std::vector<RecordKey> keys;
  keys.reserve(ids.size());
  for (const std::string& id : ids) {
    keys.push_back({.tenant = scope.tenant, .key = id});
  }
  std::vector<const RecordKey*> pointers;
  pointers.reserve(keys.size());
  for (const RecordKey& key : keys) {
    pointers.push_back(&key);
  }
  return locks_.Acquire(context, scope.collection, pointers, KeyLocks::Mode::kExclusive);
}

Result<RecordService::Stored> RecordService::Read(const RequestContext& context,
                                                  const RecordScope& scope,
                                                  const std::vector<std::string>& ids,
                                                  OutputFields output) {
  GetRequest request{.collection = scope.collection, .keys = {}, .output = std::move(output)};
  for (const std::string& id : ids) {
    request.keys.push_back({.tenant = scope.tenant, .key = id});
  }
  GetResult result = TRY(gateway_.Get(context, request));
  return std::move(result.records);
}

Status RecordService::Prepare(const RecordLayout& layout, const RecordScope& scope,
                              RecordBatch& batch) const {
  const RecordKind* kind = TRY(layout.kinds->Find(batch.type));
  for (size_t row = 0; row < batch.records.size(); ++row) {
    Record& record = batch.records[row];
    record.key.tenant = scope.tenant;
    if (!record.dynamic.empty()) {
      record.dynamic = TRY(CanonicalJson(record.dynamic));
    }
    if (const Status status = CheckKind(*kind, record); !status.ok()) {
      return status.error().Within(fmt::format("row {}", row));
    }
  }
  TRY(ValidateRecords(*layout.schema, gateway_.CapabilitiesOf(scope.collection), batch.records));
  for (Record& record : batch.records) {
    SetText(record, f::kType, batch.type);
    record.fields.insert_or_assign(std::string(f::kDeleted), Value(false));
  }
  return {};
}

Result<FilterPtr> RecordService::Alive(const RecordLayout& layout, const FilterPtr& filter) const {
  FilterPtr alive = TRY(ParseFilter("deleted == false", *layout.schema));
  return AndFilters(std::move(alive), filter);
}

Result<std::vector<std::string>> RecordService::Collections() {
  const std::vector<SettingRow> rows = TRY(control_.ListSettings(std::string(kKindsSetting)));
  std::vector<std::string> collections;
  collections.reserve(rows.size());
  for (const SettingRow& row : rows) {
    collections.push_back(row.key.substr(kKindsSetting.size()));
  }
  return collections;
}

Status RecordService::CheckPurged(const std::string& collection, int64_t since) {
  const auto purged = TRY(control_.GetSetting(SettingKey(kPurgedSetting, collection)));
  if (!purged) {
    return {};
  }
  const int64_t before = std::strtoll(purged->c_str(), nullptr, 10);
  if (since < before) {
    return Error{.code = Code::kOutOfRange,
                 .message = fmt::format(
                     "deletions before {} are forgotten, so a sync cannot begin at {}: sync from "
                     "the beginning and drop what is not told",
                     FormatTimestamp(before), FormatTimestamp(since))};
  }
  return {};
}

Result<uint64_t> RecordService::PurgeDeleted(const RequestContext& context,
                                             const std::string& collection, int64_t before) {
  const RecordLayout layout = TRY(Layout(context, collection));
  const int64_t latest = ToUnixMicros(clock_.WallNow() - options_.overlap());
  if (before > latest) {
    return InvalidArgument(fmt::format("deletions can be forgotten up to {}, not up to {}",
                                       FormatTimestamp(latest), FormatTimestamp(before)));
  }
  const auto purged = TRY(control_.GetSetting(SettingKey(kPurgedSetting, collection)));
  if (!purged || std::strtoll(purged->c_str(), nullptr, 10) < before) {
    // Before anything is forgotten, so that no sync can begin where something is missing.
    ControlTransaction transaction;
    transaction.put_settings.push_back(
        {.key = SettingKey(kPurgedSetting, collection), .value = std::to_string(before)});
    TRY(control_.Commit(context, std::move(transaction)));
  }
  const FilterPtr filter =
      TRY(ParseFilter("deleted == true and last_modified < {before} and pending_s3_paths is null",
                      *layout.schema, {{"before", Value(before)}}));
  const DeleteResult result =
      TRY(gateway_.DeleteByFilter(context, collection, filter, std::nullopt));
  if (!result.errors.empty()) {
    return result.errors.front().error.Within(
        fmt::format("{} deletions are forgotten; one failed", result.deleted));
  }
  return result.deleted;
}

}  // namespace roost
