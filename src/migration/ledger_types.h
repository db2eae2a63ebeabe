#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "migration/core/ledger_rules.h"

namespace roost {

/// The keys (lo, hi], encoded; an absent bound is open.
struct KeyRange {
  std::optional<std::string> lo;
  std::optional<std::string> hi;
};

/// Keys that the applier holds.
struct LedgerClaims {
  struct One {
    std::string key;  ///< encoded
    Seq stamp = 0;
  };
  LedgerToken token = 0;
  Seq fence = 0;  ///< for the writes to the other store
  std::vector<One> keys;
};

/// How the copy of one claimed key went.
struct ApplyOutcome {
  enum class Kind : uint8_t {
    kCopied,
    kFailed,       ///< this key cannot be copied: counts as an attempt
    kUnavailable,  ///< a store is away: tried again without counting
    kUnknown,      ///< may still land
  };
  Kind kind = Kind::kCopied;
  std::string error;
};

struct LedgerCounts {
  uint64_t rows = 0;
  uint64_t dirty = 0;
  uint64_t inflight = 0;  ///< brackets, counted by key
  uint64_t oldest_dirty_ms = 0;
  uint64_t dead_letters = 0;
  uint64_t payload_bytes = 0;
  bool recovering = false;  ///< what a dead process left is not recovered yet
};

/// What a bracket and the ledger share about one batch of writes.
struct BracketState {
  std::vector<std::string> keys;
  std::vector<Mark> marks;
  std::vector<AuthorityOutcome> authority;
  std::vector<bool> ended;
  size_t open = 0;        ///< keys that have not ended
  bool answered = false;  ///< AuthorityDone was called
  LedgerToken token = 0;
  Seq stamp = 0;
  uint64_t ordinal = 0;
};

}  // namespace roost
