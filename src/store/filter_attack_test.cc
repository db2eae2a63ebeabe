#include <cstring>
#include <functional>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "store/filter.h"
#include "store/filter_test_schema.h"
#include "store/scalar_text.h"

namespace roost {
namespace {

using testing::HasSubstr;

std::string ErrorOf(std::string_view text, const FilterParameters& parameters = {}) {
  const auto filter = ParseFilter(text, FilterTestSchema(), parameters);
  return filter.ok() ? "OK" : filter.error().message;
}

std::string Repeat(std::string_view what, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) {
    text += what;
  }
  return text;
}

constexpr size_t kMegabyte = 1 << 20;

TEST(FilterAttack, NestingIsRefusedWhereItGetsTooDeep) {
  for (const char* opener :
       {"(", "[", "not (", "!", "!(", "- ", "+ ", "+(", "-(", "array_length(", "exists ",
        "exists (", "json_contains(j, [", "n in [", "n == (", "n in [(", "b and (", "1 < ("}) {
    const std::string message = ErrorOf(Repeat(opener, kMegabyte / std::strlen(opener)));
    EXPECT_THAT(message, HasSubstr("filter 1:")) << opener;
  }
  EXPECT_THAT(ErrorOf(Repeat("(", 100) + "n == 1" + Repeat(")", 100)), HasSubstr("OK"));
  EXPECT_THAT(ErrorOf(Repeat("(", 101) + "n == 1" + Repeat(")", 101)),
              HasSubstr("filter 1:101: the filter is nested deeper than 100 levels"));
}

TEST(FilterAttack, AMegabyteIsReadOrRefused) {
  const auto fill = [](std::string text, std::string_view with, std::string_view end = "") {
    while (text.size() + with.size() + end.size() <= kMegabyte) {
      text += with;
    }
    return text += end;
  };
  EXPECT_EQ(ErrorOf(fill("s == \"", "x", "\"")), "OK");
  EXPECT_EQ(ErrorOf(fill("s like \"", "%", "\"")), "OK");
  EXPECT_EQ(ErrorOf(fill("s == \"", "\\n", "\"")), "OK");
  EXPECT_EQ(ErrorOf(fill("n == 1", " ")), "OK");
  EXPECT_EQ(ErrorOf(fill("`n`", "\n", "== 1")), "OK");
  EXPECT_THAT(ErrorOf(fill("n == 1", " and n == 1")), HasSubstr("100000 conditions and values"));
  EXPECT_THAT(ErrorOf(fill("s == \"", "x")), HasSubstr("1:6: the string has no closing \""));
  EXPECT_THAT(ErrorOf(fill("n == ", "9")), HasSubstr("1:6: the integer is out of range"));
  EXPECT_THAT(ErrorOf(fill("d == 0.", "9", "x")), HasSubstr("1:6: this is not a number"));
  EXPECT_THAT(ErrorOf(fill("", "x")), HasSubstr("not a condition")) << "a long name is a field";
  EXPECT_THAT(ErrorOf(fill("", "`")), HasSubstr("1:1: "));
  EXPECT_THAT(ErrorOf(fill("n\n", "\n", "!!")), HasSubstr("filter 1048574:2: "));
  for (const auto& message : {ErrorOf(fill("n == ", "9")), ErrorOf(fill("s == \"", "ü"))}) {
    EXPECT_LT(message.size(), 1'000u) << "the message shows a part of the text only";
    EXPECT_TRUE(IsUtf8(message));
  }
}

TEST(FilterAttack, MalformedUtf8HasAPlace) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"\x80", "0x80"},              // a continuation alone
      {"\xc0\xaf", "0xc0"},          // overlong '/'
      {"\xe0\x80\xaf", "0xe0"},      // overlong in three bytes
      {"\xf0\x80\x80\xaf", "0xf0"},  // overlong in four
      {"\xed\xa0\x80", "0xed"},      // a surrogate
      {"\xf4\x90\x80\x80", "0xf4"},  // above U+10FFFF
      {"\xf8\x88\x80\x80\x80", "0xf8"},
      {"\xc3", "0xc3"},  // cut off at the end
      {"\xe2\x82", "0xe2"},
      {"\xfe", "0xfe"},
      {"\xff", "0xff"},
  };
  for (const auto& [bytes, name] : cases) {
    const std::string message = ErrorOf("s ==\n \"ü" + std::string(bytes));
    EXPECT_THAT(message,
                HasSubstr("filter 2:4: the filter is not valid UTF-8: byte " + std::string(name)));
    EXPECT_TRUE(IsUtf8(message));
  }
  EXPECT_THAT(ErrorOf(R"(s == "\xc3")"), HasSubstr("1:6: the string's escapes"));
  EXPECT_THAT(ErrorOf("s == {p}", {{"p", "\xff"}}), HasSubstr("filter 1:7: "));
  EXPECT_THAT(ErrorOf("s == \"\\ud800\""), HasSubstr("1:6: "));
}

TEST(FilterAttack, ParametersCannotMultiplyMemory) {
  const FilterParameters parameters = {{"p", std::string(1 << 20, 'x')}};
  const std::string one = "s == {p}";
  EXPECT_EQ(ErrorOf(one, parameters), "OK");
  EXPECT_EQ(ErrorOf(one + Repeat(" or s == {p}", 50), parameters), "OK");
  EXPECT_THAT(ErrorOf(one + Repeat(" or s == {p}", 70), parameters),
              HasSubstr("counted as often as it is used"));
  Value deep = Array{int64_t{1}};
  for (int i = 0; i < 1'000; ++i) {
    deep = Array{deep};
  }
  EXPECT_THAT(ErrorOf("j == {p}", {{"p", deep}}), HasSubstr("nested too deep"));
}

