#pragma once

#include <string>
#include <vector>

#include "adapters/opensearch/opensearch_store.h"
#include "base/clock.h"
#include "base/context.h"
#include "base/result.h"
#include "store/preparation.h"
#include "telemetry/metrics.h"

namespace roost {

/// What belongs to a cluster beside the collections' own indexes, for clients that speak to
/// OpenSearch themselves: the template "<index>_template", which gives each index called
/// "<index>-<tenant>" the mapping of the schema, those indexes for the tenants that are named, and
/// the alias. Compared with what is there; nothing is changed. kInvalidArgument: names that
/// OpenSearch does not take or that would reach Roost's own indexes; kUnimplemented: types that
/// have no plain mapping. `clock` and `metrics` outlive the steps.
Result<std::vector<PreparationStep>> LookBesideOpenSearch(const RequestContext& context,
                                                          const OpenSearchOptions& options,
                                                          const PreparationRequest& request,
                                                          Clock& clock, Metrics& metrics);

/// The body of the call that makes the template.
Result<std::string> OsTemplateBody(const OpenSearchOptions& options,
                                   const PreparationRequest& request);
/// In what the template of a "GET /_index_template/NAME" reply differs from the body that would
/// make it: "mappings.properties.v.dimension is 4, wanted is 8".
Result<std::vector<std::string>> OsTemplateDifferences(const std::string& reply,
                                                       const std::string& body);
/// In what the mapping of a "GET /INDEX" reply lacks what that body gives to new indexes. What else
/// it holds does not count.
Result<std::vector<std::string>> OsMappingDifferences(const std::string& reply,
                                                      const std::string& body);

}  // namespace roost
