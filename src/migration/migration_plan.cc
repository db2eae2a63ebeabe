#include "migration/migration_plan.h"

#include <utility>

#include "base/strings.h"
#include "store/preparation.h"
#include "store/validate.h"

namespace roost {
namespace {

/// Why records of `wanted` do not fit what is there; indexes are the store's own matter.
std::vector<std::string> Differences(const CollectionSchema& there, CollectionSchema wanted) {
  for (VectorFieldSchema& vector : wanted.vectors) {
    if (const VectorFieldSchema* same = there.FindVector(vector.name)) {
      vector.index = same->index;
      vector.hnsw_m = same->hnsw_m;
      vector.hnsw_ef_construction = same->hnsw_ef_construction;
    }
  }
  return SchemaDifferences(there, wanted);
}

/// How the target will keep the collection, and whether it can.
void PlanMapping(const MigrationSpec& spec, const MappingTable& mappings, VectorStore& target,
                 const Result<CollectionDescription>& there, PlannedMove& planned) {
  MigrationPlan& plan = planned.plan;
  const std::string name = Quoted(spec.collection);
  const auto present = there.ok() ? mappings.Find(spec.target, spec.collection) : nullptr;
  auto mapper = RecordMapper::Identity(planned.schema);
  if (present != nullptr && !spec.mapping) {
    mapper = present;  // The target keeps it by a mapping already.
  } else if (spec.mapping) {
    auto made = RecordMapper::Make(planned.schema, *spec.mapping);
    if (!made.ok()) {
      plan.refusals.push_back(made.error().message);
      return;
    }
    mapper = *std::move(made);
  }
  const Capabilities& to = target.capabilities();
  plan.mapping = mapper->mapping();
  plan.fidelity = ReportFidelity(*mapper, to);
  if (const Status valid = ValidateSchema(mapper->target(), to); !valid.ok()) {
    std::string refusal = "the target cannot hold the collection: " + valid.error().message;
    SchemaMapping suggested = SuggestMapping(planned.schema, to);
    if (!spec.mapping && ValidateSchema(suggested.schema, to).ok()) {
      refusal +=
          "; the plan's mapping shows how it can, if vectors that cannot be searched there "
          "are good enough: give it with the move";
      plan.mapping = std::move(suggested);
    }
    plan.refusals.push_back(std::move(refusal));
  }
  if (there.ok() && !spec.allow_existing_target) {
    plan.refusals.push_back("store " + Quoted(spec.target) + " has a collection " + name +
                            "; drop it there, or allow an existing target to have it made equal");
  } else if (there.ok()) {
    // Where it is kept by a mapping, the store shows it as its users see it.
    auto differences =
        Differences(there->schema, present == nullptr ? mapper->target() : planned.schema);
    if (present != nullptr && present->mapping() != mapper->mapping()) {
      differences.emplace_back("it is kept by another mapping");
    }
    if (!differences.empty()) {
      plan.refusals.push_back("the collection on store " + Quoted(spec.target) +
                              " is another one: " + Join(differences, "; ") + "; drop it there");
    }
  }
  if (plan.refusals.empty()) {
    planned.mapper = std::move(mapper);
  }
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
                             RoutedStore& routed, const MappingTable& mappings) {
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
      ReportLimits(planned.schema, routed.CapabilitiesOf(spec.collection), target->capabilities());
  PlanMapping(spec, mappings, *target, there, planned);
  plan.steps = Steps(spec, plan, there.ok());
  return planned;
}

}  // namespace roost
