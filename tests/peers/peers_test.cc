#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "milvus_peer.h"
#include "net/http_client.h"
#include "opensearch_peer.h"
#include "pgvector_peer.h"
#include "tls_front_peer.h"
#include "weaviate_peer.h"

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Request {
  std::string method = "GET";
  std::string path;
  std::string body;
  std::string authorization;
  std::string ca_file;
};

Result<HttpReply> TryCall(const PeerProcess& peer, const Request& request,
                          std::chrono::milliseconds timeout = std::chrono::seconds(60)) {
  HttpClient::Options options;
  options.ca_file = request.ca_file;
  options.send_context = false;
  HttpClient client(options);
  HttpCall call;
  call.method = request.method;
  call.url = peer.uri() + request.path;
  call.body = request.body;
  call.headers = {{"Content-Type", "application/json"}};
  if (!request.authorization.empty()) {
    call.headers.emplace_back("Authorization", request.authorization);
  }
  return client.Call(RequestContext().WithTimeout(timeout), call);
}

/// The reply's body; "HTTP 404: …" when its status is no success.
std::string Call(const PeerProcess& peer, const Request& request) {
  const auto reply = TryCall(peer, request);
  if (!reply.ok()) {
    return reply.error().ToString();
  }
  return reply->status / 100 == 2 ? reply->body
                                  : "HTTP " + std::to_string(reply->status) + ": " + reply->body;
}

// Store() makes a collection of that name with one record, whose text is "of " and the name; Read()
// gets what there is in such a collection.

void Store(const MilvusPeer& peer, const std::string& name) {
  EXPECT_THAT(Call(peer, {.method = "POST",
                          .path = "/v1/vector/collections/create",
                          .body = R"({"collectionName": ")" + name + R"(", "dimension": 2})"}),
              HasSubstr("\"code\":200"));
  EXPECT_THAT(
      Call(peer, {.method = "POST",
                  .path = "/v1/vector/insert",
                  .body = R"({"collectionName": ")" + name +
                          R"(", "data": [{"vector": [1, 2], "text": "of )" + name + R"("}]})"}),
      HasSubstr("\"code\":200"));
}
std::string Read(const MilvusPeer& peer, const std::string& name) {
  return Call(peer, {.method = "POST",
                     .path = "/v1/vector/query",
                     .body = R"({"collectionName": ")" + name +
                             R"(", "filter": "id > 0", "outputFields": ["text"], "limit": 1})"});
}

void Store(const WeaviatePeer& peer, const std::string& name) {
  EXPECT_THAT(Call(peer, {.method = "POST",
                          .path = "/v1/schema",
                          .body = R"({"class": ")" + name + R"(", "vectorizer": "none"})"}),
              HasSubstr(name));
  EXPECT_THAT(
      Call(peer, {.method = "POST",
                  .path = "/v1/objects",
                  .body = R"({"class": ")" + name +
                          R"(", "vector": [1, 2], "properties": {"text": "of )" + name + R"("}})"}),
      HasSubstr("of " + name));
}
std::string Read(const WeaviatePeer& peer, const std::string& name) {
  return Call(peer, {.path = "/v1/objects?class=" + name});
}

void Store(const OpenSearchPeer& peer, const std::string& name) {
  const std::string body = R"({"settings": {"index": {"knn": true, "number_of_replicas": 0}},
      "mappings": {"properties": {"v": {"type": "knn_vector", "dimension": 2,
          "method": {"name": "hnsw", "engine": "lucene", "space_type": "l2"}}}}})";
  EXPECT_THAT(Call(peer, {.method = "PUT", .path = "/" + name, .body = body}),
              HasSubstr("\"acknowledged\":true"));
  EXPECT_THAT(Call(peer, {.method = "PUT",
                          .path = "/" + name + "/_doc/1?refresh=true",
                          .body = R"({"v": [1, 2], "text": "of )" + name + R"("})"}),
              HasSubstr("\"created\""));
}
std::string Read(const OpenSearchPeer& peer, const std::string& name) {
  return Call(peer, {.method = "POST",
                     .path = "/" + name + "/_search",
                     .body = R"({"query": {"knn": {"v": {"vector": [1, 2], "k": 1}}}})"});
}

