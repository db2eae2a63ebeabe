#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

// The clients of tests/bench/gateway_bench.py: each asks one search and waits for the last byte of
// its reply. None decodes what came unless asked to, so that on both sides only the server's work
// and the way to it are measured.

namespace roost_bench {

/// One caller. Ends the process with a message when a search fails: a benchmark with errors
/// measures nothing.
class SearchClient {
 public:
  virtual ~SearchClient() = default;
  /// The reply to query number `query`.
  virtual void Search(size_t query) = 0;
  /// The same as text for the script: keys parted by tabs, or a reply of JSON.
  virtual std::string Show(size_t query) = 0;
};

/// Makes one more caller of the same server.
using MakeClient = std::function<std::unique_ptr<SearchClient>()>;

[[noreturn]] void Fail(const std::string& message);

using Vectors = std::vector<std::vector<float>>;

/// POST over kept-alive HTTP/1.1, each caller a connection. `bodies` has one request a line.
MakeClient HttpClients(uint16_t port, const std::string& path, const std::string& bodies);
/// libpq, each caller a session; `sql` takes the vector as $1 and its first column is the key.
/// `setup` is run once a session.
MakeClient PgClients(const std::string& address, const std::string& setup, const std::string& sql,
                     const Vectors& queries);
/// Milvus' own messages; all callers share one connection, as Milvus' clients do. `collection` and
/// `key` are Milvus' names.
MakeClient MilvusClients(uint16_t port, const std::string& collection, const std::string& key,
                         uint32_t ef, const Vectors& queries);
/// Weaviate's own messages over gRPC, one connection for all callers.
MakeClient WeaviateClients(uint16_t port, const std::string& collection, const std::string& vector,
                           const Vectors& queries);

}  // namespace roost_bench
