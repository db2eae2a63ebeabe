#include "adapters/embedded/test_support.h"

#include <utility>

#include "base/hash.h"
#include "base/log.h"

namespace roost::embedded {

namespace {

/// The tests make thousands of stores fail on purpose; each would write a line.
class QuietLog final : public testing::Environment {
 public:
  void SetUp() override { EXPECT_TRUE(InitLog({.level = LogLevel::kOff}).ok()); }
};
const testing::Environment* const kQuietLog = testing::AddGlobalTestEnvironment(new QuietLog);

}  // namespace

CollectionSchema TestSchema(const std::string& name) {
  CollectionSchema schema{.name = name, .key_type = KeyType::kVarChar, .dynamic = true};
  schema.fields = {{.name = "n", .type = DataType::kInt64},
                   {.name = "small", .type = DataType::kInt8},
                   {.name = "price", .type = DataType::kDouble},
                   {.name = "flag", .type = DataType::kBool},
                   {.name = "tag", .type = DataType::kVarChar},
                   {.name = "body", .type = DataType::kText},
                   {.name = "extra", .type = DataType::kJson},
                   {.name = "list", .type = DataType::kArray, .element_type = DataType::kInt64}};
  schema.vectors = {
      {.name = "v", .dimension = 4, .metric = Metric::kL2},
      {.name = "sparse", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct}};
  return schema;
}

Record TestRecord(const std::string& key, uint64_t seed) {
  SeededRandom random(Hash64(key, seed));
  Record record{.key = {.key = key}};
  const auto maybe = [&](const char* name, Value value) {
    if (random.Below(5) != 0) {
      record.fields[name] = std::move(value);
    }
  };
  static const char* const kWords[] = {"red", "green", "blue", "round", "square"};
  maybe("n", static_cast<int64_t>(random.Below(20)));
  maybe("small", static_cast<int64_t>(random.Below(7)) - 3);
  maybe("price", static_cast<double>(random.Below(100)) / 4);
  maybe("flag", random.Below(2) == 0);
  maybe("tag", std::string("tag") + std::to_string(random.Below(4)));
  maybe("body", std::string(kWords[random.Below(5)]) + " " + kWords[random.Below(5)]);
  maybe("extra", Json{"{\"a\":" + std::to_string(random.Below(9)) + "}"});
  maybe("list", Array{static_cast<int64_t>(random.Below(3)), static_cast<int64_t>(7)});
  if (random.Below(3) == 0) {
    record.dynamic = "{\"color\":\"" + std::string(kWords[random.Below(3)]) + "\"}";
  }
  std::vector<float> values(4);
  for (float& value : values) {
    value = static_cast<float>(random.NextDouble() * 2 - 1);
  }
  if (random.Below(8) != 0) {
    record.vectors["v"] = Vector::Floats(values);
  }
  if (random.Below(2) == 0) {
    Vector sparse{.type = DataType::kSparseVector};
    for (uint32_t index = 1; index < 9; index += 1 + static_cast<uint32_t>(random.Below(4))) {
      const float value = values[index % 4];
      sparse.bytes.append(reinterpret_cast<const char*>(&index), sizeof(index));
      sparse.bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    record.vectors["sparse"] = sparse;
  }
  return record;
}

Record TenantRecord(const std::string& tenant, const std::string& key, uint64_t seed) {
  Record record = TestRecord(key, seed);
  record.key.tenant = tenant;
  return record;
}

EmbeddedOptions TinyOptions(const std::string& folder) {
  EmbeddedOptions options;
  options.folder = folder;
  options.group_commit_window = std::chrono::microseconds(0);
  options.wal_file_bytes = 8 << 10;
  options.seal_rows = 12;
  options.min_graph_rows = 16;
  options.merge_fan_in = 3;
  options.min_free_disk_bytes = 0;
  options.background = false;
  return options;
}

Records ReadAllRecords(VectorStore& store, const std::string& collection, uint32_t page) {
  Records all;
  ScanRequest request{.collection = collection, .limit = page};
  while (true) {
    const auto read = store.Scan({}, request);
    if (!read.ok()) {
      ADD_FAILURE() << read.error().ToString();
      return all;
    }
    for (const Record& record : read->records) {
      EXPECT_TRUE(!request.after || *request.after < record.key);
      EXPECT_TRUE(all.emplace(record.key, record).second) << "twice: " << ToString(record.key);
      request.after = record.key;
    }
    if (read->done) {
      return all;
    }
  }
}

testing::AssertionResult SameRecords(const Records& actual, const Records& expected) {
  for (const auto& [key, record] : expected) {
    const auto found = actual.find(key);
    if (found == actual.end()) {
      return testing::AssertionFailure() << "lost: " << ToString(key);
    }
    if (!SameRecord(found->second, record)) {
      return testing::AssertionFailure() << "other content: " << ToString(key);
    }
  }
  for (const auto& [key, record] : actual) {
    if (!expected.contains(key)) {
      return testing::AssertionFailure() << "never written or deleted: " << ToString(key);
    }
  }
  return testing::AssertionSuccess();
}

Result<std::unique_ptr<EmbeddedStore>> TestDisk::Open(const EmbeddedOptions& options) {
  return OpenEmbeddedStore(options, *files_, clock_, *metrics_);
}

std::unique_ptr<EmbeddedStore> TestDisk::MustOpen(const EmbeddedOptions& options) {
  auto store = Open(options);
  if (!store.ok()) {
    ADD_FAILURE() << store.error().ToString();
    return nullptr;
  }
  return std::move(store).value();
}

void TestDisk::PowerCut(std::unique_ptr<EmbeddedStore>& store, Random& random) {
  files_->PowerOff();  // Closing must not write any more.
  store.reset();
  files_->Crash(random);
}

std::vector<std::string> TestDisk::Names(const std::string& prefix, const std::string& suffix) {
  std::vector<std::string> names;
  const auto all = files_->List("db");
  for (const std::string& name : all.ok() ? all.value() : std::vector<std::string>()) {
    if (name.starts_with(prefix) && name.ends_with(suffix)) {
      names.push_back(name);
    }
  }
  return names;
}

namespace {

class HookedFile final : public File {
 public:
  HookedFile(HookedFiles& owner, std::unique_ptr<File> file)
      : owner_(owner), file_(std::move(file)) {}

  Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
    return file_->ReadAt(offset, out);
  }
  Status Append(std::span<const std::byte> data) override {
    owner_.before_write();
    return file_->Append(data);
  }
  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    owner_.before_write();
    return file_->WriteAt(offset, data);
  }
  Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  Status Sync() override {
    owner_.before_sync();
    return file_->Sync();
  }
  Result<uint64_t> Size() override { return file_->Size(); }

 private:
  HookedFiles& owner_;
  const std::unique_ptr<File> file_;
};

}  // namespace

Result<std::unique_ptr<File>> HookedFiles::Open(const std::string& path, OpenMode mode) {
  auto file = TRY(files_.Open(path, mode));
  return std::make_unique<HookedFile>(*this, std::move(file));
}

Status Create(VectorStore& store, const CollectionSchema& schema) {
  return store.CreateCollection({}, {.schema = schema});
}

Status Put(VectorStore& store, const std::string& collection, std::vector<Record> records) {
  const auto written = store.Upsert({}, {.collection = collection, .records = std::move(records)});
  return written.ok() ? Status() : Status(written.error());
}

Status Erase(VectorStore& store, const std::string& collection, std::vector<RecordKey> keys) {
  const auto deleted = store.Delete({}, {.collection = collection, .keys = std::move(keys)});
  return deleted.ok() ? Status() : Status(deleted.error());
}

RecordKey KeyOf(const std::string& key, const std::string& tenant) {
  return {.tenant = tenant, .key = key};
}

}  // namespace roost::embedded
