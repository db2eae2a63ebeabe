// Filters in Milvus' language: what is said, what is left to Roost.

#include "adapters/milvus/milvus_filter.h"

#include <gtest/gtest.h>

#include "adapters/milvus/milvus_condition.h"
#include "adapters/milvus/milvus_key.h"

namespace roost {
namespace {

CollectionSchema Books() {
  CollectionSchema schema;
  schema.name = "books";
  schema.dynamic = true;
  schema.fields = {{.name = "n", .type = DataType::kInt64},
                   {.name = "small", .type = DataType::kInt8, .nullable = false},
                   {.name = "f", .type = DataType::kFloat, .nullable = false},
                   {.name = "d", .type = DataType::kDouble, .nullable = false},
                   {.name = "s", .type = DataType::kVarChar, .nullable = false},
                   {.name = "b", .type = DataType::kBool},
                   {.name = "j", .type = DataType::kJson},
                   {.name = "in", .type = DataType::kInt64, .nullable = false},
                   {.name = "tags",
                    .type = DataType::kArray,
                    .element_type = DataType::kVarChar,
                    .nullable = false}};
  schema.vectors = {{.name = "v", .dimension = 4}};
  return schema;
}

class MilvusFilterTest : public testing::Test {
 protected:
  MilvusFilter Translate(const std::string& text) {
    const auto filter = ParseFilter(text, layout_.schema);
    EXPECT_TRUE(filter.ok()) << text << ": " << filter.error().ToString();
    return filter.ok() ? TranslateFilter(filter->get(), layout_) : MilvusFilter{};
  }
  /// The text where it is exact; else what stands for the kind of inexactness.
  std::string Exact(const std::string& text) {
    const MilvusFilter filter = Translate(text);
    if (!filter.exact) {
      return "wider: " + filter.text;
    }
    return filter.nothing ? "nothing" : filter.text.empty() ? "all" : filter.text;
  }

