#pragma once

#include "migration/mapping/mapping_table.h"
#include "migration/migration.h"
#include "router/routed_store.h"

namespace roost {

/// What PlanMove read of the source.
struct PlannedMove {
  MigrationPlan plan;
  CollectionSchema schema;
  std::shared_ptr<const RecordMapper> mapper;  ///< null when the plan has refusals
};

/// What creating the move would do, what changes on the way and why it cannot be done. Reads both
/// stores, changes nothing. kNotFound when there is no such collection.
Result<PlannedMove> PlanMove(const RequestContext& context, const MigrationSpec& spec,
                             RoutedStore& routed, const MappingTable& mappings);

/// kInvalidArgument names the setting that makes no sense.
Status ValidatePolicy(const MigrationPolicy& policy);

}  // namespace roost
