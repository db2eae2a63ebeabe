#pragma once

#include "store/vector_store.h"

namespace roost {

/// Runs the legs one by one through `store.Search`, each with max(4 × (top_k + offset), 50) hits,
/// and fuses them: RRF Σ 1/(k + rank) with ranks from 1 (Cormack et al. 2009), or the weighted sum
/// of min-max normalised scores. Ties by key. What HybridSearch does in stores without a native
/// one. A hit's score is the fused one, its distance −score.
Result<SearchResult> FuseSearches(VectorStore& store, const RequestContext& context,
                                  const HybridSearchRequest& request);

}  // namespace roost
