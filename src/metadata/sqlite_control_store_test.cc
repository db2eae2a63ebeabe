#include "metadata/sqlite_control_store.h"

#include <atomic>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include "metadata/schema_files.h"

namespace roost {
namespace {

using ::testing::HasSubstr;

class SqliteControlStoreTest : public ::testing::Test {
 protected:
  SqliteControlStoreTest() {
    static std::atomic<int> counter{0};
    folder_ = ::testing::TempDir() + "/control." + std::to_string(::getpid()) + "." +
              std::to_string(counter++);
    std::filesystem::create_directories(folder_);
    path_ = folder_ + "/control.db";
  }
  ~SqliteControlStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  ControlStore& Open(SqliteControlOptions options = {}) {
    store_.reset();
    options.path = path_;
    auto opened = OpenSqliteControlStore(std::move(options), *metrics_);
    EXPECT_TRUE(opened.ok()) << opened.error().ToString();
    store_ = std::move(opened).value();
    return *store_;
  }

  std::string folder_;
  std::string path_;
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  std::unique_ptr<ControlStore> store_;
};

TEST_F(SqliteControlStoreTest, RefusesAFileOfANewerVersionUntouched) {
  Open();
  store_.reset();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &database), SQLITE_OK);
  const std::string sql = "PRAGMA user_version = " + std::to_string(SchemaFiles().size() + 1);
  ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(database);
  const auto read = [&] {
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string before = read();
  auto opened = OpenSqliteControlStore({.path = path_}, *metrics_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.code(), Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message, HasSubstr("start the newer version"));
  EXPECT_EQ(read(), before);
}

TEST_F(SqliteControlStoreTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(4096, 'x');
  auto opened = OpenSqliteControlStore({.path = path_}, *metrics_);
  ASSERT_FALSE(opened.ok());
}

}  // namespace
}  // namespace roost
