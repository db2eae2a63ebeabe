#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "adapters/embedded/hits.h"
#include "adapters/embedded/index/keyword_index.h"
#include "adapters/embedded/searches.h"

namespace roost::embedded {

namespace {

/// A segment as keyword search sees it: all its blocks as one run of slots.
struct TextSegment {
  SealedSegment* sealed = nullptr;
  const MutableSegment* growing = nullptr;
  std::vector<uint32_t> blocks;  // by rising first slot
  uint32_t slots = 0;
  Bitmap live;                                               // what the statistics count
  Bitmap allowed;                                            // what may be returned
  std::vector<std::shared_ptr<const KeywordIndex>> indexes;  // by field searched
};

class KeywordSearch {
 public:
  KeywordSearch(const RequestContext& context, const Pin& pin, const SearchRequest& request)
      : context_(context),
        pin_(pin),
        request_(request),
        filter_(pin.schema(), request.filter.get()),
        no_filter_(pin.schema(), nullptr) {}

  Result<SearchResult> Run() {
    TRY(Prepare());
    SearchResult result;
    for (const std::string& text : request_.texts) {
      TRY(context_.CheckAlive("the search"));
      const KeywordQuery query = ParseKeywordQuery(text);
      result.hits.push_back(
          TRY(TakeHits(pin_, blocks_, request_, Metric::kBm25, FindCandidates(query))));
    }
    return result;
  }

 private:
  Status Prepare() {
    for (size_t i = 0; i < pin_.schema().fields.size(); ++i) {
      const FieldSchema& field = pin_.schema().fields[i];
      if (field.type == DataType::kText &&
          (request_.field.empty() || field.name == request_.field)) {
        fields_.push_back(i);
      }
    }
    blocks_ = TRY(BlocksOf(pin_));
    for (uint32_t b = 0; b < blocks_.size(); ++b) {
      const PinnedBlock& block = blocks_[b];
      const bool same = !segments_.empty() && block.growing != nullptr &&
                        segments_.back().growing == block.growing;
      if (!same) {
        segments_.push_back({.sealed = block.sealed, .growing = block.growing});
      }
      segments_.back().blocks.push_back(b);
      segments_.back().slots = block.block.first_slot + block.block.rows;
    }
    for (TextSegment& segment : segments_) {
      TRY(context_.CheckAlive("the search"));
      TRY(PrepareSegment(segment));
    }
    return {};
  }

  Status PrepareSegment(TextSegment& segment) {
    segment.live = Bitmap(segment.slots);
    segment.allowed = Bitmap(segment.slots);
    for (const uint32_t b : segment.blocks) {
      const PinnedBlock& block = blocks_[b];
      if (block.sealed != nullptr) {
        TRY(pin_.collection->Watch(block.sealed->VerifyScalars()));
      }
      Place(AllowedRows(block.block, pin_.lsn, std::nullopt, no_filter_, block.sorted()),
            block.block, segment.live);
      Place(AllowedRows(block.block, pin_.lsn, request_.tenant, filter_, block.sorted()),
            block.block, segment.allowed);
    }
    for (const size_t field : fields_) {
      if (segment.sealed != nullptr) {
        segment.indexes.push_back(TRY(segment.sealed->keyword_index(field)));
      } else {
        // The pin keeps the segment, which keeps the index.
        segment.indexes.emplace_back(std::shared_ptr<const void>(),
                                     segment.growing->keywords(field));
      }
    }
    return {};
  }

  /// Blocks start at slots that are multiples of 64, so their words fit side by side.
  static void Place(const AllowedSlots& rows, const RowBlock& block, Bitmap& out) {
    const Bitmap all = rows.all ? Bitmap(block.rows, true) : Bitmap();
    const auto words = rows.all ? all.words() : rows.bits.words();
    std::copy(words.begin(), words.end(), out.words().begin() + block.first_slot / 64);
  }

  std::vector<Candidate> FindCandidates(const KeywordQuery& query) const {
    std::vector<CorpusStatistics> corpora(fields_.size());
    for (const TextSegment& segment : segments_) {
      for (size_t f = 0; f < fields_.size(); ++f) {
        segment.indexes[f]->AddStatistics(query, LiveOf(segment), corpora[f]);
      }
    }
    std::vector<Candidate> candidates;
    for (const TextSegment& segment : segments_) {
      std::vector<KeywordLeg> legs;
      legs.reserve(fields_.size());
      for (size_t f = 0; f < fields_.size(); ++f) {
        legs.push_back({.index = segment.indexes[f].get(), .corpus = &corpora[f]});
      }
      const auto found = BestWithTies(
          segment.sealed != nullptr, WantedHits(request_), segment.slots, [&](size_t count) {
            return SearchKeywords(query, legs,
                                  {.top_k = static_cast<uint32_t>(count),
                                   .allowed = segment.allowed.words(),
                                   .max_distance = request_.max_distance});
          });
      for (const KeywordHit& hit : found) {
        candidates.push_back(CandidateOf(segment, hit));
      }
    }
    return candidates;
  }

  /// Counting only the living costs more, so it is done only where some are dead or not visible
  /// yet.
  static SlotSet LiveOf(const TextSegment& segment) {
    if (segment.sealed != nullptr && segment.sealed->ends().count() == 0) {
      return {};
    }
    return segment.live.words();
  }

  Candidate CandidateOf(const TextSegment& segment, const KeywordHit& hit) const {
    const auto after = std::upper_bound(
        segment.blocks.begin(), segment.blocks.end(), hit.slot,
        [&](uint32_t slot, uint32_t b) { return slot < blocks_[b].block.first_slot; });
    const uint32_t b = *std::prev(after);
    return {.distance = -hit.score, .block = b, .slot = hit.slot - blocks_[b].block.first_slot};
  }

  const RequestContext& context_;
  const Pin& pin_;
  const SearchRequest& request_;
  const SlotFilter filter_;
  const SlotFilter no_filter_;
  std::vector<size_t> fields_;
  std::vector<PinnedBlock> blocks_;
  std::vector<TextSegment> segments_;
};

}  // namespace

Result<SearchResult> RunKeywordSearch(const RequestContext& context, const Pin& pin,
                                      const SearchRequest& request) {
  return KeywordSearch(context, pin, request).Run();
}

}  // namespace roost::embedded
