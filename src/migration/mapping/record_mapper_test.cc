#include "migration/mapping/record_mapper.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "migration/mapping/fidelity.h"
#include "store/fake_store.h"
#include "store/half.h"
#include "store/validate.h"

namespace roost {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CollectionSchema Books() {
  CollectionSchema schema;
  schema.name = "books";
  schema.fields = {{.name = "title", .type = DataType::kText, .max_length = 200},
                   {.name = "pages", .type = DataType::kInt16},
                   {.name = "more", .type = DataType::kJson},
                   {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar}};
  schema.vectors = {{.name = "cover", .dimension = 4},
                    {.name = "half", .type = DataType::kFloat16Vector, .dimension = 3},
                    {.name = "words",
                     .type = DataType::kSparseVector,
                     .dimension = 0,
                     .metric = Metric::kInnerProduct}};
  return schema;
}

SchemaMapping Mapping() {
  SchemaMapping mapping{.schema = Books(), .source_name = {}};
  mapping.schema.fields[1] = {.name = "page_count", .type = DataType::kInt64};
  mapping.schema.fields[2] = {.name = "more", .type = DataType::kVarChar};
  mapping.schema.fields.push_back({.name = "words", .type = DataType::kVarChar});
  mapping.schema.vectors.resize(2);
  mapping.schema.vectors[1].type = DataType::kFloatVector;
  mapping.source_name = {{"page_count", "pages"}};
  return mapping;
}

/// What is wrong with the mapping after `change`; empty when nothing is.
template <typename Change>
std::string Refusal(const Change& change) {
  SchemaMapping mapping = Mapping();
  change(mapping);
  const auto mapper = RecordMapper::Make(Books(), mapping);
  return mapper.ok() ? "" : mapper.error().message;
}

Record Book() {
  Record book{.key = {.key = std::string("b1")}};
  book.fields["title"] = std::string("Emma");
  book.fields["pages"] = int64_t{474};
  book.fields["more"] = Json{R"({"year":1815})"};
  book.fields["tags"] = Array{Value(std::string("novel"))};
  book.vectors["cover"] = Vector::Floats(std::vector<float>{1, -0.0f, 3, 4});
  Vector half{.type = DataType::kFloat16Vector, .bytes = {}};
  for (const float value : {1.5f, -0.0f, 65'504.0f}) {
    PutU16(half.bytes, FloatToHalf(value));
  }
  book.vectors["half"] = half;
  Vector words{.type = DataType::kSparseVector, .bytes = {}};
  PutU32(words.bytes, 7);
  PutFloat(words.bytes, 0.25f);
  book.vectors["words"] = words;
  return book;
}

TEST(RecordMapper, EveryValueComesBackBitForBit) {
  const auto mapper = RecordMapper::Make(Books(), Mapping());
  ASSERT_TRUE(mapper.ok()) << mapper.error().message;
  const Record there = (*mapper)->ToTarget(Book());
  EXPECT_EQ(std::get<int64_t>(there.fields.at("page_count")), 474);
  EXPECT_EQ(std::get<std::string>(there.fields.at("more")), R"({"year":1815})");
  EXPECT_EQ(std::get<std::string>(there.fields.at("words")), "BwAAAAAAgD4=");
  EXPECT_THAT(there.vectors.at("half").floats(), ElementsAre(1.5f, -0.0f, 65'504.0f));
  EXPECT_FALSE(there.fields.contains("pages"));
  const auto back = (*mapper)->ToSource(there);
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(SameRecord(*back, Book()));
}

TEST(RecordMapper, NullsStayNulls) {
  const auto mapper = RecordMapper::Make(Books(), Mapping());
  const Record empty{.key = {.key = std::string("b1")}};
  EXPECT_TRUE(SameRecord((*mapper)->ToTarget(empty), empty));
  EXPECT_TRUE(SameRecord((*mapper)->ToSource(empty).value(), empty));
}

TEST(RecordMapper, EveryElementOfANarrowVectorSurvives) {
  for (const DataType type :
       {DataType::kFloat16Vector, DataType::kBFloat16Vector, DataType::kInt8Vector}) {
    CollectionSchema schema{.name = "c", .vectors = {{.name = "v", .type = type}}};
    Vector every{.type = type, .bytes = {}};
    if (type == DataType::kInt8Vector) {
      for (int i = -128; i < 128; ++i) {
        PutFixed(every.bytes, static_cast<int8_t>(i));
      }
    } else {
      for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto element = static_cast<uint16_t>(bits);
        const float value =
            type == DataType::kFloat16Vector ? HalfToFloat(element) : BFloat16ToFloat(element);
        if (std::isfinite(value)) {
          PutU16(every.bytes, element);
        }
      }
    }
    schema.vectors[0].dimension = static_cast<uint32_t>(every.dimension());
    SchemaMapping mapping{.schema = schema, .source_name = {}};
    mapping.schema.vectors[0].type = DataType::kFloatVector;
    const auto mapper = RecordMapper::Make(schema, mapping);
    ASSERT_TRUE(mapper.ok());
    Record record{.key = {.key = int64_t{1}}};
    record.vectors["v"] = every;
    const auto back = (*mapper)->ToSource((*mapper)->ToTarget(record));
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_TRUE(back->vectors.at("v") == every) << DataTypeName(type);
  }
}

TEST(RecordMapper, WhatSomebodyElseChangedIsDataLoss) {
  const auto mapper = RecordMapper::Make(Books(), Mapping());
  Record there = (*mapper)->ToTarget(Book());
  there.fields["words"] = std::string("no base64!");
  EXPECT_EQ((*mapper)->ToSource(there).code(), Code::kDataLoss);
  there = (*mapper)->ToTarget(Book());
  there.vectors["half"] = Vector::Floats(std::vector<float>{1.5f, 0.1f, 2});
  const auto back = (*mapper)->ToSource(there);
  ASSERT_EQ(back.code(), Code::kDataLoss);
  EXPECT_THAT(back.error().message, HasSubstr("\"half\""));
}

TEST(RecordMapper, AMappingThatLosesOrInventsSomethingIsRefused) {
  EXPECT_EQ(Refusal([](SchemaMapping&) {}), "");
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.fields.erase(m.schema.fields.begin()); }),
              HasSubstr("no field of the mapping holds \"title\""));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.source_name.clear(); }),
              HasSubstr("\"page_count\" of the mapping holds \"page_count\", which is no field"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) {
                m.schema.fields.push_back({.name = "again", .type = DataType::kInt64});
                m.source_name["again"] = "pages";
              }),
              HasSubstr("two fields of the mapping hold \"pages\""));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.source_name["nobody"] = "pages"; }),
              HasSubstr("names \"nobody\""));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.name = "films"; }), HasSubstr("\"films\""));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.key_type = KeyType::kInt64; }),
              HasSubstr("key's type"));
}

