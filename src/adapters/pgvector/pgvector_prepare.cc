#include "adapters/pgvector/pgvector_prepare.h"

#include "adapters/pgvector/pgvector_catalogue.h"
#include "adapters/pgvector/pgvector_impl.h"

namespace roost {
namespace {

Result<std::unique_ptr<PgConnection>> Connect(const RequestContext& context,
                                              const PgVectorOptions& options) {
  const PgOptions connect = TRY(PgConnectOptions(options));
  return PgConnection::Connect(context.WithTimeout(options.connect_timeout * 4), connect);
}

/// Makes all that is missing, whichever step asks.
Status Prepare(const RequestContext& context, const PgVectorOptions& options) {
  const auto connection = TRY(Connect(context, options));
  TRY(PreparePgServer(context, *connection, options.schema));
  return {};
}

}  // namespace

Result<std::vector<PreparationStep>> LookAtPgVector(const RequestContext& context,
                                                    const PgVectorOptions& options) {
  const auto connection = TRY(Connect(context, options));
  const PgPresence presence = TRY(LookAtPgServer(context, *connection, options.schema));
  std::vector<PreparationStep> steps(2);
  steps[0].kind = "extension";
  steps[0].name = "vector";
  steps[0].state = presence.extension ? StepState::kThere : StepState::kMissing;
  steps[1].kind = "table";
  steps[1].name = options.schema + ".roost_collections";
  steps[1].state = presence.catalogue ? StepState::kThere : StepState::kMissing;
  for (PreparationStep& step : steps) {
    if (step.state == StepState::kMissing) {
      step.make = [options](const RequestContext& making) { return Prepare(making, options); };
    }
  }
  return steps;
}

}  // namespace roost
