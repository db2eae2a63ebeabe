#include "store/filter_evaluate.h"

#include <limits>

#include <gtest/gtest.h>

#include "store/filter_test_schema.h"

namespace roost {
namespace {

Record Sample() {
  Record record;
  record.key = {.tenant = "acme", .key = int64_t{42}};
  record.fields = {{"b", true},
                   {"n", int64_t{7}},
                   {"f", static_cast<double>(0.1f)},
                   {"d", 2.5},
                   {"s", "größe"},
                   {"t", "The quick brown FOX"},
                   {"ints", Array{int64_t{1}, int64_t{2}}},
                   {"tags", Array{}},
                   {"j", Json{R"({"a":{"b":[1,"x",null]},"n":1.5,"z":null})"}}};
  record.dynamic = R"({"color":"red","size":9007199254740993})";
  return record;
}

bool Holds(std::string_view text, const Record& record = Sample()) {
  const auto filter = ParseFilter(text, FilterTestSchema());
  EXPECT_TRUE(filter.ok()) << filter.error().message;
  return filter.ok() && Matches(filter->get(), record);
}

TEST(FilterEvaluate, NullFilterMatches) { EXPECT_TRUE(Matches(nullptr, Sample())); }

TEST(FilterEvaluate, ComparesNumbersExactly) {
  constexpr int64_t kOdd = (int64_t{1} << 53) + 1;
  EXPECT_FALSE(CompareValues(kOdd, Comparison::kEq, 0x1p53));
  EXPECT_TRUE(CompareValues(kOdd, Comparison::kGt, 0x1p53));
  EXPECT_TRUE(CompareValues(0x1p53, Comparison::kLt, kOdd));
  EXPECT_TRUE(CompareValues(kOdd - 1, Comparison::kEq, 0x1p53));
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_TRUE(CompareValues(kMax, Comparison::kLt, 0x1p63));
  EXPECT_FALSE(CompareValues(kMax, Comparison::kEq, 0x1p63));
  EXPECT_TRUE(CompareValues(kMin, Comparison::kEq, -0x1p63));
  EXPECT_TRUE(CompareValues(kMin, Comparison::kGt, -0x1.0000000000001p63));
  EXPECT_TRUE(CompareValues(int64_t{-1}, Comparison::kLt, -0.5));
  EXPECT_TRUE(CompareValues(int64_t{0}, Comparison::kGt, -0.5));
  EXPECT_TRUE(CompareValues(int64_t{0}, Comparison::kEq, -0.0));
  EXPECT_TRUE(CompareValues(kMax, Comparison::kLt, std::numeric_limits<double>::infinity()));
}

TEST(FilterEvaluate, NanEqualsNothing) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Value& other : {Value(nan), Value(1.0), Value(int64_t{1})}) {
    EXPECT_FALSE(CompareValues(nan, Comparison::kEq, other));
    EXPECT_TRUE(CompareValues(nan, Comparison::kNe, other));
    EXPECT_FALSE(CompareValues(nan, Comparison::kLt, other));
    EXPECT_FALSE(CompareValues(nan, Comparison::kGe, other));
    EXPECT_FALSE(CompareValues(other, Comparison::kLe, nan));
  }
}

TEST(FilterEvaluate, NullAndUnlikeKindsAreFalse) {
  for (const Comparison comparison :
       {Comparison::kEq, Comparison::kLt, Comparison::kLe, Comparison::kGt, Comparison::kGe}) {
    EXPECT_FALSE(CompareValues({}, comparison, int64_t{1}));
    EXPECT_FALSE(CompareValues({}, comparison, {}));
    EXPECT_FALSE(CompareValues("1", comparison, int64_t{1}));
    EXPECT_FALSE(CompareValues(true, comparison, int64_t{1}));
    EXPECT_FALSE(CompareValues(Array{int64_t{1}}, comparison, int64_t{1}));
  }
  EXPECT_TRUE(CompareValues({}, Comparison::kNe, {}));
  EXPECT_TRUE(CompareValues("1", Comparison::kNe, int64_t{1}));
  EXPECT_FALSE(CompareValues(true, Comparison::kGt, false)) << "booleans have no order";
  EXPECT_FALSE(CompareValues(Array{int64_t{2}}, Comparison::kGt, Array{int64_t{1}}));
}

