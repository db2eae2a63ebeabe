#include "adapters/embedded/index/keyword_file.h"

#include <algorithm>
#include <cstring>

#include "adapters/embedded/index/distance.h"
#include "base/bytes.h"
#include "base/hash.h"

namespace roost::embedded {
namespace {

struct KeywordHeader {
  char magic[8] = {'R', 'O', 'O', 'S', 'T', 'K', 'W', 'D'};
  uint32_t version = 1;
  uint32_t slots = 0;
  uint64_t words = 0;
  uint64_t postings = 0;
  uint64_t word_bytes = 0;
  uint64_t file_bytes = 0;
};
static_assert(sizeof(KeywordHeader) == 48);

/// Where the sections start.
struct Offsets {
  uint64_t lengths, blocks, word_ends, posting_ends, slots, occurrences, words, checksum, end;
};

Offsets Lay(const KeywordHeader& header) {
  uint64_t at = sizeof(KeywordHeader);
  const auto take = [&](uint64_t count, uint64_t size) {
    const uint64_t start = at;
    at = (at + count * size + 7) / 8 * 8;
    return start;
  };
  Offsets offsets;
  offsets.lengths = take(header.slots, sizeof(uint32_t));
  offsets.blocks = take((uint64_t{header.slots} + 63) / 64, sizeof(DocumentBlock));
  offsets.word_ends = take(header.words, sizeof(uint64_t));
  offsets.posting_ends = take(header.words, sizeof(uint64_t));
  offsets.slots = take(header.postings, sizeof(uint32_t));
  offsets.occurrences = take(header.postings, sizeof(uint16_t));
  offsets.words = take(header.word_bytes, 1);
  offsets.checksum = at;
  offsets.end = at + 8;
  return offsets;
}

/// A file's sections. Bytes that nobody vouches for go through Check first.
class KeywordView {
 public:
  explicit KeywordView(const std::byte* bytes) {
    std::memcpy(&header_, bytes, sizeof(header_));
    const Offsets at = Lay(header_);
    lengths_ = {reinterpret_cast<const uint32_t*>(bytes + at.lengths), header_.slots};
    blocks_ = {reinterpret_cast<const DocumentBlock*>(bytes + at.blocks),
               (size_t{header_.slots} + 63) / 64};
    word_ends_ = {reinterpret_cast<const uint64_t*>(bytes + at.word_ends), header_.words};
    posting_ends_ = {reinterpret_cast<const uint64_t*>(bytes + at.posting_ends), header_.words};
    slots_ = {reinterpret_cast<const uint32_t*>(bytes + at.slots), header_.postings};
    occurrences_ = {reinterpret_cast<const uint16_t*>(bytes + at.occurrences), header_.postings};
    words_ = {reinterpret_cast<const char*>(bytes + at.words), header_.word_bytes};
  }

  struct Postings {
    std::span<const uint32_t> slots;
    std::span<const uint16_t> occurrences;
  };
  /// Empty where no document holds the word.
  Postings Find(std::string_view word) const {
    size_t low = 0;
    size_t high = header_.words;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      const int order = Word(middle).compare(word);
      if (order == 0) {
        const size_t begin = middle == 0 ? 0 : posting_ends_[middle - 1];
        const size_t count = posting_ends_[middle] - begin;
        return {slots_.subspan(begin, count), occurrences_.subspan(begin, count)};
      }
      (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
    }
    return {};
  }

  /// True when nothing that a search follows leads out of the file.
  bool IsSound() const {
    const auto rises_to = [](std::span<const uint64_t> ends, uint64_t last) {
      return std::is_sorted(ends.begin(), ends.end()) && (ends.empty() ? 0 : ends.back()) == last;
    };
    return rises_to(word_ends_, header_.word_bytes) && rises_to(posting_ends_, header_.postings) &&
           std::all_of(slots_.begin(), slots_.end(),
                       [&](uint32_t slot) { return slot < header_.slots; });
  }

  std::span<const uint32_t> lengths() const { return lengths_; }
  std::span<const DocumentBlock> blocks() const { return blocks_; }
  const KeywordHeader& header() const { return header_; }

 private:
  std::string_view Word(size_t i) const {
    const size_t begin = i == 0 ? 0 : word_ends_[i - 1];
    return words_.substr(begin, word_ends_[i] - begin);
  }

  KeywordHeader header_;
  std::span<const uint32_t> lengths_;
  std::span<const DocumentBlock> blocks_;
  std::span<const uint64_t> word_ends_;
  std::span<const uint64_t> posting_ends_;
  std::span<const uint32_t> slots_;
  std::span<const uint16_t> occurrences_;
  std::string_view words_;
};

class SealedIndex final : public SealedKeywordIndex {
 public:
  explicit SealedIndex(std::string file)
      : file_(std::move(file)), view_(reinterpret_cast<const std::byte*>(file_.data())) {
    bytes_ = std::as_bytes(std::span(file_));
  }
  explicit SealedIndex(std::span<const std::byte> bytes) : bytes_(bytes), view_(bytes.data()) {}

