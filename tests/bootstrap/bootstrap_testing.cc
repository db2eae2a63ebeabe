#include "bootstrap_testing.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/all.h"
#include "adapters/embedded/embedded_store.h"
#include "base/file_system.h"
#include "cli/cli.h"
#include "milvus_peer.h"
#include "pgvector_peer.h"
#include "tls_front_peer.h"
#include "weaviate_peer.h"

namespace roost {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kPassword = "geheim-4711";
constexpr const char* kWrong = "falsch-0815";

struct Servers {
  PgVectorPeer pgvector{{.password = kPassword}};
  MilvusPeer milvus{{.auth = true, .settings = {"proxy.timeTickInterval=20"}}};
  WeaviatePeer weaviate{{.api_key = kPassword}};
  OpenSearchPeer opensearch{{}};
  std::unique_ptr<TlsFrontPeer> front;

  Servers() {
    const Status started = StartTogether({&pgvector, &milvus, &weaviate, &opensearch});
    if (!started.ok()) {
      FailWithoutPeer(started.error());
    }
    auto launched = TlsFrontPeer::Launch(
        {.target_port = opensearch.port(), .basic = std::string("admin:") + kPassword});
    if (!launched.ok()) {
      FailWithoutPeer(launched.error());
    }
    front = *std::move(launched);
  }
};

Servers& AllServers() {
  static Servers servers;
  return servers;
}

std::string Port(const PeerProcess& peer) { return std::to_string(peer.port()); }

TestTarget PgVector(const std::string& password, const std::string& port) {
  TestTarget target;
  target.environment = {{"ML_VECTOR_BACKEND", "pgvector"}, {"POSTGRES_HOST", "127.0.0.1"},
                        {"POSTGRES_PORT", port},           {"POSTGRES_DB", "postgres"},
                        {"POSTGRES_USER", "postgres"},     {"POSTGRES_PASSWORD", password}};
  target.address = "postgresql://postgres:" + password + "@127.0.0.1:" + port + "/postgres";
  target.secrets = {password};
  return target;
}

TestTarget Milvus(const std::string& password, const std::string& port) {
  TestTarget target;
  target.environment = {{"MILVUS_CLUSTER_ENDPOINT", "http://127.0.0.1:" + port},
                        {"MILVUS_CLUSTER_TOKEN", "root:" + password}};
  target.address = "milvus://root:" + password + "@127.0.0.1:" + port;
  target.secrets = {"root:" + password, "root%3A" + password};
  return target;
}

TestTarget Weaviate(const std::string& key, const std::string& port, const std::string& grpc) {
  TestTarget target;
  target.address = "weaviate://127.0.0.1:" + port + "?grpc_port=" + grpc + "&api_key=" + key;
  target.options = {"--store", target.address};
  target.secrets = {key};
  return target;
}

TestTarget OpenSearch(const std::string& password, const std::string& port) {
  TestTarget target;
  target.options = {"--backend", "opensearch", "--verify-certs", "false"};
  target.environment = {{"ML_OPENSEARCH_HOSTS", "https://127.0.0.1:" + port},
                        {"ML_OPENSEARCH_USERNAME", "admin"},
                        {"ML_OPENSEARCH_PASSWORD", password},
                        {"ML_OPENSEARCH_VERIFY_CERTS", "true"}};  // the option wins
  target.address =
      "opensearch://admin:" + password + "@127.0.0.1:" + port + "?tls=true&verify=false";
  target.secrets = {password};
  return target;
}

TestTarget Embedded() {
  TestTarget target;
  target.address = testing::TempDir() + "/bootstrap-" + FreshName();
  target.options = {"--store", "embedded:" + target.address};
  return target;
}

TestTarget TargetOf(const std::string& store, const std::string& password, bool nobody) {
  Servers& servers = AllServers();
  const auto port = [&](const PeerProcess& peer) { return nobody ? "1" : Port(peer); };
  if (store == "pgvector") {
    return PgVector(password, port(servers.pgvector));
  }
  if (store == "milvus") {
    return Milvus(password == kPassword ? "Milvus" : password, port(servers.milvus));
  }
  if (store == "weaviate") {
    return Weaviate(password, port(servers.weaviate),
                    nobody ? "1" : std::to_string(servers.weaviate.grpc_port()));
  }
  if (store == "opensearch") {
    return OpenSearch(password, port(*servers.front));
  }
  return Embedded();
}

FileSystem& TestDisk() {
  static const std::unique_ptr<FileSystem> disk = MakePosixFileSystem();
  return *disk;
}

Result<std::unique_ptr<VectorStore>> Connect(const std::string& address) {
  if (KnowsAddress(address)) {
    return ConnectStore(address, {}, TestClock(), TestMetrics());
  }
  EmbeddedOptions options;
  options.folder = JoinPath(address, "store");
  return std::unique_ptr<VectorStore>(
      TRY(OpenEmbeddedStore(options, TestDisk(), TestClock(), TestMetrics())));
}

}  // namespace

const std::vector<std::string>& TestStores() {
  static const std::vector<std::string> stores = {"embedded", "pgvector", "milvus", "weaviate",
                                                  "opensearch"};
  return stores;
}

TestTarget GoodTarget(const std::string& store) { return TargetOf(store, kPassword, false); }
TestTarget StrangersTarget(const std::string& store) { return TargetOf(store, kWrong, false); }
TestTarget NobodysTarget(const std::string& store) { return TargetOf(store, kPassword, true); }
OpenSearchPeer& BareOpenSearch() { return AllServers().opensearch; }

Ran RunBootstrap(const TestTarget& target, const std::vector<std::string>& arguments) {
  constexpr const char* kNames[] = {"ML_VECTOR_BACKEND",
                                    "ML_VECTOR_DIMENSION",
                                    "ML_OPENSEARCH_HOSTS",
                                    "ML_OPENSEARCH_USERNAME",
                                    "ML_OPENSEARCH_PASSWORD",
                                    "ML_OPENSEARCH_VERIFY_CERTS",
                                    "ML_OPENSEARCH_INDEX",
                                    "POSTGRES_HOST",
                                    "POSTGRES_PORT",
                                    "POSTGRES_DB",
                                    "POSTGRES_USER",
                                    "POSTGRES_PASSWORD",
                                    "MILVUS_CLUSTER_ENDPOINT",
                                    "MILVUS_CLUSTER_TOKEN",
                                    "WEAVIATE_URL",
                                    "WEAVIATE_API_KEY"};
  for (const char* name : kNames) {
    ::unsetenv(name);
  }
  for (const auto& [name, value] : target.environment) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  std::vector<std::string> words = {"roost", "bootstrap"};
  words.insert(words.end(), target.options.begin(), target.options.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Ran ran;
  ran.status = RunCommandLine(static_cast<int>(words.size()), argv.data());
  ran.out = testing::internal::GetCapturedStdout();
  ran.err = testing::internal::GetCapturedStderr();
  for (const std::string& secret : target.secrets) {
    EXPECT_THAT(ran.out + ran.err, Not(HasSubstr(secret)));
  }
  return ran;
}

std::unique_ptr<VectorStore> OpenTarget(const TestTarget& target) {
  auto store = Connect(target.address);
  EXPECT_TRUE(store.ok()) << store.error().ToString();
  return store.ok() ? *std::move(store) : nullptr;
}

}  // namespace roost