TEST(FilterEvaluate, StringsCompareByBytes) {
  EXPECT_TRUE(CompareValues("Z", Comparison::kLt, "a"));
  EXPECT_TRUE(CompareValues("z", Comparison::kLt, "ä"));
  EXPECT_TRUE(CompareValues("a", Comparison::kLt, "ab"));
  EXPECT_TRUE(CompareValues(std::string("a\0", 2), Comparison::kGt, "a"));
  EXPECT_FALSE(CompareValues("é", Comparison::kEq, "e\u0301"));
}

TEST(FilterEvaluate, ArraysAndObjectsCompareDeeply) {
  EXPECT_TRUE(CompareValues(Array{int64_t{1}, "x"}, Comparison::kEq, Array{1.0, "x"}));
  EXPECT_FALSE(CompareValues(Array{int64_t{1}}, Comparison::kEq, Array{int64_t{1}, int64_t{1}}));
  EXPECT_TRUE(CompareValues(Array{Value()}, Comparison::kEq, Array{Value()}));
  EXPECT_TRUE(CompareValues(Json{R"({"a":[1]})"}, Comparison::kEq, Json{R"({"a":[1]})"}));
  EXPECT_FALSE(CompareValues(Json{R"({"a":1})"}, Comparison::kEq, Json{R"({"a":1,"b":2})"}));
}

TEST(FilterEvaluate, ArithmeticWithoutFiniteResultIsNull) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(std::get<int64_t>(Calculate(int64_t{-7}, '/', int64_t{2})), -3);
  EXPECT_EQ(std::get<int64_t>(Calculate(int64_t{-7}, '%', int64_t{2})), -1);
  EXPECT_EQ(std::get<int64_t>(Calculate(kMin, '%', int64_t{-1})), 0);
  EXPECT_EQ(std::get<double>(Calculate(int64_t{7}, '/', 2.0)), 3.5);
  const auto expect_null = [](const Value& a, char op, const Value& b) {
    EXPECT_TRUE(Calculate(a, op, b).is_null()) << op;
  };
  expect_null(kMax, '+', int64_t{1});
  expect_null(kMin, '-', int64_t{1});
  expect_null(kMax, '*', int64_t{2});
  expect_null(kMin, '/', int64_t{-1});
  expect_null(int64_t{1}, '/', int64_t{0});
  expect_null(int64_t{1}, '%', int64_t{0});
  expect_null(1.0, '/', 0.0);
  expect_null(1e300, '*', 1e300);
  expect_null(1.5, '%', 2.0);
  expect_null("1", '+', int64_t{1});
  expect_null({}, '+', int64_t{1});
  expect_null(true, '+', int64_t{1});
}

