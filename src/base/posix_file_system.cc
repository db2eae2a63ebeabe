#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file_system.h"

namespace roost {

namespace {

// Data and keys are nobody else's business.
constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;

Error ErrorFromErrno(int number, std::string_view doing, std::string_view path) {
  std::string message = "cannot " + std::string(doing) + " " + std::string(path) + ": " +
                        std::generic_category().message(number);
  switch (number) {
    case ENOENT:
      return NotFound(std::move(message));
    case EEXIST:
      return AlreadyExists(std::move(message));
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return ResourceExhausted(message + "; make room on the disk");
    case EMFILE:
    case ENFILE:
      return ResourceExhausted(message + "; raise the limit on open files (ulimit -n)");
    case ENOMEM:
      return ResourceExhausted(std::move(message));
    case EACCES:
    case EPERM:
    case EROFS:
      return Unavailable(message + "; let the server's user read and write there");
    default:
      return Unavailable(std::move(message));
  }
}

/// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) {
      close(number_);
    }
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return number_; }

 private:
  int number_;
};

Result<Descriptor> OpenDescriptor(const std::string& path, int flags) {
  int number = -1;
  do {
    number = open(path.c_str(), flags | O_CLOEXEC, kFileMode);
  } while (number < 0 && errno == EINTR);
  if (number < 0) {
    return ErrorFromErrno(errno, "open", path);
  }
  return Descriptor(number);
}

Result<uint64_t> SizeOf(const Descriptor& descriptor, const std::string& path) {
  struct stat status{};
  if (fstat(descriptor.get(), &status) != 0) {
    return ErrorFromErrno(errno, "read the size of", path);
  }
  return static_cast<uint64_t>(status.st_size);
}

class PosixFile final : public File {
 public:
  PosixFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
    while (!out.empty()) {
      const ssize_t count =
          pread(descriptor_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        return ErrorFromErrno(errno, "read", path_);
      }
      if (count == 0) {
        return Error{Code::kOutOfRange, "file " + path_ + " ends at byte " +
                                            std::to_string(offset) + "; " +
                                            std::to_string(out.size()) + " more were expected"};
      }
      offset += static_cast<uint64_t>(count);
      out = out.subspan(static_cast<size_t>(count));
    }
    return {};
  }

  Status Append(std::span<const std::byte> data) override {
    // Not O_APPEND: with it pwrite() ignores its offset and WriteAt would append.
    const uint64_t end = TRY(Size());
    return WriteAt(end, data);
  }

  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    while (!data.empty()) {
      const ssize_t count =
          pwrite(descriptor_.get(), data.data(), data.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        return ErrorFromErrno(errno, "write", path_);
      }
      offset += static_cast<uint64_t>(count);
      data = data.subspan(static_cast<size_t>(count));
    }
    return {};
  }

  Status Truncate(uint64_t size) override {
    if (ftruncate(descriptor_.get(), static_cast<off_t>(size)) != 0) {
      return ErrorFromErrno(errno, "cut", path_);
    }
    return {};
  }

  Status Sync() override {
    // The kernel drops what it could not write and reports it once; the next call would succeed
    // although the bytes are gone. So a file that failed once stays failed.
    if (sync_failed_) {
      return Unavailable("cannot make " + path_ +
                         " durable: an earlier attempt failed; open the file again");
    }
    if (fdatasync(descriptor_.get()) != 0) {
      const int number = errno;
      sync_failed_ = true;
      return ErrorFromErrno(number, "make durable", path_);
    }
    return {};
  }

  Result<uint64_t> Size() override { return SizeOf(descriptor_, path_); }

 private:
  const std::string path_;
  const Descriptor descriptor_;
  std::atomic<bool> sync_failed_ = false;
};

class PosixMappedFile final : public MappedFile {
 public:
  explicit PosixMappedFile(std::span<const std::byte> data) : data_(data) {}
  ~PosixMappedFile() override {
    if (!data_.empty()) {
      munmap(const_cast<std::byte*>(data_.data()), data_.size());
    }
  }
  PosixMappedFile(const PosixMappedFile&) = delete;
  PosixMappedFile& operator=(const PosixMappedFile&) = delete;
  std::span<const std::byte> data() const override { return data_; }

 private:
  const std::span<const std::byte> data_;
};

