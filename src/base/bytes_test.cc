#include "base/bytes.h"

#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"

namespace roost {
namespace {

TEST(Bytes, NumbersAreLittleEndian) {
  std::string out;
  PutU8(out, 0x01);
  PutU16(out, 0x0302);
  PutU32(out, 0x07060504);
  PutU64(out, 0x0f0e0d0c0b0a0908);
  std::string expected;
  for (char c = 1; c <= 15; ++c) {
    expected += c;
  }
  EXPECT_EQ(out, expected);
}

TEST(Bytes, WhatIsPutCanBeGot) {
  std::string out;
  PutU8(out, 200);
  PutU16(out, 60'000);
  PutU32(out, 4'000'000'000);
  PutU64(out, std::numeric_limits<uint64_t>::max());
  PutI64(out, std::numeric_limits<int64_t>::min());
  PutFloat(out, 1.5F);
  PutDouble(out, -0.1);
  PutVarint(out, 300);
  PutZigzag(out, -3);
  PutBytes(out, "hello");
  PutBytes(out, "");

  ByteReader reader(out);
  EXPECT_EQ(*reader.GetU8(), 200);
  EXPECT_EQ(*reader.GetU16(), 60'000);
  EXPECT_EQ(*reader.GetU32(), 4'000'000'000);
  EXPECT_EQ(*reader.GetU64(), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(*reader.GetI64(), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(*reader.GetFloat(), 1.5F);
  EXPECT_EQ(*reader.GetDouble(), -0.1);
  EXPECT_EQ(*reader.GetVarint(), 300U);
  EXPECT_EQ(*reader.GetZigzag(), -3);
  EXPECT_EQ(*reader.GetBytes(), "hello");
  EXPECT_EQ(*reader.GetBytes(), "");
  EXPECT_TRUE(reader.AtEnd());
}

TEST(Bytes, VarintsAreAsShortAsTheyCanBe) {
  const std::pair<uint64_t, size_t> cases[] = {{0, 1},
                                               {127, 1},
                                               {128, 2},
                                               {16'383, 2},
                                               {16'384, 3},
                                               {~uint64_t{0} >> 1, 9},
                                               {~uint64_t{0}, 10}};
  for (const auto& [number, size] : cases) {
    std::string out;
    PutVarint(out, number);
    EXPECT_EQ(out.size(), size) << number;
    EXPECT_EQ(*ByteReader(out).GetVarint(), number);
  }
}

TEST(Bytes, ZigzagKeepsTheExtremes) {
  for (const int64_t number : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0},
                               int64_t{1}, std::numeric_limits<int64_t>::max()}) {
    std::string out;
    PutZigzag(out, number);
    EXPECT_EQ(*ByteReader(out).GetZigzag(), number);
  }
  std::string small;
  PutZigzag(small, -64);
  EXPECT_EQ(small.size(), 1U);
}

TEST(ByteReader, ShortDataIsDataLossAndMovesNothing) {
  std::string out;
  PutBytes(out, "hello");
  for (size_t size = 0; size < out.size(); ++size) {
    ByteReader reader(std::string_view(out).substr(0, size));
    const auto bytes = reader.GetBytes();
    ASSERT_EQ(bytes.code(), Code::kDataLoss) << size;
    EXPECT_EQ(reader.position(), 0U);
  }
  ByteReader reader(std::string_view("\x01\x02\x03"));
  ASSERT_TRUE(reader.GetU8().ok());
  EXPECT_EQ(reader.GetU32().code(), Code::kDataLoss);
  EXPECT_NE(reader.GetU64().error().message.find("byte 1"), std::string::npos);
  EXPECT_EQ(reader.remaining(), 2U);
  EXPECT_EQ(*reader.GetU16(), 0x0302);
}

TEST(ByteReader, RefusesLengthsBeyondTheData) {
  std::string out;
  PutVarint(out, std::numeric_limits<uint64_t>::max());
  out += "x";
  ByteReader reader(out);
  EXPECT_EQ(reader.GetBytes().code(), Code::kDataLoss);
  EXPECT_EQ(reader.GetRaw(std::numeric_limits<uint64_t>::max()).code(), Code::kDataLoss);
}

TEST(ByteReader, RefusesVarintsBeyond64Bits) {
  EXPECT_EQ(ByteReader(std::string(9, '\xff') + "\x02").GetVarint().code(), Code::kDataLoss);
  EXPECT_EQ(ByteReader(std::string(11, '\x80')).GetVarint().code(), Code::kDataLoss);
  const std::string endless(10, '\xff');
  EXPECT_EQ(ByteReader(endless).GetVarint().code(), Code::kDataLoss);
}

TEST(ByteReader, RandomVarintsRoundTrip) {
  SeededRandom random(9);
  std::string out;
  std::vector<uint64_t> numbers;
  for (int i = 0; i < 2'000; ++i) {
    numbers.push_back(random.Next() >> random.Below(64));
    PutVarint(out, numbers.back());
  }
  ByteReader reader(std::as_bytes(std::span(out)));
  for (const uint64_t number : numbers) {
    ASSERT_EQ(*reader.GetVarint(), number);
  }
  EXPECT_TRUE(reader.AtEnd());
}

}  // namespace
}  // namespace roost
