#include "net/http_loop.h"

#include <cerrno>
#include <system_error>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/random.h"
#include "net/http_connection.h"

namespace roost {
namespace {

namespace asio = boost::asio;

constexpr size_t kReadBufferBytes = size_t{256} << 10;
constexpr std::chrono::seconds kSweepInterval{1};

int MakeEventFd() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make an event descriptor");
  }
  return fd;
}

}  // namespace

struct HttpLoop::Asio {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer deadline{context};
  asio::steady_timer sweep{context};
  /// Wakes the loop for its inbox. asio::post would do it with the scheduler's lock held, on which
  /// the loop, awake at once on another core, then had to wait.
  asio::posix::stream_descriptor inbox{context, MakeEventFd()};
};

HttpLoop::HttpLoop(HttpShared& shared)
    : shared_(shared),
      asio_(std::make_unique<Asio>()),
      read_buffer_(kReadBufferBytes),
      id_state_(SystemRandom().Next()) {}

HttpLoop::~HttpLoop() = default;

boost::asio::io_context& HttpLoop::context() { return asio_->context; }

std::shared_ptr<HttpShared> HttpLoop::SharedReference() { return weak_shared_.lock(); }

void HttpLoop::Run() {
  ArmSweep();
  AwaitInbox();
  asio_->context.run();
  // What still holds requests or connections goes now, while everything it refers to is alive.
  CloseAll();
  std::vector<HttpMessage> rest;
  {
    std::lock_guard lock(mutex_);
    rest.swap(inbox_);
  }
}

void HttpLoop::Quit() {
  asio::post(asio_->context, [this] { asio_->context.stop(); });
}

void HttpLoop::Post(HttpMessage message) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    const bool can_wait = message.kind == HttpMessage::Kind::kSent && message.piece.empty() &&
                          !message.exchange->awaited;
    inbox_.push_back(std::move(message));
    wake = !can_wait && !std::exchange(scheduled_, true);
  }
  if (wake) {
    Wake();
  }
}

void HttpLoop::Await(Exchange& exchange) {
  bool wake = false;
  {
    std::lock_guard lock(mutex_);
    exchange.awaited = true;
    wake = !inbox_.empty() && !std::exchange(scheduled_, true);
  }
  if (wake) {
    Wake();
  }
}

void HttpLoop::Wake() {
  // Cannot fail: the counter is far from its end.
  eventfd_write(asio_->inbox.native_handle(), 1);
}

void HttpLoop::Post(std::function<void()> task) { asio::post(asio_->context, std::move(task)); }

void HttpLoop::AwaitInbox() {
  asio_->inbox.async_wait(asio::posix::stream_descriptor::wait_read,
                          [this](const boost::system::error_code& error) {
                            if (!error) {
                              ApplyInbox();
                              AwaitInbox();
                            }
                          });
}

void HttpLoop::ApplyInbox() {
  eventfd_t count;
  eventfd_read(asio_->inbox.native_handle(), &count);
  CatchUp();
}

void HttpLoop::CatchUp() {
  {
    std::lock_guard lock(mutex_);
    if (inbox_.empty()) {
      scheduled_ = false;
      return;
    }
    batch_.swap(inbox_);
    scheduled_ = false;
  }
  Stamp();
  std::vector<std::shared_ptr<HttpConnection>> touched;
  for (HttpMessage& message : batch_) {
    if (message.exchange->owner == nullptr) {
      continue;
    }
    HttpConnection& connection = message.exchange->owner->connection();
    if (connection.MarkTouched()) {
      touched.push_back(connection.shared_from_this());
    }
    message.exchange->owner->Apply(*message.exchange, message);
  }
  batch_.clear();
  for (const auto& connection : touched) {
    connection->ClearTouched();
    connection->Flush();
  }
}

void HttpLoop::NewRequestId(std::string& out) {
  // SplitMix64 over a random start: unique, and cheap enough for every request.
  uint64_t bits = (id_state_ += 0x9e3779b97f4a7c15);
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  bits ^= bits >> 31;
  out.resize(16);
  for (char& digit : out) {
    digit = "0123456789abcdef"[bits & 15];
    bits >>= 4;
  }
}

std::span<char> HttpLoop::plain_buffer() {
  if (plain_buffer_.empty()) {
    plain_buffer_.resize(kReadBufferBytes);
  }
  return plain_buffer_;
}

void HttpLoop::Add(std::shared_ptr<HttpConnection> connection) {
  connections_.insert(std::move(connection));
}

void HttpLoop::Remove(const std::shared_ptr<HttpConnection>& connection) {
  connections_.erase(connection);
}

void HttpLoop::Drain(bool last) {
  CatchUp();
  Stamp();
  const std::vector<std::shared_ptr<HttpConnection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) {
    connection->Drain(last);
    connection->Flush();
  }
}

void HttpLoop::CloseAll() {
  const std::vector<std::shared_ptr<HttpConnection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) {
    connection->Close(true);
  }
}

void HttpLoop::StartTimer(Exchange& exchange) {
  exchange.timer = timers_.emplace(exchange.request.context.deadline.time, &exchange);
  ArmTimer();
}

void HttpLoop::Detach(Exchange& exchange) {
  exchange.owner = nullptr;
  if (exchange.timer) {
    timers_.erase(*exchange.timer);
    exchange.timer.reset();
  }
}

void HttpLoop::ArmTimer() {
  if (timers_.empty() || timers_.begin()->first >= armed_) {
    return;
  }
  armed_ = timers_.begin()->first;
  asio_->deadline.expires_at(armed_);
  asio_->deadline.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      FireTimers();
    }
  });
}

void HttpLoop::FireTimers() {
  Stamp();
  armed_ = SteadyTime::max();
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    Exchange& exchange = *timers_.begin()->second;
    timers_.erase(timers_.begin());
    exchange.timer.reset();
    auto connection = exchange.owner->connection().shared_from_this();
    exchange.owner->Expire(exchange);
    connection->Flush();
  }
  ArmTimer();
}

void HttpLoop::ArmSweep() {
  asio_->sweep.expires_after(kSweepInterval);
  asio_->sweep.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      Sweep();
      ArmSweep();
    }
  });
}

void HttpLoop::Sweep() {
  CatchUp();
  Stamp();
  const std::vector<std::shared_ptr<HttpConnection>> all(connections_.begin(), connections_.end());
  for (const auto& connection : all) {
    connection->Sweep(now_);
    connection->Flush();
  }
}

}  // namespace roost
