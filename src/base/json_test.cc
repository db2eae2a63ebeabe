#include "base/json.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/strings.h"

namespace roost {
namespace {

std::string Canonical(std::string_view text) {
  const Result<std::string> result = CanonicalJson(text);
  return result.ok() ? *result : result.error().ToString();
}

TEST(CanonicalJson, SortsMembersByBytesAndDropsSpace) {
  EXPECT_EQ(Canonical(R"( { "b" : 1 , "a" : [ 1 , 2 ] } )"), R"({"a":[1,2],"b":1})");
  EXPECT_EQ(Canonical(R"({"é":1,"z":2,"Z":3,"":4})"), R"({"":4,"Z":3,"z":2,"é":1})");
  EXPECT_EQ(Canonical(R"({"a":{"y":1,"x":{"q":null,"p":true}}})"),
            R"({"a":{"x":{"p":true,"q":null},"y":1}})");
}

TEST(CanonicalJson, LastOfEqualNamesWins) {
  EXPECT_EQ(Canonical(R"({"a":1,"b":2,"a":3,"a":4})"), R"({"a":4,"b":2})");
  EXPECT_EQ(Canonical(R"({"a":1,"\u0061":2})"), R"({"a":2})");
  // More members than a sort handles by insertion.
  std::string many = "{";
  for (int i = 0; i < 200; ++i) {
    many += "\"" + std::to_string(i % 7) + "\":" + std::to_string(i) + ",";
  }
  many.back() = '}';
  EXPECT_EQ(Canonical(many), R"({"0":196,"1":197,"2":198,"3":199,"4":193,"5":194,"6":195})");
}

TEST(CanonicalJson, KeepsScalarsAndEmptyContainers) {
  for (const char* text : {"null", "true", "false", "0", "\"\"", "[]", "{}", "[[],{}]"}) {
    EXPECT_EQ(Canonical(text), text);
  }
}

TEST(CanonicalJson, EqualNumbersHaveOneText) {
  for (const char* one : {"1", "1.0", "1e0", "10e-1", "0.1e1", "1.000"}) {
    EXPECT_EQ(Canonical(one), "1") << one;
  }
  for (const char* zero : {"0", "-0", "0.0", "-0.0", "0e5", "1e-400"}) {
    EXPECT_EQ(Canonical(zero), "0") << zero;
  }
  EXPECT_EQ(Canonical("-5.0"), "-5");
  EXPECT_EQ(Canonical("1.50"), "1.5");
  EXPECT_EQ(Canonical("0.1"), "0.1");
  EXPECT_EQ(Canonical("1e20"), "1e+20");
  EXPECT_EQ(Canonical("100000.0"), "100000");
  EXPECT_EQ(Canonical("1e15"), "1000000000000000");
  EXPECT_EQ(Canonical("9007199254740991.0"), "9007199254740991");
}

TEST(CanonicalJson, KeepsEveryDigitOf64BitIntegers) {
  for (const char* text : {"9223372036854775807", "-9223372036854775808", "18446744073709551615",
                           "9007199254740993", "-9007199254740993"}) {
    EXPECT_EQ(Canonical(text), text);
  }
  // However it is written, one value has one text: stores print numbers in forms of their own.
  EXPECT_EQ(Canonical("10000000000000000"), "10000000000000000");
  EXPECT_EQ(Canonical("1e16"), "10000000000000000");
  EXPECT_EQ(Canonical("-9.223372036854775808e18"), "-9223372036854775808");
  EXPECT_EQ(Canonical("1.8446744073709549568e19"), "18446744073709549568");
  // One more than fits is a double like any other.
  EXPECT_EQ(Canonical("18446744073709551616"), Canonical("1.8446744073709552e19"));
}

TEST(CanonicalJson, DoublesReadBackAsTheSame) {
  SeededRandom random(7);
  int checked = 0;
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t bits = random.Next();
    double number = 0;
    std::memcpy(&number, &bits, sizeof(number));
    if (!std::isfinite(number)) {
      continue;
    }
    char digits[64];
    std::snprintf(digits, sizeof(digits), "%.17g", number);
    const std::string once = Canonical(digits);
    const Result<double> back = ParseDouble(once);
    ASSERT_TRUE(back.ok()) << once;
    ASSERT_EQ(*back, number) << digits;
    ASSERT_EQ(Canonical(once), once);
    ++checked;
  }
  EXPECT_GT(checked, 15'000);
}

TEST(CanonicalJson, NeedsTheNearestDoubleNotAlmost) {
  // Reading these by repeated multiplication misses by one step.
  for (const char* text : {"7.2057594037927933e+16", "2.2250738585072011e-308", "8.41e+21",
                           "1.7976931348623157e+308", "5e-324", "123456789.12345679e-10"}) {
    EXPECT_EQ(*ParseDouble(Canonical(text)), *ParseDouble(text)) << text;
  }
}

TEST(CanonicalJson, OneFormOfEachString) {
  EXPECT_EQ(Canonical(R"("\u0041\/\u00e9\ud83d\ude00")"), "\"A/é😀\"");
  EXPECT_EQ(Canonical(R"("\u000a\u0001\u0000\"\\")"), R"("\n\u0001\u0000\"\\")");
}

TEST(CanonicalJson, RefusesWhatIsNotJsonAndNamesTheByte) {
  const std::pair<const char*, const char*> cases[] = {{"", "byte 0"},
                                                       {"{", "byte 1"},
                                                       {"[1,]", "byte 3"},
                                                       {"NaN", "byte 0"},
                                                       {"[Infinity]", "byte 1"},
                                                       {"-Infinity", "byte 1"},
                                                       {"{'a':1}", "byte 1"},
                                                       {"[1] x", "byte 4"},
                                                       {"[1][2]", "byte 3"},
                                                       {"01", "byte 1"},
                                                       {"+1", "byte 0"},
                                                       {"1.", "byte 2"},
                                                       {".5", "byte 0"},
                                                       {"\"a\nb\"", "byte 2"},
                                                       {"\"\\x\"", "byte 2"},
                                                       {"// c\n1", "byte 0"},
                                                       {"\xef\xbb\xbf{}", "byte 0"},
                                                       {"\"\xff\"", "byte 1"},
                                                       {"\"\\ud800\"", "byte "},
                                                       {"tru", "byte 3"},
                                                       {"{\"a\" 1}", "byte 5"}};
  for (const auto& [text, place] : cases) {
    const Result<std::string> result = CanonicalJson(text);
    ASSERT_EQ(result.code(), Code::kInvalidArgument) << text;
    EXPECT_NE(result.error().message.find(place), std::string::npos)
        << text << " gives " << result.error().message;
  }
}

TEST(CanonicalJson, RefusesNumbersBeyondADouble) {
  for (const char* text : {"1e400", "[-1e309]", "1e999999999999"}) {
    EXPECT_EQ(CanonicalJson(text).code(), Code::kInvalidArgument) << text;
  }
  const std::string digits(400, '9');
  EXPECT_EQ(CanonicalJson(digits).code(), Code::kInvalidArgument);
}

TEST(CanonicalJson, LimitsTheDepth) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(CanonicalJson(nested(64)).ok());
  const Result<std::string> deep = CanonicalJson(nested(65));
  ASSERT_EQ(deep.code(), Code::kInvalidArgument);
  EXPECT_NE(deep.error().message.find("byte 64"), std::string::npos) << deep.error().message;
  EXPECT_NE(deep.error().message.find("deeper than 64"), std::string::npos);
  EXPECT_TRUE(CanonicalJson("{\"a\":[1]}", 2).ok());
  EXPECT_FALSE(CanonicalJson("{\"a\":[1]}", 1).ok());
  EXPECT_TRUE(CanonicalJson("1", 0).ok());
  // Far too deep costs no stack.
  EXPECT_EQ(CanonicalJson(std::string(1'000'000, '[')).code(), Code::kInvalidArgument);
}

TEST(CanonicalJson, SurvivesRandomBytes) {
  SeededRandom random(11);
  const std::string alphabet = "{}[]\",:0123456789.eE+-truefalsn\\u \n\x80\xff";
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = random.Below(12); n > 0; --n) {
      text += alphabet[random.Below(alphabet.size())];
    }
    const Result<std::string> once = CanonicalJson(text);
    if (once.ok()) {
      ++accepted;
      EXPECT_EQ(Canonical(*once), *once) << text;
    }
  }
  EXPECT_GT(accepted, 50);
}

