#include "protocol/rest/record_codec.h"

#include <bit>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "protocol/rest/vector_text.h"
#include "store/half.h"

namespace roost::rest {
namespace {

using testing::HasSubstr;

CollectionSchema Books() {
  CollectionSchema schema;
  schema.name = "books";
  schema.key_type = KeyType::kInt64;
  schema.fields = {{.name = "title", .type = DataType::kText},
                   {.name = "price", .type = DataType::kDouble},
                   {.name = "sold", .type = DataType::kInt64},
                   {.name = "good", .type = DataType::kBool},
                   {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar},
                   {.name = "extra", .type = DataType::kJson},
                   {.name = "at", .type = DataType::kTimestamp}};
  schema.vectors = {{.name = "v", .dimension = 3},
                    {.name = "h", .type = DataType::kFloat16Vector, .dimension = 2},
                    {.name = "b", .type = DataType::kBinaryVector, .dimension = 16},
                    {.name = "i", .type = DataType::kInt8Vector, .dimension = 2},
                    {.name = "s", .type = DataType::kSparseVector}};
  schema.dynamic = true;
  return schema;
}

std::string Padded(std::string text) {
  text.reserve(text.size() + 64);
  return text;
}

Result<WriteRequest> Write(std::string records) {
  return DecodeWrite(Padded(R"({"records":)" + records + "}"), Books());
}

std::string Refusal(std::string records) {
  const Result<WriteRequest> write = Write(std::move(records));
  return write.ok() ? "accepted" : write.error().message;
}

TEST(RecordCodec, WhatIsWrittenOutReadsBackTheSame) {
  const auto write = Write(
      R"([{"id":-9223372036854775808,"title":"a \"b\" é","price":0.1,"sold":9007199254740993,
          "good":true,"tags":["x","y"],"extra":{"b":[1,null],"a":2},"at":"1970-01-01T00:00:01Z",
          "v":[1,-0.0,1e-45],"h":[0.5,-2],"b":"/wA=","i":[-128,127],
          "s":{"indices":[7,3],"values":[0.5,1]},"color":"red"}])");
  ASSERT_TRUE(write.ok()) << write.error().ToString();
  const Record& record = write->records.at(0);
  EXPECT_EQ(std::get<int64_t>(record.key.key), INT64_MIN);
  EXPECT_EQ(std::get<int64_t>(record.fields.at("sold")), 9007199254740993);
  EXPECT_EQ(std::get<int64_t>(record.fields.at("at")), 1'000'000);
  EXPECT_TRUE(std::signbit(record.vectors.at("v").floats()[1]));
  EXPECT_EQ(std::bit_cast<uint32_t>(record.vectors.at("v").floats()[2]), 1u);
  EXPECT_EQ(record.vectors.at("b").bytes, std::string("\xff\x00", 2));
  EXPECT_EQ(record.vectors.at("s").bytes.size(), 16u);
  EXPECT_EQ(record.vectors.at("s").bytes[0], 3);
  EXPECT_EQ(record.dynamic, R"({"color":"red"})");

  std::string text;
  AppendRecord(text, record, Books());
  const auto again = Write("[" + text + "]");
  ASSERT_TRUE(again.ok()) << again.error().ToString() << text;
  EXPECT_TRUE(SameRecord(again->records.at(0), record)) << text;
}

TEST(RecordCodec, FloatsComeBackBitForBit) {
  SeededRandom random(7);
  for (int round = 0; round < 2'000; ++round) {
    Record record{.key = {.tenant = {}, .key = int64_t{1}}};
    float values[3];
    for (float& value : values) {
      do {
        value = std::bit_cast<float>(static_cast<uint32_t>(random.Next()));
      } while (!std::isfinite(value));
    }
    record.vectors["v"] = Vector::Floats(values);
    std::string text;
    AppendRecord(text, record, Books());
    const auto back = Write("[" + text + "]");
    ASSERT_TRUE(back.ok()) << back.error().ToString();
    ASSERT_EQ(back->records.at(0).vectors.at("v"), record.vectors.at("v")) << text;
  }
}

