#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "store/fidelity.h"
#include "store/types.h"

namespace roost {

/// A table or class on a store that Roost did not make.
struct ForeignCollection {
  std::string name;        ///< as the store calls it: "public.items", "Article"
  std::string adopted_as;  ///< the collection it is in Roost; empty: not adopted
  std::string obstacle;    ///< why it cannot be adopted and what to do; empty: it can
};

struct AdoptionQuery {
  std::string foreign;  ///< ForeignCollection::name
  std::string name;     ///< of the collection; empty: derived from the foreign name
  /// What distances mean where nothing on the store tells.
  std::optional<Metric> metric;
};

/// What a foreign collection looks like through Roost.
struct AdoptionPlan {
  CollectionSchema schema;
  std::vector<FidelityRow> rows;   ///< the key, one a column or property, then the whole
  std::vector<std::string> notes;  ///< what to know of single values and of writing
};

/// Reads collections that others made. Nothing here changes anything. To adopt, create the plan's
/// schema with CreateCollectionRequest::adopt: nothing is made then, the schema is how the store
/// reads what is there from now on. To drop such a collection makes the store forget that; what
/// others made stays. Lives as long as the store. Thread safe.
class Adoption {
 public:
  virtual ~Adoption() = default;
  /// Those that could be collections, sorted by name.
  virtual Result<std::vector<ForeignCollection>> ListForeign(const RequestContext& context) = 0;
  /// kNotFound; kFailedPrecondition says why it cannot be adopted and what to do.
  virtual Result<AdoptionPlan> PlanAdoption(const RequestContext& context,
                                            const AdoptionQuery& query) = 0;
};

}  // namespace roost
