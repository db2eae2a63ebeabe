#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/embedded_store.h"
#include "base/clock.h"
#include "base/fake_file_system.h"
#include "base/random.h"

namespace roost::embedded {

/// VARCHAR keys, one field of every kind, a float vector "v" of four dimensions (L2), a sparse one.
CollectionSchema TestSchema(const std::string& name = "things");
/// Every value follows from key and seed; some fields are null.
Record TestRecord(const std::string& key, uint64_t seed);
/// As TestRecord, of a tenant.
Record TenantRecord(const std::string& tenant, const std::string& key, uint64_t seed);

/// Small segments and log files, no threads: runs the same way every time.
EmbeddedOptions TinyOptions(const std::string& folder = "db");

using Records = std::map<RecordKey, Record>;
/// Every record of the collection.
Records ReadAllRecords(VectorStore& store, const std::string& collection, uint32_t page = 7);
/// Same keys, same bits.
testing::AssertionResult SameRecords(const Records& actual, const Records& expected);

/// A store on a disk in memory, with what it needs.
class TestDisk {
 public:
  Result<std::unique_ptr<EmbeddedStore>> Open(const EmbeddedOptions& options = TinyOptions());
  /// Fails the test where the store does not open.
  std::unique_ptr<EmbeddedStore> MustOpen(const EmbeddedOptions& options = TinyOptions());
  /// A power cut while `store` is open, and the end of the process.
  void PowerCut(std::unique_ptr<EmbeddedStore>& store, Random& random);
  FakeFileSystem& files() { return *files_; }
  FakeClock& clock() { return clock_; }
  Metrics& metrics() { return *metrics_; }
  /// Names in the folder that start and end so.
  std::vector<std::string> Names(const std::string& prefix, const std::string& suffix = "");

 private:
  std::unique_ptr<FakeFileSystem> files_ = FakeFileSystem::Make();
  std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  FakeClock clock_;
};

/// Passes everything on to another file system; tells before writes and syncs.
class HookedFiles final : public FileSystem {
 public:
  explicit HookedFiles(FileSystem& files) : files_(files) {}

  std::function<void()> before_write = [] {};
  std::function<void()> before_sync = [] {};

  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override {
    return files_.Map(path);
  }
  Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status RemoveAll(const std::string& path) override { return files_.RemoveAll(path); }
  Status CreateDirectories(const std::string& path) override {
    return files_.CreateDirectories(path);
  }
  Status SyncDirectory(const std::string& path) override { return files_.SyncDirectory(path); }
  Result<std::vector<std::string>> List(const std::string& path) override {
    return files_.List(path);
  }
  Result<bool> Exists(const std::string& path) override { return files_.Exists(path); }
  Result<uint64_t> FreeBytes(const std::string& path) override { return files_.FreeBytes(path); }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    return files_.Lock(path);
  }

 private:
  FileSystem& files_;
};

/// Shorthands; the caller looks at the status.
Status Create(VectorStore& store, const CollectionSchema& schema);
Status Put(VectorStore& store, const std::string& collection, std::vector<Record> records);
Status Erase(VectorStore& store, const std::string& collection, std::vector<RecordKey> keys);
RecordKey KeyOf(const std::string& key, const std::string& tenant = "");

}  // namespace roost::embedded

#define ROOST_ASSERT_OK(expression)                            \
  do {                                                         \
    const auto& outcome_ = (expression);                       \
    ASSERT_TRUE(outcome_.ok()) << outcome_.error().ToString(); \
  } while (false)
