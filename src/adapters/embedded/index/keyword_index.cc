#include "adapters/embedded/index/keyword_index.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "adapters/embedded/index/distance.h"
#include "adapters/embedded/index/keyword_file.h"
#include "adapters/embedded/index/keyword_scores.h"
#include "store/tokenizer.h"

namespace roost::embedded {
namespace {

/// With its document's length, so that a copy of a word's postings is all that scoring needs.
struct GrowingPosting {
  uint32_t slot = 0;
  uint32_t occurrences = 0;
  uint32_t length = 0;
};

struct WordHash {
  using is_transparent = void;
  size_t operator()(std::string_view word) const { return std::hash<std::string_view>()(word); }
};

class GrowingIndex final : public MutableKeywordIndex {
 public:
  void Append(uint32_t slot, std::string_view text) override {
    // Everything that does not need the lock is done before it.
    std::vector<std::string> words = Tokenize(text);
    const auto length = static_cast<uint32_t>(words.size());
    std::sort(words.begin(), words.end());
    const std::lock_guard lock(mutex_);
    CHECK(slot >= slots_ && slot < std::numeric_limits<uint32_t>::max());
    slots_ = slot + 1;
    blocks_.resize(slot / 64 + 1);
    blocks_.back().documents |= uint64_t{1} << (slot % 64);
    blocks_.back().length += length;
    lengths_.resize(slot, kNoDocument);
    lengths_.push_back(length);
    for (size_t i = 0; i < words.size();) {
      size_t end = i + 1;
      while (end < words.size() && words[end] == words[i]) {
        ++end;
      }
      auto found = words_.find(std::string_view(words[i]));
      if (found == words_.end()) {
        bytes_ += words[i].size() + kBytesPerWord;
        found = words_.emplace(std::move(words[i]), std::vector<GrowingPosting>()).first;
      }
      found->second.push_back(
          {.slot = slot, .occurrences = static_cast<uint32_t>(end - i), .length = length});
      bytes_ += sizeof(GrowingPosting);
      i = end;
    }
  }

  void AddStatistics(const KeywordQuery& query, SlotSet live,
                     CorpusStatistics& corpus) const override {
    corpus.frequency.resize(query.words.size());
    const std::lock_guard lock(mutex_);
    const bool all =
        AddDocuments(blocks_, live, [&](uint32_t slot) { return lengths_[slot]; }, corpus);
    for (size_t i = 0; i < query.words.size(); ++i) {
      const auto found = words_.find(std::string_view(query.words[i]));
      if (found == words_.end()) {
        continue;
      }
      const auto& postings = found->second;
      corpus.frequency[i] +=
          all ? postings.size()
              : static_cast<uint64_t>(std::count_if(
                    postings.begin(), postings.end(),
                    [&](const GrowingPosting& posting) { return HasBit(live, posting.slot); }));
    }
  }

  void AddScores(const KeywordQuery& query, const CorpusStatistics& corpus,
                 ScoreBoard& board) const override {
    std::vector<std::vector<GrowingPosting>> postings(query.words.size());
    {
      // Copied, so that a slow search does not hold up writers.
      const std::lock_guard lock(mutex_);
      board.Grow(slots_);
      for (size_t i = 0; i < query.words.size(); ++i) {
        const auto found = words_.find(std::string_view(query.words[i]));
        if (found != words_.end()) {
          postings[i] = found->second;
        }
      }
    }
    for (size_t i = 0; i < postings.size(); ++i) {
      const WordWeight weight(corpus, FrequencyOf(corpus, i), query.repeats[i]);
      for (const GrowingPosting& posting : postings[i]) {
        board.Add(posting.slot, weight.Score(posting.occurrences, posting.length));
      }
    }
  }

  uint32_t slots() const override {
    const std::lock_guard lock(mutex_);
    return slots_;
  }

  size_t memory_bytes() const override {
    const std::lock_guard lock(mutex_);
    return bytes_ + lengths_.size() * sizeof(uint32_t) + blocks_.size() * sizeof(DocumentBlock);
  }

  std::unique_ptr<SealedKeywordIndex> Seal() const override {
    const std::lock_guard lock(mutex_);
    std::vector<const std::pair<const std::string, std::vector<GrowingPosting>>*> sorted;
    sorted.reserve(words_.size());
    size_t postings = 0;
    for (const auto& word : words_) {
      sorted.push_back(&word);
      postings += word.second.size();
    }
    std::sort(sorted.begin(), sorted.end(),
              [](const auto* a, const auto* b) { return a->first < b->first; });
    KeywordContent content{.lengths = lengths_, .blocks = blocks_};
    content.slots.reserve(postings);
    content.occurrences.reserve(postings);
    for (const auto* word : sorted) {
      content.words += word->first;
      content.word_ends.push_back(content.words.size());
      for (const GrowingPosting& posting : word->second) {
        content.slots.push_back(posting.slot);
        content.occurrences.push_back(static_cast<uint16_t>(
            std::min<uint32_t>(posting.occurrences, std::numeric_limits<uint16_t>::max())));
      }
      content.posting_ends.push_back(content.slots.size());
    }
    return MakeSealedKeywordIndex(WriteKeywordFile(content));
  }

 private:
  static constexpr size_t kBytesPerWord =
      120;  // A map node with its two empty strings and vectors.

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::vector<GrowingPosting>, WordHash, std::equal_to<>> words_;
  std::vector<uint32_t> lengths_;  ///< by slot; kNoDocument
  std::vector<DocumentBlock> blocks_;
  uint32_t slots_ = 0;
  size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<MutableKeywordIndex> MakeMutableKeywordIndex() {
  return std::make_unique<GrowingIndex>();
}

std::unique_ptr<SealedKeywordIndex> BuildKeywordIndex(std::span<const KeywordText> texts) {
  GrowingIndex index;
  for (const KeywordText& text : texts) {
    index.Append(text.slot, text.text);
  }
  return index.Seal();
}

}  // namespace roost::embedded
