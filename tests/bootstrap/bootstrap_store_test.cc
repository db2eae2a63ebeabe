// `roost bootstrap` against the five stores. The servers ask for credentials; OpenSearch stands
// behind TLS with a certificate that nobody trusts.

#include <fstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file_system.h"
#include "bootstrap_testing.h"
#include "cli/session.h"
#include "net/http_client.h"
#include "net/pg_connection.h"

namespace roost {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kOk = static_cast<int>(ExitStatus::kOk);
constexpr int kFailed = static_cast<int>(ExitStatus::kFailed);
constexpr int kUsage = static_cast<int>(ExitStatus::kUsage);
constexpr int kUnreachable = static_cast<int>(ExitStatus::kUnreachable);
constexpr int kRefused = static_cast<int>(ExitStatus::kRefused);

Record Entity(const std::string& id, std::vector<float> vector) {
  Record record;
  record.key = {.tenant = "acme", .key = id};
  record.fields["entity_type"] = std::string("document");
  record.fields["entity_id"] = std::string("4711");
  record.fields["metadata"] = Json{R"({"pages":9007199254740993,"tags":["a","b"]})"};
  record.fields["model_version"] = std::string("mini-3");
  record.fields["created_at"] = int64_t{1'700'000'000'123'456};
  record.fields["updated_at"] = int64_t{1'700'000'001'000'001};
  record.vectors["vector"] = Vector::Floats(vector);
  return record;
}

/// Writes records of the default schema with four dimensions and finds them again.
void ExpectRoostWorksWith(const TestTarget& target, const std::string& collection) {
  const auto store = OpenTarget(target);
  ASSERT_NE(store, nullptr);
  const auto one = Entity("document:1", {1, 0, 0, 0});
  const auto two = Entity("document:2", {0, 1, 0, 0});
  const auto written = store->Upsert(Soon(), {.collection = collection, .records = {one, two}});
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  ASSERT_EQ(written->written, 2u);
  const auto got = store->Get(Soon(), {.collection = collection, .keys = {one.key}});
  ASSERT_TRUE(got.ok()) << got.error().ToString();
  ASSERT_TRUE(got->records.at(0).has_value());
  EXPECT_TRUE(SameRecord(*got->records[0], one));
  SearchRequest search{.collection = collection, .top_k = 1, .tenant = "acme"};
  search.vectors = {Vector::Floats(std::vector<float>{0.1f, 1, 0, 0})};
  search.consistency = Consistency::kStrong;
  const auto found = store->Search(Soon(), search);
  ASSERT_TRUE(found.ok()) << found.error().ToString();
  ASSERT_EQ(found->hits.at(0).size(), 1u);
  EXPECT_EQ(found->hits[0][0].record.key, two.key);
}

class BootstrapStore : public testing::TestWithParam<std::string> {
 protected:
  Ran Run(const std::vector<std::string>& arguments) { return RunBootstrap(target_, arguments); }
  bool HasCollection() {
    const auto store = OpenTarget(target_);
    return store != nullptr && store->DescribeCollection(Soon(), name_).ok();
  }

  const TestTarget target_ = GoodTarget(GetParam());
  const std::string name_ = FreshName();
};

TEST_P(BootstrapStore, TheSecondRunFindsEverythingAndRoostWorksWithIt) {
  const auto first = Run({"-c", name_, "--dimension", "4"});
  EXPECT_EQ(first.status, kOk) << first.err;
  EXPECT_THAT(first.out, HasSubstr("made       collection " + name_));
  const auto second = Run({"-c", name_, "--dimension", "4"});
  EXPECT_EQ(second.status, kOk) << second.err;
  EXPECT_THAT(second.out, HasSubstr("there      collection " + name_));
  EXPECT_THAT(second.out, HasSubstr("everything is there; nothing had to be done"));
  ExpectRoostWorksWith(target_, name_);
  const auto third = Run({"-c", name_, "--dimension", "4", "--json"});
  EXPECT_EQ(third.status, kOk) << "with records in it: " << third.err;
  const auto report = boost::json::parse(third.out);
  EXPECT_EQ(report.at("outcome"), "nothing to do");
  EXPECT_NE(report.at_pointer("/stores/0/version"), "");
}

TEST_P(BootstrapStore, DryRunSaysWhatWouldBeMadeAndMakesNothing) {
  for (int i = 0; i < 2; ++i) {
    const auto ran = Run({"-c", name_, "--dimension", "4", "--dry-run"});
    EXPECT_EQ(ran.status, kOk) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("missing    collection " + name_));
    EXPECT_THAT(ran.out, HasSubstr("would be made; nothing was changed"));
  }
  if (GetParam() == "embedded") {
    EXPECT_EQ(MakePosixFileSystem()->Exists(target_.address).value(), false);
  } else {
    EXPECT_FALSE(HasCollection());
  }
}

TEST_P(BootstrapStore, AnotherSchemaInTheWayIsToldAndLeft) {
  ASSERT_EQ(Run({"-c", name_, "--dimension", "8", "--metric", "L2"}).status, kOk);
  for (const auto& more : {std::vector<std::string>{}, std::vector<std::string>{"--dry-run"}}) {
    std::vector<std::string> arguments = {"-c", name_, "--dimension", "4", "--single-tenant"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto ran = Run(arguments);
    EXPECT_EQ(ran.status, kRefused);
    EXPECT_THAT(ran.out, HasSubstr("different  collection " + name_));
    EXPECT_THAT(ran.out, HasSubstr("dimension is 8, wanted is 4"));
    EXPECT_THAT(ran.out, HasSubstr("metric is L2, wanted is COSINE"));
    EXPECT_THAT(ran.out, HasSubstr(R"(the tenant field is "tenant_id", wanted is none)"));
    EXPECT_THAT(ran.out, HasSubstr("collections drop " + name_));
    EXPECT_THAT(ran.out, HasSubstr("nothing was changed"));
  }
  const auto store = OpenTarget(target_);
  ASSERT_NE(store, nullptr);
  const auto there = store->DescribeCollection(Soon(), name_);
  ASSERT_TRUE(there.ok()) << there.error().ToString();
  EXPECT_EQ(there->schema.vectors.at(0).dimension, 8u);
}

TEST_P(BootstrapStore, TakesASchemaOfOnesOwn) {
  const std::string file = testing::TempDir() + "/" + name_ + ".json";
  std::ofstream(file) << R"({"name":"named_otherwise","key":{"name":"isbn","type":"INT64"},
    "fields":[{"name":"title","type":"TEXT"},{"name":"tags","type":"ARRAY",
    "element_type":"VARCHAR"}],"vectors":[{"name":"v","dimension":3,"metric":"IP"}]})";
  EXPECT_EQ(Run({"-c", name_, "--schema", file}).status, kOk);
  const auto again = Run({"-c", name_, "--schema", file});
  EXPECT_EQ(again.status, kOk) << again.err;
  EXPECT_THAT(again.out, HasSubstr("nothing had to be done"));
  const auto store = OpenTarget(target_);
  ASSERT_NE(store, nullptr);
  const auto there = store->DescribeCollection(Soon(), name_);
  ASSERT_TRUE(there.ok()) << there.error().ToString();
  EXPECT_EQ(there->schema.key_field, "isbn");
  EXPECT_NE(there->schema.FindField("tags"), nullptr);
}

TEST_P(BootstrapStore, WhatTheStoreCannotHoldIsRefusedBeforeAnything) {
  const auto ran = Run({"-c", "not a name", "--dimension", "4"});
  EXPECT_EQ(ran.status, kUsage) << ran.out;
  EXPECT_THAT(ran.err, HasSubstr("not a name"));
}

INSTANTIATE_TEST_SUITE_P(, BootstrapStore, testing::ValuesIn(TestStores()),
                         [](const auto& instance) { return instance.param; });

class BootstrapServer : public testing::TestWithParam<std::string> {};

TEST_P(BootstrapServer, WrongCredentialsAreTold) {
  const auto ran = RunBootstrap(StrangersTarget(GetParam()), {"-c", FreshName()});
  EXPECT_EQ(ran.status, kFailed) << ran.out << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, AnyOf(HasSubstr("password"), HasSubstr("key"))) << "what to do";
  EXPECT_THAT(ran.err, HasSubstr("127.0.0.1"));
  const auto json = RunBootstrap(StrangersTarget(GetParam()), {"-c", FreshName(), "--json"});
  EXPECT_EQ(boost::json::parse(json.err).at_pointer("/error/code"), "UNAUTHENTICATED");
}

