#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/random.h"
#include "store/vector_store.h"

namespace roost {

/// What goes wrong, as probabilities in [0, 1] per call, and how.
struct FaultPlan {
  double fail_before = 0;  ///< kUnavailable, nothing done
  double fail_after = 0;   ///< done, but the caller gets kUnavailable; of writes outcome_unknown
  double late =
      0;  ///< a write gets kDeadlineExceeded with outcome_unknown at once; it lands after `late_by`
  std::chrono::milliseconds late_by{50};
  double partial = 0;  ///< a random part of the rows (at least one) fails with row errors
  double lose = 0;     ///< says OK and stores nothing: a store that lies
  std::chrono::milliseconds delay{0};  ///< before each call
  bool down = false;                   ///< everything is kUnavailable
  bool hang = false;                   ///< everything waits for its deadline or stop
};

/// A store with faults in front of `inner`. Thread safe; `inner`, `clock`, `random` outlive it.
///
/// `late`, `partial` and `lose` are faults of Insert, Upsert and Delete; the others of every call.
/// Nothing happens behind the caller's back: a late write lands inside the first call, or Settle,
/// at or after its time, before anything else. So one seed gives one history under a fake clock.
class FaultyStore : public VectorStore {
 public:
  virtual void SetFaults(FaultPlan plan) = 0;
  virtual uint64_t faults_played() const = 0;
  /// Lands every late write now, in the order of their times.
  virtual void Settle() = 0;
};
std::unique_ptr<FaultyStore> MakeFaultyStore(VectorStore& inner, Clock& clock, Random& random);

}  // namespace roost
