#pragma once

#include <string>

#include "base/result.h"

namespace roost {

/// What Milvus says in a reply's `status`.
struct MilvusStatus {
  int code = 0;         ///< since 2.3
  int legacy_code = 0;  ///< all that older servers give
  std::string reason;
};

/// The error for a status that is not a success. Which codes are worth another try is decided by
/// this table alone; the reply's own flag is wrong (it says no to a rate limit). `write`: the
/// outcome is unknown unless the code says that the request was refused.
Error MilvusError(const MilvusStatus& status, bool write);

/// The collection's data is not in the memory of Milvus' query nodes.
bool IsNotLoaded(const Error& error);

/// A request or reply beyond the size of a message: smaller pieces may pass.
bool IsTooLarge(const Error& error);
/// Makes gRPC's "larger than max" an error that IsTooLarge knows and that nobody retries as it is.
Error FromTransport(Error error);

}  // namespace roost
