#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "adapters/embedded/index/keyword_index.h"

namespace roost::embedded {

/// Which documents are among 64 slots, and how long they are together: counting the documents of a
/// segment of which little was deleted looks at few lengths.
struct DocumentBlock {
  uint64_t documents = 0;  ///< one bit a slot
  uint64_t length = 0;     ///< words
};
/// Adds documents and lengths of the live slots (empty: all) to `corpus`. Returns whether no
/// document was left out. `length_of` gives a slot's words.
template <typename LengthOf>
bool AddDocuments(std::span<const DocumentBlock> blocks, SlotSet live, const LengthOf& length_of,
                  CorpusStatistics& corpus) {
  bool all = true;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const DocumentBlock& block = blocks[i];
    const uint64_t counted =
        live.empty() ? block.documents : block.documents & (i < live.size() ? live[i] : 0);
    corpus.documents += static_cast<uint64_t>(std::popcount(counted));
    if (counted == block.documents) {
      corpus.total_length += block.length;
      continue;
    }
    all = false;
    for (uint64_t bits = counted; bits != 0; bits &= bits - 1) {
      corpus.total_length +=
          length_of(static_cast<uint32_t>(i * 64) + static_cast<uint32_t>(std::countr_zero(bits)));
    }
  }
  return all;
}

/// The weight of a word and the share of it that a document gets.
class WordWeight {
 public:
  WordWeight(const CorpusStatistics& corpus, uint64_t frequency, uint32_t repeats) {
    const auto documents = static_cast<double>(std::max(corpus.documents, frequency));
    const auto holding = static_cast<double>(frequency);
    const double idf = std::log(1.0 + (documents - holding + 0.5) / (holding + 0.5));
    weight_ = idf * repeats * (kBm25K1 + 1);
    const double average =
        corpus.documents == 0 || corpus.total_length == 0
            ? 1.0
            : static_cast<double>(corpus.total_length) / static_cast<double>(corpus.documents);
    base_ = kBm25K1 * (1 - kBm25B);
    per_word_ = kBm25K1 * kBm25B / average;
  }
  double Score(uint32_t occurrences, uint32_t length) const {
    const double f = occurrences;
    return weight_ * f / (f + base_ + per_word_ * length);
  }

 private:
  double weight_;
  double base_;
  double per_word_;
};

/// Documents that hold the query's word `i`; 0 where AddStatistics never ran.
inline uint64_t FrequencyOf(const CorpusStatistics& corpus, size_t i) {
  return i < corpus.frequency.size() ? corpus.frequency[i] : 0;
}

/// The scores of the slots of one segment while a search runs.
class ScoreBoard {
 public:
  void Grow(uint32_t slots) {
    if (scores_.size() < slots) {
      scores_.resize(slots, 0.0);
    }
  }
  /// Precondition: score > 0, slot below what Grow was told.
  void Add(uint32_t slot, double score) {
    double& sum = scores_[slot];
    if (sum == 0) {
      touched_.push_back(slot);
    }
    sum += score;
  }
  double score(uint32_t slot) const { return scores_[slot]; }
  const std::vector<uint32_t>& touched() const { return touched_; }
  /// Makes it as new; gives back the memory of very large segments.
  void Clear() {
    for (uint32_t slot : touched_) {
      scores_[slot] = 0;
    }
    touched_.clear();
    if (scores_.size() > kKeptSlots) {
      scores_ = {};
    }
  }

 private:
  static constexpr size_t kKeptSlots = 65'536;

  std::vector<double> scores_;
  std::vector<uint32_t> touched_;
};

}  // namespace roost::embedded