/// `one` has the record of the collection `left` and none of `right`; `other` the other way round.
template <class Peer>
void ExpectEachHoldsItsOwn(const Peer& one, const std::string& left, const Peer& other,
                           const std::string& right) {
  EXPECT_THAT(Read(one, left), HasSubstr("of " + left));
  EXPECT_THAT(Read(one, right), Not(HasSubstr("of " + right)));
  EXPECT_THAT(Read(other, right), HasSubstr("of " + right));
  EXPECT_THAT(Read(other, left), Not(HasSubstr("of " + left)));
}

/// "" or what went wrong.
std::string WhyNot(const Status& status) { return status.ok() ? "" : status.error().ToString(); }

bool IsRunning(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string number, name, state;
  return file >> number >> name >> state && state != "Z";
}

template <class Condition>
bool Eventually(Condition condition, std::chrono::seconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

TEST(Peers, TwoOfEachKindStartTogetherAndComeBackWithTheirDataOnTheSamePorts) {
  PgVectorPeer pgvector({});
  MilvusPeer milvus({});
  MilvusPeer other_milvus({});
  WeaviatePeer weaviate({});
  WeaviatePeer other_weaviate({});
  OpenSearchPeer opensearch({});
  OpenSearchPeer other_opensearch({});
  ASSERT_EQ(WhyNot(StartTogether({&pgvector, &milvus, &other_milvus, &weaviate, &other_weaviate,
                                  &opensearch, &other_opensearch})),
            "");
  Store(milvus, "left");
  Store(other_milvus, "right");
  ExpectEachHoldsItsOwn(milvus, "left", other_milvus, "right");
  Store(weaviate, "Left");
  Store(other_weaviate, "Right");
  ExpectEachHoldsItsOwn(weaviate, "Left", other_weaviate, "Right");
  Store(opensearch, "left");
  Store(other_opensearch, "right");
  ExpectEachHoldsItsOwn(opensearch, "left", other_opensearch, "right");

  const std::vector<PeerProcess*> stopped = {&milvus, &weaviate, &opensearch};
  std::vector<std::string> addresses;
  for (PeerProcess* peer : stopped) {
    addresses.push_back(peer->uri());
    peer->Stop();
    EXPECT_FALSE(TryCall(*peer, {.path = "/"}, std::chrono::seconds(5)).ok()) << peer->uri();
  }
  ASSERT_EQ(WhyNot(StartTogether(stopped)), "");
  for (size_t i = 0; i < stopped.size(); ++i) {
    EXPECT_EQ(stopped[i]->uri(), addresses[i]);
  }
  ExpectEachHoldsItsOwn(milvus, "left", other_milvus, "right");
  ExpectEachHoldsItsOwn(weaviate, "Left", other_weaviate, "Right");
  ExpectEachHoldsItsOwn(opensearch, "left", other_opensearch, "right");
}

TEST(Peers, ServersAndTheirFoldersGoWithATestThatIsKilled) {
  int told[2];
  ASSERT_EQ(pipe(told), 0);
  const pid_t test = fork();
  if (test == 0) {
    PgVectorPeer pgvector({});
    MilvusPeer milvus({});
    WeaviatePeer weaviate({});
    OpenSearchPeer opensearch({});
    const std::vector<PeerProcess*> peers = {&pgvector, &milvus, &weaviate, &opensearch};
    const Status started = StartTogether(peers);
    std::string text = WhyNot(started);
    for (const PeerProcess* peer : peers) {
      text += peer->Field("server") + " " + peer->data_folder() + " ";
    }
    text += "end";
    (void)!write(told[1], text.data(), text.size());
    pause();
    _exit(1);
  }
  close(told[1]);
  std::string text;
  for (char c = 0; !text.ends_with("end") && read(told[0], &c, 1) == 1;) {
    text += c;
  }
  close(told[0]);
  std::istringstream words(text);
  std::vector<pid_t> servers(4);
  std::vector<std::string> folders(4);
  for (size_t i = 0; i < servers.size(); ++i) {
    ASSERT_TRUE(words >> servers[i] >> folders[i]) << text;
    EXPECT_TRUE(IsRunning(servers[i])) << text;
    EXPECT_TRUE(std::filesystem::exists(folders[i])) << text;
  }
  kill(test, SIGKILL);
  waitpid(test, nullptr, 0);
  for (size_t i = 0; i < servers.size(); ++i) {
    EXPECT_TRUE(Eventually([&] { return !IsRunning(servers[i]); }, std::chrono::seconds(60)))
        << folders[i];
    EXPECT_TRUE(
        Eventually([&] { return !std::filesystem::exists(folders[i]); }, std::chrono::seconds(60)))
        << folders[i];
  }
}

TEST(Peers, CredentialsAndTlsAreAskedFor) {
  MilvusPeer milvus({.auth = true});
  MilvusPeer secure({.auth = true, .tls = true});
  WeaviatePeer weaviate({.api_key = "a-key"});
  ASSERT_EQ(WhyNot(StartTogether({&milvus, &secure, &weaviate})), "");
  const std::string collections = "/v1/vector/collections";
  EXPECT_THAT(Call(milvus, {.path = collections}), Not(HasSubstr("\"code\":200")));
  EXPECT_THAT(Call(milvus, {.path = collections, .authorization = "Bearer root:wrong"}),
              Not(HasSubstr("\"code\":200")));
  EXPECT_THAT(Call(milvus, {.path = collections, .authorization = "Bearer root:Milvus"}),
              HasSubstr("\"code\":200"));
  EXPECT_TRUE(secure.uri().starts_with("https://"));
  EXPECT_TRUE(std::filesystem::exists(secure.ca_file()));
  EXPECT_THAT(Call(weaviate, {.path = "/v1/schema"}), HasSubstr("HTTP 401"));
  EXPECT_THAT(Call(weaviate, {.path = "/v1/schema", .authorization = "Bearer a-key"}),
              HasSubstr("classes"));
}

TEST(Peers, AFrontGivesAServerTlsAndCredentials) {
  WeaviatePeer& weaviate = SharedWeaviatePeer();
  TlsFrontPeer front({.target_port = weaviate.port(), .basic = "user:secret"});
  TlsFrontPeer expired({.target_port = weaviate.port(), .expired = true});
  ASSERT_EQ(WhyNot(StartTogether({&front, &expired})), "");
  Request request = {.path = "/v1/schema", .ca_file = front.ca_file()};
  EXPECT_THAT(Call(front, request), HasSubstr("HTTP 401"));
  request.authorization = "Basic dXNlcjpzZWNyZXQ=";
  EXPECT_THAT(Call(front, request), HasSubstr("classes"));
  EXPECT_THAT(Call(expired, {.path = "/v1/schema", .ca_file = expired.ca_file()}),
              HasSubstr("expired"));
  EXPECT_THAT(Call(front, {.path = "/v1/schema"}), HasSubstr("certificate"));
}

TEST(Peers, AFrozenServerAnswersNothingUntilItGoesOn) {
  WeaviatePeer& weaviate = SharedWeaviatePeer();
  weaviate.Freeze(true);
  const auto reply = TryCall(weaviate, {.path = "/v1/schema"}, std::chrono::milliseconds(300));
  ASSERT_FALSE(reply.ok());
  EXPECT_EQ(reply.error().code, Code::kDeadlineExceeded);
  weaviate.Freeze(false);
  EXPECT_THAT(Call(weaviate, {.path = "/v1/schema"}), HasSubstr("classes"));
}

TEST(Peers, AFrozenServerCanBeStopped) {
  auto weaviate = WeaviatePeer::Launch({});
  ASSERT_TRUE(weaviate.ok());
  const pid_t server = std::stoi((*weaviate)->Field("server"));
  (*weaviate)->Freeze(true);
  (*weaviate)->Stop();
  EXPECT_FALSE(IsRunning(server));
}

TEST(Peers, AServerThatCannotStartShowsItsLog) {
  const auto opensearch = OpenSearchPeer::Launch({.settings = {"no.such.setting=1"}});
  ASSERT_FALSE(opensearch.ok());
  EXPECT_THAT(opensearch.error().ToString(), HasSubstr("unknown setting [no.such.setting]"));
}

TEST(Peers, AServerThatIsNotInstalledSaysHowToInstallIt) {
  const auto weaviate = WeaviatePeer::Launch({.version = "0.0.1"});
  ASSERT_FALSE(weaviate.ok());
  EXPECT_THAT(weaviate.error().ToString(), HasSubstr("./dev peers weaviate-0.0.1"));
}

}  // namespace
}  // namespace roost
