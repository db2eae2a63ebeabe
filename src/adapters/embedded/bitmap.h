#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace roost::embedded {

/// One bit a slot, in words as the index takes them. Bits behind `size` are always clear.
class Bitmap {
 public:
  Bitmap() = default;
  explicit Bitmap(size_t size, bool set = false)
      : size_(size), words_((size + 63) / 64, set ? ~uint64_t{0} : 0) {
    ClearTail();
  }

  size_t size() const { return size_; }
  bool Get(size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  void Set(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  void Clear(size_t i) { words_[i / 64] &= ~(uint64_t{1} << (i % 64)); }

  void And(const Bitmap& other) {
    for (size_t w = 0; w < words_.size(); ++w) {
      words_[w] &= other.words_[w];
    }
  }
  void Or(const Bitmap& other) {
    for (size_t w = 0; w < words_.size(); ++w) {
      words_[w] |= other.words_[w];
    }
  }
  void Invert() {
    for (uint64_t& word : words_) {
      word = ~word;
    }
    ClearTail();
  }
  /// Keeps only [from, to).
  void Crop(size_t from, size_t to) {
    for (size_t w = 0; w < words_.size(); ++w) {
      words_[w] &= MaskFrom(from, w) & ~MaskFrom(to, w);
    }
  }
  size_t Count() const {
    size_t count = 0;
    for (const uint64_t word : words_) {
      count += static_cast<size_t>(std::popcount(word));
    }
    return count;
  }
  /// The first set bit at `from` or later; size() when there is none.
  size_t Next(size_t from) const {
    if (from >= size_) {
      return size_;
    }
    size_t w = from / 64;
    uint64_t word = words_[w] & (~uint64_t{0} << (from % 64));
    while (word == 0) {
      if (++w == words_.size()) {
        return size_;
      }
      word = words_[w];
    }
    return w * 64 + static_cast<size_t>(std::countr_zero(word));
  }
  std::span<uint64_t> words() { return words_; }
  std::span<const uint64_t> words() const { return words_; }

 private:
  /// The bits of word `w` that are at `from` or later.
  static uint64_t MaskFrom(size_t from, size_t w) {
    if (from <= w * 64) {
      return ~uint64_t{0};
    }
    return from >= (w + 1) * 64 ? 0 : ~uint64_t{0} << (from % 64);
  }
  void ClearTail() {
    if (size_ % 64 != 0) {
      words_.back() &= ~(~uint64_t{0} << (size_ % 64));
    }
  }

  size_t size_ = 0;
  std::vector<uint64_t> words_;
};

}  // namespace roost::embedded
