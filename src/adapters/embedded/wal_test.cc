#include "adapters/embedded/wal.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapters/embedded/wal_format.h"
#include "base/fake_file_system.h"

namespace roost::embedded {
namespace {

constexpr uint64_t kStoreId = 77;

class WalTest : public testing::Test {
 protected:
  WalTest() { EXPECT_TRUE(files_->CreateDirectories("db").ok()); }

  Wal::Options Options(uint64_t file_bytes = 1 << 20) const {
    return {.folder = "db", .store_id = kStoreId, .file_bytes = file_bytes};
  }
  std::unique_ptr<Wal> Start(uint64_t number = 1, uint64_t lsn = 1, uint64_t file_bytes = 1 << 20) {
    auto wal = Wal::Start(*files_, Options(file_bytes), number, lsn, {});
    EXPECT_TRUE(wal.ok());
    return std::move(wal).value();
  }
  static Result<uint64_t> Append(Wal& wal, const std::string& payload) {
    std::string record(kWalRecordHeader, '\0');
    record += payload;
    return wal.Append(record);
  }
  /// The payloads that are read back.
  Result<std::vector<std::string>> Replay(WalReplay* replay = nullptr, uint64_t first_number = 1,
                                          uint64_t after = 0) {
    std::vector<std::string> payloads;
    auto result =
        ReplayWal(*files_, Options(), first_number, after, [&](uint64_t, std::string_view payload) {
          payloads.emplace_back(payload);
          return Status();
        });
    if (!result.ok()) {
      return result.error();
    }
    if (replay != nullptr) {
      *replay = result.value();
    }
    return payloads;
  }
  std::string Content(uint64_t number = 1) {
    return files_->ReadAll("db/" + WalFileName(number)).value();
  }
  void SetContent(const std::string& content, uint64_t number = 1) {
    ASSERT_TRUE(files_->WriteAtomically("db/" + WalFileName(number), content).ok());
  }
  static std::string Payload(int i) {
    return std::string(10 + i * 7 % 40, static_cast<char>('a' + i));
  }

  std::unique_ptr<FakeFileSystem> files_ = FakeFileSystem::Make();
};

TEST_F(WalTest, GivesBackWhatWasAppended) {
  auto wal = Start();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Append(*wal, Payload(i)).value(), static_cast<uint64_t>(i + 1));
  }
  ASSERT_TRUE(wal->Sync().ok());
  WalReplay replay;
  const auto payloads = Replay(&replay);
  ASSERT_TRUE(payloads.ok());
  ASSERT_EQ(payloads->size(), 20u);
  EXPECT_EQ(payloads->at(7), Payload(7));
  EXPECT_EQ(replay.next_lsn, 21u);
  EXPECT_EQ(replay.bytes_dropped, 0u);
  EXPECT_EQ(Replay(nullptr, 1, 15).value().size(), 5u);
}

TEST_F(WalTest, RotatesAndReadsAllFiles) {
  auto wal = Start(1, 1, 200);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Append(*wal, Payload(i)).ok());
  }
  const auto files = wal->files();
  ASSERT_GT(files.size(), 3u);
  EXPECT_EQ(Replay().value().size(), 20u);
  wal->RemoveBefore(files[2].number);
  EXPECT_EQ(Replay(nullptr, files[2].number, files[2].first_lsn - 1).value().size(),
            21 - files[2].first_lsn);
}

TEST_F(WalTest, MissingFileIsDataLoss) {
  auto wal = Start(1, 1, 200);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(Append(*wal, Payload(i)).ok());
  }
  ASSERT_TRUE(files_->Remove("db/" + WalFileName(2)).ok());
  EXPECT_EQ(Replay().code(), Code::kDataLoss);
  ASSERT_TRUE(files_->Remove("db/" + WalFileName(1)).ok());
  EXPECT_NE(Replay().error().message.find(WalFileName(1)), std::string::npos);
}

TEST_F(WalTest, TruncatedAtEveryByteGivesAPrefix) {
  auto wal = Start();
  std::vector<size_t> ends = {Content().size()};
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(Append(*wal, Payload(i)).ok());
    ends.push_back(Content().size());
  }
  const std::string whole = Content();
  for (size_t size = kWalFileHeader; size <= whole.size(); ++size) {
    SetContent(whole.substr(0, size));
    WalReplay replay;
    const auto payloads = Replay(&replay);
    ASSERT_TRUE(payloads.ok()) << size << ": " << payloads.error().ToString();
    size_t complete = 0;
    while (complete < 6 && ends[complete + 1] <= size) {
      ++complete;
    }
    EXPECT_EQ(payloads->size(), complete) << size;
    EXPECT_EQ(replay.bytes_dropped, size - ends[complete]) << size;
    EXPECT_EQ(Content().size(), ends[complete]) << "the torn end must be cut off";
  }
}

