#pragma once

#include <vector>

#include "adapters/weaviate/weaviate_adopted.h"
#include "adapters/weaviate/weaviate_client.h"
#include "adapters/weaviate/weaviate_store.h"
#include "base/random.h"
#include "store/adoption.h"
#include "store/capabilities.h"
#include "store/vector_store.h"

namespace roost {

/// Finds classes that others made and takes them in. Thread safe.
class WeaviateAdopter final : public Adoption {
 public:
  /// All outlive it.
  WeaviateAdopter(const WeaviateOptions& options, const Capabilities& capabilities,
                  WeaviateClient& client, Random& random)
      : options_(options), capabilities_(capabilities), client_(client), random_(random) {}

  Result<std::vector<ForeignCollection>> ListForeign(const RequestContext& context) override;
  Result<AdoptionPlan> PlanAdoption(const RequestContext& context,
                                    const AdoptionQuery& query) override;
  Status Adopt(const RequestContext& context, const CreateCollectionRequest& request);

 private:
  Result<std::vector<uint32_t>> DimensionsOf(const RequestContext& context,
                                             const WeaviateForeignClass& found);
  Result<WeaviateAdoption> PlanClass(const RequestContext& context, const AdoptionQuery& query);

  const WeaviateOptions& options_;
  const Capabilities& capabilities_;
  WeaviateClient& client_;
  Random& random_;
};

}  // namespace roost
