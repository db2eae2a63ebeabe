#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway.h"
#include "gateway/records/record_service.h"
#include "migration/migration.h"
#include "protocol/rest/route_table.h"
#include "telemetry/health.h"
#include "telemetry/metrics.h"

namespace roost::rest {

/// What the API stands on. Everything outlives the API.
struct RestDependencies {
  Gateway& gateway;
  RecordService& records;
  MigrationService& migrations;
  const std::map<std::string, VectorStore*>& stores;  ///< by name, for GET /v1/stores
  HealthRegistry& health;
  Metrics& metrics;
  std::string version;
};

/// Largest values of what a request may ask for at once.
struct RestLimits {
  size_t import_batch_rows = 1'000;  ///< lines written at a time by …/import
  size_t import_line_bytes = 4 << 20;
  uint32_t export_page_rows = 1'000;
};

/// Roost's own API over HTTP: the table of its routes.
std::vector<RestRoute> MakeRoutes(const RestDependencies& dependencies, const RestLimits& limits);

/// OpenAPI 3.1 of the table, as JSON.
std::string OpenApi(const std::vector<RestRoute>& routes, const std::string& version);

// The parts of the table, one function a file.
void AddSystemRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies);
void AddCollectionRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies);
void AddAdoptionRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies);
void AddRecordRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies);
void AddBulkRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies,
                   const RestLimits& limits);
void AddKindRoutes(std::vector<RestRoute>& routes, Gateway& gateway, RecordService& records);
void AddMigrationRoutes(std::vector<RestRoute>& routes, const RestDependencies& dependencies);

}  // namespace roost::rest
