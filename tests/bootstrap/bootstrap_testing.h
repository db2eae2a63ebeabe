#pragma once

// What tests of `roost bootstrap` with real stores share.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "opensearch_peer.h"
#include "store/store_testing.h"
#include "store/vector_store.h"

namespace roost {

/// A store as somebody prepares it.
struct TestTarget {
  std::vector<std::string> options;                ///< that name it on the command line
  std::map<std::string, std::string> environment;  ///< that names it there
  std::string address;                             ///< for ConnectStore
  std::vector<std::string> secrets;
};

/// "pgvector", "milvus", "weaviate", "opensearch": servers that ask for credentials, all started at
/// the first call, which is one of the main thread's; "embedded": a folder.
const std::vector<std::string>& TestStores();
TestTarget GoodTarget(const std::string& store);
/// The same with wrong credentials; of "embedded" there are none.
TestTarget StrangersTarget(const std::string& store);
/// Where nobody answers.
TestTarget NobodysTarget(const std::string& store);

/// The OpenSearch without its front: no credentials, no TLS.
OpenSearchPeer& BareOpenSearch();

struct Ran {
  int status = -1;
  std::string out;
  std::string err;
};
/// `roost bootstrap` in this process. Fails the test when a secret is shown.
Ran RunBootstrap(const TestTarget& target, const std::vector<std::string>& arguments);

/// A store to look at what was made; nullptr, and the test has failed, when it cannot be reached.
std::unique_ptr<VectorStore> OpenTarget(const TestTarget& target);

}  // namespace roost
