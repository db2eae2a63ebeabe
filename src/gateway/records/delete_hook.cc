#include "gateway/records/delete_hook.h"

#include <algorithm>
#include <memory>

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"
#include "gateway/records/flat_record.h"
#include "net/http_client.h"
#include "store/scalar_text.h"

namespace roost {

namespace {

namespace f = record_field;

void AppendMember(std::string& out, std::string_view name, std::string_view value) {
  AppendJsonString(out, name);
  out.push_back(':');
  AppendJsonString(out, value);
  out.push_back(',');
}

std::string Events(const std::string& collection, const std::vector<Record>& records) {
  std::string out = R"({"events":[)";
  for (const Record& record : records) {
    out += out.back() == '[' ? "{" : ",{";
    AppendMember(out, "collection", collection);
    AppendMember(out, "tenant", record.key.tenant);
    AppendMember(out, "unique_id", std::get<std::string>(record.key.key));
    AppendMember(out, "record_type", TextOf(record, f::kType));
    AppendMember(out, "deleted_at", FormatTimestamp(MicrosOf(record, f::kModified)));
    out += R"("s3_paths":[)";
    for (const std::string& path : PendingPathsOf(record)) {
      out += out.back() == '[' ? "" : ",";
      AppendJsonString(out, path);
    }
    out += "]}";
  }
  return out + "]}";
}

}  // namespace

DeleteHook::DeleteHook(DeleteHookOptions options, Send send, RecordService& records,
                       Metrics& metrics)
    : options_(std::move(options)),
      send_(std::move(send)),
      records_(records),
      handed_(metrics.GetCounter("roost_delete_hook_records_total",
                                 "Deleted records whose objects the delete hook took.", {})),
      failed_(metrics.GetCounter("roost_delete_hook_failures_total",
                                 "Calls of the delete hook that failed.", {})),
      thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

void DeleteHook::Notify() {
  {
    const std::lock_guard lock(mutex_);
    notified_ = true;
  }
  woken_.notify_one();
}

void DeleteHook::Loop(const std::stop_token& stop) {
  std::chrono::milliseconds wait{0};
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, stop, wait, [this] { return notified_; });
      notified_ = false;
    }
    if (stop.stop_requested()) {
      return;
    }
    RequestContext context;
    context.stop = stop;
    const Status status = RunOnce(context);
    wait = status.ok() ? options_.look_every : std::chrono::milliseconds(0);
    if (!status.ok() && !stop.stop_requested()) {
      LogWarning("the delete hook is tried again", {{"error", status.error().message}});
      // What woke this turn may wake no other one: deletions go on while the hook is away.
      std::unique_lock lock(mutex_);
      woken_.wait_for(lock, stop, options_.retry_after, [] { return false; });
    }
  }
}

Status DeleteHook::RunOnce(const RequestContext& context) {
  const std::vector<std::string> collections = TRY(records_.Collections());
  Status first;
  for (const std::string& collection : collections) {
    const Status status = RunCollection(context, collection);
    // A collection that was dropped has nothing to hand over.
    if (!status.ok() && status.code() != Code::kNotFound && first.ok()) {
      first = status.error().Within(fmt::format("collection \"{}\"", collection));
    }
  }
  return first;
}

Status DeleteHook::RunCollection(const RequestContext& context, const std::string& collection) {
  for (;;) {
    TRY(context.CheckAlive("handing over deleted objects"));
    const std::vector<Record> pending = TRY(records_.PendingPaths(
        context.WithTimeout(options_.timeout), collection, options_.batch_records));
    if (pending.empty()) {
      return {};
    }
    const Status sent = send_(context.WithTimeout(options_.timeout), Events(collection, pending));
    if (!sent.ok()) {
      failed_.Increment();
      return sent;
    }
    for (const Record& record : pending) {
      TRY(records_.SettlePaths(context.WithTimeout(options_.timeout), collection, record));
      handed_.Increment();
    }
  }
}

DeleteHook::Send HttpDeleteHook(const DeleteHookOptions& options) {
  HttpClient::Options http;
  http.max_connections = 2;
  http.max_reply_bytes = 1 << 20;
  http.hint = "see records.delete_hook";
  auto client = std::make_shared<HttpClient>(std::move(http));
  HttpCall call{.method = "POST", .url = options.url};
  call.headers.emplace_back("content-type", "application/json");
  if (!options.token.empty()) {
    call.headers.emplace_back("authorization", "Bearer " + options.token);
  }
  return [client, call](const RequestContext& context, const std::string& body) -> Status {
    HttpCall one = call;
    one.body = body;
    const HttpReply reply = TRY(client->Call(context, one));
    if (reply.status < 200 || reply.status > 299) {
      return Unavailable(fmt::format("the delete hook answered {}: {}", reply.status,
                                     reply.body.substr(0, Utf8Prefix(reply.body.substr(0, 200)))));
    }
    return {};
  };
}

}  // namespace roost