std::string JsonString(std::string_view text) {
  std::string out;
  AppendJsonString(out, text);
  return out;
}

TEST(AppendJsonString, EscapesWhatMustBe) {
  EXPECT_EQ(JsonString("plain"), "\"plain\"");
  EXPECT_EQ(JsonString("a\"b\\c\b\f\n\r\t"), R"("a\"b\\c\b\f\n\r\t")");
  EXPECT_EQ(JsonString(std::string_view("\0\x1f\x7f", 3)), R"("\u0000\u001f\u007f")");
  EXPECT_EQ(JsonString("é€😀"), "\"é€😀\"");
}

TEST(AppendJsonString, ReplacesWhatIsNotUtf8) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(JsonString("a\xff z"), "\"a" + bad + " z\"");
  EXPECT_EQ(JsonString("\xc0\xaf"), "\"" + bad + bad + "\"");            // overlong
  EXPECT_EQ(JsonString("\xed\xa0\x80"), "\"" + bad + bad + bad + "\"");  // surrogate
  EXPECT_EQ(JsonString("\xf4\x90\x80\x80"), "\"" + bad + bad + bad + bad + "\"");
  EXPECT_EQ(JsonString("\xe2\x82"), "\"" + bad + "\"");  // cut short: one mark
  EXPECT_EQ(JsonString("\xe2\x82zz"), "\"" + bad + "zz\"");
  EXPECT_EQ(JsonString("\xf0\x9f\x98"), "\"" + bad + "\"");
  EXPECT_EQ(JsonString("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\"");
}

TEST(AppendJsonString, AnyBytesGiveValidJson) {
  SeededRandom random(5);
  for (int i = 0; i < 5'000; ++i) {
    std::string text;
    for (uint64_t n = random.Below(20); n > 0; --n) {
      text += static_cast<char>(random.Next());
    }
    const std::string json = JsonString(text);
    EXPECT_EQ(Canonical(json), json);
  }
}

TEST(AppendJsonNumber, UsesTheFewestDigits) {
  std::string out;
  AppendJsonDouble(out, 0.1);
  AppendJsonString(out, "");
  AppendJsonFloat(out, 0.1F);
  out += ' ';
  AppendJsonDouble(out, 0.1F);
  out += ' ';
  AppendJsonInt(out, std::numeric_limits<int64_t>::min());
  out += ' ';
  AppendJsonUint(out, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(out, "0.1\"\"0.1 0.10000000149011612 -9223372036854775808 18446744073709551615");
}

TEST(AppendJsonNumber, HasNoFormForWhatIsNotFinite) {
  std::string out;
  AppendJsonDouble(out, std::numeric_limits<double>::quiet_NaN());
  AppendJsonFloat(out, std::numeric_limits<float>::infinity());
  EXPECT_EQ(out, "nullnull");
}

}  // namespace
}  // namespace roost
