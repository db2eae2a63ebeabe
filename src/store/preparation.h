#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "store/types.h"

namespace roost {

/// What `roost bootstrap` wants a store to have.
struct PreparationRequest {
  CollectionSchema schema;
  /// How indexes of other clients are called, `<index>-<tenant>`, where the store makes those by
  /// itself from a template; empty: none is wanted.
  std::string index;
  std::vector<std::string> tenants;  ///< those of them that are wanted now
  std::string alias;  ///< a second name of the collection for other clients; empty: none
};

enum class StepState : uint8_t {
  kThere,      ///< and as it is wanted
  kMissing,    ///< not there
  kDifferent,  ///< there, but not as it is wanted
  kMade,       ///< was missing, and is there now
};
/// "there", "missing", "different", "made".
std::string_view StepStateName(StepState state);

/// One thing that a store should have, compared with what it has.
struct PreparationStep {
  std::string kind;  ///< "collection", "index template", …
  std::string name;
  StepState state = StepState::kMissing;
  std::vector<std::string> differences;  ///< where it is kDifferent: "x is 4, wanted is 8"
  std::string advice;                    ///< where it is kDifferent: what to do
  /// Makes it; set where it is kMissing.
  std::function<Status(const RequestContext&)> make;
};

/// A store and what it should have, in the order in which it is made.
struct PreparedStore {
  std::string address;  ///< without secrets
  std::string version;  ///< of the server; empty where nothing is there to ask yet
  std::vector<std::string> notes;
  std::vector<PreparationStep> steps;

  /// How many of the steps are in that state.
  size_t Count(StepState state) const;
};

/// The collection that `roost bootstrap` makes unless it is told another: key "id", entity_type,
/// entity_id, a float vector "vector", metadata, model_version, tenant_id, created_at, updated_at.
/// With `tenants` each record belongs to the tenant that tenant_id names.
CollectionSchema EntityRecordSchema(const std::string& name, uint32_t dimension, Metric metric,
                                    bool tenants);

/// In what a collection that is there differs from the wanted one: "vector field \"v\" has
/// dimension 4, wanted is 8". Empty where nothing does that a client could notice; names and
/// descriptions of the collections and the order of fields do not count.
std::vector<std::string> SchemaDifferences(const CollectionSchema& there,
                                           const CollectionSchema& wanted);

}  // namespace roost
