#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace roost {

/// A read-only view of a whole file; unmapped by the destructor. Valid after the file is removed.
class MappedFile {
 public:
  virtual ~MappedFile() = default;
  virtual std::span<const std::byte> data() const = 0;
};

/// An open file. Reads may run in parallel; writes are for one thread at a time.
class File {
 public:
  virtual ~File() = default;
  /// Reads exactly `out.size()` bytes at `offset`; kOutOfRange when the file is shorter.
  virtual Status ReadAt(uint64_t offset, std::span<std::byte> out) = 0;
  /// A write that fails may leave a part of its bytes behind; Truncate() to the size before.
  virtual Status Append(std::span<const std::byte> data) = 0;
  virtual Status WriteAt(uint64_t offset, std::span<const std::byte> data) = 0;
  virtual Status Truncate(uint64_t size) = 0;
  /// Makes what was written durable, the file's size too, but not its name: see SyncDirectory().
  /// After a failure nothing that was written since the last success may be believed, not even
  /// after a later success. The machine's files refuse every later Sync() until opened again.
  virtual Status Sync() = 0;
  virtual Result<uint64_t> Size() = 0;
};

/// Held while alive; released by the destructor or the end of the process.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

enum class OpenMode {
  kRead,       ///< must exist
  kCreate,     ///< must not exist
  kReadWrite,  ///< made when absent
};

/// Disk as the product sees it. Thread safe. Files and folders it makes belong to their owner alone
/// (0600, 0700). Errors: kNotFound, kAlreadyExists,
/// kResourceExhausted (disk full, too many files), kUnavailable (any other I/O error); the message
/// names the path and the system's own words.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual Result<std::unique_ptr<MappedFile>> Map(const std::string& path) = 0;
  /// One step, also across a power cut; replaces a file at `to`. Durable after SyncDirectory().
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  /// A file or an empty folder; absent is success.
  virtual Status Remove(const std::string& path) = 0;
  /// With everything below it; absent is success.
  virtual Status RemoveAll(const std::string& path) = 0;
  /// With the folders above it; present is success. Durable when it returns.
  virtual Status CreateDirectories(const std::string& path) = 0;
  /// Makes the folder's entries (new, renamed, removed files) durable.
  virtual Status SyncDirectory(const std::string& path) = 0;
  /// Names (not paths) in the folder, sorted.
  virtual Result<std::vector<std::string>> List(const std::string& path) = 0;
  virtual Result<bool> Exists(const std::string& path) = 0;
  virtual Result<uint64_t> FreeBytes(const std::string& path) = 0;
  /// Exclusive between processes and within this one; `path` is a file, made when absent, that
  /// holds the owner's pid and stays. kFailedPrecondition names the folder and the pid when taken.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;

  /// Whole file. At most `limit` bytes, else kResourceExhausted.
  Result<std::string> ReadAll(const std::string& path, uint64_t limit = uint64_t{1} << 30);
  /// Replaces `path` as one step that survives a power cut: temporary file, sync, rename, sync of
  /// the folder.
  Status WriteAtomically(const std::string& path, std::string_view data);
};

/// The machine's disk. One instance may serve the whole process.
std::unique_ptr<FileSystem> MakePosixFileSystem();

/// "a/b" + "c" = "a/b/c".
std::string JoinPath(std::string_view folder, std::string_view name);
/// The part before the last slash; "." when there is none.
std::string ParentPath(std::string_view path);

}  // namespace roost
