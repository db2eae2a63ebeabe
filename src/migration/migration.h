#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/result.h"
#include "migration/core/decisions.h"
#include "migration/mapping/fidelity.h"

namespace roost {

/// What a user asks for when a move is created.
struct MigrationSpec {
  std::string collection;
  std::string target;  ///< name of the store to move to
  MigrationPolicy policy;
  bool automatic = false;                ///< go to REVERSED without further commands
  bool allow_existing_target = false;    ///< B already holds the collection: it is reconciled
  std::optional<SchemaMapping> mapping;  ///< how B keeps the collection; none: as its users see it
};

/// Counts of what was done, for people and dashboards.
struct MigrationCounts {
  uint64_t source_records = 0;  ///< estimate at the start
  uint64_t copied = 0;          ///< records written to B by chunks
  uint64_t chunks = 0;
  uint64_t chunks_closed = 0;
  uint64_t applied = 0;  ///< dirty keys brought over
  uint64_t dirty = 0;
  uint64_t inflight = 0;
  uint64_t mirrored = 0;       ///< inline writes that reached the mirror
  uint64_t mirror_errors = 0;  ///< swallowed; the key became dirty
  uint64_t verified = 0;       ///< records compared in the present pass
  uint64_t verified_equal = 0;
  uint64_t missing = 0;  ///< found by verification after rechecks
  uint64_t extra = 0;
  uint64_t different = 0;
  uint64_t dead_letters = 0;
  uint64_t shadow_reads = 0;
  uint64_t shadow_dropped = 0;
  double shadow_overlap = 0;  ///< mean share of common hits, 0 to 1
  double copy_rows_per_second = 0;
  double last_fence_ms = 0;  ///< how long writes waited at the last cut-over
};

struct MigrationStatus {
  std::string id;
  MigrationSpec spec;
  std::string source;  ///< name of store A
  MigrationProgress progress;
  MigrationCounts counts;
  std::string waiting_for;
  std::string last_error;      ///< the newest trouble, cleared when work goes on
  int64_t created_micros = 0;  ///< since 1970 UTC
  int64_t changed_micros = 0;
  std::optional<double> seconds_left;  ///< of the present state's work, where it can be told
};

/// What creating the move would do, and what it would lose.
struct MigrationPlan {
  std::string source;
  std::string target;
  uint64_t records = 0;
  uint64_t chunks = 0;
  std::vector<std::string> steps;
  /// How the target will keep the collection; where it cannot as it is, how it could. Nothing when
  /// there was nothing to map.
  std::optional<SchemaMapping> mapping;
  std::vector<FidelityRow> fidelity;  ///< how well; by field
  std::vector<std::string> notes;     ///< what the target does otherwise with single values
  std::vector<std::string> refusals;  ///< why it cannot be done; empty: it can
};

struct DeadLetter {
  std::string key;
  std::string error;
  uint32_t attempts = 0;
  int64_t since_micros = 0;
};

/// Moves of collections between stores. Thread safe. Everything durable survives SIGKILL in every
/// state; work goes on by itself after a restart.
class MigrationService {
 public:
  virtual ~MigrationService() = default;
  virtual Result<MigrationPlan> Plan(const RequestContext&, const MigrationSpec&) = 0;
  /// kFailedPrecondition lists the plan's refusals; kAlreadyExists when the collection is moving.
  virtual Result<MigrationStatus> Create(const RequestContext&, const MigrationSpec&) = 0;
  virtual Result<MigrationStatus> Get(const RequestContext&, const std::string& id) = 0;
  /// Newest first.
  virtual Result<std::vector<MigrationStatus>> List(const RequestContext&) = 0;
  /// Lets the move go on to `to`, or to its next gate.
  virtual Result<MigrationStatus> Advance(const RequestContext&, const std::string& id,
                                          std::optional<MigrationState> to) = 0;
  virtual Result<MigrationStatus> Command(const RequestContext&, const std::string& id,
                                          MigrationCommand command) = 0;
  virtual Result<std::vector<DeadLetter>> DeadLetters(const RequestContext&,
                                                      const std::string& id) = 0;
  /// Tries the dead letters again.
  virtual Status Redrive(const RequestContext&, const std::string& id) = 0;
};

}  // namespace roost
