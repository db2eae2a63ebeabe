// Bulk calls.

#include <algorithm>

#include "adapters/opensearch/opensearch_impl.h"
#include "adapters/opensearch/opensearch_version.h"
#include "base/json.h"

namespace roost {
namespace {

using std::chrono::milliseconds;

/// How long a bulk call may wait for its shard beyond what its caller waits.
constexpr milliseconds kShardGrace{1'000};

size_t SizeOf(const std::string& id, const std::string& source) {
  return id.size() + source.size() + 120;
}

}  // namespace

void OsStore::AppendAction(std::string& out, const Action& action) {
  using Where = Action::Where;
  out += action.source.empty()              ? R"({"delete":{"_id":)"
         : action.where == Where::kNoRecord ? R"({"create":{"_id":)"
                                            : R"({"index":{"_id":)";
  AppendJsonString(out, action.id);
  if (action.where == Where::kUnchanged) {
    out += R"(,"if_seq_no":)" + std::to_string(action.seq_no) + R"(,"if_primary_term":)" +
           std::to_string(action.primary_term);
  } else if (action.where != Where::kNoRecord) {
    out += R"(,"version":)" + std::to_string(action.version) + R"(,"version_type":")" +
           (action.where == Where::kNothing ? "external" : "external_gte") + "\"";
  }
  out += "}}\n";
}

Result<std::vector<OsItem>> OsStore::SendBulk(const Session& session,
                                              std::span<const Action* const> part) {
  OsCall call;
  call.method = "POST";
  call.lines = true;
  call.write = true;
  const auto left = std::chrono::ceil<milliseconds>(session.context.deadline.Remaining());
  call.path = "/" + session.index.alias +
              "/_bulk?require_alias=true&timeout=" + std::to_string((left + kShardGrace).count()) +
              "ms";
  for (const Action* action : part) {
    AppendAction(call.body, *action);
    if (!action->source.empty()) {
      call.body += action->source;
      call.body += '\n';
    }
  }
  const std::string reply = TRY(client_.Call(session.context, call));
  auto items = TRY(ParseBulk(reply));
  if (items.size() != part.size()) {
    Error error = Unavailable(client_.name() + " answered " + std::to_string(items.size()) +
                              " of " + std::to_string(part.size()) + " rows");
    error.outcome_unknown = true;
    return error;
  }
  return items;
}

Result<std::vector<OsItem>> OsStore::Bulk(const Session& session, std::span<const Action> actions) {
  std::vector<OsItem> items(actions.size());
  std::vector<size_t> left(actions.size());
  for (size_t i = 0; i < left.size(); ++i) {
    left[i] = i;
  }
  bool sent = false;  // something may have been written
  milliseconds delay = options_.resend_delay;
  for (int resend = 0; !left.empty(); ++resend) {
    std::vector<size_t> busy;
    for (size_t begin = 0; begin < left.size();) {
      std::vector<const Action*> part;
      size_t bytes = 0;
      size_t end = begin;
      while (end < left.size() && part.size() < options_.bulk_rows &&
             (part.empty() || bytes < options_.bulk_bytes)) {
        part.push_back(&actions[left[end]]);
        bytes += SizeOf(part.back()->id, part.back()->source);
        ++end;
      }
      Result<std::vector<OsItem>> answer = SendBulk(session, part);
      const bool whole_busy = !answer.ok() && answer.code() == Code::kResourceExhausted &&
                              !answer.error().outcome_unknown;
      if (!answer.ok() && !(whole_busy && resend < options_.max_resends)) {
        Error error = std::move(answer).error();
        error.outcome_unknown = error.outcome_unknown || sent;
        return error;
      }
      for (size_t i = begin; i < end; ++i) {
        OsItem& item = items[left[i]];
        if (!answer.ok()) {
          busy.push_back(left[i]);
          continue;
        }
        item = std::move((*answer)[i - begin]);
        if (item.error_type == "index_not_found_exception") {
          Error gone =
              NotFound("the index of collection \"" + session.schema().name + "\" is gone");
          gone.outcome_unknown = false;
          return gone;
        }
        sent = sent || item.status / 100 == 2;
        if (OsIsBusy(item.status, item.error_type) && resend < options_.max_resends) {
          busy.push_back(left[i]);
        }
      }
      begin = end;
    }
    left = std::move(busy);
    if (!left.empty()) {
      clock_.SleepUntil(std::min(clock_.Now() + delay, session.context.deadline.time),
                        session.context.stop);
      const Status alive = session.context.CheckAlive("waiting for " + client_.name() +
                                                      ", which is too busy for the rows");
      if (!alive.ok()) {
        Error error = alive.error();
        error.outcome_unknown = sent;
        return error;
      }
      delay = std::min(delay * 2, milliseconds(5'000));
    }
  }
  return items;
}

Status OsStore::RaiseFences(const Session& session, std::vector<Action> written, uint64_t fence) {
  if (fence == 0 || written.empty()) {
    return {};
  }
  for (Action& action : written) {
    action.where = Action::Where::kNotNewer;
    action.version = OsVersionOf(fence);
  }
  const auto items = TRY(Bulk(session, written));
  for (const OsItem& item : items) {
    if (item.status / 100 != 2 && item.status != 409) {
      Error error =
          Unavailable(client_.name() + " did not take the fence of a row: " + item.error_type +
                      ": " + item.error_reason);
      error.outcome_unknown = true;
      return error;
    }
  }
  return {};
}

}  // namespace roost
