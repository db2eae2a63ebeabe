#include "base/random.h"

#include <cerrno>

#include <sys/random.h>

#include "base/result.h"

namespace roost {

std::string Random::Hex(size_t bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes);
  uint64_t bits = 0;
  for (size_t i = 0; i < bytes; ++i) {
    if (i % 8 == 0) {
      bits = Next();
    }
    text += kDigits[(bits >> 4) & 15];
    text += kDigits[bits & 15];
    bits >>= 8;
  }
  return text;
}

uint64_t SystemRandom::Next() {
  uint64_t value = 0;
  ssize_t count = 0;
  do {
    count = getrandom(&value, sizeof(value), 0);
  } while (count < 0 && errno == EINTR);
  // Requests of up to 256 bytes are never cut short; a kernel without getrandom is not supported.
  CHECK(count == sizeof(value));
  return value;
}

uint64_t SeededRandom::Next() {
  std::lock_guard lock(mutex_);
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace roost
