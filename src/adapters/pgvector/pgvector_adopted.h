#pragma once

#include <memory>
#include <string>
#include <vector>

#include "adapters/pgvector/pgvector_foreign.h"
#include "adapters/pgvector/pgvector_table.h"
#include "base/result.h"
#include "store/adoption.h"

namespace roost {

/// Which column each part of an adopted collection is: what the catalogue keeps of an adoption.
struct PgAdopted {
  std::string schema;
  std::string table;
  std::string key;
  std::vector<std::string> fields;   ///< one a field of the collection's schema
  std::vector<std::string> vectors;  ///< one a vector

  /// One list: schema, table, key, fields, vectors.
  std::vector<std::string> ToTexts() const;
  /// kDataLoss when the list does not fit the collection's schema.
  static Result<PgAdopted> FromTexts(const CollectionSchema& collection,
                                     const std::vector<std::string>& texts);
};

/// The collection that the table would be, with what is to be said of it.
struct PgAdoptionPlan {
  AdoptionPlan plan;
  PgAdopted adopted;
  std::vector<std::pair<std::string, std::string>> doubts;  ///< SQL over `f`, and what is said
};
/// Precondition: WhyNotAdoptable said nothing.
PgAdoptionPlan PlanPgAdoption(const PgForeignTable& foreign, const AdoptionQuery& query);

/// The table as the collection reads and writes it. kFailedPrecondition when it is not any more
/// what was adopted. `pg_schema` holds what Roost keeps beside it.
Result<std::shared_ptr<PgTable>> MakeAdoptedTable(CollectionSchema collection,
                                                  std::string_view pg_schema, int64_t id,
                                                  const PgAdopted& adopted,
                                                  const PgForeignTable& foreign);
/// What Roost keeps beside an adopted table: its fences, and the type of rows to be written.
std::string CreateBeside(const PgTable& table);
std::string DropBeside(std::string_view pg_schema, int64_t id, const std::string& row_type);

}  // namespace roost
