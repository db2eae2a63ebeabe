#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/vector_store.h"

namespace roost {

/// How bulk work calls stores.
struct BulkOptions {
  std::chrono::milliseconds store_timeout{30'000};  ///< of one call
  std::chrono::milliseconds backoff_initial{50};
  std::chrono::milliseconds backoff_max{5'000};
  std::chrono::milliseconds horizon{1'000};  ///< waited after a write of unknown outcome
};

/// Lets bulk work pass at a limited number of rows a second. Thread safe.
class RateLimit {
 public:
  RateLimit(uint32_t rows_per_second, Clock& clock) : rate_(rows_per_second), clock_(clock) {}
  /// Waits its turn; kCancelled when `stop` comes first.
  Status Take(size_t rows, const std::stop_token& stop);

 private:
  const uint32_t rate_;  ///< 0: no limit
  Clock& clock_;
  std::mutex mutex_;
  SteadyTime free_at_{};  ///< under mutex_
};

/// Writes many rows to one store and does not give up while the trouble may pass: waits where the
/// store is away, halves batches that are too large, isolates rows that the store refuses. A call
/// of unknown outcome is repeated only after the horizon: its late effect could otherwise undo
/// newer writes. For one thread.
class BulkWriter {
 public:
  BulkWriter(BulkOptions options, VectorStore& store, std::string collection,
             std::optional<uint64_t> fence, Clock& clock);

  /// A row that the store refused for good.
  struct Refused {
    RecordKey key;
    Error error;
  };

  /// The error is kCancelled, or kNotFound when the collection is gone. Refused rows are listed.
  Status Put(const RequestContext& context, std::vector<Record> records);
  Status Delete(const RequestContext& context, std::vector<RecordKey> keys);
  const std::vector<Refused>& refused() const { return refused_; }

 private:
  Status PutBatch(const RequestContext& context, std::vector<Record> batch);
  Status PutHalves(const RequestContext& context, std::vector<Record> batch);
  Status DeleteBatch(const RequestContext& context, std::vector<RecordKey> batch);
  /// Waits as the error asks for; kCancelled when the work is to end, kNotFound passes.
  Status WaitFor(const RequestContext& context, const Error& error);

  const BulkOptions options_;
  VectorStore& store_;
  const std::string collection_;
  const std::optional<uint64_t> fence_;
  Clock& clock_;
  uint32_t failures_ = 0;  ///< in a row
  std::vector<Refused> refused_;
};

/// About what a record takes in a request.
uint64_t ApproximateBytes(const Record& record);

/// One page of a scan with a barrier; repeats calls that fail in passing. Errors as BulkWriter.
Result<ScanPage> ScanPatiently(const RequestContext& context, const BulkOptions& options,
                               Clock& clock, VectorStore& store, const ScanRequest& request);

}  // namespace roost
