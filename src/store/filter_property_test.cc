#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/conformance/random_filters.h"
#include "store/fake_store.h"
#include "store/filter.h"
#include "store/filter_test_schema.h"
#include "store/validate.h"

namespace roost {
namespace {

TEST(FilterProperty, PrintedFiltersParseToTheSameTreeAndMeaning) {
  const auto capabilities = MakeFakeStore()->capabilities();
  const auto schema = conformance::FilterSchema(capabilities, "c", Metric::kL2);
  SeededRandom random(1);
  conformance::FilterGenerator generator(schema, random);
  std::vector<Record> records;
  for (size_t i = 0; i < 50; ++i) {
    records.push_back(generator.NextRecord(i));
  }
  ASSERT_TRUE(ValidateRecords(schema, capabilities, records).ok());
  int parsed = 0;
  int matched = 0;
  for (int i = 0; i < 5'000; ++i) {
    const std::string text = generator.NextFilter(4);
    const auto filter = ParseFilter(text, schema);
    if (!filter.ok()) {
      continue;
    }
    ++parsed;
    const std::string printed = PrintFilter(**filter, schema);
    const auto again = ParseFilter(printed, schema);
    ASSERT_TRUE(again.ok()) << text << "\n" << printed << "\n" << again.error().message;
    ASSERT_TRUE(SameFilter(**filter, **again)) << text << "\n"
                                               << printed << "\n"
                                               << PrintFilter(**again, schema);
    ASSERT_EQ(PrintFilter(**again, schema), printed);
    for (const auto& record : records) {
      const bool matches = Matches(filter->get(), record);
      ASSERT_EQ(matches, Matches(again->get(), record)) << text;
      matched += matches ? 1 : 0;
    }
  }
  EXPECT_GT(parsed, 3'000);
  EXPECT_GT(matched, parsed * 50 / 20) << "the filters match almost nothing";
  EXPECT_LT(matched, parsed * 50 * 19 / 20) << "the filters match almost everything";
}

/// Every filter either parses or gives an error with a position.
void Feed(const std::string& text, const CollectionSchema& schema, const Record& record) {
  const auto filter = ParseFilter(text, schema, {{"p", Value(int64_t{1})}});
  if (!filter.ok()) {
    ASSERT_EQ(filter.code(), Code::kInvalidArgument);
    ASSERT_NE(filter.error().message.find("filter"), std::string::npos);
    return;
  }
  Matches(filter->get(), record);
  if (*filter != nullptr) {
    ASSERT_TRUE(ParseFilter(PrintFilter(**filter, schema), schema).ok()) << text;
  }
}

TEST(FilterProperty, RandomBytesDoNotCrash) {
  const auto schema = FilterTestSchema();
  Record record;
  record.key = {.tenant = "a", .key = int64_t{1}};
  SeededRandom random(2);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random.Below(60), ' ');
    for (char& c : text) {
      c = static_cast<char>(random.Below(i % 2 == 0 ? 256 : 128));
    }
    Feed(text, schema, record);
  }
}

TEST(FilterProperty, RandomTokensDoNotCrash) {
  const auto schema = FilterTestSchema();
  Record record;
  record.key = {.tenant = "a", .key = int64_t{1}};
  const std::vector<std::string> tokens = {"n",
                                           "m",
                                           "s",
                                           "j",
                                           "ints",
                                           "tags",
                                           "(",
                                           ")",
                                           "[",
                                           "]",
                                           "{p}",
                                           "{",
                                           "}",
                                           ",",
                                           "==",
                                           "!=",
                                           "<",
                                           "<=",
                                           ">",
                                           ">=",
                                           "+",
                                           "-",
                                           "*",
                                           "/",
                                           "%",
                                           "and",
                                           "or",
                                           "not",
                                           "in",
                                           "like",
                                           "is",
                                           "null",
                                           "exists",
                                           "true",
                                           "5",
                                           "1.5",
                                           "\"a\"",
                                           "'b%'",
                                           "array_length",
                                           "json_contains",
                                           "text_match",
                                           "t",
                                           "$meta",
                                           "x",
                                           "0x",
                                           "9223372036854775808",
                                           "&&",
                                           "||",
                                           "!",
                                           "`like`",
                                           "-9223372036854775808",
                                           "[1,2]",
                                           "j[\"a\"]"};
  SeededRandom random(3);
  for (int i = 0; i < 50'000; ++i) {
    std::string text;
    for (uint64_t left = 1 + random.Below(12); left > 0; --left) {
      text += tokens[random.Below(tokens.size())] + (random.Below(4) == 0 ? "" : " ");
    }
    Feed(text, schema, record);
  }
}

TEST(FilterProperty, MutatedFiltersDoNotCrash) {
  const auto capabilities = MakeFakeStore()->capabilities();
  const auto schema = conformance::FilterSchema(capabilities, "c", Metric::kL2);
  SeededRandom random(4);
  conformance::FilterGenerator generator(schema, random);
  const Record record = generator.NextRecord(1);
  for (int i = 0; i < 10'000; ++i) {
    std::string text = generator.NextFilter(3);
    for (uint64_t left = 1 + random.Below(4); left > 0 && !text.empty(); --left) {
      const size_t at = random.Below(text.size());
      switch (random.Below(4)) {
        case 0:
          text.erase(at, 1 + random.Below(5));
          break;
        case 1:
          text.insert(at, text.substr(random.Below(text.size()), random.Below(10)));
          break;
        case 2:
          text[at] = static_cast<char>(random.Below(256));
          break;
        default:
          text.resize(at);
      }
    }
    Feed(text, schema, record);
  }
}

}  // namespace
}  // namespace roost
