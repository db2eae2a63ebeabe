#include "store/types.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

namespace roost {
namespace {

TEST(Types, NamesReadBack) {
  for (int i = 0; i <= static_cast<int>(DataType::kSparseVector); ++i) {
    const auto type = static_cast<DataType>(i);
    const auto read = ParseDataType(DataTypeName(type));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, type);
    EXPECT_EQ(IsVector(type), DataTypeName(type).ends_with("_VECTOR"));
  }
  for (int i = 0; i <= static_cast<int>(Metric::kBm25); ++i) {
    const auto metric = static_cast<Metric>(i);
    const auto read = ParseMetric(MetricName(metric));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, metric);
  }
  EXPECT_EQ(*ParseDataType("float_vector"), DataType::kFloatVector);
  EXPECT_EQ(ParseDataType("INTEGER").error().message.substr(0, 38),
            "unknown data type \"INTEGER\"; one of BO");
  EXPECT_EQ(ParseMetric("").code(), Code::kInvalidArgument);
}

TEST(Types, ScoreIsHigherForBetter) {
  EXPECT_EQ(ScoreOf(Metric::kCosine, 0.25), 0.75);
  EXPECT_EQ(ScoreOf(Metric::kJaccard, 0.25), 0.75);
  EXPECT_EQ(ScoreOf(Metric::kL2, 2), -2);
  EXPECT_EQ(ScoreOf(Metric::kInnerProduct, -13), 13);
  EXPECT_EQ(ScoreOf(Metric::kBm25, -1.5), 1.5);
}

TEST(Types, SameValueComparesAlternativesAndBits) {
  EXPECT_TRUE(SameValue(Value(1.5), Value(1.5)));
  EXPECT_FALSE(SameValue(Value(0.0), Value(-0.0)));
  EXPECT_FALSE(SameValue(Value(1.0), Value(int64_t{1})));
  EXPECT_FALSE(SameValue(Value("1"), Value(Json{"1"})));
  EXPECT_TRUE(SameValue(Value(), Value()));
  EXPECT_TRUE(SameValue(Array{"a", int64_t{1}}, Array{"a", int64_t{1}}));
  EXPECT_FALSE(SameValue(Array{"a"}, Array{"a", "b"}));
}

TEST(Types, SameRecordTakesAbsentForNull) {
  Record a;
  a.key.key = int64_t{1};
  a.fields["n"] = int64_t{1};
  Record b = a;
  b.fields["s"];
  b.dynamic = "{}";
  EXPECT_TRUE(SameRecord(a, b));
  b.fields["s"] = "x";
  EXPECT_FALSE(SameRecord(a, b));
  b = a;
  b.vectors["v"] = Vector::Floats(std::vector<float>{1});
  EXPECT_FALSE(SameRecord(a, b));
  b = a;
  b.dynamic = R"({"x":1})";
  EXPECT_FALSE(SameRecord(a, b));
}

TEST(Types, VectorKeepsBitsAndCountsDimensions) {
  const std::vector<float> values = {-0.0f, 1e-45f, 3};
  const auto vector = Vector::Floats(values);
  EXPECT_EQ(vector.dimension(), 3u);
  EXPECT_NE(vector, Vector::Floats(std::vector<float>{0.0f, 1e-45f, 3}));
  EXPECT_TRUE(std::equal(values.begin(), values.end(), vector.floats().begin()));
  EXPECT_EQ((Vector{.type = DataType::kBinaryVector, .bytes = "ab"}).dimension(), 16u);
  EXPECT_EQ((Vector{.type = DataType::kFloat16Vector, .bytes = "abcd"}).dimension(), 2u);
  EXPECT_EQ((Vector{.type = DataType::kInt8Vector, .bytes = "abc"}).dimension(), 3u);
  EXPECT_EQ((Vector{.type = DataType::kSparseVector, .bytes = std::string(16, 'x')}).dimension(),
            2u);
  EXPECT_EQ(Vector::Floats({}).dimension(), 0u);
}

TEST(Types, KeysAreOrderedByTenantThenKey) {
  std::vector<RecordKey> keys = {{.tenant = "b", .key = int64_t{1}},
                                 {.tenant = "a", .key = int64_t{10}},
                                 {.tenant = "a", .key = int64_t{-2}},
                                 {.tenant = "a", .key = int64_t{9}}};
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(ToString(keys[0]), "a/-2");
  EXPECT_EQ(ToString(keys[1]), "a/9");
  EXPECT_EQ(ToString(keys[2]), "a/10");
  EXPECT_EQ(ToString(keys[3]), "b/1");
  EXPECT_LT((RecordKey{.tenant = "", .key = "z"}), (RecordKey{.tenant = "", .key = "\xc3\xa4"}));
  EXPECT_EQ(ToString(RecordKey{.tenant = "", .key = "say \"hi\""}), R"("say \"hi\"")");
}

TEST(Types, SchemasFindTheirFields) {
  CollectionSchema schema;
  schema.fields = {{.name = "n"}};
  schema.vectors = {{.name = "v"}};
  EXPECT_NE(schema.FindField("n"), nullptr);
  EXPECT_EQ(schema.FindField("v"), nullptr);
  EXPECT_NE(schema.FindVector("v"), nullptr);
  EXPECT_EQ(schema.FindVector("n"), nullptr);
  auto other = schema;
  EXPECT_TRUE(schema == other);
  other.fields[0].default_value = "x";
  EXPECT_FALSE(schema == other);
}

}  // namespace
}  // namespace roost
