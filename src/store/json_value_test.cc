#include "store/json_value.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "base/random.h"

namespace roost {
namespace {

TEST(JsonValue, ReadsScalars) {
  EXPECT_TRUE(SameValue(JsonToValue("null"), Value()));
  EXPECT_TRUE(SameValue(JsonToValue("true"), Value(true)));
  EXPECT_TRUE(SameValue(JsonToValue("9223372036854775807"), Value(INT64_MAX)));
  EXPECT_TRUE(SameValue(JsonToValue("-9223372036854775808"), Value(INT64_MIN)));
  EXPECT_TRUE(SameValue(JsonToValue("18446744073709551615"), Value(18446744073709551615.0)));
  EXPECT_TRUE(SameValue(JsonToValue("0.1"), Value(0.1)));
  EXPECT_TRUE(SameValue(JsonToValue("5e-324"), Value(5e-324)));
  EXPECT_TRUE(SameValue(JsonToValue(R"("a\"\\\n\u0000\u00fc\ud83d\udc4d\/")"),
                        Value(std::string("a\"\\\n\0ü👍/", 12))));
}

TEST(JsonValue, FollowsPaths) {
  const std::string json = R"({"a":{"b":[1,{"c":"x,]}"},[]]},"":0,"q\"":true})";
  const auto at = [&](const JsonPath& path) { return JsonAt(json, path); };
  EXPECT_TRUE(SameValue(at({"a", "b", int64_t{0}}), Value(int64_t{1})));
  EXPECT_TRUE(SameValue(at({"a", "b", int64_t{1}, "c"}), Value("x,]}")));
  EXPECT_TRUE(SameValue(at({"a", "b", int64_t{2}}), Value(Array{})));
  EXPECT_TRUE(SameValue(at({""}), Value(int64_t{0})));
  EXPECT_TRUE(SameValue(at({"q\""}), Value(true)));
  EXPECT_TRUE(SameValue(at({"a"}), Value(Json{R"({"b":[1,{"c":"x,]}"},[]]})"})));
  EXPECT_TRUE(at({"a", "b", int64_t{3}}).is_null());
  EXPECT_TRUE(at({"a", "b", int64_t{-1}}).is_null());
  EXPECT_TRUE(at({"a", int64_t{0}}).is_null());
  EXPECT_TRUE(at({"a", "b", "0"}).is_null());
  EXPECT_TRUE(at({"b"}).is_null());
  EXPECT_TRUE(JsonAt("", {"a"}).is_null());
}

TEST(JsonValue, MembersMakeTheObjectAgain) {
  const std::string json = R"({"a":[1,2],"b\"":{"c":null},"ü":"x"})";
  const auto members = JsonMembers(json);
  ASSERT_EQ(members.size(), 3u);
  EXPECT_EQ(members[1].first, "b\"");
  EXPECT_EQ(members[1].second, R"({"c":null})");
  EXPECT_EQ(JsonObject({members[2], members[0], members[1]}), json);
  EXPECT_EQ(JsonObject({}), "");
  EXPECT_TRUE(JsonMembers("[1]").empty());
  EXPECT_TRUE(JsonMembers("{}").empty());
}

TEST(JsonValue, WritesValues) {
  std::string out;
  AppendJsonValue(out, Array{Value(), true, int64_t{-5}, 0.5, "a\"b", Json{R"({"x":1})"}, Array{}});
  EXPECT_EQ(out, R"([null,true,-5,0.5,"a\"b",{"x":1},[]])");
  EXPECT_EQ(*CanonicalJson(out), out);
}

TEST(JsonValue, BrokenTextIsHarmless) {
  const std::string good = R"({"a":[1,"x\u00e9\ud83d\udc4d",{"b":null}],"c":-1.5e10})";
  SeededRandom random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good.substr(0, random.Below(good.size() + 1));
    for (uint64_t left = random.Below(4); left > 0 && !text.empty(); --left) {
      text[random.Below(text.size())] = R"({}[]",:\u0x)"[random.Below(11)];
    }
    JsonToValue(text);
    JsonMembers(text);
    JsonAt(text, {"a", int64_t{2}, "b"});
  }
  JsonToValue(std::string(1'000'000, '['));
}

}  // namespace
}  // namespace roost
