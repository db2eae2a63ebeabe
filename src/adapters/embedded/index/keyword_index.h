#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/embedded/index/vector_index.h"
#include "base/result.h"

namespace roost::embedded {

// Keyword search (BM25) over one text field of one segment. A search over several segments goes:
//   query = ParseKeywordQuery(text)
//   for each segment: segment.AddStatistics(query, live, corpus)     (one corpus a field)
//   for each segment: SearchKeywords(query, {{segment, corpus}}, …)  and merge by score
// so a record's score does not depend on the segment it lies in.

/// The words of a search, each once, by first appearance; a word that is repeated weighs more.
struct KeywordQuery {
  std::vector<std::string> words;
  std::vector<uint32_t> repeats;  ///< how often the text says words[i]; at least 1
};
/// Splits as store/tokenizer.h does. Words after the first kMaxQueryWords different ones are left
/// out. No words: every search is empty.
KeywordQuery ParseKeywordQuery(std::string_view text);
inline constexpr size_t kMaxQueryWords = 1'024;

/// What BM25 must know about all documents of a field, over all segments.
struct CorpusStatistics {
  uint64_t documents = 0;
  uint64_t total_length = 0;        ///< words
  std::vector<uint64_t> frequency;  ///< documents that hold query.words[i]
};

/// BM25 as Lucene has it: idf = ln(1 + (N − df + ½) / (df + ½)); a word that occurs f times in a
/// document of `length` words adds repeats · idf · f · (k1 + 1) / (f + k1 · (1 − b + b · length /
/// average length)).
inline constexpr double kBm25K1 = 1.2;
inline constexpr double kBm25B = 0.75;

struct KeywordHit {
  double score = 0;  ///< above 0; the distance of store/types.h is −score
  uint32_t slot = 0;
};

struct KeywordLimits {
  uint32_t top_k = 10;
  SlotSet allowed;                     ///< empty: all; slots behind the span's end are not allowed
  std::optional<double> max_distance;  ///< only hits with −score ≤ this
};

class ScoreBoard;  // The scores of the slots of one segment while a search runs; keyword_scores.h.

/// Which words stand in which slots. Thread safe.
class KeywordIndex {
 public:
  virtual ~KeywordIndex() = default;
  /// Adds this segment's share to `corpus`, whose `frequency` is grown to the query's words. With
  /// `live`, only those slots are counted (as in KeywordLimits::allowed); without, every document
  /// ever appended, in time that does not depend on the postings.
  virtual void AddStatistics(const KeywordQuery& query, SlotSet live,
                             CorpusStatistics& corpus) const = 0;
  /// Adds the scores of all slots that hold a word of the query.
  virtual void AddScores(const KeywordQuery& query, const CorpusStatistics& corpus,
                         ScoreBoard& board) const = 0;
  /// One more than the highest slot with a document.
  virtual uint32_t slots() const = 0;
  /// Heap bytes; a mapped file is not counted.
  virtual size_t memory_bytes() const = 0;
};

/// One field's index with the statistics of that field over all segments.
struct KeywordLeg {
  const KeywordIndex* index = nullptr;
  const CorpusStatistics* corpus = nullptr;
};
/// The best slots of one segment: highest score first, ties by slot. With several legs (several
/// text fields of the same segment) a slot's score is the sum.
std::vector<KeywordHit> SearchKeywords(const KeywordQuery& query, std::span<const KeywordLeg> legs,
                                       const KeywordLimits& limits);

/// Immutable; what a sealed segment keeps. It can always be made again from the texts.
class SealedKeywordIndex : public KeywordIndex {
 public:
  /// The file's bytes: magic, version, content, CRC32C at the end.
  virtual std::string Serialize() const = 0;
};

/// Opens what Serialize wrote. `bytes` is borrowed (usually a mapped file), aligned to 8 and
/// outlives the index. kDataLoss when damaged or of another version: build it again.
Result<std::unique_ptr<SealedKeywordIndex>> OpenKeywordIndex(std::span<const std::byte> bytes);

struct KeywordText {
  uint32_t slot = 0;
  std::string_view text;
};
/// From the texts of a segment, by rising slot. Slots with a null field are left out.
std::unique_ptr<SealedKeywordIndex> BuildKeywordIndex(std::span<const KeywordText> texts);

/// The index of a segment that still grows. Append may run beside searches: a search sees all of a
/// text or nothing of it, and every text appended before it began.
class MutableKeywordIndex : public KeywordIndex {
 public:
  /// Precondition: `slot` is higher than every slot before; below 2^32 − 1.
  virtual void Append(uint32_t slot, std::string_view text) = 0;
  /// What has been appended so far, as BuildKeywordIndex would make it.
  virtual std::unique_ptr<SealedKeywordIndex> Seal() const = 0;
};
std::unique_ptr<MutableKeywordIndex> MakeMutableKeywordIndex();

}  // namespace roost::embedded