TEST(RecordMapper, AMappingThatChangesValuesIsRefused) {
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.fields[1].type = DataType::kInt8; }),
              HasSubstr("is INT16, which can be kept as INT16, INT32, INT64"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.fields[0].max_length = 199; }),
              HasSubstr("takes 199 bytes, \"title\" may have 200"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.fields[0].nullable = false; }),
              HasSubstr("takes no nulls"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.fields[3].max_capacity = 1; }),
              HasSubstr("at least 4096"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.fields[3].element_type = DataType::kInt64; }),
              HasSubstr("array of the same elements"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.vectors[0].dimension = 5; }),
              HasSubstr("dimension and the metric"));
  EXPECT_THAT(Refusal([](SchemaMapping& m) { m.schema.vectors[0].metric = Metric::kL2; }),
              HasSubstr("dimension and the metric"));
  EXPECT_THAT(
      Refusal([](SchemaMapping& m) { m.schema.vectors[0].type = DataType::kFloat16Vector; }),
      HasSubstr("FLOAT_VECTOR, which can be kept as VARCHAR, FLOAT_VECTOR"));
  EXPECT_THAT(
      Refusal([](SchemaMapping& m) {
        m.schema.vectors.erase(m.schema.vectors.begin());
        m.schema.fields.push_back({.name = "cover", .type = DataType::kVarChar, .max_length = 23});
      }),
      HasSubstr("max_length 24"));
}

