#include <fmt/format.h>

#include "protocol/rest/migration_codec.h"
#include "protocol/rest/rest_api.h"

namespace roost::rest {

namespace {

Result<HttpResponse> Create(MigrationService& migrations, const RestCall& request) {
  const MigrationSpec spec = TRY(DecodeMigration(request.http.body));
  if (request.Query("dry_run") == "true") {
    const MigrationPlan plan = TRY(migrations.Plan(request.http.context, spec));
    return JsonResponse(EncodePlan(plan));
  }
  const MigrationStatus status = TRY(migrations.Create(request.http.context, spec));
  return JsonResponse(EncodeMigration(status), 201);
}

Result<HttpResponse> List(MigrationService& migrations, const RestCall& request) {
  const std::vector<MigrationStatus> all = TRY(migrations.List(request.http.context));
  std::string out = R"({"migrations":[)";
  for (size_t i = 0; i < all.size(); ++i) {
    out += i > 0 ? "," : "";
    out += EncodeMigration(all[i]);
  }
  return JsonResponse(out + "]}");
}

RestRoute CommandRoute(MigrationService& migrations, std::string verb, std::string summary,
                       MigrationCommand command) {
  RestRoute route;
  route.method = "POST";
  route.path = "/v1/migrations/{id}/" + verb;
  route.operation = verb + "Migration";
  route.tag = "migrations";
  route.summary = std::move(summary);
  route.response_schema = "Migration";
  route.call = [&migrations, command](const RestCall& request) -> Result<HttpResponse> {
    const MigrationStatus status =
        TRY(migrations.Command(request.http.context, request.PathValue(0), command));
    return JsonResponse(EncodeMigration(status));
  };
  return route;
}

Result<HttpResponse> Advance(MigrationService& migrations, const RestCall& request) {
  const std::optional<MigrationState> to = TRY(DecodeAdvance(request.http.body));
  const MigrationStatus status =
      TRY(migrations.Advance(request.http.context, request.PathValue(0), to));
  return JsonResponse(EncodeMigration(status));
}

void AddCommands(std::vector<RestRoute>& routes, MigrationService& migrations) {
  routes.push_back(
      {.method = "POST",
       .path = "/v1/migrations/{id}/advance",
       .operation = "advanceMigration",
       .tag = "migrations",
       .summary = "Let a move go on to a state, or to its next gate",
       .request_schema = "AdvanceRequest",
       .response_schema = "Migration",
       .call = [&migrations](const RestCall& request) { return Advance(migrations, request); }});
  routes.push_back(CommandRoute(migrations, "rollback",
                                "Make the old store the authority again; nothing is lost",
                                MigrationCommand::kRollback));
  routes.push_back(CommandRoute(migrations, "commit",
                                "End the move: the old store no longer follows",
                                MigrationCommand::kCommit));
  routes.push_back(CommandRoute(migrations, "abort",
                                "Give the move up before the cut-over; the old store goes on alone",
                                MigrationCommand::kAbort));
}

}  // namespace

void AddMigrationRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies) {
  MigrationService& migrations = dependencies.migrations;
  routes.push_back(
      {.method = "GET",
       .path = "/v1/migrations",
       .operation = "listMigrations",
       .tag = "migrations",
       .summary = "All moves, newest first",
       .response_schema = "MigrationList",
       .call = [&migrations](const RestCall& request) { return List(migrations, request); }});
  routes.push_back(
      {.method = "POST",
       .path = "/v1/migrations",
       .operation = "createMigration",
       .tag = "migrations",
       .summary = "Begin to move a collection to another store, or plan it (dry_run)",
       .request_schema = "MigrationRequest",
       .response_schema = "Migration",
       .response_status = 201,
       .query = {{"dry_run", "boolean", "only tell what would be done"}},
       .call = [&migrations](const RestCall& request) { return Create(migrations, request); }});
  routes.push_back({.method = "GET",
                    .path = "/v1/migrations/{id}",
                    .operation = "getMigration",
                    .tag = "migrations",
                    .summary = "How a move stands",
                    .response_schema = "Migration",
                    .call = [&migrations](const RestCall& request) -> Result<HttpResponse> {
                      const MigrationStatus status =
                          TRY(migrations.Get(request.http.context, request.PathValue(0)));
                      return JsonResponse(EncodeMigration(status));
                    }});
  AddCommands(routes, migrations);
  routes.push_back({.method = "GET",
                    .path = "/v1/migrations/{id}/dead-letters",
                    .operation = "listDeadLetters",
                    .tag = "migrations",
                    .summary = "Keys that could not be brought over",
                    .response_schema = "DeadLetterList",
                    .call = [&migrations](const RestCall& request) -> Result<HttpResponse> {
                      const auto letters =
                          TRY(migrations.DeadLetters(request.http.context, request.PathValue(0)));
                      return JsonResponse(EncodeDeadLetters(letters));
                    }});
  routes.push_back({.method = "POST",
                    .path = "/v1/migrations/{id}/redrive",
                    .operation = "redriveDeadLetters",
                    .tag = "migrations",
                    .summary = "Try the dead letters again",
                    .response_schema = "Empty",
                    .call = [&migrations](const RestCall& request) -> Result<HttpResponse> {
                      TRY(migrations.Redrive(request.http.context, request.PathValue(0)));
                      return JsonResponse("{}");
                    }});
}

}  // namespace roost::rest
