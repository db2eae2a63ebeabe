#include "base/fake_file_system.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include <unistd.h>

#include "base/fake_disk.h"

namespace roost {

namespace {

constexpr uint64_t kUnlimitedFreeBytes = uint64_t{1} << 40;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 32;  // A wild offset shall not eat the memory.

/// What the file system and its open files share. Whoever touches it holds `mutex`.
struct Disk {
  std::mutex mutex;
  FakeTree tree;
  FakeFileSystem::Faults faults;
  bool powered = true;
  uint64_t crashes = 0;
  uint64_t operations = 0;
  std::set<const FakeNode*> locked;
  SeededRandom random{1};
};

using DiskPtr = std::shared_ptr<Disk>;

Error PowerIsOff(std::string_view path) {
  return Unavailable("cannot use " + std::string(path) + ": the power is off");
}

Error IoError(std::string_view doing, std::string_view path) {
  return Unavailable("cannot " + std::string(doing) + " " + std::string(path) +
                     ": Input/output error");
}

Error Missing(std::string_view doing, std::string_view path) {
  return NotFound("cannot " + std::string(doing) + " " + std::string(path) +
                  ": No such file or directory");
}

/// Counts down to the operation that shall fail; true for that one.
bool CountDown(int64_t& after) { return after >= 0 && after-- == 0; }

/// Counts a changing operation. False when the power goes during it.
bool CountOperation(Disk& disk) {
  ++disk.operations;
  if (CountDown(disk.faults.power_off_after)) {
    disk.powered = false;
  }
  return disk.powered;
}

void GiveBack(Disk& disk, uint64_t bytes) {
  if (disk.faults.free_bytes >= 0) {
    disk.faults.free_bytes += static_cast<int64_t>(bytes);
  }
}

class FakeFile final : public File {
 public:
  FakeFile(DiskPtr disk, FakeNodePtr node, std::string path, bool writable)
      : disk_(std::move(disk)),
        node_(std::move(node)),
        path_(std::move(path)),
        crashes_(disk_->crashes),
        writable_(writable) {}

  Status ReadAt(uint64_t offset, std::span<std::byte> out) override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckAlive());
    if (CountDown(disk_->faults.fail_read_after)) {
      return IoError("read", path_);
    }
    const std::string& data = node_->content.visible();
    if (offset > data.size() || out.size() > data.size() - offset) {
      return Error{Code::kOutOfRange, "file " + path_ + " ends at byte " +
                                          std::to_string(data.size()) + "; " +
                                          std::to_string(out.size()) + " bytes from byte " +
                                          std::to_string(offset) + " were expected"};
    }
    if (!out.empty()) {
      std::memcpy(out.data(), data.data() + offset, out.size());
    }
    return {};
  }

  Status Append(std::span<const std::byte> data) override {
    std::lock_guard lock(disk_->mutex);
    return Write(node_->content.visible().size(), data);
  }

  Status WriteAt(uint64_t offset, std::span<const std::byte> data) override {
    std::lock_guard lock(disk_->mutex);
    return Write(offset, data);
  }

  Status Truncate(uint64_t size) override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckWritable());
    if (size > kMaxFileBytes) {
      return ResourceExhausted("cannot cut " + path_ + ": File too large");
    }
    const bool powered = CountOperation(*disk_);
    const uint64_t before = node_->content.visible().size();
    node_->content.Truncate(size);
    GiveBack(*disk_, before > size ? before - size : 0);
    return powered ? Status() : PowerIsOff(path_);
  }

  Status Sync() override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckAlive());
    if (!CountOperation(*disk_)) {
      return PowerIsOff(path_);
    }
    if (CountDown(disk_->faults.fail_sync_after)) {
      node_->content.FailSync();
      return IoError("make durable", path_);
    }
    node_->content.Sync();
    return {};
  }

  Result<uint64_t> Size() override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckAlive());
    return node_->content.visible().size();
  }

 private:
  Status CheckAlive() const {
    return disk_->powered && crashes_ == disk_->crashes ? Status() : PowerIsOff(path_);
  }

  Status CheckWritable() const {
    TRY(CheckAlive());
    if (!writable_) {
      return Unavailable("cannot write " + path_ + ": Bad file descriptor");
    }
    return {};
  }

  Status Write(uint64_t offset, std::span<const std::byte> data) {
    TRY(CheckWritable());
    if (offset > kMaxFileBytes || data.size() > kMaxFileBytes - offset) {
      return ResourceExhausted("cannot write " + path_ + ": File too large");
    }
    FakeFileSystem::Faults& faults = disk_->faults;
    const bool powered = CountOperation(*disk_);
    const bool fails = CountDown(faults.fail_write_after);
    const uint64_t size = node_->content.visible().size();
    const uint64_t end = offset + data.size();
    const uint64_t growth = data.empty() || end < size ? 0 : end - size;
    const bool full = faults.free_bytes >= 0 && growth > static_cast<uint64_t>(faults.free_bytes);
    if (fails || full) {
      if (faults.short_writes) {
        WritePrefix(offset, data, full ? growth - static_cast<uint64_t>(faults.free_bytes) : 0);
      }
      return full ? Error(ResourceExhausted("cannot write " + path_ +
                                            ": No space left on device; make room on the disk"))
                  : IoError("write", path_);
    }
    node_->content.Write(offset, data);
    Take(growth);
    return powered ? Status() : PowerIsOff(path_);
  }

  /// A random part that leaves at least `excess` bytes out.
  void WritePrefix(uint64_t offset, std::span<const std::byte> data, uint64_t excess) {
    if (excess >= data.size()) {
      return;
    }
    const uint64_t before = node_->content.visible().size();
    const uint64_t kept = disk_->random.Below(data.size() - excess + 1);
    node_->content.Write(offset, data.first(std::min<uint64_t>(kept, data.size() - 1)));
    Take(node_->content.visible().size() - before);
  }

  void Take(uint64_t bytes) {
    if (disk_->faults.free_bytes >= 0) {
      disk_->faults.free_bytes -= static_cast<int64_t>(bytes);
    }
  }

  const DiskPtr disk_;
  const FakeNodePtr node_;
  const std::string path_;
  const uint64_t crashes_;
  const bool writable_;
};

