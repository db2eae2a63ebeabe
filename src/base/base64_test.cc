#include "base/base64.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using ::testing::HasSubstr;

TEST(Base64, IsThatOfTheStandard) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"\xFB\xFF", "+/8="}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text).value(), bytes);
  }
}

TEST(Base64, NamesTheCharacterThatIsNotBase64) {
  const std::string good = "AAECAwQFBg==";
  EXPECT_EQ(DecodeBase64(good).value(), std::string("\0\1\2\3\4\5\6", 7));
  EXPECT_EQ(DecodeBase64("AAECAwQF").value(), std::string("\0\1\2\3\4\5", 6));
  EXPECT_EQ(DecodeBase64("//79").value(), "\xff\xfe\xfd");
  for (size_t at = 0; at < 10; ++at) {
    for (const char bad : {'@', '=', '\0', '\x80', '\xff'}) {
      std::string text = good;
      text[at] = bad;
      const Result<std::string> decoded = DecodeBase64(text);
      ASSERT_FALSE(decoded.ok()) << text;
      EXPECT_THAT(decoded.error().message,
                  HasSubstr("character " + std::to_string(at + 1) + " is not base64"));
    }
  }
}

}  // namespace
}  // namespace roost
