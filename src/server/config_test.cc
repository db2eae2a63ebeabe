#include "server/config.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace roost {
namespace {

using testing::HasSubstr;

std::string WriteFile(const std::string& text) {
  const std::string path = testing::TempDir() + "/config_" + std::to_string(::getpid()) + ".yaml";
  std::ofstream(path) << text;
  return path;
}

const EffectiveValue& Find(const LoadedConfig& loaded, const std::string& key) {
  for (const EffectiveValue& value : loaded.values) {
    if (value.key == key) {
      return value;
    }
  }
  ADD_FAILURE() << "no key " << key;
  return loaded.values.front();
}

std::string Refusal(const ConfigFlags& flags, const std::map<std::string, std::string>& env = {}) {
  const Result<LoadedConfig> loaded = LoadConfig(flags, env);
  return loaded.ok() ? "accepted" : loaded.error().message;
}

TEST(Config, DefaultsNeedNothing) {
  const auto loaded = LoadConfig({}, {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ(loaded->config.server.address, "127.0.0.1");
  EXPECT_EQ(loaded->config.server.port, 19'530);
  EXPECT_TRUE(loaded->config.embedded.sync_writes);
  EXPECT_EQ(loaded->config.default_store, "embedded");
  EXPECT_EQ(Find(*loaded, "server.port").origin, "default");
}

TEST(Config, FlagsBeatTheEnvironmentWhichBeatsTheFile) {
  const std::string file = WriteFile(
      "server: {port: 1, address: 0.0.0.0, io_threads: 3}\nstores: {pg: postgresql://a@h/d}\n");
  const auto loaded =
      LoadConfig({.file = file, .values = {{"server.port", "3"}}},
                 {{"ROOST_SERVER_PORT", "2"}, {"ROOST_SERVER_ADDRESS", "127.0.0.2"}});
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  EXPECT_EQ(loaded->config.server.port, 3);
  EXPECT_EQ(loaded->config.server.address, "127.0.0.2");
  EXPECT_EQ(loaded->config.server.io_threads, 3u);
  EXPECT_EQ(loaded->config.stores.at("pg"), "postgresql://a@h/d");
  EXPECT_EQ(Find(*loaded, "server.port").origin, "flag");
  EXPECT_EQ(Find(*loaded, "server.address").origin, "environment ROOST_SERVER_ADDRESS");
  EXPECT_EQ(Find(*loaded, "server.io_threads").origin, "file " + file);
}

TEST(Config, EveryKeyReadsBackWhatItShows) {
  std::map<std::string, std::string> values;
  for (const EffectiveValue& key : ConfigKeys()) {
    if (key.key != "stores.NAME" && !key.value.empty()) {
      values[key.key] = key.value;
    }
  }
  const auto loaded = LoadConfig({.file = {}, .values = values}, {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().ToString();
  for (const auto& [key, value] : values) {
    EXPECT_EQ(Find(*loaded, key).value, value) << key;
  }
}

TEST(Config, RefusalsNameKeyValueOriginAndWhatIsAllowed) {
  EXPECT_THAT(
      Refusal({.file = {}, .values = {{"server.port", "70000"}}}),
      testing::AllOf(HasSubstr("server.port (flag)"), HasSubstr("70000"), HasSubstr("0 to 65535")));
  EXPECT_THAT(Refusal({.file = {}, .values = {{"server.prot", "1"}}}), HasSubstr("server.prot"));
  EXPECT_THAT(Refusal({.file = "/nowhere/roost.yaml"}), HasSubstr("/nowhere/roost.yaml"));
  EXPECT_THAT(Refusal({.file = WriteFile("server: {prot: 1}")}), HasSubstr("server.prot"));
  EXPECT_THAT(Refusal({.file = WriteFile("server: [1, 2]")}), HasSubstr("single value"));
  EXPECT_THAT(Refusal({.file = WriteFile("server: {port: 1")}), HasSubstr("line"));
  EXPECT_THAT(Refusal({}, {{"ROOST_EMBEDDED_SYNC_WRITES", "yes"}}), HasSubstr("true or false"));
  EXPECT_THAT(Refusal({.file = {}, .values = {{"stores.x", "redis://h"}}}),
              HasSubstr("postgresql://"));
  EXPECT_THAT(Refusal({.file = {}, .values = {{"default_store", "pg"}}}), HasSubstr("\"pg\""));
}

TEST(Config, SecretsAreNeverShown) {
  EXPECT_EQ(HideSecrets("postgresql://bob:s3:cr@t@host:1/db?password=x&a=b"),
            "postgresql://bob:***@host:1/db?password=***&a=b");
  EXPECT_EQ(HideSecrets("postgresql://bob@host:1/db"), "postgresql://bob@host:1/db");
  EXPECT_EQ(HideSecrets("weaviate://host:1?tls=true&API_KEY=abc&verify=false&token=d&x"),
            "weaviate://host:1?tls=true&API_KEY=***&verify=false&token=***&x");
  EXPECT_EQ(HideSecrets("milvus://h?token=root:Milvus"), "milvus://h?token=***");
  const auto loaded =
      LoadConfig({.file = {}, .values = {{"stores.pg", "postgresql://bob:secret@h/d"}}}, {});
  ASSERT_TRUE(loaded.ok());
  EXPECT_THAT(Find(*loaded, "stores.pg").value, testing::Not(HasSubstr("secret")));
  EXPECT_THAT(Refusal({.file = {}, .values = {{"stores.pg", "mysql://bob:secret@h/d"}}}),
              testing::Not(HasSubstr("secret")));
  const auto control =
      LoadConfig({.file = {}, .values = {{"metadata.uri", "postgresql://bob:secret@h/d"}}}, {});
  ASSERT_TRUE(control.ok());
  EXPECT_EQ(control->config.metadata.uri, "postgresql://bob:secret@h/d");
  EXPECT_EQ(Find(*control, "metadata.uri").value, "postgresql://bob:***@h/d");
  const std::string refusal =
      Refusal({.file = {}, .values = {{"metadata.uri", "host=h password=secret"}}});
  EXPECT_THAT(refusal, testing::AllOf(HasSubstr("metadata.uri"), HasSubstr("postgresql://"),
                                      testing::Not(HasSubstr("secret"))));
}

}  // namespace
}  // namespace roost
