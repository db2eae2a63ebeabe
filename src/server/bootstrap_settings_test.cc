#include "server/bootstrap_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Environment = std::map<std::string, std::string>;

BootstrapSettings Read(const BootstrapOptions& options, const Environment& environment = {}) {
  const auto settings = ReadBootstrapSettings(options, environment);
  EXPECT_TRUE(settings.ok()) << settings.error().ToString();
  return settings.ok() ? *settings : BootstrapSettings();
}

std::string Refusal(const BootstrapOptions& options, const Environment& environment = {}) {
  const auto settings = ReadBootstrapSettings(options, environment);
  EXPECT_FALSE(settings.ok());
  EXPECT_TRUE(settings.ok() || settings.code() == Code::kInvalidArgument);
  return settings.ok() ? "" : settings.error().message;
}

const Environment kOpenSearch = {
    {"ML_VECTOR_BACKEND", "opensearch"},     {"ML_OPENSEARCH_HOSTS", "https://search.example:9200"},
    {"ML_OPENSEARCH_USERNAME", "admin"},     {"ML_OPENSEARCH_PASSWORD", "geheim"},
    {"ML_OPENSEARCH_VERIFY_CERTS", "False"}, {"ML_OPENSEARCH_INDEX", "ml-vectors"},
    {"ML_VECTOR_DIMENSION", "384"}};

TEST(BootstrapSettings, ComeFromTheEnvironmentOfTheApplication) {
  const auto settings = Read({}, kOpenSearch);
  EXPECT_THAT(settings.addresses,
              ElementsAre("opensearch://admin:geheim@search.example:9200?tls=true&verify=false"));
  EXPECT_EQ(settings.request.index, "ml-vectors");
  EXPECT_EQ(settings.request.schema.name, "ml_vectors");
  EXPECT_EQ(settings.request.schema.vectors.at(0).dimension, 384u);
  EXPECT_EQ(settings.request.schema.vectors.at(0).metric, Metric::kCosine);
  EXPECT_EQ(settings.request.schema.tenant_field, "tenant_id");
}

TEST(BootstrapSettings, OptionsWinOverTheEnvironment) {
  BootstrapOptions options;
  options.parts = {.hosts = "other:1", .user = "me", .password = "mine", .verify = "true"};
  options.index = "books";
  options.collection = "library";
  options.dimension = "8";
  options.metric = "L2";
  options.single_tenant = true;
  options.tenants = {"acme"};
  options.alias = "lib";
  const auto settings = Read(options, kOpenSearch);
  EXPECT_THAT(settings.addresses, ElementsAre("opensearch://me:mine@other:1"));
  EXPECT_EQ(settings.request.index, "books");
  EXPECT_EQ(settings.request.schema.name, "library");
  EXPECT_EQ(settings.request.schema.vectors.at(0).dimension, 8u);
  EXPECT_EQ(settings.request.schema.vectors.at(0).metric, Metric::kL2);
  EXPECT_FALSE(settings.request.schema.multi_tenant());
  EXPECT_THAT(settings.request.tenants, ElementsAre("acme"));
  EXPECT_EQ(settings.request.alias, "lib");
}

TEST(BootstrapSettings, KnowEveryBackendByItsOwnNames) {
  BootstrapOptions options;
  options.collection = "books";
  EXPECT_THAT(Read(options, {{"MILVUS_CLUSTER_ENDPOINT", "https://in03.example.com"},
                             {"MILVUS_CLUSTER_TOKEN", "root:Milvus"}})
                  .addresses,
              ElementsAre("milvus://in03.example.com:443?tls=true&token=root%3AMilvus"));
  EXPECT_THAT(Read(options, {{"ML_VECTOR_BACKEND", "pgvector"},
                             {"POSTGRES_HOST", "db"},
                             {"POSTGRES_PORT", "5433"},
                             {"POSTGRES_DB", "vectors"},
                             {"POSTGRES_USER", "roost"},
                             {"POSTGRES_PASSWORD", "p w"}})
                  .addresses,
              ElementsAre("postgresql://roost:p%20w@db:5433/vectors"));
  EXPECT_THAT(
      Read(options, {{"WEAVIATE_URL", "http://w:8080"}, {"WEAVIATE_API_KEY", "k"}}).addresses,
      ElementsAre("weaviate://w:8080?api_key=k"));
  options.backend = "embedded";
  EXPECT_THAT(Read(options, kOpenSearch).addresses, ElementsAre("embedded:roost-data"));
  EXPECT_EQ(Read(options, kOpenSearch).request.index, "") << "that name is OpenSearch's";
}