TEST_P(BootstrapServer, AHostThatDoesNotAnswerIsTold) {
  const auto ran = RunBootstrap(NobodysTarget(GetParam()), {"-c", FreshName(), "--dry-run"});
  EXPECT_EQ(ran.status, kUnreachable) << ran.out << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("127.0.0.1:1"));
}

INSTANTIATE_TEST_SUITE_P(, BootstrapServer,
                         testing::Values("pgvector", "milvus", "weaviate", "opensearch"),
                         [](const auto& instance) { return instance.param; });

TEST(BootstrapEmbedded, AFolderInUseIsTold) {
  const auto target = GoodTarget("embedded");
  const auto server = OpenTarget(target);
  ASSERT_NE(server, nullptr);
  const auto ran = RunBootstrap(target, {"-c", "books"});
  EXPECT_EQ(ran.status, kRefused);
  EXPECT_THAT(ran.err, HasSubstr("roost collections create"));
}

TEST(BootstrapPgVector, ADryRunLeavesAnEmptyDatabaseEmpty) {
  auto target = GoodTarget("pgvector");
  const std::string database = FreshName();
  const auto session = [](const std::string& address) {
    auto connected = PgConnection::Connect(Soon(), *ParsePgUri(address));
    EXPECT_TRUE(connected.ok()) << connected.error().ToString();
    return *std::move(connected);
  };
  ASSERT_TRUE(session(target.address)
                  ->Script(Soon(), "CREATE DATABASE " + database, PgEffect::kWrite)
                  .ok());
  target.environment["POSTGRES_DB"] = database;
  target.address.replace(target.address.rfind('/') + 1, std::string::npos, database);
  const auto there = [&] {
    const auto row =
        session(target.address)
            ->Run(Soon(),
                  "SELECT (SELECT count(*) FROM pg_extension WHERE extname = 'vector'), "
                  "(SELECT count(*) FROM pg_class WHERE relname LIKE 'roost%' AND "
                  "relkind = 'r')");
    EXPECT_TRUE(row.ok()) << row.error().ToString();
    return std::pair(row->Int(0, 0), row->Int(0, 1));
  };
  const auto dry = RunBootstrap(target, {"-c", "books", "--dry-run"});
  EXPECT_EQ(dry.status, kOk) << dry.err;
  EXPECT_THAT(dry.out, HasSubstr("missing    extension vector"));
  EXPECT_THAT(dry.out, HasSubstr("missing    table public.roost_collections"));
  EXPECT_EQ(there(), std::pair(int64_t{0}, int64_t{0}));
  const auto ran = RunBootstrap(target, {"-c", "books"});
  EXPECT_EQ(ran.status, kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("made       extension vector"));
  EXPECT_THAT(ran.out, HasSubstr("3 made"));
  EXPECT_EQ(there(), std::pair(int64_t{1}, int64_t{2}));
  EXPECT_THAT(RunBootstrap(target, {"-c", "books"}).out, HasSubstr("nothing had to be done"));
}

