// What is stored of keys and records.
#include <algorithm>

#include <gtest/gtest.h>

#include "migration/key_codec.h"
#include "migration/record_codec.h"

namespace roost {
namespace {

TEST(KeyCodec, KeepsTheOrderOfKeysAndReadsThemBack) {
  std::vector<RecordKey> keys;
  for (const std::string& tenant :
       {std::string(), std::string("a"), std::string("a\0", 2), std::string("a\0b", 3),
        std::string("a\1"), std::string("ab"), std::string("\xff")}) {
    for (const int64_t number : {INT64_MIN, int64_t{-1}, int64_t{0}, int64_t{1}, INT64_MAX}) {
      keys.push_back({.tenant = tenant, .key = number});
    }
  }
  std::sort(keys.begin(), keys.end());
  std::string last;
  for (const RecordKey& key : keys) {
    const std::string bytes = EncodeKey(key);
    EXPECT_LT(last, bytes);
    last = bytes;
    ASSERT_TRUE(DecodeKey(bytes).ok());
    EXPECT_EQ(*DecodeKey(bytes), key);
  }
  const RecordKey text{.tenant = "t", .key = std::string("\0x", 2)};
  EXPECT_EQ(*DecodeKey(EncodeKey(text)), text);
}

TEST(KeyCodec, DamagedBytesAreAnError) {
  const std::string bytes = EncodeKey({.tenant = "t", .key = int64_t{7}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeKey(bytes.substr(0, size)).code(), Code::kDataLoss);
  }
}

Record Rich() {
  Record record;
  record.key = {.tenant = "t", .key = std::string("k")};
  record.fields["flag"] = true;
  record.fields["number"] = int64_t{-5};
  record.fields["real"] = -0.0;
  record.fields["json"] = Json{R"({"a":1})"};
  record.fields["list"] = Array{Value(std::string("x")), Value(std::string())};
  record.vectors["v"] = Vector::Floats(std::vector<float>{1, -0.0F, 3e-40F});
  record.dynamic = R"({"z":1})";
  return record;
}

TEST(RecordCodec, ReadsBackWhatWasWrittenBitForBit) {
  const auto read = DecodeRecord(EncodeRecord(Rich()));
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(SameRecord(*read, Rich()));
  EXPECT_FALSE(DecodePayload(EncodePayload(nullptr))->has_value());
}

TEST(RecordCodec, EqualRecordsHaveEqualDigestsAndOthersDoNot) {
  Record with_null = Rich();
  with_null.fields["nothing"] = Value();
  EXPECT_EQ(DigestOf(with_null), DigestOf(Rich()));
  Record zero = Rich();
  zero.fields["real"] = 0.0;
  EXPECT_NE(DigestOf(zero), DigestOf(Rich()));
  Record bit = Rich();
  bit.vectors["v"].bytes[0] ^= 1;
  EXPECT_NE(DigestOf(bit), DigestOf(Rich()));
}

TEST(RecordCodec, DamagedBytesAreAnErrorAndNoCrash) {
  const std::string bytes = EncodeRecord(Rich());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeRecord(bytes.substr(0, size)).ok());
  }
}

TEST(DigestSum, CountsDoublesAndForgetsTheOrder) {
  DigestSum forth;
  DigestSum back;
  DigestSum twice;
  const Digest128 one = Hash128("one");
  const Digest128 two = Hash128("two");
  forth.Add(one);
  forth.Add(two);
  back.Add(two);
  back.Add(one);
  twice.Add(one);
  twice.Add(one);
  EXPECT_EQ(forth.Bytes(), back.Bytes());
  EXPECT_NE(twice.Bytes(), DigestSum().Bytes());
}

}  // namespace
}  // namespace roost
