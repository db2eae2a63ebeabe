#include "adapters/backends.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/all.h"
#include "net/store_address.h"

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Made(std::string_view backend, const AddressParts& parts) {
  const auto address = MakeAddress(*FindBackend(backend), parts);
  return address.ok() ? *address : address.error().ToString();
}

TEST(Backends, EachLeadsToAnAddressThatAnAdapterKnows) {
  for (const Backend& backend : Backends()) {
    EXPECT_EQ(FindBackend(backend.name), &backend);
    if (!backend.scheme.empty()) {
      EXPECT_TRUE(KnowsAddress(Made(backend.name, {.hosts = "localhost"}))) << backend.name;
      EXPECT_EQ(BackendOf(std::string(backend.scheme) + "host"), &backend);
    }
    for (const std::string_view other : backend.stands_for) {
      EXPECT_NE(FindBackend(other), nullptr) << other;
    }
  }
  EXPECT_EQ(FindBackend("faiss"), nullptr);
  EXPECT_EQ(BackendOf("nothing://host"), nullptr);
}

TEST(MakeAddress, TakesHostsAsOneTextAsUrlsAndAsAList) {
  EXPECT_EQ(Made("opensearch", {.hosts = "a,b:9201"}), "opensearch://a,b:9201");
  EXPECT_EQ(Made("opensearch", {.hosts = "http://a:9200/, http://b"}), "opensearch://a:9200,b");
  EXPECT_EQ(Made("opensearch", {.hosts = R"(["https://a:9200", "https://b:9200"])"}),
            "opensearch://a:9200,b:9200?tls=true");
  EXPECT_EQ(Made("milvus", {.hosts = "https://x.cloud.example"}),
            "milvus://x.cloud.example:443?tls=true");
  EXPECT_EQ(Made("milvus", {.hosts = "http://[::1]"}), "milvus://[::1]");
  EXPECT_EQ(Made("pgvector", {.hosts = "db", .port = "5433", .database = "vectors", .user = "r"}),
            "postgresql://r@db:5433/vectors");
  EXPECT_EQ(Made("pgvector", {.hosts = "db:5432", .port = "5433"}), "postgresql://db:5432");
}

TEST(MakeAddress, SaysCredentialsAndCertificatesAsEachStoreWants) {
  EXPECT_EQ(Made("opensearch", {.hosts = "https://a:1", .user = "u:v", .password = "p@/?&"}),
            "opensearch://u%3Av:p%40%2F%3F%26@a:1?tls=true");
  EXPECT_EQ(Made("opensearch", {.hosts = "https://a:1", .verify = "false"}),
            "opensearch://a:1?tls=true&verify=false");
  EXPECT_EQ(Made("opensearch", {.hosts = "a:1", .verify = "true"}), "opensearch://a:1")
      << "no wish for TLS";
  EXPECT_EQ(Made("weaviate", {.hosts = "https://a:1", .token = "k=", .ca_file = "/ca"}),
            "weaviate://a:1?tls=true&ca_file=%2Fca&api_key=k%3D");
  EXPECT_EQ(Made("milvus", {.hosts = "a:1", .token = "root:Milvus"}),
            "milvus://a:1?token=root%3AMilvus");
  EXPECT_EQ(Made("pgvector", {.hosts = "a", .verify = "true", .ca_file = "/ca"}),
            "postgresql://a?sslmode=verify-full&sslrootcert=%2Fca");
  EXPECT_EQ(Made("pgvector", {.hosts = "a", .verify = "false"}), "postgresql://a");
}

TEST(MakeAddress, WhatItMakesReadsBackAsItWasSaid) {
  const auto address = ParseStoreAddress(
      Made("opensearch", {.hosts = "https://h:1", .user = "ü", .password = "a b%:@"}),
      {.scheme = "opensearch", .default_port = 9200});
  ASSERT_TRUE(address.ok()) << address.error().ToString();
  EXPECT_EQ(address->user, "ü");
  EXPECT_EQ(address->password, "a b%:@");
  EXPECT_TRUE(address->tls.enabled);
}

TEST(MakeAddress, RefusesWithoutRepeatingSecrets) {
  const AddressParts wrong[] = {
      {.hosts = "https://u:geheim@a:1"},
      {.hosts = "ftp://a"},
      {.hosts = "https://a,b"},
      {.hosts = "a/b"},
      {.hosts = ""},
      {.hosts = "a,,b"},
      {.hosts = "a", .password = "geheim"},
      {.hosts = "https://a", .verify = "geheim"},
      {.hosts = "a", .ca_file = "ca.pem"},
  };
  for (const AddressParts& parts : wrong) {
    const auto address = MakeAddress(*FindBackend("opensearch"), parts);
    ASSERT_FALSE(address.ok()) << *address;
    EXPECT_EQ(address.code(), Code::kInvalidArgument);
    EXPECT_THAT(address.error().message, Not(HasSubstr("geheim")));
    EXPECT_THAT(address.error().message, HasSubstr("opensearch"));
  }
  EXPECT_EQ(MakeAddress(*FindBackend("pgvector"), {.hosts = "a", .token = "t"}).code(),
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace roost
