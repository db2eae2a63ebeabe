#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "cli/api.h"
#include "cli/row_source.h"

namespace roost {

struct LoaderOptions {
  std::string collection;
  bool insert = false;  ///< existing keys are errors; else they are replaced
  uint32_t batch_rows = 1'000;
  size_t batch_bytes = size_t{16} << 20;  ///< a batch is sent before it grows beyond this
  uint32_t parallel = 2;                  ///< batches on their way at once
  uint64_t max_errors = 1'000;            ///< more refused rows end the load
};

/// What became of the rows. Written by the senders, read by whoever shows progress.
struct LoaderCounts {
  uint64_t rows = 0;  ///< taken from the source
  uint64_t written = 0;
  uint64_t refused = 0;
};

/// Sends rows in batches by a few threads. A batch that the server refuses as a whole is halved
/// until the bad rows are alone. Memory: (parallel + 2) batches.
class Loader {
 public:
  /// Told of each refused row, by any of the threads, one at a time.
  using Report = std::function<void(uint64_t number, const std::string& why)>;

  Loader(LoaderOptions options, Api& api, Report report);
  ~Loader();

  /// Waits while `parallel` batches are on their way. An error is what ended the load.
  Status Add(SourceRow row);
  /// Sends what is left and waits for everything. The first error, where one ended the load.
  Status Finish();
  LoaderCounts counts() const;

 private:
  using Batch = std::vector<SourceRow>;

  void Send(std::stop_token stop);
  Status SendRows(const SourceRow* rows, size_t count);
  Status TakeReply(const std::string& reply, const SourceRow* rows, size_t count);
  Status Refuse(const SourceRow& row, const std::string& why);
  Status Enqueue();
  void Fail(const Error& error);

  const LoaderOptions options_;
  Api& api_;
  const Report report_;
  Batch pending_;  // the caller's thread alone
  size_t pending_bytes_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Batch> queue_;  // at most one batch a sender waits here
  size_t busy_ = 0;
  LoaderCounts counts_;
  std::optional<Error> failure_;
  std::vector<std::jthread> senders_;
};

}  // namespace roost
