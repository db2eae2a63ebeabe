#pragma once

#include <cstdint>

#include "adapters/embedded/catalog.h"
#include "base/context.h"
#include "store/vector_store.h"

namespace roost::embedded {

// Searches over one pin. Requests were validated. Results do not depend on how the rows are spread
// over segments, but for what graph indexes miss.

/// The nearest vectors of one field.
Result<SearchResult> RunVectorSearch(const RequestContext& context, const Pin& pin,
                                     const SearchRequest& request, size_t vector_field);
/// BM25 over one text field (or all, with the sum of the scores).
Result<SearchResult> RunKeywordSearch(const RequestContext& context, const Pin& pin,
                                      const SearchRequest& request);

}  // namespace roost::embedded
