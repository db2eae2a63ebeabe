#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "adapters/embedded/index/code_space.h"
#include "adapters/embedded/index/distance.h"
#include "adapters/embedded/index/hnsw_build.h"
#include "adapters/embedded/index/hnsw_file.h"
#include "adapters/embedded/index/hnsw_search.h"

namespace roost::embedded {
namespace {

/// Search memory waits here between searches: as much of it as searches ever ran at once.
class ScratchPool {
 public:
  std::unique_ptr<SearchScratch> Take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      return std::make_unique<SearchScratch>();
    }
    auto scratch = std::move(free_.back());
    free_.pop_back();
    return scratch;
  }
  void Return(std::unique_ptr<SearchScratch> scratch) {
    const std::lock_guard lock(mutex_);
    if (free_.size() < kKept) {
      free_.push_back(std::move(scratch));
    }
  }
  size_t bytes() const {
    const std::lock_guard lock(mutex_);
    size_t bytes = 0;
    for (const auto& scratch : free_) {
      bytes += sizeof(SearchScratch) + scratch->walk.visited.bytes();
    }
    return bytes;
  }

 private:
  static constexpr size_t kKept = 64;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<SearchScratch>> free_;
};

class HnswIndex final : public VectorIndex {
 public:
  HnswIndex(const VectorColumn& column, const HnswView& view, std::unique_ptr<GraphMemory> memory)
      : column_(column), view_(view), memory_(std::move(memory)) {
    if (view_.header->space == NodeSpace::kCodes) {
      space_.emplace(column.type, column.metric, ReadFit(view_));
    }
  }

  std::vector<Neighbor> Search(const IndexSearch& search) const override {
    auto scratch = scratches_.Take();
    HnswSearch run(column_, space_ ? &*space_ : nullptr, view_, search, *scratch);
    std::vector<Neighbor> result = run.Run();
    scratches_.Return(std::move(scratch));
    return result;
  }

  std::string Serialize() const override {
    return {reinterpret_cast<const char*>(view_.header), view_.header->file_bytes};
  }

  size_t memory_bytes() const override {
    return (memory_ == nullptr ? 0 : memory_->size()) + scratches_.bytes();
  }

 private:
  const VectorColumn column_;
  const HnswView view_;
  const std::unique_ptr<GraphMemory> memory_;  ///< null where the bytes are borrowed
  std::optional<CodeSpace> space_;
  mutable ScratchPool scratches_;
};

Status CheckColumn(const VectorColumn& column) {
  if (column.type == DataType::kSparseVector || !Comparable(column.type, column.metric) ||
      column.dimension == 0) {
    return Unimplemented("no graph index for " + std::string(DataTypeName(column.type)) + " with " +
                         std::string(MetricName(column.metric)) +
                         "; such columns are searched exactly");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<VectorIndex>> BuildHnsw(const VectorColumn& column,
                                               const IndexParameters& parameters,
                                               std::stop_token stop,
                                               const std::function<void(uint32_t)>& progress) {
  TRY(CheckColumn(column));
  auto memory = TRY(BuildGraph(column, parameters, std::move(stop), progress));
  const std::byte* bytes = memory->data();
  const HnswView view = ViewSections(bytes, *reinterpret_cast<const HnswHeader*>(bytes));
  return std::unique_ptr<VectorIndex>(std::make_unique<HnswIndex>(column, view, std::move(memory)));
}

Result<std::unique_ptr<VectorIndex>> OpenHnsw(const VectorColumn& column,
                                              std::span<const std::byte> bytes) {
  TRY(CheckColumn(column));
  const HnswView view = TRY(CheckHnswFile(column, bytes));
  return std::unique_ptr<VectorIndex>(std::make_unique<HnswIndex>(column, view, nullptr));
}

}  // namespace roost::embedded
