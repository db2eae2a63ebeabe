#include "adapters/embedded/wal.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "adapters/embedded/wal_format.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/strings.h"

namespace roost::embedded {

std::string WalFileName(uint64_t number) {
  char name[40];
  std::snprintf(name, sizeof(name), "wal-%08llu.log", static_cast<unsigned long long>(number));
  return name;
}

uint64_t WalNumberOf(std::string_view name) {
  if (!name.starts_with("wal-") || !name.ends_with(".log")) {
    return 0;
  }
  const auto number = ParseUint64(name.substr(4, name.size() - 8));
  return number.ok() ? number.value() : 0;
}

Wal::Wal(FileSystem& file_system, Options options)
    : file_system_(file_system), options_(std::move(options)) {}

Result<std::unique_ptr<Wal>> Wal::Start(FileSystem& file_system, Options options, uint64_t number,
                                        uint64_t first_lsn, std::vector<WalFile> older) {
  std::unique_ptr<Wal> wal(new Wal(file_system, std::move(options)));
  wal->file_ = TRY(wal->CreateFile(number, first_lsn));
  wal->files_ = std::move(older);
  wal->files_.push_back({.number = number, .first_lsn = first_lsn});
  wal->end_ = wal->records_end_ = wal->synced_ = wal->noted_ = kWalFileHeader;
  wal->next_lsn_ = first_lsn;
  return wal;
}

Result<std::shared_ptr<File>> Wal::CreateFile(uint64_t number, uint64_t first_lsn) {
  const std::string path = JoinPath(options_.folder, WalFileName(number));
  std::shared_ptr<File> file = TRY(file_system_.Open(path, OpenMode::kCreate));
  const std::string header = EncodeWalFileHeader(
      {.store_id = options_.store_id, .number = number, .first_lsn = first_lsn});
  const auto write = [&]() -> Status {
    TRY(file->Append(std::as_bytes(std::span(header))));
    FAILPOINT("embedded.wal.after_create");
    return file->Sync();
  };
  if (Status status = write(); !status.ok()) {
    TRY(file_system_.Remove(path));  // Else the next attempt would find it.
    return std::move(status).error();
  }
  if (Status status = file_system_.SyncDirectory(options_.folder); !status.ok()) {
    // The file may be there after a crash; records in the old one would then stand before it.
    broken_ = true;
    return std::move(status).error();
  }
  return file;
}

Result<uint64_t> Wal::Append(std::string& record) {
  if (record.size() - kWalRecordHeader > kMaxWalPayload) {
    return InvalidArgument("the write has " + HumanBytes(record.size()) + "; at most " +
                           HumanBytes(kMaxWalPayload) + " are taken at once; split it");
  }
  std::unique_lock lock(mutex_);
  if (broken_) {
    return Unavailable("the log of the store is broken; open the store again");
  }
  if (end_ > kWalFileHeader && end_ + record.size() > options_.file_bytes) {
    TRY(Rotate());
  }
  const std::shared_ptr<File> file = file_;
  const uint64_t lsn = next_lsn_;
  const uint64_t noted = synced_;
  SealWalRecord(record, lsn, noted);
  appending_ = true;
  lock.unlock();  // Sync() of others goes on while we write.

  FAILPOINT("embedded.wal.before_append");
  Status written = file->Append(std::as_bytes(std::span(record)));
  FAILPOINT("embedded.wal.after_append");

  lock.lock();
  appending_ = false;
  if (!written.ok()) {
    // Half a record must not stay: the next one would stand behind damage.
    if (const Status cut = file->Truncate(end_); !cut.ok()) {
      broken_ = true;
      LogError("The log cannot be repaired after a failed write; the store takes no more writes",
               {{"write", written.error()}, {"repair", cut.error()}});
      return Unavailable(written.error().message + "; the half-written record cannot be cut off");
    }
    return std::move(written).error();
  }
  end_ += record.size();
  records_end_ = end_;
  noted_ = noted;
  next_lsn_ = lsn + 1;
  return lsn;
}

/// Holds mutex_. The old file is complete on disk before a new one exists: damage in any file but
/// the last is damage to what was acknowledged.
Status Wal::Rotate() {
  FAILPOINT("embedded.wal.before_rotate");
  if (synced_ < end_) {
    if (Status synced = file_->Sync(); !synced.ok()) {
      broken_ = true;
      return synced;
    }
    synced_ = end_;
  }
  const uint64_t number = files_.back().number + 1;
  file_ = TRY(CreateFile(number, next_lsn_));
  FAILPOINT("embedded.wal.after_rotate");
  files_.push_back({.number = number, .first_lsn = next_lsn_});
  end_ = records_end_ = synced_ = noted_ = kWalFileHeader;
  return {};
}

Status Wal::Sync() {
  std::unique_lock lock(mutex_);
  if (broken_) {
    return Unavailable("the log of the store is broken; open the store again");
  }
  const std::shared_ptr<File> file = file_;
  const uint64_t end = end_;
  if (synced_ >= records_end_) {
    return {};
  }
  lock.unlock();
  FAILPOINT("embedded.wal.before_sync");
  Status synced = file->Sync();
  FAILPOINT("embedded.wal.after_sync");
  lock.lock();
  if (!synced.ok()) {
    broken_ = true;
    return synced;
  }
  if (file == file_) {
    synced_ = std::max(synced_, end);
    if (!appending_ && noted_ < records_end_ && records_end_ <= synced_) {
      WriteMark();
    }
  }
  return {};
}

/// Holds mutex_; no record is being written. The mark itself need not be on disk.
void Wal::WriteMark() {
  std::string mark(kWalRecordHeader, '\0');
  SealWalRecord(mark, next_lsn_ - 1, synced_);
  const Status written = file_->Append(std::as_bytes(std::span(mark)));
  if (written.ok()) {
    end_ += mark.size();
    noted_ = synced_;
  } else if (!file_->Truncate(end_).ok()) {
    broken_ = true;  // The next record would stand behind half a mark.
  }
}

uint64_t Wal::next_lsn() const {
  std::lock_guard lock(mutex_);
  return next_lsn_;
}

std::vector<WalFile> Wal::files() const {
  std::lock_guard lock(mutex_);
  return files_;
}

uint64_t Wal::bytes() const {
  std::lock_guard lock(mutex_);
  return end_;
}

void Wal::RemoveBefore(uint64_t number) {
  std::vector<WalFile> removed;
  {
    std::lock_guard lock(mutex_);
    const auto keep = std::find_if(files_.begin(), files_.end(),
                                   [&](const WalFile& file) { return file.number >= number; });
    removed.assign(files_.begin(), keep);
    files_.erase(files_.begin(), keep);
  }
  for (const WalFile& file : removed) {
    FAILPOINT("embedded.wal.before_remove");
    const Status status = file_system_.Remove(JoinPath(options_.folder, WalFileName(file.number)));
    static_cast<void>(status);  // What is left is removed at the next opening.
  }
}

}  // namespace roost::embedded
