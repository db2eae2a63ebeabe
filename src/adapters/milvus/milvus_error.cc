#include "adapters/milvus/milvus_error.h"

namespace roost {
namespace {

constexpr std::string_view kNotLoadedMark = "is not loaded into memory";

// merr/errors.go of Milvus.
enum : int {
  kNotReady = 1,
  kServiceUnavailable = 2,
  kMemory = 3,
  kTooManyRequests = 4,
  kDiskQuota = 7,
  kRateLimit = 8,
  kForceDeny = 9,
  kUnimplementedCall = 10,
  kResources = 12,
  kCollectionNotFound = 100,
  kCollectionNotLoaded = 101,
  kCollectionNotFullyLoaded = 103,
  kCollectionRecovering = 106,
  kSchemaMismatch = 109,
  kPartitionNotFullyLoaded = 202,
  kResourceGroupFull = 305,
  kDatabaseNotFound = 800,
  kIoFailed = 1002,
  kParameter = 1100,
  kParameterMissing = 1101,
  kParameterTooLarge = 1102,
  kNotAuthenticated = 1400,
  kNotPermitted = 1401,
  kFieldNotFound = 1700,
  kFieldName = 1701,
  kNeedAuthentication = 1800,
  kHttpRateLimit = 1807,
  kRequery = 2200,
  kUnsupported = 3000,
  kUnexpected = 65535,
};

/// Codes of servers that know only the old ones.
int FromLegacy(int legacy) {
  switch (legacy) {
    case 4:
      return kCollectionNotFound;
    case 5:
      return kParameter;
    case 48:
      return kForceDeny;
    case 49:
      return kRateLimit;
    case 52:
      return kMemory;
    case 54:
      return kDiskQuota;
    case 55:
    case 56:
      return kNotReady;
    default:
      return kUnexpected;
  }
}

Code CodeOf(int code, const std::string& reason) {
  const auto says = [&](std::string_view text) { return reason.find(text) != std::string::npos; };
  switch (code) {
    case kNotReady:
    case kServiceUnavailable:
    case kResources:
    case kCollectionNotFullyLoaded:
    case kCollectionRecovering:
    case kPartitionNotFullyLoaded:
    case kResourceGroupFull:
    case kIoFailed:
    case kRequery:
      return Code::kUnavailable;
    case kTooManyRequests:
    case kRateLimit:
    case kHttpRateLimit:
      return Code::kResourceExhausted;
    case kMemory:
    case kDiskQuota:
    case kForceDeny:
    case kCollectionNotLoaded:
    case kDatabaseNotFound:
      return Code::kFailedPrecondition;
    case kCollectionNotFound:
      return Code::kNotFound;
    case kSchemaMismatch:
    case kParameter:
    case kParameterMissing:
    case kParameterTooLarge:
    case kFieldNotFound:
    case kFieldName:
      return Code::kInvalidArgument;
    case kUnimplementedCall:
    case kUnsupported:
      return Code::kUnimplemented;
    case kNotAuthenticated:
    case kNeedAuthentication:
      return Code::kUnauthenticated;
    case kNotPermitted:
      return Code::kPermissionDenied;
    default:
      break;
  }
  if (says("permission deny")) {
    return Code::kPermissionDenied;
  }
  // 2.3 says so of requests built for another schema than the collection's.
  if (says("not exist") || says("not found") || says("should divide the dim")) {
    return Code::kInvalidArgument;
  }
  return Code::kInternal;
}

std::string_view Advice(int code) {
  switch (code) {
    case kMemory:
      return "; its query nodes need more memory";
    case kDiskQuota:
      return "; its disk quota is used up";
    case kForceDeny:
      return "; an operator or a quota forbids this, see quotaAndLimits in milvus.yaml";
    case kDatabaseNotFound:
      return "; create the database, or name another one in the address";
    default:
      return "";
  }
}

}  // namespace

Error MilvusError(const MilvusStatus& status, bool write) {
  const int code = status.code != 0 ? status.code : FromLegacy(status.legacy_code);
  Error error{.code = CodeOf(code, status.reason), .message = {}};
  if (code == kCollectionNotLoaded) {
    error.message = "the collection " + std::string(kNotLoadedMark) + ": " + status.reason;
  } else {
    error.message = "Milvus says: " + status.reason + " (code " + std::to_string(code) + ")" +
                    std::string(Advice(code));
  }
  error.outcome_unknown =
      write && (error.code == Code::kUnavailable || error.code == Code::kInternal);
  return error;
}

bool IsNotLoaded(const Error& error) {
  return error.code == Code::kFailedPrecondition &&
         error.message.find(kNotLoadedMark) != std::string::npos;
}

bool IsTooLarge(const Error& error) { return error.code == Code::kOutOfRange; }

Error FromTransport(Error error) {
  if (error.code != Code::kResourceExhausted) {
    return error;
  }
  // Of Milvus, of what is between its parts, and of our own client.
  for (const char* text : {"larger than max", "max_request_bytes", "max_reply_bytes"}) {
    if (error.message.find(text) != std::string::npos) {
      error.code = Code::kOutOfRange;
      error.outcome_unknown = false;
    }
  }
  return error;
}

}  // namespace roost
