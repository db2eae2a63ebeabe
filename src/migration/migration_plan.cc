#include "migration/migration_plan.h"

#include <algorithm>
#include <utility>

#include "store/validate.h"

namespace roost {
namespace {

std::string Quoted(std::string_view name) { return "\"" + std::string(name) + "\""; }

/// What the target keeps or does otherwise than the source.
std::vector<std::string> Notes(const CollectionSchema& schema, const Capabilities& from,
                               const Capabilities& to) {
  std::vector<std::string> notes;
  for (const VectorFieldSchema& field : schema.vectors) {
    if (field.dimension > to.max_indexed_dimension && field.index != "FLAT") {
      notes.push_back("field " + Quoted(field.name) + ": dimension " +
                      std::to_string(field.dimension) + " exceeds the " +
                      std::to_string(to.max_indexed_dimension) +
                      " that the target indexes; it is searched exactly, and slower");
    }
    if (field.metric == Metric::kCosine && from.zero_vector_with_cosine &&
        !to.zero_vector_with_cosine) {
      notes.push_back("field " + Quoted(field.name) +
                      ": the target takes no zero vectors with COSINE; records that have one "
                      "become dead letters");
    }
  }
  const bool strings = schema.key_type == KeyType::kVarChar ||
                       std::any_of(schema.fields.begin(), schema.fields.end(), [](const auto& f) {
                         return f.type == DataType::kVarChar || f.type == DataType::kText;
                       });
  if (strings && from.null_bytes_in_strings && !to.null_bytes_in_strings) {
    notes.emplace_back(
        "the target takes no zero bytes in strings; records that have some become dead letters");
  }
  if (schema.key_type == KeyType::kVarChar && to.max_key_bytes < from.max_key_bytes) {
    notes.push_back("keys longer than " + std::to_string(to.max_key_bytes) +
                    " bytes do not fit the target and become dead letters");
  }
  if (to.max_top_k < from.max_top_k) {
    notes.push_back("searches return at most " + std::to_string(to.max_top_k) +
                    " hits on the target, " + std::to_string(from.max_top_k) + " before");
  }
  if (from.keyword_search && !to.keyword_search) {
    notes.emplace_back("the target has no keyword search");
  }
  if (to.visibility.count() > 0) {
    notes.push_back("on the target a write may show in searches up to " +
                    std::to_string(to.visibility.count()) + " ms late");
  }
  return notes;
}

/// Why the schema cannot live on the target.
std::vector<std::string> SchemaRefusals(const CollectionSchema& schema, const Capabilities& to) {
  std::vector<std::string> refusals;
  if (const Status valid = ValidateSchema(schema, to); !valid.ok()) {
    refusals.push_back("the target cannot hold the collection: " + valid.error().message);
  }
  return refusals;
}

std::vector<std::string> Steps(const MigrationSpec& spec, const MigrationPlan& plan, bool exists) {
  const std::string name = Quoted(spec.collection);
  std::string ramp;
  for (const uint32_t percent : spec.policy.ramp_percents) {
    ramp += (ramp.empty() ? "" : ", ") + std::to_string(percent) + " %";
  }
  return {
      "CAPTURE: record the keys of every write of " + name,
      exists
          ? "COPY: compare " + name + " on " + Quoted(plan.target) +
                " with the source and make it equal, in " + std::to_string(plan.chunks) + " chunks"
          : "COPY: create " + name + " on " + Quoted(plan.target) + " and copy about " +
                std::to_string(plan.records) + " records in " + std::to_string(plan.chunks) +
                " chunks",
      "MIRROR: write to both stores",
      "VERIFY: compare every record, in both directions",
      "SHADOW: repeat a sample of searches on the target and compare",
      "RAMP: let the target answer " + ramp + " of the sessions",
      "FENCE, SWITCHED: hold writes for a moment and switch to the target",
      "REVERSED: the source follows, so that a rollback loses nothing",
      "COMMITTED: end the move; the source keeps its copy until somebody drops it",
  };
}

}  // namespace

Status ValidatePolicy(const MigrationPolicy& policy) {
  if (policy.chunk_rows < 1 || policy.chunk_rows > 100'000) {
    return InvalidArgument("chunk_rows is " + std::to_string(policy.chunk_rows) +
                           "; choose 1 to 100000");
  }
  if (policy.backfill_workers < 1 || policy.backfill_workers > 64) {
    return InvalidArgument("backfill_workers is " + std::to_string(policy.backfill_workers) +
                           "; choose 1 to 64");
  }
  if (!(policy.shadow_percent >= 0 && policy.shadow_percent <= 100)) {
    return InvalidArgument("shadow_percent must be 0 to 100");
  }
  uint32_t last = 0;
  for (const uint32_t percent : policy.ramp_percents) {
    if (percent <= last || percent > 100) {
      return InvalidArgument("ramp_percents must rise and be 1 to 100");
    }
    last = percent;
  }
  if (policy.fence_max_ms < 1 || policy.max_dirty_rows < 1 || policy.applier_attempts < 1) {
    return InvalidArgument("fence_max_ms, max_dirty_rows and applier_attempts must be at least 1");
  }
  return {};
}

Result<PlannedMove> PlanMove(const RequestContext& context, const MigrationSpec& spec,
                             RoutedStore& routed) {
  TRY(ValidatePolicy(spec.policy));
  PlannedMove planned;
  MigrationPlan& plan = planned.plan;
  plan.source = routed.StoreOf(spec.collection);
  plan.target = spec.target;
  CollectionDescription description = TRY(routed.DescribeCollection(context, spec.collection));
  planned.schema = std::move(description.schema);
  plan.records = description.estimated_count;
  plan.chunks = plan.records / spec.policy.chunk_rows + 1;
  VectorStore* target = routed.FindStore(spec.target);
  if (target == nullptr) {
    plan.refusals.push_back("there is no store " + Quoted(spec.target));
    return planned;
  }
  if (plan.source == plan.target) {
    plan.refusals.push_back("collection " + Quoted(spec.collection) + " is on store " +
                            Quoted(spec.target) + " already");
    return planned;
  }
  // The question first: a store that was away until now tells its capabilities after it.
  const auto there = target->DescribeCollection(context, spec.collection);
  if (!there.ok() && there.code() != Code::kNotFound) {
    plan.refusals.push_back("store " + Quoted(spec.target) +
                            " cannot be asked: " + there.error().message);
    return planned;
  }
  plan.notes =
      Notes(planned.schema, routed.CapabilitiesOf(spec.collection), target->capabilities());
  plan.refusals = SchemaRefusals(planned.schema, target->capabilities());
  if (there.ok() && !spec.allow_existing_target) {
    plan.refusals.push_back("store " + Quoted(spec.target) + " has a collection " +
                            Quoted(spec.collection) +
                            "; drop it there, or allow an existing target to have it made equal");
  } else if (there.ok() && (there->schema.fields != planned.schema.fields ||
                            there->schema.vectors != planned.schema.vectors ||
                            there->schema.key_type != planned.schema.key_type ||
                            there->schema.tenant_field != planned.schema.tenant_field ||
                            there->schema.dynamic != planned.schema.dynamic)) {
    plan.refusals.push_back("the collection on store " + Quoted(spec.target) +
                            " has another schema; drop it there");
  }
  plan.steps = Steps(spec, plan, there.ok());
  return planned;
}

}  // namespace roost