class FakeMappedFile final : public MappedFile {
 public:
  explicit FakeMappedFile(std::string data) : data_(std::move(data)) {}
  std::span<const std::byte> data() const override { return std::as_bytes(std::span(data_)); }

 private:
  const std::string data_;
};

class FakeLock final : public FileLock {
 public:
  FakeLock(DiskPtr disk, FakeNodePtr node)
      : disk_(std::move(disk)), node_(std::move(node)), crashes_(disk_->crashes) {}
  ~FakeLock() override {
    std::lock_guard lock(disk_->mutex);
    if (crashes_ == disk_->crashes) {
      disk_->locked.erase(node_.get());
    }
  }
  FakeLock(const FakeLock&) = delete;
  FakeLock& operator=(const FakeLock&) = delete;

 private:
  const DiskPtr disk_;
  const FakeNodePtr node_;
  const uint64_t crashes_;
};

class FakeFileSystemImpl final : public FakeFileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    std::lock_guard lock(disk_->mutex);
    auto node = TRY(FindOrMake(path, mode));
    return std::make_unique<FakeFile>(disk_, std::move(node), path, mode != OpenMode::kRead);
  }

  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override {
    std::lock_guard lock(disk_->mutex);
    auto node = TRY(FindOrMake(path, OpenMode::kRead));
    if (CountDown(disk_->faults.fail_read_after)) {
      return IoError("map", path);
    }
    return std::make_unique<FakeMappedFile>(node->content.visible());
  }

  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckPower(path));
    return RemoveOne(disk_->tree.Find(path), path);
  }
  Status RemoveAll(const std::string& path) override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckPower(path));
    return RemoveBelow(disk_->tree.Find(path), path);
  }
  Status CreateDirectories(const std::string& path) override;
  Status SyncDirectory(const std::string& path) override;
  Result<std::vector<std::string>> List(const std::string& path) override;

  Result<bool> Exists(const std::string& path) override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckPower(path));
    return disk_->tree.Find(path).node != nullptr;
  }

  Result<uint64_t> FreeBytes(const std::string& path) override {
    std::lock_guard lock(disk_->mutex);
    TRY(CheckPower(path));
    if (!disk_->tree.Find(path).node) {
      return Missing("read the free space of", path);
    }
    const int64_t free = disk_->faults.free_bytes;
    return free < 0 ? kUnlimitedFreeBytes : static_cast<uint64_t>(free);
  }

  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    std::lock_guard lock(disk_->mutex);
    auto node = TRY(FindOrMake(path, OpenMode::kReadWrite));
    if (!disk_->locked.insert(node.get()).second) {
      return FailedPrecondition("data folder " + ParentPath(path) + " is in use by process " +
                                std::to_string(getpid()) + "; stop it or choose another folder");
    }
    return std::make_unique<FakeLock>(disk_, std::move(node));
  }

  void SetFaults(Faults faults) override {
    std::lock_guard lock(disk_->mutex);
    disk_->faults = faults;
  }

  void PowerOff() override {
    std::lock_guard lock(disk_->mutex);
    disk_->powered = false;
  }

  void Crash(Random& random) override {
    std::lock_guard lock(disk_->mutex);
    disk_->tree.Crash(random);
    disk_->locked.clear();
    disk_->faults = {};
    disk_->powered = true;
    ++disk_->crashes;
  }

  uint64_t operations() const override {
    std::lock_guard lock(disk_->mutex);
    return disk_->operations;
  }

  Status FlipBit(const std::string& path, uint64_t bit) override {
    std::lock_guard lock(disk_->mutex);
    auto node = TRY(FindOrMake(path, OpenMode::kRead));
    if (!node->content.FlipBit(bit)) {
      return Error{Code::kOutOfRange,
                   "file " + path + " has no durable bit " + std::to_string(bit)};
    }
    return {};
  }

 private:
  Status CheckPower(std::string_view path) const {
    return disk_->powered ? Status() : PowerIsOff(path);
  }

  Result<FakeNodePtr> FindOrMake(const std::string& path, OpenMode mode);
  Status RemoveOne(const FakeTree::Place& place, const std::string& path);
  Status RemoveBelow(const FakeTree::Place& place, const std::string& path);

  const DiskPtr disk_ = std::make_shared<Disk>();
};