TEST_F(WalTest, AFlippedBitInAnAcknowledgedRecordIsRefusedAndNamed) {
  auto wal = Start();
  std::vector<size_t> starts;
  for (int i = 0; i < 5; ++i) {
    starts.push_back(Content().size());
    ASSERT_TRUE(Append(*wal, Payload(i)).ok());
    ASSERT_TRUE(wal->Sync().ok());
    starts.push_back(Content().size() - kWalRecordHeader);  // The mark.
  }
  const std::string whole = Content();
  const size_t mark = whole.size() - kWalRecordHeader;  // Behind the last record.
  for (size_t byte = kWalFileHeader; byte < mark; ++byte) {
    std::string damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ (1 << byte % 8));
    SetContent(damaged);
    const auto replayed = Replay();
    ASSERT_EQ(replayed.code(), Code::kDataLoss) << byte;
    size_t start = 0;
    for (const size_t s : starts) {
      start = s <= byte ? s : start;
    }
    EXPECT_NE(replayed.error().message.find("db/wal-00000001.log is damaged at byte " +
                                            std::to_string(start)),
              std::string::npos)
        << replayed.error().message;
  }
}

TEST_F(WalTest, MarksAreNoRecordsAndMayBeLost) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "one").ok());
  const size_t end = Content().size();
  ASSERT_TRUE(wal->Sync().ok());
  ASSERT_TRUE(wal->Sync().ok());
  EXPECT_EQ(Content().size(), end + kWalRecordHeader) << "one mark behind one sync";
  ASSERT_TRUE(Append(*wal, "two").ok());
  const std::string whole = Content();
  EXPECT_EQ(Replay().value(), (std::vector<std::string>{"one", "two"}));
  for (size_t size = end; size <= end + kWalRecordHeader; ++size) {
    SetContent(whole.substr(0, size));
    EXPECT_EQ(Replay().value(), std::vector<std::string>{"one"}) << size;
  }
}

TEST_F(WalTest, AFullDiskLeavesNoHalfMark) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "one").ok());
  const size_t size = Content().size();
  files_->SetFaults({.free_bytes = 10, .short_writes = true});
  ASSERT_TRUE(wal->Sync().ok());
  EXPECT_EQ(Content().size(), size);
  files_->SetFaults({});
  EXPECT_EQ(Append(*wal, "two").value(), 2u);
  EXPECT_EQ(Replay().value(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(WalTest, DamageInARecordThatWasNotAcknowledgedIsDroppedAndReported) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "first").ok());
  ASSERT_TRUE(wal->Sync().ok());
  const size_t start = Content().size();
  ASSERT_TRUE(Append(*wal, "second").ok());
  std::string damaged = Content();
  damaged.back() ^= 1;
  SetContent(damaged);
  WalReplay replay;
  EXPECT_EQ(Replay(&replay).value(), std::vector<std::string>{"first"});
  EXPECT_EQ(replay.bytes_dropped, damaged.size() - start);
}

TEST_F(WalTest, ATornRecordBeforeAnIntactUnsyncedOneIsATornEnd) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "kept").ok());
  ASSERT_TRUE(wal->Sync().ok());
  const size_t start = Content().size();
  ASSERT_TRUE(Append(*wal, "torn").ok());
  ASSERT_TRUE(Append(*wal, "whole, but behind the torn one").ok());
  std::string damaged = Content();
  damaged[start + kWalRecordHeader] ^= 1;
  SetContent(damaged);
  EXPECT_EQ(Replay().value(), std::vector<std::string>{"kept"});
}

TEST_F(WalTest, AnyDamageInAFileThatIsNotTheLastIsRefused) {
  auto wal = Start(1, 1, 200);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(Append(*wal, Payload(i)).ok());
  }
  ASSERT_GT(wal->files().size(), 1u);
  const std::string whole = Content(1);
  for (size_t byte = 0; byte < whole.size(); ++byte) {
    std::string damaged = whole;
    damaged[byte] ^= 4;
    SetContent(damaged, 1);
    EXPECT_FALSE(Replay().ok()) << byte;
  }
  SetContent(whole.substr(0, whole.size() - 1), 1);
  EXPECT_EQ(Replay().code(), Code::kDataLoss);
}

TEST_F(WalTest, AFileWhoseMakingWasBrokenOffIsRemoved) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "one").ok());
  ASSERT_TRUE(wal->Sync().ok());
  SetContent("ROOST", 2);
  EXPECT_EQ(Replay().value().size(), 1u);
  EXPECT_FALSE(files_->Exists("db/" + WalFileName(2)).value());
}

TEST_F(WalTest, AFullDiskLeavesNoTraceOfTheRecord) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "one").ok());
  const size_t size = Content().size();
  files_->SetFaults({.free_bytes = 10, .short_writes = true});
  EXPECT_EQ(Append(*wal, std::string(500, 'x')).code(), Code::kResourceExhausted);
  EXPECT_EQ(Content().size(), size);
  files_->SetFaults({});
  EXPECT_EQ(Append(*wal, "two").value(), 2u);
  EXPECT_EQ(Replay().value(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(WalTest, AfterAFailedSyncNothingIsTaken) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "one").ok());
  files_->SetFaults({.fail_sync_after = 0});
  EXPECT_FALSE(wal->Sync().ok());
  files_->SetFaults({});
  EXPECT_FALSE(wal->Sync().ok());
  EXPECT_FALSE(Append(*wal, "two").ok());
}

TEST_F(WalTest, ALogOfAnotherStoreIsRefused) {
  auto wal = Start();
  ASSERT_TRUE(Append(*wal, "one").ok());
  auto other = Options();
  other.store_id = kStoreId + 1;
  const auto replay =
      ReplayWal(*files_, other, 1, 0, [](uint64_t, std::string_view) { return Status(); });
  EXPECT_EQ(replay.code(), Code::kDataLoss);
}

}  // namespace
}  // namespace roost::embedded
