#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"

namespace roost {

/// Fences as versions of documents (version_type external and external_gte): a document's version
/// is that of the last fence that wrote it, so the server itself turns older writes away. Between
/// two small fences there is room for 2^24 versions, because replacing what is deleted needs a
/// higher one each time. Pure. Part of the index format.

inline constexpr int kOsVersionsAFence = 24;                   ///< bits
inline constexpr uint64_t kOsSmallFences = uint64_t{1} << 36;  ///< those with room
inline constexpr uint64_t kOsMaxFence =
    (uint64_t{1} << 63) - 1 - (uint64_t{1} << 60) + kOsSmallFences;

/// The lowest version of the fence. Precondition: at most kOsMaxFence.
constexpr int64_t OsVersionOf(uint64_t fence) {
  return static_cast<int64_t>(fence < kOsSmallFences
                                  ? fence << kOsVersionsAFence
                                  : (kOsSmallFences << kOsVersionsAFence) + fence - kOsSmallFences);
}
/// The fence that a document of the version carries; 0 for none.
constexpr uint64_t OsFenceOf(int64_t version) {
  const auto v = static_cast<uint64_t>(version);
  return v < kOsSmallFences << kOsVersionsAFence
             ? v >> kOsVersionsAFence
             : v - (kOsSmallFences << kOsVersionsAFence) + kOsSmallFences;
}

inline Status OsCheckFence(std::optional<uint64_t> fence) {
  if (fence && *fence > kOsMaxFence) {
    return InvalidArgument("fence " + std::to_string(*fence) + " is above " +
                           std::to_string(kOsMaxFence));
  }
  return {};
}

}  // namespace roost