TEST(FilterEvaluate, LikeMatchesCharacters) {
  EXPECT_TRUE(LikeMatches("", ""));
  EXPECT_TRUE(LikeMatches("", "%"));
  EXPECT_FALSE(LikeMatches("", "_"));
  EXPECT_TRUE(LikeMatches("abc", "a%c"));
  EXPECT_TRUE(LikeMatches("aXbXc", "a%X%c"));
  EXPECT_TRUE(LikeMatches("aab", "%ab"));
  EXPECT_FALSE(LikeMatches("abc", "a%d"));
  EXPECT_TRUE(LikeMatches("größe", "gr__e"));
  EXPECT_FALSE(LikeMatches("größe", "gr____e"));
  EXPECT_TRUE(LikeMatches("👍", "_"));
  EXPECT_TRUE(LikeMatches("100%", "100\\%"));
  EXPECT_FALSE(LikeMatches("1000", "100\\%"));
  EXPECT_TRUE(LikeMatches("a\\b", "a\\\\b"));
  EXPECT_TRUE(LikeMatches("ab", "\\a\\b"));
  EXPECT_TRUE(LikeMatches("line\nbreak", "line%"));
  EXPECT_FALSE(LikeMatches("abc", "ab"));
  EXPECT_FALSE(LikeMatches("ab", "abc"));
  EXPECT_FALSE(LikeMatches(std::string(5'000, 'a'), "%a%a%a%a%a%b"));
}

TEST(FilterEvaluate, FieldsKeysAndTenants) {
  EXPECT_TRUE(Holds("n == 7 and b and d > 2 and id == 42 and shop == \"acme\""));
  EXPECT_TRUE(Holds("f == 0.1"));
  EXPECT_TRUE(Holds("m is null and not (m == 1) and m != 1"));
  EXPECT_TRUE(Holds("m not in [1, 2]"));
  EXPECT_FALSE(Holds("m in [1, 2] or m > 0 or m <= 0"));
  EXPECT_TRUE(Holds("not (m > 0) and not (m <= 0)")) << "not of a comparison with null is true";
  EXPECT_TRUE(Holds("n * 2 == 14 and n + d == 9.5"));
}

TEST(FilterEvaluate, JsonAndDynamic) {
  EXPECT_TRUE(Holds("j[\"a\"][\"b\"][0] == 1 and j[\"a\"][\"b\"][1] == \"x\""));
  EXPECT_TRUE(Holds("j[\"a\"][\"b\"][2] is null and j[\"a\"][\"b\"][3] is null"));
  EXPECT_TRUE(Holds("exists j[\"a\"] and not exists j[\"z\"] and not exists j[\"q\"]"));
  EXPECT_TRUE(Holds("color == \"red\" and size == 9007199254740993"));
  EXPECT_FALSE(Holds("size == 9007199254740992.0"));
  EXPECT_TRUE(Holds("j[\"n\"] > 1 and j[\"n\"] != \"1.5\""));
  EXPECT_FALSE(Holds("j[\"n\"] > \"0\""));
  EXPECT_TRUE(Holds("json_contains_all(j[\"a\"][\"b\"], [\"x\", 1])"));
  EXPECT_FALSE(Holds("json_contains_any(j[\"n\"], [1.5])"));
  EXPECT_TRUE(Holds("array_length(j[\"a\"][\"b\"]) == 3"));
  Record bare;
  bare.key = {.tenant = "a", .key = int64_t{1}};
  EXPECT_TRUE(Holds("j is null and color is null and not exists color", bare));
  EXPECT_TRUE(Holds("color != \"red\"", bare));
}

TEST(FilterEvaluate, Arrays) {
  EXPECT_TRUE(Holds("array_contains(ints, 2) and not array_contains(ints, 3)"));
  EXPECT_TRUE(Holds("array_contains_all(tags, []) and not array_contains_any(ints, [])"));
  EXPECT_FALSE(Holds("array_contains_all(floats, [])")) << "a null array holds nothing";
  EXPECT_TRUE(Holds("ints[1] == 2 and ints[2] is null and array_length(tags) == 0"));
  EXPECT_TRUE(Holds("ints == [1, 2] and tags == [] and floats != []"));
}

TEST(FilterEvaluate, TextMatchWantsOneWord) {
  EXPECT_TRUE(Holds("text_match(t, \"fox\")"));
  EXPECT_TRUE(Holds("text_match(t, \"dog Quick\")"));
  EXPECT_FALSE(Holds("text_match(t, \"fo\")"));
  EXPECT_FALSE(Holds("text_match(t, \"!\")"));
}

TEST(Filter, AndFiltersJoins) {
  const auto tenant = TenantFilter("acme");
  EXPECT_TRUE(Matches(tenant.get(), Sample()));
  EXPECT_EQ(AndFilters(nullptr, tenant), tenant);
  EXPECT_EQ(AndFilters(tenant, nullptr), tenant);
  EXPECT_EQ(AndFilters(nullptr, nullptr), nullptr);
  EXPECT_FALSE(Matches(AndFilters(tenant, TenantFilter("other")).get(), Sample()));
  EXPECT_EQ(PrintFilter(*tenant, FilterTestSchema()), "shop == \"acme\"");
}

}  // namespace
}  // namespace roost
