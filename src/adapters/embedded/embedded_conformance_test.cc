#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "adapters/embedded/embedded_store.h"
#include "store/conformance/conformance.h"

namespace roost {
namespace {

/// One store of the process under several names: a folder has one holder.
class Shared final : public VectorStore {
 public:
  explicit Shared(std::shared_ptr<EmbeddedStore> store) : store_(std::move(store)) {}

  const Capabilities& capabilities() const override { return store_->capabilities(); }
  Status CreateCollection(const RequestContext& c, const CreateCollectionRequest& r) override {
    return store_->CreateCollection(c, r);
  }
  Status DropCollection(const RequestContext& c, const DropCollectionRequest& r) override {
    return store_->DropCollection(c, r);
  }
  Result<CollectionDescription> DescribeCollection(const RequestContext& c,
                                                   const std::string& name) override {
    return store_->DescribeCollection(c, name);
  }
  Result<std::vector<std::string>> ListCollections(const RequestContext& c) override {
    return store_->ListCollections(c);
  }
  Result<WriteResult> Insert(const RequestContext& c, const WriteRequest& r) override {
    return store_->Insert(c, r);
  }
  Result<WriteResult> Upsert(const RequestContext& c, const WriteRequest& r) override {
    return store_->Upsert(c, r);
  }
  Result<DeleteResult> Delete(const RequestContext& c, const DeleteRequest& r) override {
    return store_->Delete(c, r);
  }
  Result<GetResult> Get(const RequestContext& c, const GetRequest& r) override {
    return store_->Get(c, r);
  }
  Result<QueryResult> Query(const RequestContext& c, const QueryRequest& r) override {
    return store_->Query(c, r);
  }
  Result<SearchResult> Search(const RequestContext& c, const SearchRequest& r) override {
    return store_->Search(c, r);
  }
  Result<SearchResult> HybridSearch(const RequestContext& c,
                                    const HybridSearchRequest& r) override {
    return store_->HybridSearch(c, r);
  }
  Result<ScanPage> Scan(const RequestContext& c, const ScanRequest& r) override {
    return store_->Scan(c, r);
  }
  Result<uint64_t> Count(const RequestContext& c, const CountRequest& r) override {
    return store_->Count(c, r);
  }
  Status CheckHealth(const RequestContext& c) override { return store_->CheckHealth(c); }

 private:
  const std::shared_ptr<EmbeddedStore> store_;
};

/// Opens the folder on the real disk, or shares the store that holds it.
class Opener {
 public:
  Opener(const std::string& name, EmbeddedOptions options) : options_(std::move(options)) {
    options_.folder = testing::TempDir() + "roost_embedded_" + name + "_" +
                      std::to_string(testing::UnitTest::GetInstance()->random_seed()) +
                      std::to_string(reinterpret_cast<uintptr_t>(this)) + "/store";
  }
  ~Opener() {
    std::error_code ignored;
    std::filesystem::remove_all(std::filesystem::path(options_.folder).parent_path(), ignored);
  }

  std::unique_ptr<VectorStore> Make() {
    auto store = open_.lock();
    if (store == nullptr) {
      auto opened = OpenEmbeddedStore(options_, *files_, clock_, *metrics_);
      EXPECT_TRUE(opened.ok()) << opened.error().ToString();
      store = std::move(opened).value();
      open_ = store;
    }
    return std::make_unique<Shared>(std::move(store));
  }

 private:
  EmbeddedOptions options_;
  const std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
  const std::unique_ptr<Metrics> metrics_ = MakeMetrics();
  SystemClock clock_;
  std::weak_ptr<EmbeddedStore> open_;
};

void Register(const std::string& name, const EmbeddedOptions& options) {
  const auto opener = std::make_shared<Opener>(name, options);
  RegisterConformanceTests({.name = name,
                            .make = [opener] { return opener->Make(); },
                            .prefix = "conformance_",
                            .shared = true,
                            .documented = true});
}

const bool kRegistered = [] {
  EmbeddedOptions options;
  options.min_free_disk_bytes = 0;
  Register("Embedded", options);
  // Everything goes through sealing, graphs and merges.
  options.seal_rows = 8;
  options.min_graph_rows = 16;
  options.merge_fan_in = 2;
  options.idle_merge_after = std::chrono::milliseconds(1);
  options.wal_file_bytes = 64 << 10;
  Register("EmbeddedTinySegments", options);
  return true;
}();

}  // namespace
}  // namespace roost