TEST(RecordMapper, FieldsOfACollectionWithUndeclaredOnesKeepTheirNames) {
  CollectionSchema schema = Books();
  schema.dynamic = true;
  SchemaMapping mapping = Mapping();
  mapping.schema.dynamic = true;
  const auto mapper = RecordMapper::Make(schema, mapping);
  ASSERT_FALSE(mapper.ok());
  EXPECT_THAT(mapper.error().message, HasSubstr("a record may have both"));
}

TEST(RecordMapper, TheFileReadsBackAsItWas) {
  const auto back = MappingFromJson(MappingToJson(Mapping()));
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_TRUE(*back == Mapping());
  const std::pair<const char*, const char*> bad[] = {
      {"[]", "not a JSON object"},
      {"{", "not a JSON object"},
      {"{}", "needs \"schema\""},
      {R"({"schema":{"name":"x"},"form":{}})", "unknown member \"form\""},
      {R"({"schema":{"name":"x"},"from":{"a":1}})", "needs a string for \"a\""},
      {R"({"schema":{"nome":"x"}})", "nome"}};
  for (const auto& [text, what] : bad) {
    const auto mapping = MappingFromJson(text);
    ASSERT_EQ(mapping.code(), Code::kInvalidArgument) << text;
    EXPECT_THAT(mapping.error().message, HasSubstr(what));
  }
}

std::map<std::string, FidelityRow> Report(const SchemaMapping& mapping,
                                          const Capabilities& capabilities) {
  const auto mapper = RecordMapper::Make(Books(), mapping);
  EXPECT_TRUE(mapper.ok());
  std::map<std::string, FidelityRow> rows;
  for (const FidelityRow& row : ReportFidelity(**mapper, capabilities)) {
    rows[row.what] = row;
  }
  return rows;
}

TEST(Fidelity, TellsWhatIsExactShadowedApproximatedAndImpossible) {
  Capabilities weak = MakeFakeStore()->capabilities();
  weak.store = "weak";
  weak.types.erase(DataType::kSparseVector);
  weak.shadows[DataType::kJson] = "text";
  weak.null_shadow = "_nulls";
  weak.max_vectors_per_record = 2;
  auto rows = Report({.schema = Books(), .source_name = {}}, weak);
  EXPECT_EQ(rows.at("pages").fidelity, Fidelity::kExact);
  EXPECT_THAT(rows.at("pages").remark, IsEmpty());
  EXPECT_EQ(rows.at("title").fidelity, Fidelity::kApproximated);
  EXPECT_EQ(rows.at("more").fidelity, Fidelity::kShadow);
  EXPECT_EQ(rows.at("more").remark, "kept as text");
  EXPECT_EQ(rows.at("nulls").fidelity, Fidelity::kShadow);
  EXPECT_EQ(rows.at("words").fidelity, Fidelity::kImpossible);
  EXPECT_EQ(rows.at("vectors").fidelity, Fidelity::kImpossible);
  EXPECT_FALSE(ValidateSchema(Books(), weak).ok());

  const SchemaMapping suggested = SuggestMapping(Books(), weak);
  EXPECT_TRUE(ValidateSchema(suggested.schema, weak).ok());
  rows = Report(suggested, weak);
  EXPECT_EQ(rows.at("words").fidelity, Fidelity::kShadow);
  EXPECT_EQ(rows.at("words").to, "words VARCHAR");
  EXPECT_THAT(rows.at("words").remark, HasSubstr("cannot be searched"));
  EXPECT_FALSE(rows.contains("vectors"));
}

}  // namespace
}  // namespace roost
