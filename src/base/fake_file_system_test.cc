#include "base/fake_file_system.h"

#include <map>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/hash.h"

namespace roost {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

constexpr int kSeeds = 300;  // Enough that each outcome below with probability 1/10 is met.

class FakeFileSystemTest : public testing::Test {
 protected:
  void Fresh() {
    files_ = FakeFileSystem::Make();
    ASSERT_TRUE(files_->CreateDirectories("data").ok());
  }
  void SetUp() override { Fresh(); }

  /// A durable file.
  void Put(const std::string& path, std::string_view content) {
    ASSERT_TRUE(files_->WriteAtomically(path, content).ok());
  }
  void Crash(uint64_t seed) {
    SeededRandom random(seed);
    files_->Crash(random);
  }
  /// "absent" or the content.
  std::string Look(const std::string& path) {
    const auto content = files_->ReadAll(path);
    return content.ok() ? *content : "absent";
  }

  std::unique_ptr<FakeFileSystem> files_;
};

TEST_F(FakeFileSystemTest, SyncedBytesAndNamesSurviveEveryCrash) {
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    auto file = *files_->Open("data/f", OpenMode::kCreate);
    ASSERT_TRUE(file->Append(Bytes(std::string(2000, 'a'))).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(files_->SyncDirectory("data").ok());
    ASSERT_TRUE(file->Append(Bytes(std::string(3000, 'b'))).ok());
    Crash(seed);
    const std::string content = Look("data/f");
    ASSERT_GE(content.size(), 2000U);
    ASSERT_EQ(content.substr(0, 2000), std::string(2000, 'a'));
  }
}

TEST_F(FakeFileSystemTest, UnsyncedAppendsAreLostKeptOrTorn) {
  std::set<std::string> kinds;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/f", "start");
    auto file = *files_->Open("data/f", OpenMode::kReadWrite);
    ASSERT_TRUE(file->Append(Bytes(std::string(5000, 'b'))).ok());
    Crash(seed);
    const std::string content = Look("data/f");
    ASSERT_EQ(content.substr(0, 5), "start");
    ASSERT_EQ(content.find_first_not_of(std::string_view("b\0", 2), 5), std::string::npos);
    if (content.size() == 5) {
      kinds.insert("lost");
    } else if (content == "start" + std::string(5000, 'b')) {
      kinds.insert("kept");
    } else {
      kinds.insert(content.find('\0') == std::string::npos ? "cut" : "holes");
      if (content.size() % 512 != 0) {
        kinds.insert("torn inside a sector");
      }
    }
  }
  EXPECT_THAT(kinds, ElementsAre("cut", "holes", "kept", "lost", "torn inside a sector"));
}

TEST_F(FakeFileSystemTest, OverwrittenSectorsAreEachOldOrNew) {
  bool mixed = false;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/f", std::string(4096, 'o'));
    auto file = *files_->Open("data/f", OpenMode::kReadWrite);
    ASSERT_TRUE(file->WriteAt(0, Bytes(std::string(4096, 'n'))).ok());
    Crash(seed);
    const std::string content = Look("data/f");
    ASSERT_EQ(content.size(), 4096U);
    std::set<char> seen;
    for (size_t at = 0; at < content.size(); at += 512) {
      const std::string sector = content.substr(at, 512);
      ASSERT_TRUE(sector == std::string(512, 'o') || sector == std::string(512, 'n'));
      seen.insert(sector[0]);
    }
    mixed |= seen.size() == 2;
  }
  EXPECT_TRUE(mixed);
}

TEST_F(FakeFileSystemTest, TruncationIsLostOrKeptAndNeverRevivesOldBytesOnceSynced) {
  std::set<size_t> sizes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/f", std::string(3000, 'o'));
    auto file = *files_->Open("data/f", OpenMode::kReadWrite);
    ASSERT_TRUE(file->Truncate(100).ok());
    if (seed % 2 == 0) {
      Crash(seed);
      sizes.insert(Look("data/f").size());
      continue;
    }
    ASSERT_TRUE(file->Truncate(2000).ok());
    ASSERT_TRUE(file->Sync().ok());
    Crash(seed);
    ASSERT_EQ(Look("data/f"), std::string(100, 'o') + std::string(1900, '\0'));
  }
  EXPECT_THAT(sizes, ElementsAre(100, 3000));
}

