#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "adapters/embedded/end_lsns.h"
#include "base/file_system.h"
#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

inline constexpr char kManifestFile[] = "MANIFEST";
inline constexpr char kLockFile[] = "LOCK";

/// What the store consists of at a point of the log: one small file, replaced as a whole.
struct Manifest {
  struct Segment {
    uint64_t id = 0;
    uint64_t deletes_file = 0;  ///< number in the name of its deletes file; 0: none
  };
  struct Collection {
    CollectionSchema schema;
    uint64_t flushed_lsn = 0;  ///< everything up to it is in the segments
    std::vector<Segment> segments;
  };

  uint64_t store_id = 0;                       ///< random; the log carries it, too
  uint64_t next_id = 1;                        ///< of collections, segments and deletes files
  uint64_t covered_lsn = 0;                    ///< the log is not needed up to here
  uint64_t first_wal = 1;                      ///< older log files are not needed
  std::map<uint32_t, Collection> collections;  ///< by id
};

std::string EncodeManifest(const Manifest& manifest);
/// kDataLoss when damaged, kFailedPrecondition when of a newer format; `path` is for the message.
Result<Manifest> DecodeManifest(std::string_view data, const std::string& path);

Result<Manifest> ReadManifest(FileSystem& file_system, const std::string& folder);
/// Replaces the manifest as one durable step.
Status WriteManifest(FileSystem& file_system, const std::string& folder, const Manifest& manifest);

/// Dead slots of a segment as a file of their own.
Status WriteDeletes(FileSystem& file_system, const std::string& path, uint64_t segment,
                    const std::vector<EndLsns::Entry>& entries);
/// kDataLoss when damaged, missing, or not of this segment.
Status ReadDeletes(FileSystem& file_system, const std::string& path, uint64_t segment,
                   uint32_t rows, EndLsns& ends);

}  // namespace roost::embedded
