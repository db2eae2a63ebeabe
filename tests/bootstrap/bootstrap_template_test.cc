// What `roost bootstrap` makes in OpenSearch for clients that speak to it themselves.

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bootstrap_testing.h"
#include "cli/session.h"
#include "net/http_client.h"

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kOk = static_cast<int>(ExitStatus::kOk);
constexpr int kRefused = static_cast<int>(ExitStatus::kRefused);

/// A call as another client of the server makes it.
std::string Raw(const std::string& method, const std::string& path, const std::string& body = "") {
  static HttpClient client;
  HttpCall call;
  call.method = method;
  call.url = BareOpenSearch().uri() + path;
  call.headers = {{"Content-Type", "application/json"}};
  call.body = body;
  const auto reply = client.Call(Soon(), call);
  EXPECT_TRUE(reply.ok()) << reply.error().ToString();
  return reply.ok() ? reply->body : "{}";
}

class BootstrapTemplate : public testing::Test {
 protected:
  Ran Run(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"--index", index_, "--dimension", "4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunBootstrap(target_, arguments);
  }
  boost::json::value Mapping(const std::string& index) {
    return boost::json::parse(Raw("GET", "/" + index)).at(index).at("mappings");
  }

  const TestTarget target_ = GoodTarget("opensearch");
  const std::string index_ = FreshName() + "-books";
};

TEST_F(BootstrapTemplate, AnIndexThatATenantsFirstWriteMakesHasItsMapping) {
  const auto ran = Run();
  ASSERT_EQ(ran.status, kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("made       index template " + index_ + "_template"));
  const std::string index = index_ + "-acme";
  const std::string wrote =
      Raw("PUT", "/" + index + "/_doc/1?refresh=true",
          R"({"entity_type":"document","entity_id":"4711","vector":[1,0,0,0],"tenant_id":"acme",
              "metadata":{"pages":7,"seen":"2024-01-01"},"model_version":"mini-3",
              "created_at":"2026-11-21T22:00:00Z","updated_at":"2026-11-21T22:00:00Z"})");
  EXPECT_THAT(wrote, HasSubstr("\"created\""));
  const auto mapping = Mapping(index);
  const auto& vector = mapping.at_pointer("/properties/vector");
  EXPECT_EQ(vector.at("type"), "knn_vector");
  EXPECT_EQ(vector.at("dimension"), 4);
  EXPECT_EQ(vector.at_pointer("/method/name"), "hnsw");
  EXPECT_EQ(vector.at_pointer("/method/space_type"), "cosinesimil");
  EXPECT_EQ(mapping.at_pointer("/properties/entity_id/type"), "keyword");
  EXPECT_EQ(mapping.at_pointer("/properties/created_at/type"), "date");
  EXPECT_EQ(mapping.at_pointer("/properties/metadata/properties/seen/type"), "text")
      << "no dates are guessed";
  EXPECT_THAT(Raw("POST", "/" + index + "/_search",
                  R"({"query":{"knn":{"vector":{"vector":[1,0,0,0],"k":1}}}})"),
              HasSubstr("\"_score\":1.0"));
  EXPECT_THAT(Raw("PUT", "/" + index + "/_doc/2", R"({"vektor":[1,2,3,4]})"),
              HasSubstr("strict_dynamic_mapping_exception"));
  // What the write added to metadata is no difference.
  const auto again = Run({"--tenant", "acme"});
  EXPECT_EQ(again.status, kOk) << again.out << again.err;
  EXPECT_THAT(again.out, HasSubstr("there      index " + index));
  EXPECT_THAT(again.out, HasSubstr("nothing had to be done"));
}

