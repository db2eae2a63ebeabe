#pragma once

#include <cstdint>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/embedded/row_block.h"
#include "base/file_system.h"
#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

// Segment files (format in README.md): a header, sections one behind another, a table of sections.
// Rows stand by rising key. A file is written once and never changed.

enum class SectionKind : uint32_t {
  kSchema = 1,
  kBeginLsns = 2,
  kNumbers = 3,         ///< of a column
  kOffsets = 4,         ///< of a column
  kHeap = 5,            ///< of a column
  kPresence = 6,        ///< of a column
  kMatrix = 7,          ///< of a vector field
  kMatrixPresence = 8,  ///< of a vector field
};

struct Section {
  SectionKind kind = SectionKind::kSchema;
  uint32_t index = 0;  ///< column or vector field
  uint64_t offset = 0;
  uint64_t length = 0;
  uint32_t crc = 0;
};

struct SegmentHeader {
  uint64_t id = 0;
  uint32_t collection = 0;
  uint32_t rows = 0;
  uint64_t last_lsn = 0;
  uint64_t file_bytes = 0;
  std::vector<Section> sections;
};

/// A row to be written.
struct RowRef {
  uint32_t block = 0;
  uint32_t slot = 0;
};

/// The rows alive at `lsn`, by rising key.
std::vector<RowRef> LiveRowsByKey(std::span<const RowBlock> blocks, uint64_t lsn);

struct SegmentSource {
  const CollectionSchema& schema;
  const Layout& layout;
  uint64_t id = 0;
  uint32_t collection = 0;
  std::span<const RowBlock> blocks;
  std::span<const RowRef> rows;  ///< by rising key, each key once
};

/// Writes and syncs the file; the folder is not synced. On error nothing is left behind.
/// kCancelled when `stop` is requested.
Result<SegmentHeader> WriteSegmentFile(FileSystem& file_system, const std::string& path,
                                       const SegmentSource& source, std::stop_token stop);

/// Reads and checks header and table. kDataLoss names file and place; kFailedPrecondition: a newer
/// format.
Result<SegmentHeader> ReadSegmentHeader(std::span<const std::byte> file, const std::string& path);

/// The sections' names for messages: "numbers of field price".
std::string SectionName(const CollectionSchema& schema, const Section& section);

}  // namespace roost::embedded
