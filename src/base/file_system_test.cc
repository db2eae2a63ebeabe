#include "base/file_system.h"

#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fake_file_system.h"
#include "base/random.h"

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string Text(std::span<const std::byte> bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string TemporaryFolder() {
  SystemRandom random;
  return testing::TempDir() + "roost-fs-" + random.Hex(8);
}

/// What the real and the fake disk promise alike.
class FileSystemTest : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    files_ =
        GetParam() ? std::unique_ptr<FileSystem>(FakeFileSystem::Make()) : MakePosixFileSystem();
    ASSERT_TRUE(files_->CreateDirectories(folder_).ok());
  }
  void TearDown() override { EXPECT_TRUE(files_->RemoveAll(folder_).ok()); }

  std::string Path(std::string_view name) const { return JoinPath(folder_, name); }
  void Make(std::string_view name, std::string_view content) {
    auto file = files_->Open(Path(name), OpenMode::kCreate);
    ASSERT_TRUE(file.ok()) << file.error().ToString();
    ASSERT_TRUE((*file)->Append(Bytes(content)).ok());
  }

  const std::string folder_ = TemporaryFolder();
  std::unique_ptr<FileSystem> files_;
};

TEST_P(FileSystemTest, WhatIsWrittenCanBeRead) {
  auto file = *files_->Open(Path("f"), OpenMode::kCreate);
  ASSERT_TRUE(file->Append(Bytes("hello ")).ok());
  ASSERT_TRUE(file->Append(Bytes("world")).ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(*file->Size(), 11U);
  std::string part(5, '\0');
  ASSERT_TRUE(file->ReadAt(6, std::as_writable_bytes(std::span(part))).ok());
  EXPECT_EQ(part, "world");
  EXPECT_EQ(*files_->ReadAll(Path("f")), "hello world");
}

TEST_P(FileSystemTest, WriteAtDoesNotAppend) {
  auto file = *files_->Open(Path("f"), OpenMode::kReadWrite);
  ASSERT_TRUE(file->Append(Bytes("aaaa")).ok());
  ASSERT_TRUE(file->WriteAt(1, Bytes("bb")).ok());
  ASSERT_TRUE(file->WriteAt(6, Bytes("c")).ok());
  EXPECT_EQ(*files_->ReadAll(Path("f")), std::string("abba\0\0c", 7));
  ASSERT_TRUE(file->Append(Bytes("d")).ok());
  EXPECT_EQ(*file->Size(), 8U);
}

TEST_P(FileSystemTest, TruncateCutsAndExtends) {
  auto file = *files_->Open(Path("f"), OpenMode::kCreate);
  ASSERT_TRUE(file->Append(Bytes("abcdef")).ok());
  ASSERT_TRUE(file->Truncate(2).ok());
  EXPECT_EQ(*files_->ReadAll(Path("f")), "ab");
  ASSERT_TRUE(file->Truncate(4).ok());
  EXPECT_EQ(*files_->ReadAll(Path("f")), std::string("ab\0\0", 4));
  ASSERT_TRUE(file->Append(Bytes("g")).ok());
  EXPECT_EQ(*files_->ReadAll(Path("f")), std::string("ab\0\0g", 5));
}

TEST_P(FileSystemTest, ReadBeyondTheEndIsOutOfRange) {
  auto file = *files_->Open(Path("f"), OpenMode::kCreate);
  ASSERT_TRUE(file->Append(Bytes("abc")).ok());
  std::string out(2, '\0');
  const Status status = file->ReadAt(2, std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(status.code(), Code::kOutOfRange);
  EXPECT_THAT(status.error().message, HasSubstr(Path("f")));
  EXPECT_EQ(file->ReadAt(100, std::as_writable_bytes(std::span(out))).code(), Code::kOutOfRange);
  EXPECT_TRUE(file->ReadAt(3, {}).ok());
}

TEST_P(FileSystemTest, OpenModesAreKept) {
  const auto missing = files_->Open(Path("f"), OpenMode::kRead);
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr(Path("f") + ": No such file or directory"));
  EXPECT_TRUE(files_->Open(Path("f"), OpenMode::kCreate).ok());
  EXPECT_EQ(files_->Open(Path("f"), OpenMode::kCreate).code(), Code::kAlreadyExists);
  EXPECT_TRUE(files_->Open(Path("f"), OpenMode::kReadWrite).ok());
  EXPECT_TRUE(files_->Open(Path("g"), OpenMode::kReadWrite).ok());
  EXPECT_EQ(files_->Open(Path("no/h"), OpenMode::kReadWrite).code(), Code::kNotFound);
  auto read_only = *files_->Open(Path("f"), OpenMode::kRead);
  EXPECT_EQ(read_only->Append(Bytes("x")).code(), Code::kUnavailable);
}

TEST_P(FileSystemTest, MapShowsTheWholeFileEvenAfterItsRemoval) {
  Make("f", "mapped");
  Make("empty", "");
  auto map = *files_->Map(Path("f"));
  ASSERT_TRUE(files_->Remove(Path("f")).ok());
  EXPECT_EQ(Text(map->data()), "mapped");
  EXPECT_TRUE((*files_->Map(Path("empty")))->data().empty());
  EXPECT_EQ(files_->Map(Path("f")).code(), Code::kNotFound);
}

TEST_P(FileSystemTest, RenameReplaces) {
  Make("a", "new");
  Make("b", "old");
  ASSERT_TRUE(files_->Rename(Path("a"), Path("b")).ok());
  EXPECT_EQ(*files_->ReadAll(Path("b")), "new");
  EXPECT_FALSE(*files_->Exists(Path("a")));
  EXPECT_EQ(files_->Rename(Path("a"), Path("c")).code(), Code::kNotFound);
  EXPECT_TRUE(files_->Rename(Path("b"), Path("b")).ok());
  EXPECT_EQ(*files_->ReadAll(Path("b")), "new");
}

TEST_P(FileSystemTest, FoldersCanBeRenamedButNotIntoThemselves) {
  ASSERT_TRUE(files_->CreateDirectories(Path("d/e")).ok());
  Make("d/e/f", "deep");
  ASSERT_TRUE(files_->Rename(Path("d"), Path("x")).ok());
  EXPECT_EQ(*files_->ReadAll(Path("x/e/f")), "deep");
  EXPECT_FALSE(*files_->Exists(Path("d")));
  EXPECT_EQ(files_->Rename(Path("x"), Path("x/e/y")).code(), Code::kUnavailable);
  EXPECT_EQ(*files_->ReadAll(Path("x/e/f")), "deep");
}

TEST_P(FileSystemTest, RemoveOfWhatIsAbsentSucceeds) {
  Make("f", "x");
  EXPECT_TRUE(files_->Remove(Path("f")).ok());
  EXPECT_TRUE(files_->Remove(Path("f")).ok());
  EXPECT_TRUE(files_->RemoveAll(Path("no")).ok());
  EXPECT_FALSE(*files_->Exists(Path("f")));
}

TEST_P(FileSystemTest, OnlyRemoveAllRemovesFullFolders) {
  ASSERT_TRUE(files_->CreateDirectories(Path("d/e")).ok());
  Make("d/e/f", "x");
  EXPECT_EQ(files_->Remove(Path("d")).code(), Code::kUnavailable);
  EXPECT_TRUE(*files_->Exists(Path("d/e/f")));
  EXPECT_TRUE(files_->RemoveAll(Path("d")).ok());
  EXPECT_FALSE(*files_->Exists(Path("d")));
  EXPECT_THAT(*files_->List(folder_), IsEmpty());
}

TEST_P(FileSystemTest, ListIsSorted) {
  Make("b", "");
  Make("a", "");
  ASSERT_TRUE(files_->CreateDirectories(Path("c")).ok());
  Make("c/hidden", "");
  EXPECT_THAT(*files_->List(folder_), ElementsAre("a", "b", "c"));
  EXPECT_EQ(files_->List(Path("no")).code(), Code::kNotFound);
  EXPECT_EQ(files_->List(Path("a")).code(), Code::kUnavailable);
}

TEST_P(FileSystemTest, CreateDirectoriesIsRepeatable) {
  EXPECT_TRUE(files_->CreateDirectories(Path("x/y/z")).ok());
  EXPECT_TRUE(files_->CreateDirectories(Path("x/y/z")).ok());
  EXPECT_TRUE(files_->CreateDirectories(Path("x/y/z/")).ok());
  EXPECT_TRUE(*files_->Exists(Path("x/y/z")));
  Make("f", "");
  EXPECT_EQ(files_->CreateDirectories(Path("f")).code(), Code::kUnavailable);
  EXPECT_EQ(files_->CreateDirectories(Path("f/g")).code(), Code::kUnavailable);
}

TEST_P(FileSystemTest, FoldersAreNoFiles) {
  EXPECT_EQ(files_->Open(folder_, OpenMode::kReadWrite).code(), Code::kUnavailable);
  EXPECT_EQ(files_->SyncDirectory(Path("no")).code(), Code::kNotFound);
  EXPECT_TRUE(files_->SyncDirectory(folder_).ok());
  EXPECT_FALSE(*files_->Exists(Path("no/such")));
}

TEST_P(FileSystemTest, ReadAllKeepsItsLimit) {
  Make("f", "12345");
  EXPECT_EQ(*files_->ReadAll(Path("f"), 5), "12345");
  const auto over = files_->ReadAll(Path("f"), 4);
  EXPECT_EQ(over.code(), Code::kResourceExhausted);
  EXPECT_THAT(over.error().message, HasSubstr("5 bytes"));
  EXPECT_EQ(files_->ReadAll(Path("no")).code(), Code::kNotFound);
}

TEST_P(FileSystemTest, WriteAtomicallyReplacesAndLeavesNothingElse) {
  ASSERT_TRUE(files_->WriteAtomically(Path("f"), "one").ok());
  ASSERT_TRUE(files_->WriteAtomically(Path("f"), "two").ok());
  EXPECT_EQ(*files_->ReadAll(Path("f")), "two");
  EXPECT_THAT(*files_->List(folder_), ElementsAre("f"));
  Make("g.tmp", "left by a crash");
  ASSERT_TRUE(files_->WriteAtomically(Path("g"), "new").ok());
  EXPECT_EQ(*files_->ReadAll(Path("g")), "new");
  EXPECT_EQ(files_->WriteAtomically(Path("no/f"), "x").code(), Code::kNotFound);
}

TEST_P(FileSystemTest, OneLockAtATime) {
  auto lock = files_->Lock(Path("LOCK"));
  ASSERT_TRUE(lock.ok());
  const auto second = files_->Lock(Path("LOCK"));
  ASSERT_EQ(second.code(), Code::kFailedPrecondition);
  EXPECT_EQ(second.error().message, "data folder " + folder_ + " is in use by process " +
                                        std::to_string(getpid()) +
                                        "; stop it or choose another folder");
  (*lock).reset();
  EXPECT_TRUE(files_->Lock(Path("LOCK")).ok());
}

TEST_P(FileSystemTest, FreeBytesAreSome) {
  EXPECT_GT(*files_->FreeBytes(folder_), 0U);
  EXPECT_EQ(files_->FreeBytes(Path("no")).code(), Code::kNotFound);
}

TEST_P(FileSystemTest, ReadsMayRunInParallel) {
  Make("f", std::string(4096, 'x'));
  auto file = *files_->Open(Path("f"), OpenMode::kReadWrite);
  std::vector<std::jthread> readers;
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      std::string out(4096, '\0');
      for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(file->ReadAt(0, std::as_writable_bytes(std::span(out))).ok());
        ASSERT_EQ(out.front(), 'x');
      }
    });
  }
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(file->Append(Bytes("more")).ok());
  }
  readers.clear();
  EXPECT_EQ(*file->Size(), 4496U);
}