TEST(BootstrapSettings, DualWriteIsBothStores) {
  auto environment = kOpenSearch;
  environment["ML_VECTOR_BACKEND"] = "dual_write";
  environment["POSTGRES_HOST"] = "db";
  const auto settings = Read({}, environment);
  EXPECT_THAT(settings.addresses,
              ElementsAre("postgresql://db",
                          "opensearch://admin:geheim@search.example:9200?tls=true&verify=false"));
  EXPECT_EQ(settings.request.index, "ml-vectors");
  BootstrapOptions options;
  options.parts.hosts = "one";
  EXPECT_THAT(Refusal(options, environment), HasSubstr("several stores"));
}

TEST(BootstrapSettings, AStoresAddressSaysEverything) {
  BootstrapOptions options;
  options.stores = {"opensearch://a:b@h:1", "embedded:there"};
  const auto settings = Read(options, kOpenSearch);
  EXPECT_EQ(settings.addresses, options.stores);
  EXPECT_EQ(settings.request.schema.name, "ml_vectors");
  options.parts.password = "geheim";
  EXPECT_THAT(Refusal(options), Not(HasSubstr("geheim")));
  options.parts = {};
  options.stores = {"redis://me:geheim@h"};
  EXPECT_THAT(Refusal(options), HasSubstr("redis://me:***@h"));
  EXPECT_THAT(Refusal(options), Not(HasSubstr("geheim")));
}

TEST(BootstrapSettings, ASchemaSaysEverythingOfTheCollectionButItsName) {
  BootstrapOptions options;
  options.stores = {"embedded:x"};
  options.schema = CollectionSchema{.name = "own"};
  EXPECT_EQ(Read(options).request.schema.name, "own");
  options.collection = "other";
  EXPECT_EQ(Read(options, {{"ML_VECTOR_DIMENSION", "4"}}).request.schema.name, "other");
  options.metric = "L2";
  EXPECT_THAT(Refusal(options), HasSubstr("--schema"));
}

TEST(BootstrapSettings, WhatIsMissingOrWrongIsNamed) {
  EXPECT_THAT(Refusal({}), HasSubstr("say which store"));
  EXPECT_THAT(Refusal({}, {{"WEAVIATE_URL", "w"}, {"MILVUS_CLUSTER_ENDPOINT", "m"}}),
              HasSubstr("milvus, weaviate"));
  EXPECT_THAT(Refusal({.backend = "faiss"}), HasSubstr("dual_write"));
  EXPECT_THAT(Refusal({.backend = "milvus"}), HasSubstr("MILVUS_CLUSTER_ENDPOINT"));
  EXPECT_THAT(Refusal({.backend = "milvus", .parts = {.hosts = "m"}}), HasSubstr("--collection"));
  BootstrapOptions options{.backend = "milvus", .parts = {.hosts = "m"}, .collection = "c"};
  EXPECT_THAT(Refusal(options, {{"ML_VECTOR_DIMENSION", "many"}}),
              HasSubstr("ML_VECTOR_DIMENSION is \"many\""));
  options.dimension = "0";
  EXPECT_THAT(Refusal(options), HasSubstr("--dimension"));
}

}  // namespace
}  // namespace roost
