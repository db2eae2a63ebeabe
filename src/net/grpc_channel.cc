#include "net/grpc_channel.h"

#include <algorithm>
#include <utility>

namespace roost {
namespace {

/// A connection that is counted until the last call has let go of it.
struct Counted {
  Counted(std::shared_ptr<GrpcConnection> its_connection, Gauge& gauge)
      : connection(std::move(its_connection)), open(gauge) {
    open.Add(1);
  }
  ~Counted() { open.Add(-1); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  std::shared_ptr<GrpcConnection> connection;
  Gauge& open;
};

}  // namespace

GrpcChannel::GrpcChannel(HostPort host, Parts parts)
    : host_(std::move(host)), parts_(parts), slots_(parts.options.connections_per_host) {}

GrpcChannel::~GrpcChannel() = default;

Result<std::shared_ptr<GrpcConnection>> GrpcChannel::Get(const RequestContext& context) {
  std::unique_lock lock(mutex_);
  Slot& slot = slots_[next_++ % slots_.size()];
  for (;;) {
    if (slot.connection != nullptr && slot.connection->usable()) {
      return slot.connection;
    }
    if (slot.attempt == nullptr) {
      return Open(context, slot, lock);
    }
    const auto attempt = slot.attempt;
    const auto done = [&attempt] { return attempt->done; };
    const bool told = context.deadline.infinite()
                          ? changed_.wait(lock, context.stop, done)
                          : changed_.wait_until(lock, context.stop, context.deadline.time, done);
    if (!told) {
      lock.unlock();
      TRY(context.CheckAlive("waiting for a connection to " + host_.ToString()));
      lock.lock();
    } else if (attempt->error) {
      return *attempt->error;
    }
  }
}

Result<std::shared_ptr<GrpcConnection>> GrpcChannel::Open(const RequestContext& context, Slot& slot,
                                                          std::unique_lock<std::mutex>& lock) {
  const auto attempt = std::make_shared<Attempt>();
  slot.attempt = attempt;
  slot.connection.reset();
  lock.unlock();
  auto opened = GrpcConnection::Open(context, host_, parts_.options, parts_.tls, parts_.clock);
  if (opened.ok()) {
    parts_.opened.Increment();
    const auto counted = std::make_shared<Counted>(*opened, parts_.open);
    opened = std::shared_ptr<GrpcConnection>(counted, counted->connection.get());
  } else {
    parts_.failed.Increment();
  }
  lock.lock();
  attempt->done = true;
  slot.attempt.reset();
  if (opened.ok()) {
    slot.connection = *opened;
    std::erase_if(all_, [](const auto& connection) { return connection.expired(); });
    all_.push_back(*opened);
  } else if (opened.code() != Code::kDeadlineExceeded && opened.code() != Code::kCancelled) {
    attempt->error = opened.error();
  }
  changed_.notify_all();
  return opened;
}

void GrpcChannel::Tend() {
  std::vector<std::shared_ptr<GrpcConnection>> alive;
  {
    const std::lock_guard lock(mutex_);
    for (Slot& slot : slots_) {
      if (slot.connection != nullptr && !slot.connection->usable()) {
        slot.connection.reset();  // Closes it, when the last call has let go of it.
      }
    }
    for (const auto& connection : all_) {
      if (auto held = connection.lock()) {
        alive.push_back(std::move(held));
      }
    }
  }
  for (const auto& connection : alive) {
    connection->Tend();
  }
}

}  // namespace roost
