#include "net/pg_cancel.h"

#include <array>
#include <atomic>
#include <system_error>
#include <thread>

#include <libpq-fe.h>

namespace roost {
namespace {
constexpr int kMaxCancels = 32;
std::atomic<int> cancels_running{0};
}  // namespace

void PgSendCancel(pg_conn* connection) {
  if (cancels_running.fetch_add(1) >= kMaxCancels) {
    cancels_running.fetch_sub(1);
    return;
  }
  PGcancel* cancel = PQgetCancel(connection);
  if (cancel == nullptr) {
    cancels_running.fetch_sub(1);
    return;
  }
  try {
    std::thread([cancel] {
      std::array<char, 256> error{};
      PQcancel(cancel, error.data(), static_cast<int>(error.size()));
      PQfreeCancel(cancel);
      cancels_running.fetch_sub(1);
    }).detach();
  } catch (const std::system_error&) {
    PQfreeCancel(cancel);
    cancels_running.fetch_sub(1);
  }
}

}  // namespace roost
