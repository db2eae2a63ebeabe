#pragma once

#include <cstdint>
#include <mutex>
#include <string>

namespace roost {

/// Randomness as the product sees it. Thread safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;

  /// Uniform in [0, bound). Precondition: bound > 0.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  /// Uniform in [0, 1).
  double NextDouble() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  /// 2 × `bytes` lower-case hex digits.
  std::string Hex(size_t bytes);
};

/// The kernel's generator: for identifiers and secrets.
class SystemRandom final : public Random {
 public:
  uint64_t Next() override;
};

/// SplitMix64 (Steele, Lea, Flood 2014): one seed, one sequence. For tests, simulation, jitter.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override;

 private:
  std::mutex mutex_;
  uint64_t state_;
};

}  // namespace roost