TEST_F(FakeFileSystemTest, NewNamesNeedTheFoldersSync) {
  std::set<std::string> outcomes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    auto file = *files_->Open("data/f", OpenMode::kCreate);
    ASSERT_TRUE(file->Append(Bytes("x")).ok());
    ASSERT_TRUE(file->Sync().ok());
    Crash(seed);
    outcomes.insert(Look("data/f"));
  }
  EXPECT_THAT(outcomes, ElementsAre("absent", "x"));
}

TEST_F(FakeFileSystemTest, RemovedFilesMayComeBackUntilTheFoldersSync) {
  std::set<std::string> outcomes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/f", "x");
    ASSERT_TRUE(files_->Remove("data/f").ok());
    if (seed % 2 == 0) {
      Crash(seed);
      outcomes.insert(Look("data/f"));
    } else {
      ASSERT_TRUE(files_->SyncDirectory("data").ok());
      Crash(seed);
      ASSERT_EQ(Look("data/f"), "absent");
    }
  }
  EXPECT_THAT(outcomes, ElementsAre("absent", "x"));
}

TEST_F(FakeFileSystemTest, RenameIsAllOrNothing) {
  std::set<std::string> outcomes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/a", "new");
    Put("data/b", "old");
    ASSERT_TRUE(files_->Rename("data/a", "data/b").ok());
    Crash(seed);
    outcomes.insert(Look("data/a") + "," + Look("data/b"));
  }
  EXPECT_THAT(outcomes, ElementsAre("absent,new", "new,old"));
}

TEST_F(FakeFileSystemTest, RenameAcrossFoldersIsDurableAfterEitherSync) {
  for (const char* synced : {"data", "data/sub"}) {
    for (int seed = 0; seed < 50; ++seed) {
      Fresh();
      ASSERT_TRUE(files_->CreateDirectories("data/sub").ok());
      auto file = *files_->Open("data/sub/old", OpenMode::kCreate);  // Not durable itself.
      Put("data/a", "content");
      ASSERT_TRUE(files_->Rename("data/a", "data/sub/old").ok());
      ASSERT_TRUE(files_->SyncDirectory(synced).ok());
      Crash(seed);
      ASSERT_EQ(Look("data/a"), "absent");
      ASSERT_EQ(Look("data/sub/old"), "content");
    }
  }
}

TEST_F(FakeFileSystemTest, RenameWithoutSyncOfTheContentCanLeaveAnEmptyFile) {
  std::set<std::string> outcomes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/b", "old");
    auto file = *files_->Open("data/a", OpenMode::kCreate);
    ASSERT_TRUE(file->Append(Bytes("n")).ok());
    ASSERT_TRUE(files_->Rename("data/a", "data/b").ok());
    Crash(seed);
    outcomes.insert(Look("data/b"));
  }
  EXPECT_TRUE(outcomes.contains(""));
  EXPECT_TRUE(outcomes.contains("old"));
  EXPECT_TRUE(outcomes.contains("n"));
}

TEST_F(FakeFileSystemTest, FileIsNeverUnderTwoNames) {
  std::set<std::string> outcomes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    Fresh();
    Put("data/a", "x");
    ASSERT_TRUE(files_->Rename("data/a", "data/b").ok());
    ASSERT_TRUE(files_->Rename("data/b", "data/c").ok());
    Crash(seed);
    const std::vector<std::string> names = *files_->List("data");
    ASSERT_EQ(names.size(), 1U);
    outcomes.insert(names[0]);
  }
  EXPECT_THAT(outcomes, ElementsAre("a", "b", "c"));
}

TEST_F(FakeFileSystemTest, FoldersAreDurableWhenMade) {
  for (int seed = 0; seed < 50; ++seed) {
    Fresh();
    ASSERT_TRUE(files_->CreateDirectories("data/x/y").ok());
    Crash(seed);
    ASSERT_TRUE(*files_->Exists("data/x/y"));
  }
}