/// A random filter and, made beside it and knowing nothing of the parser, what it means.
class Twin {
 public:
  using Meaning = std::function<bool(const Record&)>;
  struct Made {
    std::string text;
    Meaning meaning;
  };

  explicit Twin(Random& random) : random_(random) {}

  Made Condition(int depth) {
    switch (random_.Below(depth == 0 ? 4 : 7)) {
      case 0:
        return IntegerComparison();
      case 1:
        return StringComparison();
      case 2:
        return NullTest();
      case 3:
        return In();
      case 4:
        return Join(depth, " and ", " && ", [](bool a, bool b) { return a && b; });
      case 5:
        return Join(depth, " or ", " || ", [](bool a, bool b) { return a || b; });
      default: {
        auto inner = Condition(depth - 1);
        return {(random_.Below(2) == 0 ? "not (" : "!(") + inner.text + ")",
                [inner](const Record& record) { return !inner.meaning(record); }};
      }
    }
  }

 private:
  template <typename T>
  static std::optional<T> Field(const Record& record, const std::string& name) {
    const auto found = record.fields.find(name);
    return found == record.fields.end() ? std::nullopt
                                        : std::optional<T>(std::get<T>(found->second));
  }

  /// A comparison of two optional values: false where one is missing, but `!=` is not `==`.
  template <typename T>
  static bool Compare(size_t op, const std::optional<T>& a, const std::optional<T>& b) {
    if (!a || !b) {
      return op == 1;
    }
    const bool results[] = {*a == *b, *a != *b, *a<*b, *a <= *b, *a> * b, *a >= *b};
    return results[op];
  }

  Made IntegerComparison() {
    const std::string left = random_.Below(2) == 0 ? "n" : "m";
    const std::string right = random_.Below(2) == 0 ? "n" : "m";
    const auto factor = static_cast<int64_t>(random_.Below(4)) - 1;
    const auto add = static_cast<int64_t>(random_.Below(5)) - 2;
    const size_t op = random_.Below(6);
    return {
        left + " * " + std::to_string(factor) + " + " + std::to_string(add) + kSigns[op] + right,
        [=](const Record& record) {
          auto value = Field<int64_t>(record, left);
          value = value ? std::optional(*value * factor + add) : value;
          return Compare(op, value, Field<int64_t>(record, right));
        }};
  }
  Made StringComparison() {
    const std::string value(random_.Below(3), static_cast<char>('a' + random_.Below(2)));
    const size_t op = random_.Below(6);
    const char quote = random_.Below(2) == 0 ? '"' : '\'';
    return {"s" + std::string(kSigns[op]) + quote + value + quote, [=](const Record& record) {
              return Compare(op, Field<std::string>(record, "s"), std::optional(value));
            }};
  }
  Made NullTest() {
    const char* name = random_.Below(2) == 0 ? "s" : "n";
    const bool null = random_.Below(2) == 0;
    return {std::string(name) + (null ? " is null" : " IS NOT NULL"),
            [=](const Record& record) { return !record.fields.contains(name) == null; }};
  }
  Made In() {
    const bool negated = random_.Below(2) == 0;
    std::vector<int64_t> values;
    std::string list;
    for (uint64_t left = random_.Below(4); left > 0; --left) {
      values.push_back(static_cast<int64_t>(random_.Below(5)) - 2);
      list += (list.empty() ? "" : ",") + std::to_string(values.back());
    }
    return {std::string("n") + (negated ? " not" : "") + " in [" + list + "]",
            [=](const Record& record) {
              const auto n = Field<int64_t>(record, "n");
              bool found = false;
              for (const int64_t value : values) {
                found = found || n == value;
              }
              return found != negated;
            }};
  }
  Made Join(int depth, const char* word, const char* sign, bool (*join)(bool, bool)) {
    auto a = Condition(depth - 1);
    auto b = Condition(depth - 1);
    return {"(" + a.text + ")" + (random_.Below(2) == 0 ? word : sign) + "(" + b.text + ")",
            [=](const Record& r) { return join(a.meaning(r), b.meaning(r)); }};
  }

  static constexpr const char* kSigns[] = {" == ", " != ", " < ", " <= ", " > ", " >= "};
  Random& random_;
};

TEST(FilterAttack, EvaluatorAgreesWithAnIndependentMeaning) {
  const auto schema = FilterTestSchema();
  SeededRandom random(11);
  std::vector<Record> records(40);
  for (auto& record : records) {
    record.key = {.tenant = "a", .key = int64_t{1}};
    for (const char* name : {"n", "m"}) {
      if (random.Below(4) > 0) {
        record.fields[name] = static_cast<int64_t>(random.Below(5)) - 2;
      }
    }
    if (random.Below(4) > 0) {
      record.fields["s"] = std::string(random.Below(3), static_cast<char>('a' + random.Below(2)));
    }
  }
  Twin twin(random);
  int matched = 0;
  constexpr int kFilters = 2'000;
  for (int i = 0; i < kFilters; ++i) {
    const auto made = twin.Condition(4);
    const auto filter = ParseFilter(made.text, schema);
    ASSERT_TRUE(filter.ok()) << made.text << "\n" << filter.error().message;
    for (const auto& record : records) {
      const bool expected = made.meaning(record);
      ASSERT_EQ(Matches(filter->get(), record), expected) << made.text;
      matched += expected ? 1 : 0;
    }
  }
  EXPECT_GT(matched, kFilters * 40 / 10);
  EXPECT_LT(matched, kFilters * 40 * 9 / 10);
}

}  // namespace
}  // namespace roost
