#include "base/file_system.h"

namespace roost {

Result<std::string> FileSystem::ReadAll(const std::string& path, uint64_t limit) {
  auto file = TRY(Open(path, OpenMode::kRead));
  const uint64_t size = TRY(file->Size());
  if (size > limit) {
    return ResourceExhausted("file " + path + " has " + std::to_string(size) + " bytes; at most " +
                             std::to_string(limit) + " are allowed here");
  }
  std::string data(size, '\0');
  TRY(file->ReadAt(0, std::as_writable_bytes(std::span(data))));
  return data;
}

Status FileSystem::WriteAtomically(const std::string& path, std::string_view data) {
  const std::string temporary = path + ".tmp";
  TRY(Remove(temporary));  // A leftover of an earlier crash.
  auto file = TRY(Open(temporary, OpenMode::kCreate));
  Status written = file->Append(std::as_bytes(std::span(data)));
  if (written.ok()) {
    written = file->Sync();
  }
  file.reset();
  if (written.ok()) {
    written = Rename(temporary, path);
  }
  if (!written.ok()) {
    static_cast<void>(Remove(temporary));  // The first error is the one that matters.
    return written;
  }
  return SyncDirectory(ParentPath(path));
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty() && path.back() != '/') {
    path += '/';
  }
  path += name;
  return path;
}

std::string ParentPath(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) {
    return ".";
  }
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

}  // namespace roost