  MilvusLayout layout_{Books(), "00c0ffee"};
};

TEST_F(MilvusFilterTest, ComparesWithinTheRangeOfTheType) {
  EXPECT_EQ(Exact("small == 5"), "small == 5");
  EXPECT_EQ(Exact("small == 300"), "nothing");
  EXPECT_EQ(Exact("small < 300"), "all");
  EXPECT_EQ(Exact("small > 127"), "nothing");
  EXPECT_EQ(Exact("small >= -128"), "all");
  EXPECT_EQ(Exact("small < 6.5"), "small <= 6");
  EXPECT_EQ(Exact("small > -6.5"), "small > -7");
  EXPECT_EQ(Exact("small == 6.5"), "nothing");
  EXPECT_EQ(Exact("small < 1e300"), "all");
}

TEST_F(MilvusFilterTest, SmallestIntegerIsNeverWritten) {
  const std::string lowest = "-9223372036854775808";
  EXPECT_EQ(Exact("`in` == " + lowest), "_field7_in < -9223372036854775807");
  EXPECT_EQ(Exact("`in` > " + lowest), "_field7_in >= -9223372036854775807");
  EXPECT_EQ(Exact("`in` >= " + lowest), "all");
  EXPECT_EQ(Exact("`in` in [1, " + lowest + "]"),
            "(_field7_in < -9223372036854775807 or _field7_in in [1])");
}

TEST_F(MilvusFilterTest, NullsAreAskedForOnlyWhereTheZeroInTheirPlaceMatches) {
  EXPECT_EQ(Exact("n > 0"), "n > 0");
  EXPECT_EQ(Exact("n < 5"), "(n < 5 and not array_contains(_nulls, 0))");
  EXPECT_EQ(Exact("n in [1, 2]"), "n in [1,2]");
  EXPECT_EQ(Exact("n in [0, 2]"), "(n in [0,2] and not array_contains(_nulls, 0))");
  EXPECT_EQ(Exact("b == false"), "(b == false and not array_contains(_nulls, 5))");
  EXPECT_EQ(Exact("b"), "b == true");
  EXPECT_EQ(Exact("n is null"), "array_contains(_nulls, 0)");
  EXPECT_EQ(Exact("n is not null"), "not (array_contains(_nulls, 0))");
  EXPECT_EQ(Exact("s is null"), "nothing");
}

TEST_F(MilvusFilterTest, NumbersThatATypeDoesNotHaveTakeItsNeighbours) {
  EXPECT_EQ(Exact("d == 9007199254740993"), "nothing");
  EXPECT_EQ(Exact("d < 9007199254740993"), "d <= 9007199254740992.0");
  EXPECT_EQ(Exact("d >= 9007199254740993"), "d >= 9007199254740994.0");
  EXPECT_EQ(Exact("d == 2"), "d == 2.0");
  EXPECT_EQ(Exact("d in [1, 9007199254740993]"), "d in [1.0]");
  EXPECT_EQ(Exact("f == 0.1"), "f == 0.10000000149011612");
  EXPECT_EQ(Exact("f < 1e300"), "f <= 3.4028234663852886e+38");
}

TEST_F(MilvusFilterTest, StringsAreQuoted) {
  EXPECT_EQ(Exact("s == \"a\\\"b\""), "s == \"a\\\"b\"");
  EXPECT_EQ(MilvusString(std::string("\\ \n \0 ü", 8)), "\"\\\\ \\x0a \\x00 ü\"");
  EXPECT_EQ(Exact("s in [\"x\", \"y\"]"), "s in [\"x\",\"y\"]");
}

TEST_F(MilvusFilterTest, PatternsBecomeRanges) {
  EXPECT_EQ(Exact("s like \"red%\""), "(s >= \"red\" and s < \"ree\")");
  EXPECT_EQ(Exact("s like \"red\""), "s == \"red\"");
  EXPECT_EQ(Exact("s like \"%\""), "all");
  EXPECT_EQ(Exact("s like \"re%d\""), "wider: (s >= \"re\" and s < \"rf\")");
  EXPECT_EQ(Exact("s like \"%red\""), "wider: ");
  EXPECT_EQ(Exact("not (s like \"re_d\")"), "wider: ") << "a wider pattern must not be negated";
}

TEST(MilvusPrefix, NextTextIsTheNextCodePoint) {
  EXPECT_EQ(AfterPrefix("a"), "b");
  EXPECT_EQ(AfterPrefix("\x7f"), "\u0080");
  EXPECT_EQ(AfterPrefix("\u07ff"), "\u0800");
  EXPECT_EQ(AfterPrefix("\ud7ff"), "\ue000") << "surrogates are no text";
  EXPECT_EQ(AfterPrefix("\uffff"), "\U00010000");
  EXPECT_EQ(AfterPrefix("a\U0010ffff"), "b");
  EXPECT_EQ(AfterPrefix("\U0010ffff"), std::nullopt);
}

TEST_F(MilvusFilterTest, JsonIsAskedOnlyWhereMilvusComparesAsRoostDoes) {
  EXPECT_EQ(Exact("j[\"k\"] == 1"), "j[\"v\"][\"k\"] == 1");
  EXPECT_EQ(Exact("j == \"x\""), "j[\"v\"] == \"x\"");
  EXPECT_EQ(Exact("extra > 2.5"), "_dynamic[\"extra\"] > 2.5");
  EXPECT_EQ(Exact("j[\"k\"] in [1, \"1\"]"), "(j[\"v\"][\"k\"] == 1 or j[\"v\"][\"k\"] == \"1\")");
  EXPECT_EQ(Exact("j[\"k\"] == 9007199254740993"), "wider: ");
  EXPECT_EQ(Exact("j[\"l\"][0] == 1"), "wider: ") << "[0] is also a member called \"0\"";
  EXPECT_EQ(Exact("exists j[\"k\"]"), "wider: (exists j[\"v\"][\"k\"])");
  EXPECT_EQ(Exact("not exists j[\"k\"]"), "wider: ");
  EXPECT_EQ(Exact("j is null"), "array_contains(_nulls, 6)");
}

TEST_F(MilvusFilterTest, ArraysAreAskedElementByElement) {
  EXPECT_EQ(Exact("array_contains(tags, \"x\")"), "(array_contains(tags, \"x\"))");
  EXPECT_EQ(Exact("array_contains_all(tags, [\"x\", \"y\"])"),
            "(array_contains(tags, \"x\") and array_contains(tags, \"y\"))");
  EXPECT_EQ(Exact("array_contains_any(tags, [])"), "nothing");
  EXPECT_EQ(Exact("array_length(tags) == 2"), "array_length(tags) == 2");
  EXPECT_EQ(Exact("array_length(tags) <= 1"),
            "(array_length(tags) == 0 or array_length(tags) == 1)");
  EXPECT_EQ(Exact("array_length(tags) > 0"), "not (array_length(tags) == 0)");
  EXPECT_EQ(Exact("array_length(tags) >= 1"), "not (array_length(tags) == 0)");
  EXPECT_EQ(Exact("array_length(tags) < 100"), "wider: ");
  EXPECT_EQ(Exact("tags[0] == \"x\""), "wider: ");
}

TEST_F(MilvusFilterTest, LogicKeepsWhatCanBeSaid) {
  EXPECT_EQ(Exact("n > 1 and s == \"x\""), "(n > 1 and s == \"x\")");
  EXPECT_EQ(Exact("n > 1 or s == \"x\""), "(n > 1 or s == \"x\")");
  EXPECT_EQ(Exact("n > 1 and d * 2 > 5"), "wider: n > 1");
  EXPECT_EQ(Exact("n > 1 or d * 2 > 5"), "wider: ");
  EXPECT_EQ(Exact("not (n > 1 or d * 2 > 5)"), "wider: not (n > 1)");
  EXPECT_EQ(Exact("not (n > 1 and d * 2 > 5)"), "wider: ");
  EXPECT_EQ(Exact("n > 1 and small > 200"), "nothing");
  EXPECT_EQ(Exact("n > 1 or small < 200"), "all");
  EXPECT_EQ(Exact("small < 200 and n > 1"), "n > 1");
}

// `!=` also holds where the field has no value. Without the condition on `_nulls` the second line
// is "not (n == 0)", which a null, kept as 0, does not meet.
TEST_F(MilvusFilterTest, Trap16_NotEqualHoldsWhereThereIsNoValue) {
  EXPECT_EQ(Exact("n != 5"), "not (n == 5)");
  EXPECT_EQ(Exact("n != 0"), "not ((n == 0 and not array_contains(_nulls, 0)))");
  EXPECT_EQ(Exact("n not in [0]"), "not ((n in [0] and not array_contains(_nulls, 0)))");
}

TEST_F(MilvusFilterTest, NeededFieldsAreNamedForWhatRoostJudges) {
  const MilvusFilter filter = Translate("n + d > 5 and extra like \"%x\" and s == \"a\"");
  EXPECT_FALSE(filter.exact);
  EXPECT_EQ(filter.text, "s == \"a\"");
  EXPECT_EQ(filter.needed.fields, (std::vector<std::string>{"n", "d", "$meta", "s"}));
}

TEST_F(MilvusFilterTest, FilterForAnotherSchemaIsRefused) {
  auto other = Books();
  other.fields[0].name = "m";
  const auto filter = ParseFilter("m == 1", other);
  ASSERT_TRUE(filter.ok());
  const Status checked = CheckFilter(**filter, layout_);
  EXPECT_EQ(checked.code(), Code::kInvalidArgument);
  EXPECT_NE(checked.error().message.find("\"m\""), std::string::npos);
}

TEST(MilvusTenantFilter, KeyAndTenantHaveColumnsOfTheirOwn) {
  auto schema = Books();
  schema.tenant_field = "shop";
  const MilvusLayout layout(schema, "00c0ffee");
  const auto filter = ParseFilter("shop == \"a\" and id > \"k\"", schema);
  ASSERT_TRUE(filter.ok());
  EXPECT_EQ(TranslateFilter(filter->get(), layout).text, "(_tenant == \"a\" and _id > \"k\")");
}

}  // namespace
}  // namespace roost