TEST_F(FakeFileSystemTest, WriteAtomicallyIsOldOrNewAtEveryPowerCut) {
  Put("data/f", "old");
  const uint64_t before = files_->operations();
  Put("data/f", "new");
  const uint64_t steps = files_->operations() - before;
  ASSERT_GE(steps, 4U);
  std::set<std::string> outcomes;
  for (uint64_t step = 0; step <= steps; ++step) {
    for (int seed = 0; seed < 40; ++seed) {
      Fresh();
      Put("data/f", "old");
      files_->SetFaults({.power_off_after = static_cast<int64_t>(step)});
      const Status status = files_->WriteAtomically("data/f", "new");
      ASSERT_EQ(status.ok(), step == steps);
      Crash(seed);
      const std::string content = Look("data/f");
      outcomes.insert(content);
      if (status.ok()) {
        ASSERT_EQ(content, "new");
      }
    }
  }
  EXPECT_THAT(outcomes, ElementsAre("new", "old"));
}

TEST_F(FakeFileSystemTest, FailedSyncLosesItsBytesEvenWhenTheNextSucceeds) {
  for (int seed = 0; seed < 50; ++seed) {
    Fresh();
    Put("data/f", "");
    auto file = *files_->Open("data/f", OpenMode::kReadWrite);
    ASSERT_TRUE(file->Append(Bytes(std::string(512, 'a'))).ok());
    files_->SetFaults({.fail_sync_after = 0});
    const Status failed = file->Sync();
    ASSERT_EQ(failed.code(), Code::kUnavailable);
    EXPECT_THAT(failed.error().message, HasSubstr("data/f"));
    ASSERT_EQ(Look("data/f"), std::string(512, 'a'));  // Still in the cache.
    ASSERT_TRUE(file->Append(Bytes(std::string(512, 'b'))).ok());
    ASSERT_TRUE(file->Sync().ok());
    Crash(seed);
    ASSERT_EQ(Look("data/f"), std::string(512, '\0') + std::string(512, 'b'));
  }
}

TEST_F(FakeFileSystemTest, OpenFilesAndLocksDieInTheCrash) {
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  auto lock = *files_->Lock("data/LOCK");
  Crash(1);
  std::byte byte{};
  EXPECT_EQ(file->Append(Bytes("x")).code(), Code::kUnavailable);
  EXPECT_EQ(file->WriteAt(0, Bytes("x")).code(), Code::kUnavailable);
  EXPECT_EQ(file->ReadAt(0, std::span(&byte, 1)).code(), Code::kUnavailable);
  EXPECT_EQ(file->Truncate(0).code(), Code::kUnavailable);
  EXPECT_EQ(file->Sync().code(), Code::kUnavailable);
  EXPECT_EQ(file->Size().code(), Code::kUnavailable);
  auto again = files_->Lock("data/LOCK");
  ASSERT_TRUE(again.ok());
  lock.reset();  // The old process's lock must not free the new one's.
  EXPECT_EQ(files_->Lock("data/LOCK").code(), Code::kFailedPrecondition);
}

TEST_F(FakeFileSystemTest, FilesOutliveTheirFileSystem) {
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  auto lock = *files_->Lock("data/LOCK");
  files_.reset();
  EXPECT_TRUE(file->Append(Bytes("x")).ok());
}

TEST_F(FakeFileSystemTest, TheNthWriteFailsOnce) {
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  files_->SetFaults({.fail_write_after = 2});
  EXPECT_TRUE(file->Append(Bytes("a")).ok());
  EXPECT_TRUE(file->WriteAt(1, Bytes("b")).ok());
  const Status failed = file->Append(Bytes("c"));
  EXPECT_EQ(failed.code(), Code::kUnavailable);
  EXPECT_EQ(failed.error().message, "cannot write data/f: Input/output error");
  EXPECT_TRUE(file->Append(Bytes("d")).ok());
  EXPECT_EQ(Look("data/f"), "abd");
}

TEST_F(FakeFileSystemTest, ShortWritesLeaveAProperPrefix) {
  std::set<size_t> kept;
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(file->Truncate(0).ok());
    files_->SetFaults({.fail_write_after = 0, .short_writes = true});
    ASSERT_FALSE(file->Append(Bytes("0123456789")).ok());
    const std::string content = Look("data/f");
    ASSERT_EQ(content, std::string("0123456789").substr(0, content.size()));
    kept.insert(content.size());
  }
  EXPECT_EQ(*kept.begin(), 0U);
  EXPECT_EQ(*kept.rbegin(), 9U);
}

