#pragma once

// What this folder's tests with a real server share.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "adapters/opensearch/opensearch_store.h"
#include "base/executor.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "opensearch_peer.h"
#include "store/store_testing.h"

namespace roost {

OpenSearchOptions OptionsOf(uint16_t port);
OpenSearchOptions SharedServer();
std::unique_ptr<OpenSearchStore> OpenStore(const OpenSearchOptions& options);

/// A call past the store, as any other client of the server makes it. The body of the reply.
std::string Raw(const std::string& method, const std::string& path, const std::string& body = "",
                uint16_t port = 0);
/// The index of a collection, and the alias by which the store knows it.
std::string IndexOf(const std::string& collection);
std::string AliasOf(const std::string& collection);

/// Stands between a store and a real server and lets a test answer in its place.
class OpenSearchProxy {
 public:
  /// What to answer; nothing: what the server says.
  using Hook = std::function<std::optional<HttpResponse>(const HttpRequest&)>;

  explicit OpenSearchProxy(uint16_t server_port, Hook hook);
  uint16_t port() const { return server_->port(); }

 private:
  HttpResponse Handle(const HttpRequest& request);

  const uint16_t server_port_;
  const Hook hook_;
  HttpClient client_;
  HttpHandler handler_;
  Executor executor_{{.name = "proxy", .max_threads = 32}};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace roost
