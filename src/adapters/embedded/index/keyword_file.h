#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adapters/embedded/index/keyword_index.h"
#include "adapters/embedded/index/keyword_scores.h"

namespace roost::embedded {

// The file of a sealed keyword index. All numbers are little endian; every section starts at a
// multiple of 8:
//
//   header        KeywordHeader
//   lengths       a u32 a slot: words of its document, or kNoDocument
//   blocks        a DocumentBlock for every 64 slots
//   word ends     a u64 a word: where it ends in `words`; words are sorted by bytes
//   posting ends  a u64 a word: where its postings end
//   slots         a u32 a posting, rising within a word
//   occurrences   a u16 a posting; 65,535 stands for that or more
//   words         their bytes, one behind the other
//   checksum      u32 CRC32C of everything before, in the last 8 bytes; the other 4 are zero

inline constexpr uint32_t kNoDocument = 0xffffffffu;

/// What a file is made of.
struct KeywordContent {
  std::vector<uint32_t> lengths;
  std::vector<DocumentBlock> blocks;
  std::string words;
  std::vector<uint64_t> word_ends;
  std::vector<uint64_t> posting_ends;
  std::vector<uint32_t> slots;
  std::vector<uint16_t> occurrences;
};
std::string WriteKeywordFile(const KeywordContent& content);

/// Precondition: WriteKeywordFile made the bytes.
std::unique_ptr<SealedKeywordIndex> MakeSealedKeywordIndex(std::string file);

}  // namespace roost::embedded