TEST_F(FakeFileSystemTest, TheNthReadFails) {
  Put("data/f", "abc");
  auto file = *files_->Open("data/f", OpenMode::kRead);
  std::byte byte{};
  files_->SetFaults({.fail_read_after = 1});
  EXPECT_TRUE(file->ReadAt(0, std::span(&byte, 1)).ok());
  EXPECT_EQ(file->ReadAt(0, std::span(&byte, 1)).code(), Code::kUnavailable);
  EXPECT_TRUE(file->ReadAt(0, std::span(&byte, 1)).ok());
  files_->SetFaults({.fail_read_after = 0});
  EXPECT_EQ(files_->Map("data/f").code(), Code::kUnavailable);
  EXPECT_TRUE(files_->Map("data/f").ok());
}

TEST_F(FakeFileSystemTest, FullDiskRefusesGrowthAndRecoversWhenRoomIsMade) {
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  files_->SetFaults({.free_bytes = 10});
  EXPECT_TRUE(file->Append(Bytes("12345678")).ok());
  EXPECT_EQ(*files_->FreeBytes("data"), 2U);
  const Status full = file->Append(Bytes("abc"));
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_THAT(full.error().message, HasSubstr("No space left on device"));
  EXPECT_EQ(*file->Size(), 8U);
  EXPECT_TRUE(file->WriteAt(0, Bytes("xx")).ok());  // Takes no room.
  EXPECT_TRUE(file->Truncate(4).ok());
  EXPECT_TRUE(file->Append(Bytes("abc")).ok());
  EXPECT_EQ(*files_->FreeBytes("data"), 3U);
  EXPECT_TRUE(files_->Remove("data/f").ok());
  EXPECT_EQ(*files_->FreeBytes("data"), 10U);
}

TEST_F(FakeFileSystemTest, FullDiskWithShortWritesFillsNoMoreThanThereIs) {
  for (int i = 0; i < 50; ++i) {
    Fresh();
    auto file = *files_->Open("data/f", OpenMode::kCreate);
    files_->SetFaults({.free_bytes = 5, .short_writes = true});
    ASSERT_EQ(file->Append(Bytes("0123456789")).code(), Code::kResourceExhausted);
    ASSERT_LE(Look("data/f").size(), 5U);
    ASSERT_EQ(*files_->FreeBytes("data"), 5 - Look("data/f").size());
  }
}

TEST_F(FakeFileSystemTest, WildOffsetsAreRefused) {
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  EXPECT_EQ(file->WriteAt(~uint64_t{0}, Bytes("x")).code(), Code::kResourceExhausted);
  EXPECT_EQ(file->Truncate(~uint64_t{0}).code(), Code::kResourceExhausted);
  std::byte byte{};
  EXPECT_EQ(file->ReadAt(~uint64_t{0}, std::span(&byte, 1)).code(), Code::kOutOfRange);
}

TEST_F(FakeFileSystemTest, FlippedBitIsSeenAndStays) {
  Put("data/f", "aaaa");
  ASSERT_TRUE(files_->FlipBit("data/f", 8 * 2 + 1).ok());
  EXPECT_EQ(Look("data/f"), "aaca");
  Crash(3);
  EXPECT_EQ(Look("data/f"), "aaca");
  EXPECT_EQ(files_->FlipBit("data/f", 32).code(), Code::kOutOfRange);
  EXPECT_EQ(files_->FlipBit("data/no", 0).code(), Code::kNotFound);
}

TEST_F(FakeFileSystemTest, CountsChangingOperations) {
  const uint64_t before = files_->operations();
  auto file = *files_->Open("data/f", OpenMode::kCreate);
  ASSERT_TRUE(file->Append(Bytes("x")).ok());
  ASSERT_TRUE(file->WriteAt(0, Bytes("x")).ok());
  ASSERT_TRUE(file->Truncate(0).ok());
  ASSERT_TRUE(file->Sync().ok());
  ASSERT_TRUE(files_->SyncDirectory("data").ok());
  ASSERT_TRUE(files_->Rename("data/f", "data/g").ok());
  ASSERT_TRUE(files_->Remove("data/g").ok());
  EXPECT_EQ(files_->operations() - before, 7U);
}

