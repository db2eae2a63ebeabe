#include "cli/loader.h"

#include <boost/json.hpp>
#include <fmt/format.h>

namespace roost {

Loader::Loader(LoaderOptions options, Api& api, Report report)
    : options_(std::move(options)), api_(api), report_(std::move(report)) {
  for (uint32_t i = 0; i < options_.parallel; ++i) {
    senders_.emplace_back([this](std::stop_token stop) { Send(std::move(stop)); });
  }
}

Loader::~Loader() {
  for (std::jthread& sender : senders_) {
    sender.request_stop();
  }
}

Status Loader::Add(SourceRow row) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.rows;
  }
  if (!row.error.empty()) {
    return Refuse(row, row.error);
  }
  if (!pending_.empty() && pending_bytes_ + row.json.size() > options_.batch_bytes) {
    TRY(Enqueue());
  }
  pending_bytes_ += row.json.size();
  pending_.push_back(std::move(row));
  return pending_.size() >= options_.batch_rows ? Enqueue() : Status();
}

Status Loader::Enqueue() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.size() < options_.parallel || failure_.has_value(); });
  if (failure_) {
    return *failure_;
  }
  queue_.push_back(std::move(pending_));
  pending_ = {};
  pending_bytes_ = 0;
  changed_.notify_all();
  return {};
}

Status Loader::Finish() {
  if (!pending_.empty()) {
    TRY(Enqueue());
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return (queue_.empty() && busy_ == 0) || failure_.has_value(); });
  return failure_ ? Status(*failure_) : Status();
}

LoaderCounts Loader::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Loader::Send(std::stop_token stop) {
  for (;;) {
    Batch batch;
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [this] { return !queue_.empty(); })) {
        return;
      }
      batch = std::move(queue_.front());
      queue_.pop_front();
      ++busy_;
      changed_.notify_all();
    }
    const Status status = SendRows(batch.data(), batch.size());
    if (!status.ok()) {
      Fail(status.error());
    }
    const std::lock_guard lock(mutex_);
    --busy_;
    changed_.notify_all();
  }
}

void Loader::Fail(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (!failure_) {
    failure_ = error;
  }
  queue_.clear();
  changed_.notify_all();
}

Status Loader::SendRows(const SourceRow* rows, size_t count) {
  std::string body = R"({"records":[)";
  for (size_t i = 0; i < count; ++i) {
    body += i > 0 ? "," : "";
    body += rows[i].json;
  }
  body += "]}";
  const std::string path =
      CollectionPath(options_.collection, options_.insert ? "/insert" : "/upsert");
  // An insert whose reply was lost may have written: repeating it would call its rows duplicates.
  Result<std::string> reply = api_.CallPatiently("POST", path, body, !options_.insert);
  if (reply.ok()) {
    return TakeReply(*reply, rows, count);
  }
  if (reply.code() != Code::kInvalidArgument) {
    return std::move(reply).error();
  }
  if (count == 1) {
    return Refuse(rows[0], reply.error().message);
  }
  TRY(SendRows(rows, count / 2));
  return SendRows(rows + count / 2, count - count / 2);
}

Status Loader::TakeReply(const std::string& reply, const SourceRow* rows, size_t count) {
  try {
    const boost::json::value document = boost::json::parse(reply);
    const auto written = document.at("written").to_number<uint64_t>();
    {
      const std::lock_guard lock(mutex_);
      counts_.written += written;
    }
    for (const boost::json::value& error : document.at("errors").as_array()) {
      const auto row = error.at("row").to_number<size_t>();
      if (row >= count) {
        return Internal("the server named an error of a row that was not sent");
      }
      TRY(Refuse(rows[row], std::string(error.at("message").as_string())));
    }
  } catch (const std::exception& error) {
    return Internal(fmt::format("the server's reply to a write cannot be read: {}", error.what()));
  }
  return {};
}

Status Loader::Refuse(const SourceRow& row, const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++counts_.refused;
  if (counts_.refused <= options_.max_errors) {
    report_(row.number, why);
    return {};
  }
  return Aborted(fmt::format("more than {} rows were refused; stopped (--max-errors allows more)",
                             options_.max_errors));
}

}  // namespace roost
