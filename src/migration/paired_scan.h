#pragma once

#include <optional>
#include <vector>

#include "migration/bulk_copy.h"
#include "migration/ledger_types.h"

namespace roost {

/// Walks the same range of keys on two stores, piece by piece. Each piece holds what both have
/// between two keys; a write during the walk may show on one side only. For one thread.
class PairedScan {
 public:
  struct Stores {
    VectorStore& first;
    VectorStore& second;
  };
  struct Piece {
    std::vector<Record> first;   ///< by rising key
    std::vector<Record> second;  ///< by rising key
    bool last = false;
  };

  /// kDataLoss when the range's bounds are damaged. `page_rows` > 0.
  static Result<PairedScan> Make(const BulkOptions& options, Clock& clock, Stores stores,
                                 std::string collection, const KeyRange& range, uint32_t page_rows);

  /// Precondition: the last piece was not read yet.
  Result<Piece> Next(const RequestContext& context);

 private:
  PairedScan(const BulkOptions& options, Clock& clock, Stores stores)
      : options_(options), clock_(&clock), stores_(stores) {}

  BulkOptions options_;
  Clock* clock_;
  Stores stores_;
  ScanRequest request_;
};

/// One record that the stores do not have alike.
struct Difference {
  enum class Kind : uint8_t { kMissing, kExtra, kDifferent };
  Kind kind = Kind::kMissing;  ///< of the second store, seen from the first
  RecordKey key;
  const Record* first = nullptr;  ///< into the piece; null when extra
};

/// Compares by digest. Borrows from the piece.
std::vector<Difference> Differences(const PairedScan::Piece& piece);

}  // namespace roost