TEST_F(FakeFileSystemTest, OneSeedGivesOneOutcome) {
  const auto run = [&](uint64_t seed) {
    Fresh();
    for (int f = 0; f < 5; ++f) {
      auto file = *files_->Open("data/f" + std::to_string(f), OpenMode::kCreate);
      EXPECT_TRUE(file->Append(Bytes(std::string(3000, 'x'))).ok());
    }
    Crash(seed);
    std::string all;
    const std::vector<std::string> names = *files_->List("data");
    for (const std::string& name : names) {
      all += name + "=" + Look("data/" + name) + ";";
    }
    return all;
  };
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::string first = run(seed);
    EXPECT_EQ(run(seed), first);
    outcomes.insert(first);
  }
  EXPECT_GT(outcomes.size(), 5U);
}

TEST_F(FakeFileSystemTest, ManyThreadsMayUseItAtOnce) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string path = "data/" + std::to_string(t);
      for (int i = 0; i < 100; ++i) {
        auto file = files_->Open(path, OpenMode::kReadWrite);
        if (file.ok()) {
          static_cast<void>((*file)->Append(Bytes("x")));
          static_cast<void>((*file)->Sync());
        }
        static_cast<void>(files_->List("data"));
      }
    });
  }
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Crash(seed);
  }
  threads.clear();
  EXPECT_LE(files_->List("data")->size(), 4U);
}

/// A log of checked records as an engine would write it: what its Sync() acknowledged must be
/// there after any crash, and what is there must be a prefix of what was written.
TEST_F(FakeFileSystemTest, NothingChangesBetweenPowerOffAndTheNextStart) {
  ASSERT_TRUE(files_->WriteAtomically("data/f", "old").ok());
  auto file = *files_->Open("data/f", OpenMode::kReadWrite);
  files_->PowerOff();
  EXPECT_EQ(file->Append(Bytes("x")).code(), Code::kUnavailable);
  EXPECT_EQ(file->Truncate(0).code(), Code::kUnavailable);
  EXPECT_FALSE(files_->WriteAtomically("data/f", "new").ok());
  EXPECT_FALSE(files_->WriteAtomically("data/g", "new").ok());
  EXPECT_FALSE(files_->Remove("data/f").ok());
  Crash(1);
  EXPECT_EQ(Look("data/f"), "old");
  EXPECT_EQ(files_->List("data")->size(), 1u);
}

TEST_F(FakeFileSystemTest, CheckedLogKeepsItsPromiseAtEveryPowerCut) {
  const auto record = [](uint32_t number) {
    std::string body;
    PutU32(body, number);
    body.append(number % 700, static_cast<char>('a' + number % 26));
    std::string out;
    PutU32(out, Crc32c(body, 1));  // Zeros must not look like an empty record.
    PutU32(out, static_cast<uint32_t>(body.size()));
    return out + body;
  };
  const auto recover = [&](std::string_view data) {
    ByteReader reader(data);
    uint32_t count = 0;
    while (reader.remaining() >= 8) {
      const uint32_t crc = *reader.GetU32();
      const auto body = reader.GetRaw(*reader.GetU32());
      if (!body.ok() || Crc32c(*body, 1) != crc || LoadU32(body->data()) != count) {
        break;
      }
      ++count;
    }
    return count;
  };
  for (int64_t step = 0; step < 40; ++step) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Fresh();
      Put("data/log", "");
      files_->SetFaults({.power_off_after = step});
      auto file = *files_->Open("data/log", OpenMode::kReadWrite);
      uint32_t written = 0;
      uint32_t acknowledged = 0;
      while (true) {
        const bool appended = file->Append(Bytes(record(written))).ok();
        ++written;
        if (!appended) {
          break;
        }
        if (written % 3 == 0) {
          if (!file->Sync().ok()) {
            break;
          }
          acknowledged = written;
        }
      }
      Crash(seed);
      const uint32_t found = recover(Look("data/log"));
      ASSERT_GE(found, acknowledged) << "step " << step << " seed " << seed;
      ASSERT_LE(found, written);
    }
  }
}

}  // namespace
}  // namespace roost
