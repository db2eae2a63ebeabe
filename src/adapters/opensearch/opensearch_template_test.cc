#include "adapters/opensearch/opensearch_template.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

PreparationRequest Books() {
  return {.schema = EntityRecordSchema("books", 8, Metric::kCosine, true), .index = "books"};
}

std::string Body(const PreparationRequest& request, const OpenSearchOptions& options = {}) {
  const auto body = OsTemplateBody(options, request);
  EXPECT_TRUE(body.ok()) << body.error().ToString();
  return body.ok() ? *body : "{}";
}

/// What OpenSearch answers when the template is as `body` says.
std::string Reply(const std::string& body) {
  return R"({"index_templates":[{"name":"books_template","index_template":)" + body + "}]}";
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from << " in " << text;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(OsTemplate, HoldsAnHnswMappingOfTheRecord) {
  const std::string body = Body(Books());
  const auto document = boost::json::parse(body);
  EXPECT_EQ(document.at_pointer("/index_patterns/0"), "books-*");
  const auto& properties = document.at_pointer("/template/mappings/properties");
  for (const auto& [field, type] :
       {std::pair("id", "keyword"), std::pair("entity_type", "keyword"),
        std::pair("entity_id", "keyword"), std::pair("metadata", "object"),
        std::pair("model_version", "keyword"), std::pair("tenant_id", "keyword"),
        std::pair("created_at", "date"), std::pair("updated_at", "date"),
        std::pair("vector", "knn_vector")}) {
    EXPECT_EQ(properties.at(field).at("type"), type) << field;
  }
  const auto& vector = properties.at("vector");
  EXPECT_EQ(vector.at("dimension"), 8);
  EXPECT_EQ(vector.at_pointer("/method/name"), "hnsw");
  EXPECT_EQ(vector.at_pointer("/method/engine"), "lucene");
  EXPECT_EQ(vector.at_pointer("/method/space_type"), "cosinesimil");
  EXPECT_EQ(document.at_pointer("/template/settings/index/knn"), true);
}

TEST(OsTemplate, IsAsItWasMadeWhateverKindOfValuesTheServerGives) {
  const std::string body = Body(Books());
  std::string said = Replaced(body, R"("knn":true)", R"("knn":"true")");
  said = Replaced(said, R"("number_of_shards":1)", R"("number_of_shards":"1")");
  said = Replaced(said, R"("priority":100)", R"("composed_of":[],"priority":100)");
  const auto differences = OsTemplateDifferences(Reply(said), body);
  ASSERT_TRUE(differences.ok());
  EXPECT_THAT(*differences, IsEmpty());
}

TEST(OsTemplate, DifferencesNameThePlaceAndBothSides) {
  const std::string body = Body(Books());
  std::string said = Replaced(body, R"("dimension":8)", R"("dimension":4)");
  said = Replaced(said, R"("books-*")", R"("books-*","boxes-*")");
  said = Replaced(said, R"("model_version":{"type":"keyword"},)", R"("more":{"type":"long"},)");
  const auto differences = OsTemplateDifferences(Reply(said), body);
  ASSERT_TRUE(differences.ok());
  EXPECT_THAT(*differences,
              ElementsAre(R"(index_patterns is ["books-*","boxes-*"], wanted is ["books-*"])",
                          "mappings.properties.model_version.type is not there, wanted is keyword",
                          "mappings.properties.vector.dimension is 4, wanted is 8",
                          "mappings.properties.more.type is long and not wanted"));
}

TEST(OsTemplate, AnIndexMayHoldMoreAndItsObjectsMayHaveGrown) {
  const std::string body = Body(Books());
  const auto reply = [](const std::string& vector) {
    return R"({"books-acme":{"aliases":{},"settings":{},"mappings":{"dynamic":"strict",
      "date_detection":false,"properties":{"created_at":{"type":"date"},
      "entity_id":{"type":"keyword"},"entity_type":{"type":"keyword"},"id":{"type":"keyword"},
      "metadata":{"dynamic":"true","properties":{"pages":{"type":"long"}}},
      "model_version":{"type":"keyword"},"tenant_id":{"type":"keyword"},
      "updated_at":{"type":"date"},"vector":{"type":"knn_vector","dimension":)" +
           vector + R"(,"method":{"engine":"lucene","name":"hnsw","space_type":"cosinesimil",
      "parameters":{"ef_construction":200,"m":16}}}}}}})";
  };
  auto differences = OsMappingDifferences(reply("8"), body);
  ASSERT_TRUE(differences.ok());
  EXPECT_THAT(*differences, IsEmpty());
  differences = OsMappingDifferences(reply("4"), body);
  ASSERT_TRUE(differences.ok());
  EXPECT_THAT(*differences, ElementsAre("mappings.properties.vector.dimension is 4, wanted is 8"));
}

TEST(OsTemplate, RepliesThatAreNoJsonAreErrors) {
  EXPECT_EQ(OsTemplateDifferences("<html>", Body(Books())).code(), Code::kUnavailable);
  EXPECT_EQ(OsMappingDifferences("[1", Body(Books())).code(), Code::kUnavailable);
}

TEST(OsTemplate, FollowsShardsReplicasEngineAndFlatVectors) {
  OpenSearchOptions options;
  options.shards = 3;
  options.replicas = 2;
  options.engine = "faiss";
  auto request = Books();
  const std::string body = Body(request, options);
  EXPECT_THAT(body, HasSubstr(R"("number_of_shards":3,"number_of_replicas":2)"));
  EXPECT_THAT(body, HasSubstr(R"("engine":"faiss")"));
  request.schema.vectors[0].index = "FLAT";
  EXPECT_THAT(Body(request), Not(HasSubstr("hnsw")));
  request.schema.vectors[0].type = DataType::kSparseVector;
  EXPECT_EQ(OsTemplateBody({}, request).code(), Code::kUnimplemented);
}

/// Names are judged before anybody is asked.
Code Refusal(const std::string& index, const std::vector<std::string>& tenants = {},
             const std::string& alias = "") {
  auto request = Books();
  request.index = index;
  request.tenants = tenants;
  request.alias = alias;
  OpenSearchOptions options;
  options.uri = "opensearch://127.0.0.1:1";
  SystemClock clock;
  const auto metrics = MakeMetrics();
  const auto steps = LookBesideOpenSearch({}, options, request, clock, *metrics);
  EXPECT_FALSE(steps.ok());
  return steps.code();
}

TEST(OsTemplate, NamesThatDoNotFitOrReachRoostsOwnIndexesAreRefused) {
  EXPECT_EQ(Refusal("books"), Code::kUnavailable) << "good names need the server";
  for (const char* index : {"Books", "_books", "bo oks", "books*", "roost", "roost-books"}) {
    EXPECT_EQ(Refusal(index), Code::kInvalidArgument) << index;
  }
  EXPECT_EQ(Refusal("", {"acme"}), Code::kInvalidArgument) << "tenants of no index";
  EXPECT_EQ(Refusal("", {}, "Alias"), Code::kInvalidArgument);
}

}  // namespace
}  // namespace roost
