#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "metadata/control_types.h"

namespace roost {

/// The chunks of one move and how far they are: what workers take next. A copy of what the control
/// store holds. Thread safe.
class ChunkTable {
 public:
  struct Counts {
    uint64_t chunks = 0;
    uint64_t closed = 0;
    uint64_t copied = 0;    ///< records
    uint64_t judged = 0;    ///< chunks, in this pass
    uint64_t verified = 0;  ///< records, in this pass
    uint64_t missing = 0;
    uint64_t extra = 0;
    uint64_t different = 0;
  };

  void SetChunks(std::vector<ChunkRow> chunks);
  std::vector<ChunkRow> Chunks() const;

  /// A chunk to copy that no worker has; none when all are closed or taken.
  std::optional<ChunkRow> TakeToCopy();
  /// Gives the chunk back, changed or not.
  void Return(const ChunkRow& chunk);

  /// Starts a pass whose judged chunks are `rows`. Verdicts of other passes are ignored.
  void SetPass(uint64_t pass, std::vector<VerificationRow> rows);
  /// A chunk to verify that no worker has.
  std::optional<ChunkRow> TakeToVerify();
  void ReturnUnverified(uint64_t number);
  void Judge(const VerificationRow& row);

  Counts counts() const;
  std::vector<std::string> Samples() const;  ///< of records that were different in this pass

 private:
  struct Slot {
    ChunkRow chunk;
    bool copying = false;
    bool verifying = false;
    std::optional<VerificationRow> verdict;
  };

  void JudgeLocked(VerificationRow row);

  mutable std::mutex mutex_;
  std::vector<Slot> slots_;  ///< by number
  size_t next_copy_ = 0;     ///< no chunk before it is to be taken
  size_t next_verify_ = 0;
  uint64_t pass_ = 0;
  Counts counts_;
};

}  // namespace roost
