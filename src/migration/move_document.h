#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "metadata/control_types.h"
#include "migration/migration.h"
#include "store/types.h"

namespace roost {

/// Everything durable about one move but its chunks and its ledger.
struct MoveDocument {
  std::string id;
  MigrationSpec spec;
  std::string source;
  CollectionSchema schema;
  MigrationProgress progress;
  MigrationCounts counts;     ///< as of the last change
  bool target_begun = false;  ///< from here on the target's collection is ours
  bool target_exists = false;
  bool target_adopted = false;  ///< it was there before: never dropped, its records are reconciled
  bool chunks_planned = false;
  uint64_t pass = 0;          ///< number of the newest verification
  bool pass_started = false;  ///< it counts: nothing voided it since
  bool ended = false;         ///< a final state, and nothing is left to clean up
  std::string last_error;
  int64_t created_micros = 0;
  int64_t changed_micros = 0;
};

MigrationRow ToRow(const MoveDocument& document);
/// kDataLoss when the row is not of this version.
Result<MoveDocument> FromRow(const MigrationRow& row);

}  // namespace roost
