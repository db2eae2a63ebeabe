#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "adapters/embedded/hits.h"
#include "adapters/embedded/searches.h"
#include "base/bytes.h"
#include "store/vector_math.h"

namespace roost::embedded {

namespace {

constexpr uint32_t kDefaultEf = 64;
// With fewer rows to choose from, a scan is as fast as a walk through the graph, and exact.
constexpr size_t kScanRows = 8'192;
constexpr size_t kScanShare = 20;  // one in so many
/// The kernels sum in float32: an exact search puts so many more in order by exact distances.
constexpr size_t kRerank = 16;

double SparseDot(std::span<const SparseEntry> query, std::string_view row) {
  double sum = 0;
  size_t q = 0;
  size_t at = 0;
  while (at + sizeof(uint64_t) <= row.size() && q < query.size()) {
    const auto index = LoadFixed<uint32_t>(row.data() + at);
    if (index < query[q].first) {
      at += sizeof(uint64_t);
    } else if (index > query[q].first) {
      ++q;
    } else {
      sum += static_cast<double>(query[q].second) *
             static_cast<double>(LoadFixed<float>(row.data() + at + sizeof(uint32_t)));
      at += sizeof(uint64_t);
      ++q;
    }
  }
  return sum;
}

/// One search over all blocks of a pin, for any number of query vectors.
class VectorSearch {
 public:
  VectorSearch(const RequestContext& context, const Pin& pin, const SearchRequest& request,
               size_t field)
      : context_(context),
        pin_(pin),
        request_(request),
        field_(field),
        filter_(pin.schema(), request.filter.get()) {}

  Result<SearchResult> Run() {
    TRY(Prepare());
    SearchResult result;
    for (const Vector& query : request_.vectors) {
      std::vector<Candidate> candidates;
      for (uint32_t b = 0; b < blocks_.size(); ++b) {
        TRY(context_.CheckAlive("the search"));
        if (allowed_[b].count > 0) {
          SearchBlock(query, b, candidates);
        }
      }
      if (IsExact() && schema().type != DataType::kSparseVector) {
        Rerank(query, candidates);
      }
      result.hits.push_back(
          TRY(TakeHits(pin_, blocks_, request_, schema().metric, std::move(candidates))));
    }
    return result;
  }

 private:
  const VectorFieldSchema& schema() const { return pin_.schema().vectors[field_]; }
  bool IsExact() const { return request_.exact || schema().index == "FLAT"; }
  size_t Wanted() const { return WantedHits(request_) + (IsExact() ? kRerank : 0); }

  /// Which rows of each block may be returned: the same for all queries.
  Status Prepare() {
    blocks_ = TRY(BlocksOf(pin_));
    for (const PinnedBlock& block : blocks_) {
      TRY(context_.CheckAlive("the search"));
      TRY(VerifyForFilter(pin_, block, filter_));
      TRY(VerifyFor(pin_, block, {.vectors = {field_}}));
      allowed_.push_back(
          AllowedRows(block.block, pin_.lsn, request_.tenant, filter_, block.sorted()));
      RequireVector(block.block, field_, allowed_.back());
    }
    return {};
  }

  void SearchBlock(const Vector& query, uint32_t b, std::vector<Candidate>& candidates) const {
    if (schema().type == DataType::kSparseVector) {
      return ScanSparse(query, b, candidates);
    }
    const PinnedBlock& block = blocks_[b];
    const AllowedSlots& allowed = allowed_[b];
    VectorColumn column = block.block.AsVectorColumn(pin_.schema(), field_);
    if (block.sealed != nullptr) {
      // The view was taken before the bits of present vectors were made.
      column = block.sealed->block().AsVectorColumn(pin_.schema(), field_);
    }
    IndexSearch search{.query = std::as_bytes(std::span(query.bytes)),
                       .allowed = allowed.slot_set(),
                       .allowed_count = allowed.count};
    const size_t wanted = std::min(Wanted(), allowed.count);
    std::vector<Neighbor> found;
    if (const auto index = GraphFor(block, allowed)) {
      search.top_k = static_cast<uint32_t>(wanted);
      search.ef = std::max(request_.ef == 0 ? kDefaultEf : request_.ef, search.top_k);
      found = index->Search(search);
    }
    if (found.size() < wanted) {  // No graph, or it lost its way.
      found = BestWithTies(block.sorted(), wanted, allowed.count, [&](size_t count) {
        search.top_k = static_cast<uint32_t>(count);
        return ExactSearch(column, search);
      });
    }
    for (const Neighbor& neighbor : found) {
      candidates.push_back({.distance = neighbor.distance, .block = b, .slot = neighbor.slot});
    }
  }

  /// Leaves the best candidates, with the distances that every store gives.
  void Rerank(const Vector& query, std::vector<Candidate>& candidates) const {
    const auto key = [&](const Candidate& c) { return blocks_[c.block].block.Key(c.slot); };
    const size_t kept = std::min(candidates.size(), Wanted());
    std::partial_sort(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(kept),
                      candidates.end(), [&](const Candidate& a, const Candidate& b) {
                        return a.distance != b.distance ? a.distance < b.distance : key(a) < key(b);
                      });
    candidates.resize(kept);
    const Selection only_vector{.fields = {}, .vectors = {field_}};
    for (Candidate& candidate : candidates) {
      const Record record =
          ReadRecord(pin_.schema(), blocks_[candidate.block].block, candidate.slot, only_vector);
      candidate.distance =
          ReferenceDistance(schema().metric, query, record.vectors.at(schema().name));
    }
  }

  /// The graph of the block, where it is the better way.
  std::shared_ptr<const VectorIndex> GraphFor(const PinnedBlock& block,
                                              const AllowedSlots& allowed) const {
    if (request_.exact || block.sealed == nullptr) {
      return nullptr;
    }
    const bool few = !allowed.all &&
                     (allowed.count <= kScanRows || allowed.count < block.block.rows / kScanShare);
    return few ? nullptr : block.sealed->vector_index(field_);
  }

  void ScanSparse(const Vector& query, uint32_t b, std::vector<Candidate>& candidates) const {
    const auto entries = ToSparseEntries(query);
    const RowBlock& block = blocks_[b].block;
    const Column& column = block.columns[block.layout->SparseColumn(field_)];
    for (uint32_t slot = 0; slot < block.rows; ++slot) {
      if (allowed_[b].Get(slot)) {
        const double distance = -SparseDot(entries, column.Bytes(slot));
        candidates.push_back({.distance = distance == 0 ? 0 : distance, .block = b, .slot = slot});
      }
    }
  }

  const RequestContext& context_;
  const Pin& pin_;
  const SearchRequest& request_;
  const size_t field_;
  const SlotFilter filter_;
  std::vector<PinnedBlock> blocks_;
  std::vector<AllowedSlots> allowed_;
};

}  // namespace

Result<SearchResult> RunVectorSearch(const RequestContext& context, const Pin& pin,
                                     const SearchRequest& request, size_t vector_field) {
  return VectorSearch(context, pin, request, vector_field).Run();
}

}  // namespace roost::embedded
