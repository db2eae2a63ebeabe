#pragma once

#include <memory>
#include <span>
#include <vector>

#include "router/mirror_writer.h"
#include "router/route_table.h"
#include "router/store_set.h"

namespace roost {

/// Carries out writes as their route says: mark (durable), authority, other store, finish. Thread
/// safe.
class RoutedWriter {
 public:
  RoutedWriter(MirrorOptions options, const StoreSet& stores, RouteTable& routes, Metrics& metrics);

  enum class Kind : uint8_t { kInsert, kUpsert };
  Result<WriteResult> Write(const RequestContext& context, const WriteRequest& request, Kind kind);
  Result<DeleteResult> Delete(const RequestContext& context, const DeleteRequest& request);

  MirrorWriter& mirror() { return mirror_; }
  const MirrorWriter& mirror() const { return mirror_; }

 private:
  struct Rows;

  Result<WriteResult> CapturedWrite(const RequestContext& context, const Route& route,
                                    const WriteRequest& request, Kind kind);
  Result<DeleteResult> CapturedDelete(const RequestContext& context, const Route& route,
                                      const DeleteRequest& request);
  Status EndFilteredDelete(const RequestContext& context, const Route& route,
                           std::span<const RecordKey> keys, WriteBracket& bracket,
                           std::span<const WriteOutcome> outcomes);
  void Mirror(const Route& route, MirrorJob job, std::span<const WriteOutcome> outcomes);

  const StoreSet& stores_;
  RouteTable& routes_;
  MirrorWriter mirror_;
};

}  // namespace roost