TEST_F(BootstrapTemplate, TenantsThatAreNamedGetTheirIndexAtOnce) {
  const auto dry = Run({"--tenant", "acme", "--tenant", "emca", "--dry-run"});
  EXPECT_EQ(dry.status, kOk) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("4 would be made"));
  EXPECT_THAT(Raw("GET", "/" + index_ + "-acme"), HasSubstr("index_not_found_exception"));
  EXPECT_THAT(Raw("GET", "/_index_template/" + index_ + "_template"), HasSubstr("404"));
  const auto ran = Run({"--tenant", "acme", "--tenant", "emca"});
  EXPECT_EQ(ran.status, kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("4 made"));
  EXPECT_EQ(Mapping(index_ + "-emca").at_pointer("/properties/vector/dimension"), 4);
  EXPECT_THAT(Run({"--tenant", "acme", "--tenant", "emca"}).out,
              HasSubstr("nothing had to be done"));
}

TEST_F(BootstrapTemplate, AnotherTemplateOrIndexInTheWayIsToldAndLeft) {
  const std::string path = "/_index_template/" + index_ + "_template";
  ASSERT_EQ(Run().status, kOk);
  const std::string before = Raw("GET", path);
  const std::string collection = FreshName();
  const auto ran = RunBootstrap(
      target_, {"--index", index_, "-c", collection, "--dimension", "8", "--metric", "L2"});
  EXPECT_EQ(ran.status, kRefused) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("mappings.properties.vector.dimension is 4, wanted is 8"));
  EXPECT_THAT(ran.out, HasSubstr("space_type is cosinesimil, wanted is l2"));
  EXPECT_THAT(ran.out, HasSubstr("DELETE " + path));
  EXPECT_THAT(ran.out, HasSubstr("missing    collection " + collection));
  EXPECT_EQ(Raw("GET", path), before);
  EXPECT_EQ(OpenTarget(target_)->DescribeCollection(Soon(), collection).code(), Code::kNotFound);

  Raw("PUT", "/" + index_ + "x-acme", R"({"mappings":{"properties":{"vector":{"type":"float"}}}})");
  const auto index =
      RunBootstrap(target_, {"--index", index_ + "x", "--dimension", "4", "--tenant", "acme"});
  EXPECT_EQ(index.status, kRefused) << index.err;
  EXPECT_THAT(index.out, HasSubstr("vector.type is float, wanted is knn_vector"));
}

TEST_F(BootstrapTemplate, AnotherTemplateForTheSameIndexesIsNamed) {
  Raw("PUT", "/_index_template/theirs-" + index_,
      R"({"index_patterns":[")" + index_ + R"(-*"],"priority":100})");
  const auto ran = Run();
  EXPECT_EQ(ran.status, kRefused) << ran.out << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("theirs-" + index_));
  EXPECT_THAT(ran.out, HasSubstr("still missing"));
  Raw("DELETE", "/_index_template/theirs-" + index_);
  const auto again = Run();
  EXPECT_EQ(again.status, kOk) << "it goes on where it stopped: " << again.err;
  EXPECT_THAT(again.out, HasSubstr("there      collection"));
}

TEST_F(BootstrapTemplate, TheAliasLeadsToTheCollection) {
  const std::string alias = index_ + "-reader";
  const auto with_alias = [&](const std::string& collection) {
    return RunBootstrap(target_, {"-c", collection, "--dimension", "4", "--alias", alias});
  };
  const std::string collection = FreshName();
  EXPECT_EQ(with_alias(collection).status, kOk);
  EXPECT_THAT(Raw("GET", "/" + alias + "/_count"), HasSubstr("\"count\":0"));
  EXPECT_THAT(with_alias(collection).out, HasSubstr("there      alias " + alias));
  const auto other = with_alias(FreshName());
  EXPECT_EQ(other.status, kRefused);
  EXPECT_THAT(other.out, HasSubstr("it points to index"));
}

TEST_F(BootstrapTemplate, CertificatesAreCheckedUnlessToldNotTo) {
  auto target = target_;
  target.options = {"--backend", "opensearch"};  // ML_OPENSEARCH_VERIFY_CERTS says true
  const auto ran = RunBootstrap(target, {"-c", FreshName()});
  EXPECT_EQ(ran.status, static_cast<int>(ExitStatus::kUnreachable)) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("certificate"));
}

}  // namespace
}  // namespace roost
