#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "adapters/embedded/index/keyword_index.h"
#include "adapters/embedded/index/vector_index.h"
#include "adapters/embedded/row_block.h"
#include "adapters/embedded/segment_file.h"
#include "base/file_system.h"
#include "base/result.h"
#include "store/types.h"

namespace roost::embedded {

/// The files of a segment by name, within the store's folder.
std::string SegmentFileName(uint64_t id);
std::string DeletesFileName(uint64_t id, uint64_t number);
std::string VectorIndexFileName(uint64_t id, size_t vector_field);
std::string KeywordIndexFileName(uint64_t id, size_t field);
/// The segment a file belongs to, if it is one of these.
std::optional<uint64_t> SegmentOfFile(std::string_view name);

/// A segment file, mapped, with what is known about its rows since: ends and indexes. Rows stand by
/// rising key, so slots are in key order.
///
/// Thread safe; ends are set by one thread at a time. No byte is believed before its checksum was
/// seen: call Verify… for what is going to be read. Files of a segment that was marked obsolete are
/// removed when the last user lets go of it.
class SealedSegment {
 public:
  /// Maps `folder`'s file of segment `id` and checks header and table. kDataLoss when damaged.
  static Result<std::shared_ptr<SealedSegment>> Open(FileSystem& file_system,
                                                     const std::string& folder, uint64_t id,
                                                     const CollectionSchema& schema,
                                                     const Layout& layout);
  ~SealedSegment();
  SealedSegment(const SealedSegment&) = delete;
  SealedSegment& operator=(const SealedSegment&) = delete;

  uint64_t id() const { return header_.id; }
  uint32_t rows() const { return header_.rows; }
  uint64_t last_lsn() const { return header_.last_lsn; }
  uint64_t file_bytes() const { return header_.file_bytes; }
  std::span<const std::byte> file() const { return file_->data(); }
  const std::string& path() const { return path_; }

  Status VerifyKeys();
  Status VerifyScalars();
  Status VerifyVector(size_t vector_field);
  Status VerifyAll();

  const RowBlock& block() const { return block_; }
  EndLsns& ends() { return ends_; }
  const EndLsns& ends() const { return ends_; }
  /// Rows alive as of every end that was set.
  uint32_t live_rows() const { return rows() - ends_.count(); }

  /// The first slot whose key is `key` or greater; rows() if none. Needs VerifyKeys.
  uint32_t LowerBound(const KeyRef& key) const;
  /// The slot with the key, dead or alive. Needs VerifyKeys.
  std::optional<uint32_t> Find(const KeyRef& key) const;

  /// Null while there is none.
  std::shared_ptr<const VectorIndex> vector_index(size_t vector_field) const;
  void set_vector_index(size_t vector_field, std::shared_ptr<const VectorIndex> index);
  /// The index over a text field: opened or made on first use. Needs VerifyScalars.
  Result<std::shared_ptr<const KeywordIndex>> keyword_index(size_t field);

  void MarkObsolete() { obsolete_.store(true); }
  void KeepFiles() { obsolete_.store(false); }

  /// What the manifest says about the ends on disk; guarded by the store's structure lock.
  struct Deletes {
    uint64_t file = 0;  ///< number of the file; 0: none
    uint32_t count = 0;
  };
  Deletes deletes;
  /// No index is wanted or possible; set by the builder alone.
  std::atomic<bool> index_done{false};

 private:
  SealedSegment(FileSystem& file_system, std::string folder, const CollectionSchema& schema,
                const Layout& layout, std::unique_ptr<MappedFile> file, SegmentHeader header);
  Status Attach();
  Status AttachSection(const Section& section);
  Status Verify(size_t section);
  template <typename Wanted>
  Status VerifyWhere(Wanted wanted);
  Result<std::shared_ptr<const KeywordIndex>> OpenOrBuildKeywords(size_t field);

  FileSystem& file_system_;
  const std::string folder_;
  const std::string path_;
  const CollectionSchema& schema_;
  const Layout& layout_;
  const std::unique_ptr<MappedFile> file_;
  const SegmentHeader header_;
  std::vector<std::atomic<bool>> verified_;  // by section
  std::vector<Column> columns_;
  std::vector<MatrixView> matrices_;
  std::vector<std::vector<uint64_t>> present_bits_;
  std::vector<bool> column_complete_;
  EndLsns ends_;
  RowBlock block_;
  std::atomic<bool> obsolete_{false};

  mutable std::mutex index_mutex_;
  std::vector<std::shared_ptr<const VectorIndex>> vector_indexes_;
  std::mutex keyword_mutex_;  // held while one is made
  std::vector<std::shared_ptr<const KeywordIndex>> keyword_indexes_;
};

}  // namespace roost::embedded
