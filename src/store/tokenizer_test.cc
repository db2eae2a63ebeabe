#include "store/tokenizer.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "store/scalar_text.h"

namespace roost {
namespace {

using Words = std::vector<std::string>;

TEST(Tokenizer, SplitsAtWhatIsNoLetterOrDigit) {
  EXPECT_EQ(Tokenize("The quick, brown FOX (42) jumps!"),
            (Words{"the", "quick", "brown", "fox", "42", "jumps"}));
  EXPECT_EQ(Tokenize("don't e-mail a_b x2"), (Words{"don", "t", "e", "mail", "a", "b", "x2"}));
  EXPECT_EQ(Tokenize(""), Words{});
  EXPECT_EQ(Tokenize(" \t\n.,;👍"), Words{});
  EXPECT_EQ(Tokenize("fox fox"), (Words{"fox", "fox"}));
}

TEST(Tokenizer, LowersAllOfUnicode) {
  EXPECT_EQ(Tokenize("ÜBER Größe ΑΘΗΝΑ МОСКВА ǅ"),
            (Words{"über", "größe", "αθηνα", "москва", "ǆ"}));
  EXPECT_EQ(Tokenize("été e\u0301te\u0301"), (Words{"été", "e\u0301te\u0301"}));
  EXPECT_EQ(Tokenize("हिन्दी"), (Words{"हिन्दी"}));
  EXPECT_EQ(Tokenize("٣٤"), (Words{"٣٤"}));
}

TEST(Tokenizer, HanAndHiraganaStandAlone) {
  EXPECT_EQ(Tokenize("日本語のRoost"), (Words{"日", "本", "語", "の", "roost"}));
  EXPECT_EQ(Tokenize("カタカナ 한국어"), (Words{"カタカナ", "한국어"}));
}

TEST(Tokenizer, LongWordsAreCut) {
  const auto words = Tokenize(std::string(1'000, 'x'));
  ASSERT_EQ(words.size(), 4u);
  size_t total = 0;
  for (const auto& word : words) {
    EXPECT_LE(word.size(), 255u);
    total += word.size();
  }
  EXPECT_EQ(total, 1'000u);
}

TEST(Tokenizer, BrokenUtf8SeparatesWords) {
  EXPECT_EQ(Tokenize("a\xff"
                     "b\xc3"),
            (Words{"a", "b"}));
  SeededRandom random(1);
  for (int i = 0; i < 5'000; ++i) {
    std::string text(random.Below(40), ' ');
    for (char& c : text) {
      c = static_cast<char>(random.Next());
    }
    for (const auto& word : Tokenize(text)) {
      EXPECT_FALSE(word.empty());
      EXPECT_TRUE(IsUtf8(word));
    }
  }
}

}  // namespace
}  // namespace roost