/// The lock is the kernel's (flock), so it ends with the process; the file's content is only for
/// the message.
class PosixFileLock final : public FileLock {
 public:
  explicit PosixFileLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  const Descriptor descriptor_;
};

std::string LockHolder(const Descriptor& descriptor) {
  char text[24] = {};
  const ssize_t count = pread(descriptor.get(), text, sizeof(text) - 1, 0);
  std::string pid(text, count > 0 ? static_cast<size_t>(count) : 0);
  pid.resize(std::min(pid.find_first_not_of("0123456789"), pid.size()));
  return pid.empty() ? "(unknown)" : pid;
}

class PosixFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_RDONLY;
    if (mode == OpenMode::kCreate) {
      flags = O_RDWR | O_CREAT | O_EXCL;
    } else if (mode == OpenMode::kReadWrite) {
      flags = O_RDWR | O_CREAT;
    }
    auto descriptor = TRY(OpenDescriptor(path, flags));
    return std::make_unique<PosixFile>(path, std::move(descriptor));
  }

  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override {
    auto descriptor = TRY(OpenDescriptor(path, O_RDONLY));
    const uint64_t size = TRY(SizeOf(descriptor, path));
    if (size == 0) {
      return std::make_unique<PosixMappedFile>(std::span<const std::byte>());
    }
    void* address = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
    if (address == MAP_FAILED) {
      return ErrorFromErrno(errno, "map", path);
    }
    return std::make_unique<PosixMappedFile>(
        std::span(static_cast<const std::byte*>(address), size));
  }

  Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) {
      return ErrorFromErrno(errno, "rename", from + " to " + to);
    }
    return {};
  }

  Status Remove(const std::string& path) override {
    if (remove(path.c_str()) != 0 && errno != ENOENT) {
      return ErrorFromErrno(errno, "remove", path);
    }
    return {};
  }

  Status RemoveAll(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) {
      return ErrorFromErrno(error.value(), "remove", path);
    }
    return {};
  }

  Status CreateDirectories(const std::string& path) override {
    for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
      const std::string folder = path.substr(0, slash);
      if (mkdir(folder.c_str(), kFolderMode) == 0) {
        TRY(SyncDirectory(ParentPath(folder)));
      } else if (errno != EEXIST) {
        return ErrorFromErrno(errno, "make folder", folder);
      }
      if (slash == std::string::npos) {
        break;
      }
    }
    struct stat status{};
    if (stat(path.c_str(), &status) != 0) {
      return ErrorFromErrno(errno, "make folder", path);
    }
    return S_ISDIR(status.st_mode) ? Status() : ErrorFromErrno(ENOTDIR, "make folder", path);
  }

  Status SyncDirectory(const std::string& path) override {
    auto descriptor = TRY(OpenDescriptor(path, O_RDONLY | O_DIRECTORY));
    if (fsync(descriptor.get()) != 0) {
      return ErrorFromErrno(errno, "make durable", path);
    }
    return {};
  }

  Result<std::vector<std::string>> List(const std::string& path) override {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::directory_iterator entry(path, error);
    for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) {
      return ErrorFromErrno(error.value(), "list", path);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<bool> Exists(const std::string& path) override {
    struct stat status{};
    if (stat(path.c_str(), &status) == 0) {
      return true;
    }
    if (errno == ENOENT || errno == ENOTDIR) {
      return false;
    }
    return ErrorFromErrno(errno, "look at", path);
  }

  Result<uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs status{};
    if (statvfs(path.c_str(), &status) != 0) {
      return ErrorFromErrno(errno, "read the free space of", path);
    }
    return uint64_t{status.f_bavail} * status.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    auto descriptor = TRY(OpenDescriptor(path, O_RDWR | O_CREAT));
    if (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) {
        return FailedPrecondition("data folder " + ParentPath(path) + " is in use by process " +
                                  LockHolder(descriptor) + "; stop it or choose another folder");
      }
      return ErrorFromErrno(errno, "lock", path);
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    if (ftruncate(descriptor.get(), 0) != 0 ||
        pwrite(descriptor.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
      return ErrorFromErrno(errno, "write", path);
    }
    return std::make_unique<PosixFileLock>(std::move(descriptor));
  }
};

}  // namespace

std::unique_ptr<FileSystem> MakePosixFileSystem() { return std::make_unique<PosixFileSystem>(); }

}  // namespace roost