  void AddStatistics(const KeywordQuery& query, SlotSet live,
                     CorpusStatistics& corpus) const override {
    corpus.frequency.resize(query.words.size());
    const bool all = AddDocuments(
        view_.blocks(), live, [&](uint32_t slot) { return view_.lengths()[slot]; }, corpus);
    for (size_t i = 0; i < query.words.size(); ++i) {
      const auto slots = view_.Find(query.words[i]).slots;
      corpus.frequency[i] +=
          all ? slots.size()
              : static_cast<uint64_t>(std::count_if(
                    slots.begin(), slots.end(), [&](uint32_t slot) { return HasBit(live, slot); }));
    }
  }

  void AddScores(const KeywordQuery& query, const CorpusStatistics& corpus,
                 ScoreBoard& board) const override {
    board.Grow(slots());
    for (size_t i = 0; i < query.words.size(); ++i) {
      const KeywordView::Postings postings = view_.Find(query.words[i]);
      const WordWeight weight(corpus, FrequencyOf(corpus, i), query.repeats[i]);
      for (size_t j = 0; j < postings.slots.size(); ++j) {
        const uint32_t slot = postings.slots[j];
        board.Add(slot, weight.Score(postings.occurrences[j], view_.lengths()[slot]));
      }
    }
  }

  uint32_t slots() const override { return view_.header().slots; }
  size_t memory_bytes() const override { return file_.capacity(); }
  std::string Serialize() const override {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  const std::string file_;  ///< empty where the bytes are borrowed
  std::span<const std::byte> bytes_;
  const KeywordView view_;
};

Error Damaged(const std::string& what) {
  return DataLoss("keyword index: " + what + "; it must be built again from the texts");
}

}  // namespace

std::string WriteKeywordFile(const KeywordContent& content) {
  KeywordHeader header;
  header.slots = static_cast<uint32_t>(content.lengths.size());
  header.words = content.word_ends.size();
  header.postings = content.slots.size();
  header.word_bytes = content.words.size();
  const Offsets at = Lay(header);
  header.file_bytes = at.end;
  std::string file(at.end, '\0');
  const auto put = [&](uint64_t offset, const void* from, size_t size) {
    if (size > 0) {
      std::memcpy(file.data() + offset, from, size);
    }
  };
  put(0, &header, sizeof(header));
  put(at.lengths, content.lengths.data(), content.lengths.size() * sizeof(uint32_t));
  put(at.blocks, content.blocks.data(), content.blocks.size() * sizeof(DocumentBlock));
  put(at.word_ends, content.word_ends.data(), content.word_ends.size() * sizeof(uint64_t));
  put(at.posting_ends, content.posting_ends.data(), content.posting_ends.size() * sizeof(uint64_t));
  put(at.slots, content.slots.data(), content.slots.size() * sizeof(uint32_t));
  put(at.occurrences, content.occurrences.data(), content.occurrences.size() * sizeof(uint16_t));
  put(at.words, content.words.data(), content.words.size());
  const uint32_t crc = Crc32c(std::string_view(file).substr(0, at.checksum));
  put(at.checksum, &crc, sizeof(crc));
  return file;
}

std::unique_ptr<SealedKeywordIndex> MakeSealedKeywordIndex(std::string file) {
  return std::make_unique<SealedIndex>(std::move(file));
}

Result<std::unique_ptr<SealedKeywordIndex>> OpenKeywordIndex(std::span<const std::byte> bytes) {
  if (reinterpret_cast<uintptr_t>(bytes.data()) % 8 != 0) {
    return InvalidArgument("keyword index: its bytes must start at a multiple of 8");
  }
  const KeywordHeader expected;
  KeywordHeader header;
  if (bytes.size() < sizeof(header) + 8) {
    return Damaged("the file has only " + std::to_string(bytes.size()) + " bytes");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (std::memcmp(header.magic, expected.magic, sizeof(header.magic)) != 0 ||
      header.version != expected.version) {
    return Damaged("the file is of another kind or version");
  }
  // With these bounds no product in Lay() can overflow.
  if (header.words > bytes.size() || header.postings > bytes.size() ||
      header.word_bytes > bytes.size() || header.file_bytes != bytes.size() ||
      Lay(header).end != bytes.size()) {
    return Damaged("the file has " + std::to_string(bytes.size()) +
                   " bytes, which is not what its header asks for");
  }
  if (LoadU64(bytes.data() + bytes.size() - 8) != Crc32c(bytes.first(bytes.size() - 8))) {
    return Damaged("the checksum does not match");
  }
  if (!KeywordView(bytes.data()).IsSound()) {
    return Damaged("a word or a posting lies outside the file");
  }
  return std::unique_ptr<SealedKeywordIndex>(std::make_unique<SealedIndex>(bytes));
}

}  // namespace roost::embedded
