#pragma once

// For .cc files only: whoever includes it has a protobuf header anyway.

#include <string>
#include <string_view>
#include <utility>

#include "net/grpc_client.h"

namespace roost {

/// One call with Protocol Buffers messages:
///   auto reply = TRY(CallGrpc<SearchResults>(client, context, kSearch, request,
///   GrpcEffect::kRead));
template <typename Reply, typename Request>
Result<Reply> CallGrpc(GrpcClient& client, const RequestContext& context, std::string_view method,
                       const Request& request, GrpcEffect effect, HttpHeaders metadata = {}) {
  GrpcCall call{.method = method, .effect = effect, .metadata = std::move(metadata)};
  if (!request.SerializeToString(&call.message)) {
    return InvalidArgument("the request for " + std::string(method) +
                           " cannot be encoded: it is larger than 2 GiB or not complete");
  }
  const std::string bytes = TRY(client.Call(context, call));
  Reply reply;
  if (!reply.ParseFromString(bytes)) {
    Error error =
        Internal("the reply to " + std::string(method) + " is not a valid " +
                 std::string(reply.GetTypeName()) + " message; is this the right kind of server?");
    error.outcome_unknown = effect == GrpcEffect::kWrite;
    return error;
  }
  return reply;
}

}  // namespace roost