Result<FakeNodePtr> FakeFileSystemImpl::FindOrMake(const std::string& path, OpenMode mode) {
  TRY(CheckPower(path));
  const FakeTree::Place place = disk_->tree.Find(path);
  if (place.node && place.node->folder) {
    return Unavailable("cannot open " + path + ": Is a directory");
  }
  if (place.node) {
    if (mode == OpenMode::kCreate) {
      return AlreadyExists("cannot open " + path + ": File exists");
    }
    return place.node;
  }
  if (mode == OpenMode::kRead || !place.parent) {
    return Missing("open", path);
  }
  auto node = std::make_shared<FakeNode>();
  disk_->tree.Change({{place.parent, place.name, node}});
  return node;
}

Status FakeFileSystemImpl::Rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(disk_->mutex);
  const std::string both = from + " to " + to;
  TRY(CheckPower(from));
  const FakeTree::Place source = disk_->tree.Find(from);
  const FakeTree::Place target = disk_->tree.Find(to);
  if (!source.node || !target.parent) {
    return Missing("rename", both);
  }
  if (source.node == target.node) {
    return {};
  }
  if (target.node && target.node->folder != source.node->folder) {
    return Unavailable("cannot rename " + both + ": one is a folder, the other is not");
  }
  if (target.node && !target.node->entries.empty()) {
    return Unavailable("cannot rename " + both + ": Directory not empty");
  }
  // The root has no parent to be taken out of, and a folder cannot move below itself.
  for (std::string above = to; above != "." && above != "/"; above = ParentPath(above)) {
    if (!source.parent || disk_->tree.Find(above).node == source.node) {
      return Unavailable("cannot rename " + both + ": Invalid argument");
    }
  }
  const bool powered = CountOperation(*disk_);
  if (target.node) {
    GiveBack(*disk_, target.node->content.visible().size());
  }
  disk_->tree.Change(
      {{source.parent, source.name, nullptr}, {target.parent, target.name, source.node}});
  return powered ? Status() : PowerIsOff(from);
}

Status FakeFileSystemImpl::RemoveOne(const FakeTree::Place& place, const std::string& path) {
  if (!place.node) {
    return {};
  }
  if (!place.parent || !place.node->entries.empty()) {
    return Unavailable("cannot remove " + path + ": Directory not empty");
  }
  const bool powered = CountOperation(*disk_);
  GiveBack(*disk_, place.node->content.visible().size());
  disk_->tree.Change({{place.parent, place.name, nullptr}});
  return powered ? Status() : PowerIsOff(path);
}

Status FakeFileSystemImpl::RemoveBelow(const FakeTree::Place& place, const std::string& path) {
  if (place.node) {
    // A copy: removing changes the folder.
    const std::map<std::string, FakeNodePtr> entries = place.node->entries;
    for (const auto& [name, node] : entries) {
      TRY(RemoveBelow({place.node, name, node}, JoinPath(path, name)));
    }
  }
  return RemoveOne(place, path);
}

Status FakeFileSystemImpl::CreateDirectories(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  TRY(CheckPower(path));
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const FakeTree::Place place = disk_->tree.Find(path.substr(0, slash));
    if (!place.node) {
      auto node = std::make_shared<FakeNode>();
      node->folder = true;
      disk_->tree.Change({{place.parent, place.name, node}});
      disk_->tree.Sync(place.parent);
    } else if (!place.node->folder) {
      return Unavailable("cannot make folder " + path + ": Not a directory");
    }
    if (slash == std::string::npos) {
      return {};
    }
  }
}

Status FakeFileSystemImpl::SyncDirectory(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  TRY(CheckPower(path));
  const FakeTree::Place place = disk_->tree.Find(path);
  if (!place.node) {
    return Missing("make durable", path);
  }
  if (!place.node->folder) {
    return Unavailable("cannot make durable " + path + ": Not a directory");
  }
  if (!CountOperation(*disk_)) {
    return PowerIsOff(path);
  }
  disk_->tree.Sync(place.node);
  return {};
}

Result<std::vector<std::string>> FakeFileSystemImpl::List(const std::string& path) {
  std::lock_guard lock(disk_->mutex);
  TRY(CheckPower(path));
  const FakeTree::Place place = disk_->tree.Find(path);
  if (!place.node) {
    return Missing("list", path);
  }
  if (!place.node->folder) {
    return Unavailable("cannot list " + path + ": Not a directory");
  }
  std::vector<std::string> names;
  for (const auto& [name, node] : place.node->entries) {
    names.push_back(name);
  }
  return names;
}

}  // namespace

std::unique_ptr<FakeFileSystem> FakeFileSystem::Make() {
  return std::make_unique<FakeFileSystemImpl>();
}

}  // namespace roost
