#pragma once

// Calls to Weaviate servers: gRPC for data, REST for schemas. Errors name the server and carry the
// code that Weaviate's own message stands for.

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/weaviate/weaviate_store.h"
#include "base/context.h"
#include "base/random.h"
#include "net/endpoint_set.h"
#include "net/grpc_client.h"
#include "net/http_client.h"
#include "net/store_address.h"

namespace weaviate::v1 {
class BatchDeleteReply;
class BatchDeleteRequest;
class BatchObjectsReply;
class BatchObjectsRequest;
class SearchReply;
class SearchRequest;
}  // namespace weaviate::v1

namespace roost {

/// The code and meaning of a message that came from the server: it gives most errors the gRPC code
/// UNKNOWN, or HTTP's 500 and 422.
Code CodeOfMessage(std::string_view message, Code fallback);
/// What a user can do about such an error, to be said after it; may be empty.
std::string_view AdviceFor(const Error& error);
/// True for the answer to a call for a tenant that has never been written to.
bool IsAbsentTenant(const Error& error);
/// True for the answer to a call for a class that is not there.
bool IsAbsentClass(const Error& error);

/// Thread safe.
class WeaviateClient {
 public:
  /// kInvalidArgument for the address or TLS files. Connects nothing yet.
  static Result<std::unique_ptr<WeaviateClient>> Create(const WeaviateOptions& options,
                                                        Clock& clock, Metrics& metrics);

  Result<weaviate::v1::SearchReply> Search(const RequestContext& context,
                                           const weaviate::v1::SearchRequest& request);
  Result<weaviate::v1::BatchObjectsReply> BatchObjects(
      const RequestContext& context, const weaviate::v1::BatchObjectsRequest& request);
  Result<weaviate::v1::BatchDeleteReply> BatchDelete(
      const RequestContext& context, const weaviate::v1::BatchDeleteRequest& request);

  /// A REST call; the body of a 2xx reply. `path` begins with "/v1/".
  Result<std::string> Rest(const RequestContext& context, std::string_view method,
                           const std::string& path, const std::string& body = "");
  /// Objects of the class, or of one of its tenants.
  Result<uint64_t> CountObjects(const RequestContext& context, const std::string& class_name,
                                const std::string& tenant);
  /// Names of a class's tenants, as Weaviate has them.
  Result<std::vector<std::string>> Tenants(const RequestContext& context,
                                           const std::string& class_name);
  /// The servers' version; kFailedPrecondition when they are not Weaviate.
  Result<std::string> Version(const RequestContext& context);

  /// Without secrets, for messages.
  const std::string& address() const { return address_; }

 private:
  WeaviateClient(const WeaviateOptions& options, StoreAddress address, Clock& clock,
                 Metrics& metrics);
  Result<HttpReply> RestCall(const RequestContext& context, const HttpCall& call,
                             const std::string& path, bool read);
  Error Named(Error error) const;

  std::string address_;
  std::string scheme_;
  HttpHeaders headers_;
  SystemRandom random_;
  HttpClient http_;
  EndpointSet rest_;
  std::unique_ptr<GrpcClient> grpc_;
};

}  // namespace roost
