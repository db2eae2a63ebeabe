#include "base/log.h"

#include <fstream>
#include <limits>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"

namespace roost {
namespace {

/// Each test writes to a file of its own and leaves the defaults behind.
class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    SystemRandom random;
    path_ = testing::TempDir() + "roost-log-" + random.Hex(8);
  }
  void TearDown() override {
    ASSERT_TRUE(InitLog({}).ok());
    std::remove(path_.c_str());
  }
  void Begin(LogLevel level, bool json) {
    ASSERT_TRUE(InitLog({.level = level, .json = json, .file = path_}).ok());
  }
  std::vector<std::string> Lines() const {
    std::ifstream file(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line);
    }
    return lines;
  }

  std::string path_;
};

TEST_F(LogTest, JsonLinesHaveTimeLevelMessageAndFields) {
  Begin(LogLevel::kInfo, true);
  LogInfo("The server started", {{"port", 8080}, {"address", "127.0.0.1"}, {"tls", false}});
  LogError("The store is away", {{"error", NotFound("no host \"db\"")}, {"ratio", 0.25}});
  LogWarning("Bare");
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_THAT(lines[0],
              testing::MatchesRegex(R"re(\{"ts":"[0-9]{4}-[0-9]{2}-[0-9]{2}T)re"
                                    R"re([0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z","level":"info",)re"
                                    R"re("message":"The server started","fields":\{"port":8080,)re"
                                    R"re("address":"127.0.0.1","tls":false\}\})re"));
  EXPECT_NE(lines[1].find(R"("level":"error","message":"The store is away")"), std::string::npos);
  EXPECT_NE(lines[1].find(R"("error":"NOT_FOUND: no host \"db\"","ratio":0.25})"),
            std::string::npos);
  EXPECT_NE(lines[2].find(R"("message":"Bare","fields":{}})"), std::string::npos);
}

TEST_F(LogTest, JsonLinesAreJsonWhateverTheFieldsHold) {
  Begin(LogLevel::kTrace, true);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  Log(LogLevel::kTrace, "Odd \n values",
      {{"bytes", std::string("\0\xff\n\"", 4)}, {"nan", nan}, {"tiny", 1e-30F}, {"char", 'x'}});
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(CanonicalJson(lines[0]).ok()) << lines[0];
}

TEST_F(LogTest, TextLinesAreAligned) {
  Begin(LogLevel::kInfo, false);
  LogInfo("Short", {{"a", 1}});
  LogWarning("A message that is somewhat longer", {{"b", "two words"}, {"c", ""}});
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].find("  INFO     Short"), 27U) << lines[0];
  EXPECT_EQ(lines[1].find("  WARNING  A message"), 27U) << lines[1];
  EXPECT_EQ(lines[0].find("a=1"), lines[1].find("b=\"two words\"  c=\"\""));
  EXPECT_EQ(lines[0][10], 'T');
  EXPECT_EQ(lines[0][26], 'Z');
}

TEST_F(LogTest, NoValueCanForgeALineOrDriveATerminal) {
  Begin(LogLevel::kInfo, false);
  LogInfo("Hello\nworld\x1b[31m", {{"name", "x\n2024 ERROR fake \x1b[2J\x7f"}});
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 1U);
  for (const char c : lines[0]) {
    EXPECT_TRUE(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  }
  EXPECT_NE(lines[0].find(R"(Hello\nworld\u001b[31m)"), std::string::npos) << lines[0];
}

TEST_F(LogTest, LevelsBelowTheChosenOneAreDropped) {
  Begin(LogLevel::kWarning, false);
  LogDebug("no");
  LogInfo("no");
  LogWarning("yes");
  LogError("yes");
  EXPECT_EQ(Lines().size(), 2U);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kError));
}

TEST_F(LogTest, OffSaysNothing) {
  Begin(LogLevel::kOff, false);
  LogError("no");
  Log(LogLevel::kOff, "no");
  EXPECT_TRUE(Lines().empty());
}

TEST_F(LogTest, AppendsToAnExistingFile) {
  Begin(LogLevel::kInfo, false);
  LogInfo("first");
  Begin(LogLevel::kInfo, false);
  LogInfo("second");
  EXPECT_EQ(Lines().size(), 2U);
}

TEST_F(LogTest, FileThatCannotBeOpenedIsAnErrorAndTheOldLogStays) {
  Begin(LogLevel::kInfo, false);
  const Status status = InitLog({.file = "/proc/no/such/folder/log"});
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_NE(status.error().message.find("/proc/no/such/folder/log"), std::string::npos);
  LogInfo("still here");
  EXPECT_EQ(Lines().size(), 1U);
}

TEST_F(LogTest, FullDiskIsNoReasonToThrow) {
  ASSERT_TRUE(InitLog({.file = "/dev/full"}).ok());
  for (int i = 0; i < 10; ++i) {
    LogError("lost", {{"number", i}});
  }
}

TEST_F(LogTest, LinesOfManyThreadsStayWhole) {
  Begin(LogLevel::kInfo, true);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 100; ++i) {
          LogInfo("Line", {{"thread", t}, {"text", std::string(100, 'x')}});
        }
      });
    }
  }
  const auto lines = Lines();
  ASSERT_EQ(lines.size(), 400U);
  for (const std::string& line : lines) {
    ASSERT_TRUE(CanonicalJson(line).ok()) << line;
  }
}

TEST(LogLevel, IsReadInAnyCase) {
  EXPECT_EQ(*ParseLogLevel("trace"), LogLevel::kTrace);
  EXPECT_EQ(*ParseLogLevel("Debug"), LogLevel::kDebug);
  EXPECT_EQ(*ParseLogLevel("INFO"), LogLevel::kInfo);
  EXPECT_EQ(*ParseLogLevel("warn"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogLevel("warning"), LogLevel::kWarning);
  EXPECT_EQ(*ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(*ParseLogLevel("off"), LogLevel::kOff);
  EXPECT_EQ(ParseLogLevel("loud").code(), Code::kInvalidArgument);
  EXPECT_NE(ParseLogLevel("loud").error().message.find("choose trace"), std::string::npos);
}

TEST(Secret, IsNotShown) {
  EXPECT_EQ(Secret("hunter2"), "***");
  EXPECT_EQ(Secret(""), "");
}

}  // namespace
}  // namespace roost
