#pragma once

// For .cc files only: whoever includes it has Milvus' messages anyway.

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include <milvus.pb.h>

#include "adapters/milvus/milvus_error.h"
#include "net/grpc_client.h"
#include "net/grpc_typed.h"
#include "store/vector_store.h"

namespace roost {

namespace milvus_messages = milvus::proto::milvus;

/// The status in a reply, which some calls give alone.
template <typename Reply>
MilvusStatus MilvusStatusOf(const Reply& reply) {
  if constexpr (std::is_same_v<Reply, milvus::proto::common::Status>) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // what servers before 2.3 give
    return {.code = reply.code(), .legacy_code = reply.error_code(), .reason = reply.reason()};
#pragma GCC diagnostic pop
  } else {
    return MilvusStatusOf(reply.status());
  }
}

/// How far a Query or Search must have caught up. `timestamp` is one of Milvus', or 0: the moment
/// the call arrives.
template <typename Request>
void SetReadPoint(Request& request, Consistency consistency, uint64_t timestamp) {
  if (consistency == Consistency::kEventual) {
    request.set_consistency_level(milvus::proto::common::Bounded);
    request.set_guarantee_timestamp(2);  // how other clients say the same
  } else if (timestamp != 0) {
    request.set_consistency_level(milvus::proto::common::Customized);
    request.set_guarantee_timestamp(timestamp);
  } else {
    request.set_consistency_level(milvus::proto::common::Strong);
  }
}

/// One call of MilvusService; a status in the reply that is not a success is an error. `store`
/// names the server in messages.
template <typename Reply, typename Request>
Result<Reply> CallMilvus(GrpcClient& client, std::string_view store, const RequestContext& context,
                         std::string_view name, const Request& request, GrpcEffect effect) {
  const std::string method = "/milvus.proto.milvus.MilvusService/" + std::string(name);
  Result<Reply> reply = CallGrpc<Reply>(client, context, method, request, effect);
  if (!reply.ok()) {
    return FromTransport(reply.error()).Within(store);
  }
  const MilvusStatus status = MilvusStatusOf(*reply);
  if (status.code != 0 || status.legacy_code != 0) {
    return MilvusError(status, effect == GrpcEffect::kWrite)
        .Within(std::string(store) + ": " + std::string(name));
  }
  return reply;
}

}  // namespace roost
