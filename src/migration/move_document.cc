#include "migration/move_document.h"

#include <exception>

#include <boost/json.hpp>

#include "store/schema_json.h"

namespace roost {
namespace {

namespace json = boost::json;

constexpr int64_t kVersion = 1;

json::object PolicyToJson(const MigrationPolicy& policy) {
  return {{"shadow_percent", policy.shadow_percent},
          {"ramp_percents", json::value_from(policy.ramp_percents)},
          {"ramp_hold_ms", policy.ramp_hold_ms},
          {"shadow_hold_ms", policy.shadow_hold_ms},
          {"fence_max_ms", policy.fence_max_ms},
          {"fence_retry_ms", policy.fence_retry_ms},
          {"chunk_rows", policy.chunk_rows},
          {"backfill_workers", policy.backfill_workers},
          {"backfill_rows_per_second", policy.backfill_rows_per_second},
          {"max_dirty_rows", policy.max_dirty_rows},
          {"applier_attempts", policy.applier_attempts},
          {"oldest_dirty_max_ms", policy.oldest_dirty_max_ms}};
}

template <typename Number>
void Read(const json::object& object, const char* name, Number& out) {
  out = object.at(name).to_number<Number>();
}

MigrationPolicy PolicyFromJson(const json::object& object) {
  MigrationPolicy policy;
  Read(object, "shadow_percent", policy.shadow_percent);
  policy.ramp_percents = json::value_to<std::vector<uint32_t>>(object.at("ramp_percents"));
  Read(object, "ramp_hold_ms", policy.ramp_hold_ms);
  Read(object, "shadow_hold_ms", policy.shadow_hold_ms);
  Read(object, "fence_max_ms", policy.fence_max_ms);
  Read(object, "fence_retry_ms", policy.fence_retry_ms);
  Read(object, "chunk_rows", policy.chunk_rows);
  Read(object, "backfill_workers", policy.backfill_workers);
  Read(object, "backfill_rows_per_second", policy.backfill_rows_per_second);
  Read(object, "max_dirty_rows", policy.max_dirty_rows);
  Read(object, "applier_attempts", policy.applier_attempts);
  Read(object, "oldest_dirty_max_ms", policy.oldest_dirty_max_ms);
  return policy;
}

json::object ProgressToJson(const MigrationProgress& progress) {
  return {{"state", std::string(MigrationStateName(progress.state))},
          {"goal", std::string(MigrationStateName(progress.goal))},
          {"command", static_cast<int>(progress.command)},
          {"epoch", progress.epoch},
          {"ramp_step", progress.ramp_step},
          {"verified", progress.verified}};
}

Result<MigrationProgress> ProgressFromJson(const json::object& object) {
  MigrationProgress progress;
  progress.state = TRY(ParseMigrationState(json::value_to<std::string>(object.at("state"))));
  progress.goal = TRY(ParseMigrationState(json::value_to<std::string>(object.at("goal"))));
  const auto command = object.at("command").to_number<int>();
  if (command < 0 || command > static_cast<int>(MigrationCommand::kAbort)) {
    return DataLoss("unknown command " + std::to_string(command));
  }
  progress.command = static_cast<MigrationCommand>(command);
  Read(object, "epoch", progress.epoch);
  Read(object, "ramp_step", progress.ramp_step);
  progress.verified = object.at("verified").as_bool();
  return progress;
}

/// Those counts that rows of the control store do not tell.
json::object CountsToJson(const MigrationCounts& counts) {
  return {{"source_records", counts.source_records},
          {"applied", counts.applied},
          {"mirrored", counts.mirrored},
          {"mirror_errors", counts.mirror_errors},
          {"last_fence_ms", counts.last_fence_ms}};
}

MigrationCounts CountsFromJson(const json::object& object) {
  MigrationCounts counts;
  Read(object, "source_records", counts.source_records);
  Read(object, "applied", counts.applied);
  Read(object, "mirrored", counts.mirrored);
  Read(object, "mirror_errors", counts.mirror_errors);
  Read(object, "last_fence_ms", counts.last_fence_ms);
  return counts;
}

Result<MoveDocument> Parse(const MigrationRow& row) {
  const json::object object = json::parse(row.document).as_object();
  if (object.at("version").to_number<int64_t>() != kVersion) {
    return DataLoss("its version is not " + std::to_string(kVersion));
  }
  MoveDocument document{
      .id = row.id, .created_micros = row.created_micros, .changed_micros = row.changed_micros};
  document.spec.collection = row.collection;
  document.spec.target = json::value_to<std::string>(object.at("target"));
  document.spec.automatic = object.at("automatic").as_bool();
  document.spec.allow_existing_target = object.at("allow_existing_target").as_bool();
  document.spec.policy = PolicyFromJson(object.at("policy").as_object());
  document.source = json::value_to<std::string>(object.at("source"));
  document.schema = TRY(SchemaFromJson(json::value_to<std::string>(object.at("schema"))));
  document.progress = TRY(ProgressFromJson(object.at("progress").as_object()));
  document.counts = CountsFromJson(object.at("counts").as_object());
  document.target_begun = object.at("target_begun").as_bool();
  document.target_exists = object.at("target_exists").as_bool();
  document.target_adopted = object.at("target_adopted").as_bool();
  document.chunks_planned = object.at("chunks_planned").as_bool();
  Read(object, "pass", document.pass);
  document.pass_started = object.at("pass_started").as_bool();
  document.ended = object.at("ended").as_bool();
  document.last_error = json::value_to<std::string>(object.at("last_error"));
  return document;
}

}  // namespace

MigrationRow ToRow(const MoveDocument& document) {
  const json::object object = {{"version", kVersion},
                               {"target", document.spec.target},
                               {"automatic", document.spec.automatic},
                               {"allow_existing_target", document.spec.allow_existing_target},
                               {"policy", PolicyToJson(document.spec.policy)},
                               {"source", document.source},
                               {"schema", SchemaToJson(document.schema)},
                               {"progress", ProgressToJson(document.progress)},
                               {"counts", CountsToJson(document.counts)},
                               {"target_begun", document.target_begun},
                               {"target_exists", document.target_exists},
                               {"target_adopted", document.target_adopted},
                               {"chunks_planned", document.chunks_planned},
                               {"pass", document.pass},
                               {"pass_started", document.pass_started},
                               {"ended", document.ended},
                               {"last_error", document.last_error}};
  return {.id = document.id,
          .collection = document.spec.collection,
          .state = std::string(MigrationStateName(document.progress.state)),
          .active = !document.ended,
          .document = json::serialize(object),
          .created_micros = document.created_micros,
          .changed_micros = document.changed_micros};
}

Result<MoveDocument> FromRow(const MigrationRow& row) {
  const std::string what = "the stored move " + row.id + " cannot be read: ";
  try {
    Result<MoveDocument> document = Parse(row);
    return document.ok() ? document : DataLoss(what + document.error().message);
  } catch (const std::exception& error) {
    return DataLoss(what + error.what());
  }
}

}  // namespace roost
