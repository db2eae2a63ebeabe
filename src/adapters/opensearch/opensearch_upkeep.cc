// Tombstones that nobody needs any more.

#include <algorithm>
#include <limits>

#include "adapters/opensearch/opensearch_impl.h"
#include "base/log.h"

namespace roost {

Result<uint64_t> OsStore::DeleteTombstones(const Session& session, const std::string& condition) {
  TRY(Refresh(session));
  OsCall call;
  call.method = "POST";
  call.write = true;
  // A tombstone that a write has replaced in between is a conflict and stays replaced.
  call.path = "/" + session.index.alias + "/_delete_by_query?conflicts=proceed&refresh=true";
  call.body = R"({"query":{"bool":{"filter":[{"term":{"_dead":true}},)" + condition + "]}}}";
  const std::string reply = TRY(client_.Call(session.context, call));
  return static_cast<uint64_t>(TRY(ParseNumber(reply, "deleted")));
}

Result<uint64_t> OsStore::DropTombstones(const RequestContext& context,
                                         const std::string& collection, uint64_t below) {
  const auto limit = std::min<uint64_t>(below, std::numeric_limits<int64_t>::max());
  return With<uint64_t>(context, options_.bulk_timeout, collection, [&](const Session& session) {
    return DeleteTombstones(session,
                            R"({"range":{"_fence":{"lt":)" + std::to_string(limit) + "}}}");
  });
}

void OsStore::WatchTombstones(std::stop_token stop) {
  while (clock_.SleepFor(options_.tombstone_check_interval, stop)) {
    for (const auto& index : catalogue_.Known()) {
      RequestContext context;
      context.request_id = "opensearch tombstones";
      context.stop = stop;
      context.deadline = Deadline::After(options_.bulk_timeout);
      const int64_t before = NowMs() - options_.tombstone_lifetime.count();
      const auto dropped =
          DeleteTombstones(Session{context, *index},
                           R"({"range":{"_buried":{"lt":)" + std::to_string(before) + "}}}");
      if (!dropped.ok() && dropped.code() != Code::kNotFound && !stop.stop_requested()) {
        LogWarning("old tombstones cannot be removed from an OpenSearch index",
                   {{"collection", index->schema.name}, {"error", dropped.error()}});
      }
    }
  }
}

}  // namespace roost