INSTANTIATE_TEST_SUITE_P(All, FileSystemTest, testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "Fake" : "Posix");
});

/// What only a real disk has.
class PosixFileSystemTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(files_->CreateDirectories(folder_).ok()); }
  void TearDown() override { EXPECT_TRUE(files_->RemoveAll(folder_).ok()); }

  const std::string folder_ = TemporaryFolder();
  std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
};

TEST_F(PosixFileSystemTest, FilesBelongToTheirOwnerAlone) {
  ASSERT_TRUE(files_->WriteAtomically(JoinPath(folder_, "key"), "secret").ok());
  struct stat status{};
  ASSERT_EQ(stat(JoinPath(folder_, "key").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  ASSERT_EQ(stat(folder_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(PosixFileSystemTest, FullDiskIsResourceExhausted) {
  auto file = *files_->Open("/dev/full", OpenMode::kReadWrite);
  const Status status = file->WriteAt(0, Bytes("x"));
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_THAT(status.error().message, HasSubstr("/dev/full: No space left on device"));
}

TEST_F(PosixFileSystemTest, FileThatFailedToSyncStaysFailed) {
  // A pipe's end cannot be synced: the nearest thing to a broken disk that needs no privilege.
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  auto file = *files_->Open("/proc/self/fd/" + std::to_string(ends[1]), OpenMode::kReadWrite);
  EXPECT_EQ(file->Sync().code(), Code::kUnavailable);
  const Status again = file->Sync();
  EXPECT_EQ(again.code(), Code::kUnavailable);
  EXPECT_THAT(again.error().message, HasSubstr("an earlier attempt failed"));
  close(ends[0]);
  close(ends[1]);
}

TEST_F(PosixFileSystemTest, OtherProcessIsNamedAndItsEndFreesTheLock) {
  const std::string path = JoinPath(folder_, "LOCK");
  int ready[2];
  int finish[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(finish), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    close(finish[1]);
    const auto lock = MakePosixFileSystem()->Lock(path);
    char byte = lock.ok() ? 'y' : 'n';
    const bool told = write(ready[1], &byte, 1) == 1;
    while (read(finish[0], &byte, 1) > 0) {
    }
    _exit(told ? 0 : 1);  // Without destructors: the kernel frees the lock.
  }
  close(finish[0]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto refused = files_->Lock(path);
  ASSERT_EQ(refused.code(), Code::kFailedPrecondition);
  EXPECT_THAT(refused.error().message,
              HasSubstr("is in use by process " + std::to_string(child) + ";"));
  close(finish[1]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(files_->Lock(path).ok());
  close(ready[0]);
  close(ready[1]);
}

TEST(Path, JoinsAndParts) {
  EXPECT_EQ(JoinPath("a/b", "c"), "a/b/c");
  EXPECT_EQ(JoinPath("a/", "c"), "a/c");
  EXPECT_EQ(JoinPath("/", "c"), "/c");
  EXPECT_EQ(JoinPath("", "c"), "c");
  EXPECT_EQ(ParentPath("a/b/c"), "a/b");
  EXPECT_EQ(ParentPath("/c"), "/");
  EXPECT_EQ(ParentPath("c"), ".");
}

}  // namespace
}  // namespace roost
