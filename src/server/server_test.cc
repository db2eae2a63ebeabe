#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "server/wiring.h"

namespace roost {
namespace {

std::string Folder() {
  return testing::TempDir() + "/server_" + std::to_string(::getpid()) + "_" +
         testing::UnitTest::GetInstance()->current_test_info()->name();
}

ServerConfig In(const std::string& folder) {
  ServerConfig config;
  config.data_folder = folder;
  config.server.port = 0;
  config.log.level = LogLevel::kOff;
  return config;
}

TEST(Server, StartsInAnEmptyFolderStopsAndStartsAgain) {
  const std::string folder = Folder();
  for (int round = 0; round < 2; ++round) {
    auto server = Server::Start(In(folder));
    ASSERT_TRUE(server.ok()) << server.error().ToString();
    EXPECT_GT((*server)->port(), 0);
    (*server)->Stop();
    (*server)->Stop();
  }
  std::filesystem::remove_all(folder);
}

TEST(Server, SecondServerOnTheSameFolderIsRefusedAndHarmsNothing) {
  const std::string folder = Folder();
  auto first = Server::Start(In(folder));
  ASSERT_TRUE(first.ok()) << first.error().ToString();
  const auto second = Server::Start(In(folder));
  ASSERT_EQ(second.code(), Code::kFailedPrecondition);
  EXPECT_THAT(second.error().message, testing::HasSubstr(std::to_string(::getpid())));
  (*first)->Stop();
  std::filesystem::remove_all(folder);
}

TEST(Server, AStoreThatIsAwayDoesNotKeepItFromStarting) {
  const std::string folder = Folder();
  ServerConfig config = In(folder);
  config.stores["pg"] = "postgresql://nobody@127.0.0.1:1/none";
  auto server = Server::Start(config);
  EXPECT_TRUE(server.ok()) << server.error().ToString();
  server->reset();
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace roost