TEST(RecordCodec, TakesVectorsAsBase64) {
  const auto write = Write(R"([{"id":1,"v":"AACAPwAAAEAAAEBA"}])");
  ASSERT_TRUE(write.ok());
  EXPECT_THAT(write->records.at(0).vectors.at("v").floats(), testing::ElementsAre(1, 2, 3));
}

TEST(RecordCodec, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(Refusal(R"([{"id":1},{"title":"x"}])"),
              HasSubstr("record 1: the key \"id\" is missing"));
  EXPECT_THAT(Refusal(R"([{"id":"1"}])"), HasSubstr("INT64"));
  EXPECT_THAT(Refusal(R"([{"id":1,"price":"dear"}])"), HasSubstr("\"price\" must be a number"));
  EXPECT_THAT(Refusal(R"([{"id":1,"sold":1.5}])"), HasSubstr("1.5"));
  EXPECT_THAT(Refusal(R"([{"id":1,"sold":9223372036854775808}])"), HasSubstr("out of range"));
  EXPECT_THAT(Refusal(R"([{"id":1,"v":[1,"x",3]}])"), HasSubstr("vector \"v\""));
  EXPECT_THAT(Refusal(R"([{"id":1,"v":[1,1e39,3]}])"), HasSubstr("1e39"));
  EXPECT_THAT(Refusal(R"([{"id":1,"i":[1,300]}])"), HasSubstr("-128 to 127"));
  EXPECT_THAT(Refusal(R"([{"id":1,"b":"@@@="}])"), HasSubstr("base64"));
  EXPECT_THAT(Refusal(R"([{"id":1,"s":{"indices":[1],"values":[]}}])"), HasSubstr("1 indices"));
  EXPECT_THAT(Refusal(R"([{"id":1,"v":[NaN,1,2]}])"), HasSubstr("v"));
  EXPECT_THAT(Refusal(R"([{"id":1,])"), HasSubstr("JSON"));
  EXPECT_THAT(Refusal(R"([{"id":1}]} trailing {)"), HasSubstr("goes on"));
  EXPECT_THAT(Refusal(R"({})"), HasSubstr("array"));
}

