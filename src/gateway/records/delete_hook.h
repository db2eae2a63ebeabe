#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/context.h"
#include "gateway/records/record_service.h"
#include "telemetry/metrics.h"

namespace roost {

struct DeleteHookOptions {
  std::string url;    ///< http:// or https://; empty: nothing is handed over
  std::string token;  ///< not empty: sent as "Authorization: Bearer …"
  std::chrono::milliseconds timeout{10'000};  ///< of one call
  std::chrono::milliseconds retry_after{5'000};
  std::chrono::milliseconds look_every{60'000};  ///< for what other gateways left behind
  uint32_t batch_records = 100;                  ///< of one call
};

/// Hands the objects that deleted records pointed to over to whoever owns them: a POST of
/// {"events": [{"collection", "tenant", "unique_id", "record_type", "deleted_at", "s3_paths"}]}.
/// A 2xx reply settles them; anything else, and a crash, is tried again, so an object may be handed
/// over more than once and is never forgotten: what waits stands in the record's own marker.
class DeleteHook {
 public:
  /// Sends one body; an error when it was not taken.
  using Send = std::function<Status(const RequestContext&, const std::string& body)>;

  /// Everything outlives the hook.
  DeleteHook(DeleteHookOptions options, Send send, RecordService& records, Metrics& metrics);
  /// Ends the thread; a call in progress is broken off.
  ~DeleteHook() = default;

  /// Looks soon. Never waits.
  void Notify();
  /// Hands over what waits now, in every collection. An error when something is left.
  Status RunOnce(const RequestContext& context);

 private:
  Status RunCollection(const RequestContext& context, const std::string& collection);
  void Loop(const std::stop_token& stop);

  const DeleteHookOptions options_;
  const Send send_;
  RecordService& records_;
  Counter& handed_;
  Counter& failed_;

  std::mutex mutex_;
  std::condition_variable_any woken_;
  bool notified_ = true;  // by what an earlier process left
  std::jthread thread_;
};

/// POSTs to options.url; anything but 2xx is an error.
DeleteHook::Send HttpDeleteHook(const DeleteHookOptions& options);

}  // namespace roost
