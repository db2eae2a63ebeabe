#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/executor.h"
#include "base/random.h"
#include "router/route.h"
#include "store/vector_store.h"
#include "telemetry/metrics.h"

namespace roost {

struct ShadowOptions {
  size_t threads = 2;
  size_t queue = 128;                        ///< above: dropped and counted
  std::chrono::milliseconds timeout{5'000};  ///< of one shadow read
  double exact_percent = 20;                 ///< of shadow reads: also compared with exact search
  /// Hits missed are looked for once more after this time, and count when the exact answer is still
  /// the same: what a write made in between is no fault of an index.
  std::chrono::milliseconds settle{200};
};

/// What shadow reads of one collection showed. Shares are means over the queries compared.
struct ShadowReport {
  uint64_t reads = 0;    ///< finished and compared
  uint64_t dropped = 0;  ///< the pool was full
  uint64_t errors = 0;   ///< the other store failed
  double overlap = 0;    ///< hits of the answer that the other store has too, 0 to 1
  uint64_t exact_reads = 0;
  double recall_authority = 0;  ///< against exact search on the authority
  double recall_other = 0;
  /// Lower end of the 95 % interval of recall_other − recall_authority; −1 with fewer than 2 reads.
  double recall_difference_low = -1;
  double seconds_authority = 0;  ///< mean
  double seconds_other = 0;
};

/// Repeats a sample of searches on the other store, off the client's path, and compares. Thread
/// safe.
class ShadowReader {
 public:
  ShadowReader(ShadowOptions options, Random& random, Metrics& metrics);

  /// True for `percent` of the calls.
  bool Chosen(double percent);
  /// What the client got, and from whom.
  struct Answer {
    bool from_authority = true;
    double seconds = 0;
    const SearchResult& result;
  };
  /// Compares the answer with what the store says that did not give it. Never waits. The stores
  /// outlive the reader.
  void Post(VectorStore& authority, VectorStore& other, const SearchRequest& request,
            const Answer& answer);
  ShadowReport Report(const std::string& collection) const;
  void Reset(const std::string& collection);

 private:
  struct Sums {
    uint64_t reads = 0, dropped = 0, errors = 0, exact = 0;
    double overlap = 0, recall_authority = 0, recall_other = 0;
    double difference = 0, difference_squares = 0;
    double seconds_authority = 0, seconds_other = 0;
  };
  using Keys = std::vector<std::vector<RecordKey>>;

  struct Job {
    VectorStore* authority;
    VectorStore* other;
    SearchRequest request;
    Keys answer;
    bool from_authority;
    double seconds;
    bool exact;
  };

  /// What two answers lack of the authority's exact one.
  struct Missed {
    Keys by_authority;
    Keys by_other;
    SearchResult truth;
  };

  void Compare(const Job& job);
  static Result<Missed> CompareExactly(const RequestContext& context, const Job& job,
                                       const Keys& by_authority, const Keys& by_other);
  /// nullopt: the exact answer changed meanwhile, and nothing can be said.
  Result<std::optional<Missed>> MissedTwice(const RequestContext& context, const Job& job,
                                            const Keys& by_authority, const Keys& by_other) const;

  const ShadowOptions options_;
  Random& random_;
  Counter& reads_;
  Counter& dropped_;
  Counter& errors_;
  mutable std::mutex mutex_;
  std::map<std::string, Sums> sums_;
  Executor executor_;  ///< last: its jobs use everything above
};

}  // namespace roost
