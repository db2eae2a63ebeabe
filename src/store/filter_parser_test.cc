#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/filter.h"
#include "store/filter_test_schema.h"

namespace roost {
namespace {

/// The filter as the parser understood it, or its error.
std::string Read(std::string_view text, const FilterParameters& parameters = {}) {
  const auto schema = FilterTestSchema();
  const auto filter = ParseFilter(text, schema, parameters);
  if (!filter.ok()) {
    EXPECT_EQ(filter.code(), Code::kInvalidArgument);
    return filter.error().message;
  }
  return *filter == nullptr ? "(all)" : PrintFilter(**filter, schema);
}

TEST(FilterParser, ReadsLiterals) {
  EXPECT_EQ(Read("n == 10"), "n == 10");
  EXPECT_EQ(Read("n == 0x1f or n == 0XFF"), "n == 31 or n == 255");
  EXPECT_EQ(Read("n == 017 or n == 0"), "n == 15 or n == 0");
  EXPECT_EQ(Read("n == 0b101"), "n == 5");
  EXPECT_EQ(Read("n == -9223372036854775808"), "n == -9223372036854775808");
  EXPECT_EQ(Read("d == 1.5e3 or d == .5 or d == 1e-3"), "d == 1500.0 or d == 0.5 or d == 0.001");
  EXPECT_EQ(Read("d == 0x1p3 or d == 0x1.8p1"), "d == 8.0 or d == 3.0");
  EXPECT_EQ(Read("d == 1e-400"), "d == 0.0");
  EXPECT_EQ(Read("b == true or b == TRUE or b == False"), "b == true or b == true or b == false");
  EXPECT_EQ(Read(R"(s == 'it is "q"' or s == "it's")"), R"(s == "it is \"q\"" or s == "it's")");
  EXPECT_EQ(Read(R"(s == "a\n\t\x41\101é\\")"), "s == \"a\\n\\011AA\xc3\xa9\\\\\"");
  EXPECT_EQ(Read("s == \"größe 👍\""), "s == \"größe 👍\"");
}

TEST(FilterParser, EmptyTextMatchesAll) {
  EXPECT_EQ(Read(""), "(all)");
  EXPECT_EQ(Read(" \t\r\n"), "(all)");
  EXPECT_EQ(Read("true"), "true");
}

TEST(FilterParser, WordsAndSignsMeanTheSame) {
  EXPECT_EQ(Read("n == 1 && m == 2 || not (b)"), Read("n == 1 AND m == 2 OR !(b)"));
  EXPECT_EQ(Read("n == 1 and m == 2 or not b"), "(n == 1 and m == 2) or not (b == true)");
}

TEST(FilterParser, AndBindsTighterThanOr) {
  EXPECT_EQ(Read("b or n > 1 and m > 2 or b"), "b == true or (n > 1 and m > 2) or b == true");
  EXPECT_EQ(Read("(b or n > 1) and m > 2"), "(b == true or n > 1) and m > 2");
}

TEST(FilterParser, ArithmeticHasPrecedence) {
  EXPECT_EQ(Read("n + 2 * m > 1"), "(n + (2 * m)) > 1");
  EXPECT_EQ(Read("(n + 2) * m > 1"), "((n + 2) * m) > 1");
  EXPECT_EQ(Read("n - 1 - 2 == 0"), "((n - 1) - 2) == 0");
  EXPECT_EQ(Read("-n % 3 == +1"), "((0 - n) % 3) == 1");
  EXPECT_EQ(Read("n > 2 + 3 * 4 - 20 / 3 % 4"), "n > 12");
  EXPECT_EQ(Read("d > 1 / 2.0"), "d > 0.5");
  EXPECT_EQ(Read("n == - - 5"), "n == 5");
  EXPECT_EQ(Read("d == -0.0"), "d == -0.0");
}

TEST(FilterParser, LiteralsStandRight) {
  EXPECT_EQ(Read("5 < n"), "n > 5");
  EXPECT_EQ(Read("5 >= n"), "n <= 5");
  EXPECT_EQ(Read("5 == n"), "n == 5");
  EXPECT_EQ(Read("n + 1 < m"), "(n + 1) < m");
}

TEST(FilterParser, RangesAreTwoComparisons) {
  EXPECT_EQ(Read("1 < n <= 5"), "n > 1 and n <= 5");
  EXPECT_EQ(Read("5 >= n > 1"), "n <= 5 and n > 1");
  EXPECT_EQ(Read("1 < n < m <= 9"), "n > 1 and n < m and m <= 9");
  EXPECT_THAT(Read("1 < n > 3"), testing::HasSubstr("1:7: a range is written like"));
  EXPECT_THAT(Read("n == m == 3"), testing::HasSubstr("a range is written like"));
}

TEST(FilterParser, ConstantsFold) {
  EXPECT_EQ(Read("1 < 2"), "true");
  EXPECT_EQ(Read("1 in [2, 1.0]"), "true");
  EXPECT_EQ(Read("n in []"), "false");
  EXPECT_EQ(Read("n not in []"), "true");
  EXPECT_EQ(Read("not true"), "false");
  EXPECT_EQ(Read("id is null"), "false");
  EXPECT_EQ(Read("array_contains_any(tags, [])"), "false");
}

TEST(FilterParser, SetsPatternsAndNulls) {
  EXPECT_EQ(Read("n in [1, 2,]"), "n in [1, 2]");
  EXPECT_EQ(Read("s NOT IN ['a', \"b\"]"), R"(not (s in ["a", "b"]))");
  EXPECT_EQ(Read("s like \"a%\""), "s like \"a%\"");
  EXPECT_EQ(Read(R"(s LIKE "100\%\_x")"), R"(s like "100\\%\\_x")");
  EXPECT_EQ(Read("n is null or n IS NOT NULL"), "n is null or not (n is null)");
  EXPECT_EQ(Read("not s like \"a%\" and not n is null"), "not (s like \"a%\") and not (n is null)");
}

TEST(FilterParser, JsonPaths) {
  EXPECT_EQ(Read("j[\"a\"][0]['b'] > 1"), R"(j["a"][0]["b"] > 1)");
  EXPECT_EQ(Read("$meta[\"x\"] == 1 and x == 1"), R"($meta["x"] == 1 and $meta["x"] == 1)");
  EXPECT_EQ(Read("x[\"y\"][3] is null"), R"($meta["x"]["y"][3] is null)");
  EXPECT_EQ(Read("exists j[\"a\"] and EXISTS x"), R"(exists j["a"] and exists $meta["x"])");
  EXPECT_EQ(Read("json_contains(j[\"a\"], [1, 2])"), R"(json_contains_all(j["a"], [[1, 2]]))");
  EXPECT_EQ(Read("JSON_CONTAINS_ALL(x, [1, 'a'])"), R"(json_contains_all($meta["x"], [1, "a"]))");
  EXPECT_EQ(Read("array_length(j[\"a\"]) == 3"), R"(array_length(j["a"]) == 3)");
  EXPECT_EQ(Read("j == [1, [2]]"), "j == [1, [2]]");
}

TEST(FilterParser, Arrays) {
  EXPECT_EQ(Read("array_contains(ints, 3)"), "array_contains_all(ints, [3])");
  EXPECT_EQ(Read("json_contains_any(tags, ['x'])"), R"(array_contains_any(tags, ["x"]))");
  EXPECT_EQ(Read("ints[2] + 1 > n"), "(ints[2] + 1) > n");
  EXPECT_EQ(Read("ints == [1, 2]"), "ints == [1, 2]");
  EXPECT_EQ(Read("array_length(tags) + 1 > n"), "(array_length(tags) + 1) > n");
}

TEST(FilterParser, LiteralsTakeTheFieldsType) {
  EXPECT_EQ(Read("f == 0.1"), "f == 0.10000000149011612");
  EXPECT_EQ(Read("f == 16777217"), "f == 16777216.0");
  EXPECT_EQ(Read("f < 1e300"), "f < 1e+300");
  EXPECT_EQ(Read("array_contains(floats, 0.1)"),
            "array_contains_all(floats, [0.10000000149011612])");
  EXPECT_EQ(Read("ts > \"2025-01-01T00:00:00Z\""), "ts > 1735689600000000");
  EXPECT_EQ(Read("ts in ['2025-01-01', 5]"), "ts in [1735689600000000, 5]");
  EXPECT_EQ(Read("u == '123E4567-E89B-12D3-A456-426614174000'"),
            "u == \"123e4567-e89b-12d3-a456-426614174000\"");
  EXPECT_EQ(Read("i8 == 300"), "i8 == 300");
}

TEST(FilterParser, Parameters) {
  const FilterParameters parameters = {
      {"ids", Array{int64_t{1}, int64_t{2}}}, {"name", "it's"}, {"limit", 2.5}, {"nothing", {}}};
  EXPECT_EQ(Read("n in {ids} and s == {name} and d < {limit}", parameters),
            "n in [1, 2] and s == \"it's\" and d < 2.5");
  EXPECT_EQ(Read("array_contains_any(ints, { ids })", parameters),
            "array_contains_any(ints, [1, 2])");
  EXPECT_THAT(Read("n in {other}", parameters), testing::HasSubstr("{other} has no value"));
  EXPECT_THAT(Read("n == {nothing}", parameters), testing::HasSubstr("null or JSON"));
  EXPECT_THAT(Read("n == {name}", parameters), testing::HasSubstr("compares it with a string"));
  EXPECT_THAT(Read("n in {name}", parameters), testing::HasSubstr("expected a list"));
}

TEST(FilterParser, KeyTenantAndQuotedNames) {
  EXPECT_EQ(Read("id > 5 and shop == \"a\""), "id > 5 and shop == \"a\"");
  EXPECT_EQ(Read("`like` == 5 and `n` == 1"), "`like` == 5 and n == 1");
  EXPECT_EQ(Read("like == 5"),
            "filter 1:1: found \"like\"; expected a field, a value or \"(\"\n"
            "  like == 5\n"
            "  ^");
}

TEST(FilterParser, ErrorsShowThePlace) {
  EXPECT_EQ(Read("n > > 3"),
            "filter 1:5: found \">\"; expected a field, a value or \"(\"\n"
            "  n > > 3\n"
            "      ^");
  EXPECT_EQ(Read("n > 1 and\n  'größe' ==\tÄ"),
            "filter 2:14: found \"Ä\"; expected a field, a value or an operator\n"
            "    'größe' == Ä\n"
            "               ^");
  EXPECT_THAT(
      Read("s == '" + std::string(1'000, 'x') + "' and n >"),
      testing::AllOf(testing::HasSubstr("1:1016: found the end"), testing::HasSubstr("\n  …x"),
                     testing::Not(testing::HasSubstr(std::string(200, 'x')))));
  EXPECT_THAT(Read("s == \"open"), testing::HasSubstr("1:6: the string has no closing \""));
  EXPECT_THAT(Read(R"(s == "\q")"), testing::HasSubstr("unknown escape"));
  EXPECT_THAT(Read(R"(s == "\xff")"), testing::HasSubstr("valid UTF-8"));
  EXPECT_THAT(Read("s == \"\xff\""), testing::HasSubstr("not valid UTF-8"));
  EXPECT_THAT(Read("n == 9223372036854775808"), testing::HasSubstr("out of range"));
  EXPECT_THAT(Read("n == 99999999999999999999"), testing::HasSubstr("out of range"));
  EXPECT_THAT(Read("d == 1e400"), testing::HasSubstr("too large"));
  EXPECT_THAT(Read("n == 12ab"), testing::HasSubstr("not a number"));
  EXPECT_THAT(Read("(n == 1"), testing::HasSubstr("found the end; expected \")\""));
  EXPECT_THAT(Read("n == 1 n == 2"), testing::HasSubstr("expected `and`, `or` or the end"));
  EXPECT_THAT(Read("n in (1, 2)"), testing::HasSubstr("a list in brackets"));
  EXPECT_THAT(Read("n in [1"), testing::HasSubstr("found the end; expected \",\" or \"]\""));
  EXPECT_THAT(Read("n in [m]"), testing::HasSubstr("lists hold values only"));
  EXPECT_THAT(Read("n not 5"), testing::HasSubstr("expected `in` after `not`"));
}

TEST(FilterParser, WrongTypesAreNamed) {
  EXPECT_THAT(Read("f == \"x\""),
              testing::HasSubstr("field \"f\" is FLOAT; the filter compares it with a string"));
  EXPECT_THAT(Read("s == 5"),
              testing::HasSubstr("field \"s\" is VARCHAR; the filter compares it with an integer"));
  EXPECT_THAT(Read("b > true"), testing::HasSubstr("field \"b\" is BOOL, which has no order"));
  EXPECT_THAT(Read("b == 1"), testing::HasSubstr("compares it with an integer"));
  EXPECT_THAT(Read("n == s"), testing::HasSubstr("field \"s\" is VARCHAR"));
  EXPECT_THAT(Read("n in [1, 'a']"), testing::HasSubstr("field \"n\" is INT64"));
  EXPECT_THAT(Read("n like 'a%'"), testing::HasSubstr("`like` takes a text field"));
  EXPECT_THAT(Read("s like 'a\\\\'"), testing::HasSubstr("lone backslash"));
  EXPECT_THAT(Read("s + 1 == 2"), testing::HasSubstr("\"+\" takes numbers"));
  EXPECT_THAT(Read("d % 2 == 1"), testing::HasSubstr("\"%\" takes integers"));
  EXPECT_THAT(Read("n / 0 == 1"), testing::HasSubstr("division by zero"));
  EXPECT_THAT(Read("n == 9223372036854775807 + 1"), testing::HasSubstr("out of range"));
  EXPECT_THAT(Read("v == 1"), testing::HasSubstr("\"v\" is a vector"));
  EXPECT_THAT(Read("n[0] == 1"), testing::HasSubstr("only JSON and arrays"));
  EXPECT_THAT(Read("ints['a'] == 1"), testing::HasSubstr("a position from 0"));
  EXPECT_THAT(Read("ints[0] == 'a'"), testing::HasSubstr("an element of field \"ints\" is INT32"));
  EXPECT_THAT(Read("ints == 5"), testing::HasSubstr("ARRAY of INT32"));
  EXPECT_THAT(Read("ints == ['a']"), testing::HasSubstr("ARRAY of INT32"));
  EXPECT_THAT(Read("ints == tags"), testing::HasSubstr("arrays compare with lists"));
  EXPECT_THAT(Read("exists n"), testing::HasSubstr("use `is not null`"));
  EXPECT_THAT(Read("text_match(s, 'x')"), testing::HasSubstr("text_match takes a TEXT field"));
  EXPECT_THAT(Read("ts > 'yesterday'"), testing::HasSubstr("not a time"));
  EXPECT_THAT(Read("u == 'x'"), testing::HasSubstr("not a UUID"));
  EXPECT_THAT(Read("n"), testing::HasSubstr("not a condition"));
  EXPECT_THAT(Read("n + 1"), testing::HasSubstr("not a condition"));
  EXPECT_THAT(Read("n == null"), testing::HasSubstr("write `is null`"));
  EXPECT_THAT(Read("$meta == 1"), testing::HasSubstr("needs a member"));
}

TEST(FilterParser, NotBindsTight) {
  EXPECT_THAT(Read("not n > 3"), testing::HasSubstr("write `not (…)`"));
  EXPECT_THAT(Read("not b == true"), testing::HasSubstr("write `not (…)`"));
  EXPECT_THAT(Read("not n in [1]"), testing::HasSubstr("write `not (…)`"));
  EXPECT_EQ(Read("not (n > 3)"), "not (n > 3)");
}

TEST(FilterParser, WhatRoostLacksIsSaid) {
  for (const char* text : {"n & 1 == 0", "n | 1 == 0", "n ^ 1 == 0", "~n == 0"}) {
    EXPECT_THAT(Read(text), testing::HasSubstr("no bit operator")) << text;
  }
  for (const char* text : {"n << 1 == 2", "n >> 1 == 2", "n ** 2 == 4", "s =~ 'x'", "s !~ 'x'"}) {
    EXPECT_THAT(Read(text), testing::HasSubstr("no operator")) << text;
  }
  for (const char* text : {"random_sample(0.01)", "phrase_match(t, 'a b')", "st_within(s, 'x')"}) {
    EXPECT_THAT(Read(text), testing::HasSubstr("have no function")) << text;
  }
  EXPECT_THAT(Read("n = 3"), testing::HasSubstr("write \"==\""));
}

TEST(FilterParser, UnknownNamesListTheFields) {
  auto schema = FilterTestSchema();
  schema.dynamic = false;
  const auto filter = ParseFilter("nope > 1", schema);
  ASSERT_FALSE(filter.ok());
  EXPECT_THAT(filter.error().message,
              testing::HasSubstr("unknown field \"nope\"; the collection has id, shop, b, i8"));
  EXPECT_FALSE(ParseFilter("$meta[\"x\"] == 1", schema).ok());
}

TEST(FilterParser, DepthAndSizeHaveLimits) {
  const std::string open(100'000, '(');
  EXPECT_THAT(Read(open + "n == 1" + std::string(100'000, ')')),
              testing::HasSubstr("nested deeper than 100 levels"));
  std::string nots;
  std::string minus = "n == ";
  std::string sum = "n";
  std::string path = "j";
  std::string list = "j == ";
  for (int i = 0; i < 50'000; ++i) {
    nots += "not ";
    minus += "- ";
    sum += " + 1";
    path += "[0]";
    list += "[";
  }
  EXPECT_THAT(Read(nots + "b"), testing::HasSubstr("nested deeper"));
  EXPECT_THAT(Read(minus + "n"), testing::HasSubstr("nested deeper"));
  EXPECT_THAT(Read(sum + " == 3"), testing::HasSubstr("more than 100 steps"));
  EXPECT_THAT(Read(path + " == 3"), testing::HasSubstr("more than 100 steps"));
  EXPECT_THAT(Read(list), testing::HasSubstr("nested deeper"));
  std::string many = "n in [0";
  for (int i = 0; i < 100'001; ++i) {
    many += ",1";
  }
  EXPECT_THAT(Read(many + "]"), testing::HasSubstr("more than 100000 conditions and values"));
  const FilterParameters parameters = {{"ids", Array(100'001, Value(true))}};
  EXPECT_THAT(Read("b in {ids}", parameters), testing::HasSubstr("more than 100000"));
  EXPECT_THAT(Read(std::string((1 << 20) + 1, ' ')), testing::HasSubstr("at most 1048576"));
  EXPECT_FALSE(ParseFilter("n == 1 or n == 2", FilterTestSchema(), {}, {.max_nodes = 3}).ok());
  EXPECT_TRUE(ParseFilter("((n == 1))", FilterTestSchema(), {}, {.max_depth = 2}).ok());
  EXPECT_FALSE(ParseFilter("(((n == 1)))", FilterTestSchema(), {}, {.max_depth = 2}).ok());
}

TEST(FilterParser, LongChainsAreNotDeep) {
  std::string text = "n == 0";
  for (int i = 1; i < 20'000; ++i) {
    text += " or n == " + std::to_string(i);
  }
  const auto filter = ParseFilter(text, FilterTestSchema());
  ASSERT_TRUE(filter.ok()) << filter.error().message;
  EXPECT_EQ((*filter)->children.size(), 20'000u);
}

}  // namespace
}  // namespace roost