TEST(RecordCodec, DeepNestingIsRefusedNotFollowed) {
  const std::string deep(100'000, '[');
  const auto search = DecodeSearch(Padded(R"({"vector":)" + deep), Books());
  EXPECT_EQ(search.code(), Code::kInvalidArgument);
  const auto write = Write(R"([{"id":1,"extra":)" + deep + std::string(100'000, ']') + "}]");
  // Whether the codec or the validation refuses it: nothing may follow it down.
  if (write.ok()) {
    EXPECT_EQ(write->records.size(), 1u);
  }
}

TEST(RecordCodec, UnknownFieldsNeedADynamicCollection) {
  CollectionSchema strict = Books();
  strict.dynamic = false;
  const auto write = DecodeWrite(Padded(R"({"records":[{"id":1,"color":"red"}]})"), strict);
  ASSERT_FALSE(write.ok());
  EXPECT_THAT(write.error().message, HasSubstr("no field \"color\""));
}

TEST(SearchCodec, ReadsVectorsWhateverTheOrderOfMembers) {
  const auto search = DecodeSearch(
      Padded(R"({"vectors":[[1,2,3],[4,5,6]],"top_k":3,"filter":"price > {p}","params":{"p":2.5},
                 "field":"v","fields":["title"],"exact":true,"max_distance":0.5})"),
      Books());
  ASSERT_TRUE(search.ok()) << search.error().ToString();
  ASSERT_EQ(search->vectors.size(), 2u);
  EXPECT_THAT(search->vectors[1].floats(), testing::ElementsAre(4, 5, 6));
  EXPECT_EQ(search->top_k, 3u);
  EXPECT_TRUE(search->exact);
  ASSERT_NE(search->filter, nullptr);
  Record dear{.key = {.tenant = {}, .key = int64_t{1}}, .fields = {{"price", 3.0}}};
  EXPECT_TRUE(Matches(search->filter.get(), dear));
  dear.fields["price"] = 2.0;
  EXPECT_FALSE(Matches(search->filter.get(), dear));
}

TEST(SearchCodec, NamesUnknownMembersAndMissingFields) {
  const auto message = [](std::string body) {
    const auto search = DecodeSearch(Padded(std::move(body)), Books());
    return search.ok() ? std::string("accepted") : search.error().message;
  };
  EXPECT_THAT(message(R"({"vector":[1,2,3],"topk":3,"field":"v"})"), HasSubstr("topk"));
  EXPECT_THAT(message(R"({"vector":[1,2,3]})"), HasSubstr("name one with \"field\""));
  EXPECT_THAT(message(R"({"vector":[1,2,3],"field":"w"})"), HasSubstr("no vector field \"w\""));
  EXPECT_THAT(message(R"({"top_k":3})"), HasSubstr("either"));
  EXPECT_THAT(message(R"({"text":"x","top_k":0})"), HasSubstr("top_k"));
}

TEST(HybridCodec, LegsInheritFilterAndFields) {
  const auto hybrid = DecodeHybrid(
      Padded(R"({"searches":[{"vector":[1,2,3],"field":"v"},{"text":"dog"}],"fusion":"weighted",
                 "weights":[0.7,0.3],"top_k":4,"filter":"price > 1"})"),
      Books());
  ASSERT_TRUE(hybrid.ok()) << hybrid.error().ToString();
  ASSERT_EQ(hybrid->legs.size(), 2u);
  EXPECT_NE(hybrid->legs[0].filter, nullptr);
  EXPECT_NE(hybrid->legs[1].filter, nullptr);
  EXPECT_THAT(hybrid->weights, testing::ElementsAre(0.7, 0.3));
}

TEST(DeleteCodec, WantsKeysOrAFilterNotBothNotNone) {
  const auto code = [](std::string body) {
    return DecodeDelete(Padded(std::move(body)), Books()).code();
  };
  EXPECT_EQ(code(R"({"ids":[1,2]})"), Code::kOk);
  EXPECT_EQ(code(R"({"filter":"price > 1"})"), Code::kOk);
  EXPECT_EQ(code(R"({"filter":""})"), Code::kInvalidArgument);
  EXPECT_EQ(code(R"({})"), Code::kInvalidArgument);
  EXPECT_EQ(code(R"({"ids":[1],"filter":"price > 1"})"), Code::kInvalidArgument);
}

TEST(LinesCodec, NumbersItsErrors) {
  const auto lines = DecodeLines("{\"id\":1}\n\n{\"id\":2,\"price\":3}\n", Books(), 1);
  ASSERT_TRUE(lines.ok());
  EXPECT_EQ(lines->size(), 2u);
  const auto broken = DecodeLines("{\"id\":1}\n{\"id\":}\n", Books(), 11);
  ASSERT_FALSE(broken.ok());
  EXPECT_THAT(broken.error().message, HasSubstr("line 12"));
}

TEST(Half, RoundsToNearestEvenAndComesBack) {
  EXPECT_EQ(FloatToHalf(1.0f), 0x3c00);
  EXPECT_EQ(FloatToHalf(65'504.0f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65'520.0f), 0x7c00);
  EXPECT_EQ(FloatToHalf(-0.0f), 0x8000);
  EXPECT_EQ(FloatToHalf(0x1.0p-24f), 0x0001);
  EXPECT_EQ(FloatToHalf(0x1.0p-25f), 0x0000);
  EXPECT_EQ(FloatToHalf(0x1.002p0f), 0x3c00);  // a tie goes to the even neighbour
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    ASSERT_EQ(FloatToHalf(HalfToFloat(static_cast<uint16_t>(bits))), bits);
  }
  EXPECT_EQ(FloatToBFloat16(1.0f), 0x3f80);
  EXPECT_EQ(BFloat16ToFloat(0x3f80), 1.0f);
}

}  // namespace
}  // namespace roost::rest
