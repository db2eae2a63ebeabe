#pragma once

#include "migration/migration.h"
#include "router/routed_store.h"

namespace roost {

/// What PlanMove read of the source.
struct PlannedMove {
  MigrationPlan plan;
  CollectionSchema schema;
};

/// What creating the move would do, what changes on the way and why it cannot be done. Reads both
/// stores, changes nothing. kNotFound when there is no such collection.
Result<PlannedMove> PlanMove(const RequestContext& context, const MigrationSpec& spec,
                             RoutedStore& routed);

/// kInvalidArgument names the setting that makes no sense.
Status ValidatePolicy(const MigrationPolicy& policy);

}  // namespace roost