TEST(BootstrapMilvus, TheAliasIsMadeOnceAndNeverTakenAway) {
  const auto target = GoodTarget("milvus");
  const std::string alias = FreshName();
  const std::string first = FreshName();
  const auto ran = RunBootstrap(target, {"-c", first, "--dimension", "4", "--alias", alias});
  EXPECT_EQ(ran.status, kOk) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("made       alias " + alias));
  const auto again = RunBootstrap(target, {"-c", first, "--dimension", "4", "--alias", alias});
  EXPECT_EQ(again.status, kOk) << again.err;
  EXPECT_THAT(again.out, HasSubstr("there      alias " + alias));
  const std::string second = FreshName();
  const auto other = RunBootstrap(target, {"-c", second, "--dimension", "4", "--alias", alias});
  EXPECT_EQ(other.status, kRefused);
  EXPECT_THAT(other.out, HasSubstr("different  alias " + alias));
  EXPECT_THAT(other.out, HasSubstr("missing    collection " + second)) << "nothing was changed";
}

TEST(BootstrapAlias, IsRefusedWhereTheStoreHasNone) {
  for (const char* store : {"pgvector", "weaviate", "embedded"}) {
    const auto ran =
        RunBootstrap(GoodTarget(store), {"-c", FreshName(), "--dry-run", "--alias", "other"});
    EXPECT_EQ(ran.status, kUsage) << store << ran.out;
    EXPECT_THAT(ran.err, HasSubstr("alias")) << store;
  }
}

TEST(BootstrapDualWrite, PreparesBothOrNone) {
  auto target = GoodTarget("opensearch");
  for (const auto& [name, value] : GoodTarget("pgvector").environment) {
    target.environment[name] = value;
  }
  target.options.clear();
  target.environment["ML_VECTOR_BACKEND"] = "dual_write";
  target.environment["ML_OPENSEARCH_VERIFY_CERTS"] = "false";
  const std::string index = FreshName();
  target.environment["ML_OPENSEARCH_INDEX"] = index;
  target.environment["ML_VECTOR_DIMENSION"] = "4";
  const auto ran = RunBootstrap(target, {});
  EXPECT_EQ(ran.status, kOk) << ran.err;
  ExpectRoostWorksWith(GoodTarget("pgvector"), index);
  ExpectRoostWorksWith(GoodTarget("opensearch"), index);
  EXPECT_THAT(RunBootstrap(target, {}).out, HasSubstr("nothing had to be done"));

  // The second store is the one that stands in the way; the first must not be touched.
  const std::string other = FreshName();
  ASSERT_EQ(RunBootstrap(GoodTarget("opensearch"), {"-c", other, "--dimension", "8"}).status, kOk);
  EXPECT_EQ(RunBootstrap(target, {"-c", other}).status, kRefused);
  const auto store = OpenTarget(GoodTarget("pgvector"));
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->DescribeCollection(Soon(), other).code(), Code::kNotFound);
}

}  // namespace
}  // namespace roost
