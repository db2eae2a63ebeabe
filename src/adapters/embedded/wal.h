#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_system.h"
#include "base/result.h"

namespace roost::embedded {

// The write-ahead log: files "wal-<number>.log" of records with LSNs 1, 2, 3, … without holes
// (format in README.md).

/// Bytes in front of every record. A buffer handed to Wal::Append starts with as many, of any
/// value.
inline constexpr size_t kWalRecordHeader = 24;
inline constexpr size_t kMaxWalPayload = size_t{1} << 30;

std::string WalFileName(uint64_t number);
/// The file's number, 0 if the name is not that of a log file.
uint64_t WalNumberOf(std::string_view name);

struct WalFile {
  uint64_t number = 0;
  uint64_t first_lsn = 0;  ///< of its first record, or of the record that will be
};

/// Appends to the log. Append is for one thread at a time (the sequencer), Sync for any.
///
/// Behind every sync that no record follows at once stands a mark: a record without payload that
/// says how much is on disk. So damage to the last acknowledged record is told from a torn tail.
class Wal {
 public:
  struct Options {
    std::string folder;
    uint64_t store_id = 0;
    uint64_t file_bytes = 64u << 20;
  };

  /// Starts file `number` for LSNs from `first_lsn`; file and folder entry are durable on return.
  static Result<std::unique_ptr<Wal>> Start(FileSystem& file_system, Options options,
                                            uint64_t number, uint64_t first_lsn,
                                            std::vector<WalFile> older);

  /// Adds a record and returns its LSN. The record is with the system, not yet on disk. On
  /// kResourceExhausted nothing has changed. After any other error the log takes no more
  /// (broken()).
  Result<uint64_t> Append(std::string& record);
  /// Everything appended before the call is on disk on return. Not to be called again after an
  /// error.
  Status Sync();

  uint64_t next_lsn() const;
  std::vector<WalFile> files() const;
  uint64_t bytes() const;  ///< of the current file
  /// Removes files with lower numbers.
  void RemoveBefore(uint64_t number);

 private:
  Wal(FileSystem& file_system, Options options);
  Result<std::shared_ptr<File>> CreateFile(uint64_t number, uint64_t first_lsn);
  Status Rotate();
  void WriteMark();

  FileSystem& file_system_;
  const Options options_;

  mutable std::mutex mutex_;
  std::shared_ptr<File> file_;
  std::vector<WalFile> files_;  // the last one is written
  uint64_t end_ = 0;            // of the current file
  uint64_t records_end_ = 0;    // of the current file, without marks behind
  uint64_t synced_ = 0;         // of the current file; what is before is on disk
  uint64_t noted_ = 0;          // what the last record or mark says of synced_
  bool appending_ = false;      // a record is being written without mutex_
  uint64_t next_lsn_ = 1;
  bool broken_ = false;
};

struct WalReplay {
  uint64_t next_lsn = 1;
  uint64_t records = 0;        ///< handed to the visitor
  uint64_t bytes_dropped = 0;  ///< of a torn tail
  std::vector<WalFile> files;  ///< that are left
};

/// Reads the log from file `first_number` and hands every record with an LSN above `after_lsn` to
/// `visit`, by rising LSN. Bytes at the end that were never acknowledged are cut off. kDataLoss
/// where acknowledged records are damaged or missing: the message names file and offset.
Result<WalReplay> ReplayWal(FileSystem& file_system, const Wal::Options& options,
                            uint64_t first_number, uint64_t after_lsn,
                            const std::function<Status(uint64_t lsn, std::string_view)>& visit);

}  // namespace roost::embedded
