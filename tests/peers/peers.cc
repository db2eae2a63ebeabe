// What each kind of peer asks of its script.
#include "milvus_peer.h"
#include "opensearch_peer.h"
#include "pgvector_peer.h"
#include "tls_front_peer.h"
#include "weaviate_peer.h"

namespace roost {
namespace {

class Arguments {
 public:
  Arguments& Flag(const std::string& name, bool given) {
    if (given) {
      words_.push_back(name);
    }
    return *this;
  }
  Arguments& Value(const std::string& name, const std::string& value) {
    if (!value.empty()) {
      words_.insert(words_.end(), {name, value});
    }
    return *this;
  }
  Arguments& Settings(const std::vector<std::string>& settings) {
    for (const std::string& setting : settings) {
      Value("--set", setting);
    }
    return *this;
  }
  std::vector<std::string> Take() { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

}  // namespace

PgVectorPeer::PgVectorPeer(const Options& options)
    : PeerProcess(
          {.script = "start_pgvector.py",
           .arguments =
               Arguments().Value("--password", options.password).Settings(options.settings).Take(),
           .data_folder = options.data_folder}) {}

MilvusPeer::MilvusPeer(const Options& options)
    : PeerProcess({.script = "start_milvus.py",
                   .arguments = Arguments()
                                    .Flag("--auth", options.auth)
                                    .Flag("--tls", options.tls)
                                    .Settings(options.settings)
                                    .Take(),
                   .data_folder = options.data_folder}) {}

WeaviatePeer::WeaviatePeer(const Options& options)
    : PeerProcess({.script = "start_weaviate.py",
                   .arguments = Arguments()
                                    .Value("--version", options.version)
                                    .Value("--api-key", options.api_key)
                                    .Settings(options.settings)
                                    .Take(),
                   .data_folder = options.data_folder}) {}

TlsFrontPeer::TlsFrontPeer(const Options& options)
    : PeerProcess({.script = "start_tls_front.py",
                   .arguments = Arguments()
                                    .Value("--to", std::to_string(options.target_port))
                                    .Flag("--http2", options.http2)
                                    .Flag("--postgres", options.postgres)
                                    .Flag("--expired", options.expired)
                                    .Value("--basic", options.basic)
                                    .Take()}) {}

OpenSearchPeer::OpenSearchPeer(const Options& options)
    : PeerProcess(
          {.script = "start_opensearch.py",
           .arguments = Arguments().Value("--heap", options.heap).Settings(options.settings).Take(),
           .data_folder = options.data_folder}) {}

}  // namespace roost
