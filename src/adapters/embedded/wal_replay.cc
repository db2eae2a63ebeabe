#include <algorithm>
#include <utility>

#include "adapters/embedded/wal.h"
#include "adapters/embedded/wal_format.h"
#include "base/failpoint.h"
#include "base/log.h"

namespace roost::embedded {

namespace {

/// Reads the files of a log one after the other.
class Replay {
 public:
  using Visit = std::function<Status(uint64_t lsn, std::string_view)>;

  Replay(FileSystem& file_system, const Wal::Options& options, uint64_t after_lsn,
         const Visit& visit)
      : file_system_(file_system), options_(options), after_lsn_(after_lsn), visit_(visit) {}

  Result<WalReplay> Run(uint64_t first_number) {
    std::vector<uint64_t> numbers = TRY(List(first_number));
    TRY(DropUnfinished(numbers));
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (numbers[i] != first_number + i) {
        return Missing(first_number + i);
      }
      TRY(ReadFile(numbers[i], i + 1 == numbers.size()));
    }
    if (numbers.empty()) {
      return Missing(first_number);
    }
    if (next_lsn_ <= after_lsn_) {
      return DataLoss("log file " + JoinPath(options_.folder, WalFileName(numbers.back())) +
                      " ends at LSN " + std::to_string(next_lsn_ - 1) +
                      ", but the manifest says that " + std::to_string(after_lsn_) +
                      " was written; restore the folder from a snapshot");
    }
    result_.next_lsn = next_lsn_;
    return std::move(result_);
  }

 private:
  /// Numbers from `first_number` on, rising. Older files are leftovers; the store removes them.
  Result<std::vector<uint64_t>> List(uint64_t first_number) {
    std::vector<uint64_t> numbers;
    for (const std::string& name : TRY(file_system_.List(options_.folder))) {
      if (const uint64_t number = WalNumberOf(name); number >= first_number) {
        numbers.push_back(number);
      }
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }

  /// The crash may have come while a file was made. Its header is on disk before the first record
  /// is acknowledged, so nothing is lost with it.
  Status DropUnfinished(std::vector<uint64_t>& numbers) {
    while (numbers.size() > 1) {
      const std::string path = JoinPath(options_.folder, WalFileName(numbers.back()));
      const auto file = TRY(file_system_.Open(path, OpenMode::kRead));
      std::string data(std::min<uint64_t>(TRY(file->Size()), kWalFileHeader + 1), '\0');
      TRY(file->ReadAt(0, std::as_writable_bytes(std::span(data))));
      if (data.size() > kWalFileHeader || DecodeWalFileHeader(data)) {
        return {};
      }
      result_.bytes_dropped += data.size();
      TRY(file_system_.Remove(path));
      numbers.pop_back();
    }
    return {};
  }

  Error Missing(uint64_t number) const {
    return DataLoss("log file " + JoinPath(options_.folder, WalFileName(number)) +
                    " is missing; put it back or restore the folder from a snapshot");
  }

  Error Damaged(const std::string& path, uint64_t offset, const std::string& what) const {
    return DataLoss("log file " + path + " is damaged at byte " + std::to_string(offset) + ": " +
                    what + "; restore the folder from a snapshot");
  }

  Status ReadFile(uint64_t number, bool last) {
    const std::string path = JoinPath(options_.folder, WalFileName(number));
    const auto mapped = TRY(file_system_.Map(path));
    const std::string_view file(reinterpret_cast<const char*>(mapped->data().data()),
                                mapped->data().size());
    const auto header = DecodeWalFileHeader(file);
    if (!header) {
      return Damaged(path, 0, "the header's checksum is wrong");
    }
    if (header->version != kWalVersion) {
      return FailedPrecondition("log file " + path + " has format version " +
                                std::to_string(header->version) + "; this program reads " +
                                std::to_string(kWalVersion) + "; use the newer program");
    }
    if (header->store_id != options_.store_id || header->number != number ||
        (next_lsn_ != 0 && header->first_lsn != next_lsn_) ||
        (next_lsn_ == 0 && header->first_lsn > after_lsn_ + 1)) {
      return Damaged(path, 0, "it does not continue this store's log");
    }
    next_lsn_ = header->first_lsn;
    result_.files.push_back({.number = number, .first_lsn = header->first_lsn});
    return ReadRecords(path, file, last);
  }

  Status ReadRecords(const std::string& path, std::string_view file, bool last) {
    uint64_t offset = kWalFileHeader;
    while (offset < file.size()) {
      const auto record = ReadWalRecord(file, offset);
      const uint64_t marked = record && record->is_mark() ? 1 : 0;  // Marks repeat the last LSN.
      if (!record || record->lsn + marked != next_lsn_) {
        return HandleDamage(path, file, offset, last);
      }
      if (record->lsn > after_lsn_ && !record->is_mark()) {
        TRY(visit_(record->lsn, record->payload));
        ++result_.records;
      }
      next_lsn_ = record->lsn + 1;
      offset = record->end;
    }
    return {};
  }

  /// A record that is not whole is either the torn end of writes that were never acknowledged, or
  /// damage. Every record says how much of the file was on disk when it was written: if a later one
  /// says that this one was, it was acknowledged.
  Status HandleDamage(const std::string& path, std::string_view file, uint64_t offset, bool last) {
    if (!last) {
      return Damaged(path, offset, "the record has a wrong checksum and another file follows");
    }
    for (uint64_t at = offset + 1; at + kWalRecordHeader <= file.size(); ++at) {
      const auto later = ReadWalRecord(file, at);
      if (later && later->lsn >= next_lsn_ && later->synced > offset) {
        return Damaged(path, offset,
                       "the record with LSN " + std::to_string(next_lsn_) +
                           " has a wrong checksum, and an intact record (LSN " +
                           std::to_string(later->lsn) + ") follows at byte " + std::to_string(at));
      }
    }
    LogWarning("The end of the log was never acknowledged and is dropped",
               {{"file", path}, {"offset", offset}, {"bytes", file.size() - offset}});
    result_.bytes_dropped += file.size() - offset;
    // On disk before a new file follows: a damaged file that is not the last is refused.
    const auto handle = TRY(file_system_.Open(path, OpenMode::kReadWrite));
    TRY(handle->Truncate(offset));
    FAILPOINT("embedded.recovery.after_truncate");
    return handle->Sync();
  }

  FileSystem& file_system_;
  const Wal::Options& options_;
  const uint64_t after_lsn_;
  const Visit& visit_;
  uint64_t next_lsn_ = 0;  // 0: no file was read yet
  WalReplay result_;
};

}  // namespace

Result<WalReplay> ReplayWal(FileSystem& file_system, const Wal::Options& options,
                            uint64_t first_number, uint64_t after_lsn,
                            const std::function<Status(uint64_t lsn, std::string_view)>& visit) {
  return Replay(file_system, options, after_lsn, visit).Run(first_number);
}

}  // namespace roost::embedded
