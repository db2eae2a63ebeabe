// Documents, words, versions and queries without a server.

#include "adapters/opensearch/opensearch_codec.h"

#include <bit>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/opensearch/opensearch_client.h"
#include "adapters/opensearch/opensearch_filter.h"
#include "adapters/opensearch/opensearch_index.h"
#include "adapters/opensearch/opensearch_reply.h"
#include "adapters/opensearch/opensearch_tokens.h"
#include "adapters/opensearch/opensearch_version.h"
#include "base/random.h"
#include "store/vector_math.h"

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kLow = std::numeric_limits<int64_t>::min();
constexpr int64_t kHigh = std::numeric_limits<int64_t>::max();

TEST(OpenSearchVersion, FencesKeepTheirOrderAndComeBack) {
  const std::vector<uint64_t> fences = {0,
                                        1,
                                        2,
                                        1'000'000,
                                        kOsSmallFences - 1,
                                        kOsSmallFences,
                                        kOsSmallFences + 1,
                                        uint64_t{1} << 62,
                                        kOsMaxFence};
  for (size_t i = 0; i < fences.size(); ++i) {
    EXPECT_EQ(OsFenceOf(OsVersionOf(fences[i])), fences[i]);
    EXPECT_GE(OsVersionOf(fences[i]), 0);
    if (i > 0) {
      EXPECT_GT(OsVersionOf(fences[i]), OsVersionOf(fences[i - 1]));
    }
  }
  EXPECT_EQ(OsFenceOf(OsVersionOf(7) + (1 << kOsVersionsAFence) - 1), 7u);
  EXPECT_EQ(OsVersionOf(kOsMaxFence), kHigh);
  EXPECT_TRUE(OsCheckFence(kOsMaxFence).ok());
  EXPECT_EQ(OsCheckFence(kOsMaxFence + 1).code(), Code::kInvalidArgument);
}

TEST(OpenSearchTokens, NumbersKeepTheirExactOrder) {
  const std::vector<Value> rising = {-std::numeric_limits<double>::max(),
                                     Value(kLow),
                                     Value(kLow + 1),
                                     Value(int64_t{-9'007'199'254'740'993}),
                                     Value(-9'007'199'254'740'992.0),
                                     Value(-1.5),
                                     Value(int64_t{-1}),
                                     Value(-std::numeric_limits<double>::denorm_min()),
                                     Value(int64_t{0}),
                                     Value(0.1),
                                     Value(int64_t{1}),
                                     Value(9'007'199'254'740'992.0),
                                     Value(int64_t{9'007'199'254'740'993}),
                                     Value(int64_t{9'007'199'254'740'994}),
                                     Value(kHigh - 1),
                                     Value(kHigh),
                                     Value(0x1p63),
                                     Value(std::numeric_limits<double>::max())};
  const OsPath path("n");
  for (size_t i = 1; i < rising.size(); ++i) {
    EXPECT_LT(path.Of(rising[i - 1]), path.Of(rising[i])) << i;
  }
  EXPECT_EQ(path.Of(Value(int64_t{5})), path.Of(Value(5.0)));
  EXPECT_EQ(path.Of(Value(0.0)), path.Of(Value(-0.0)));
}

TEST(OpenSearchTokens, PathsDoNotMixUpWithNames) {
  const OsPath root("j");
  EXPECT_NE(root.Member("a").Member("b").Present(), root.Member("a\1mb").Present());
  EXPECT_NE(root.Member("0").Present(), root.Element(0).Present());
  EXPECT_NE(root.Member(std::string("a\0", 2)).Present(), root.Member("a").Present());
  EXPECT_NE(OsPath("").Member("j").Present(), root.Present());
  const OsPath deep = root.Member(std::string(50'000, 'm'));
  EXPECT_LT(deep.Of(Value(std::string(50'000, 's'))).size(), 32'766u) << "a term's limit";
}

TEST(OpenSearchTokens, StringsThatAreCutStayDifferentAndInOrder) {
  const std::string beginning(9'000, 'x');
  EXPECT_NE(OsIndexedString(beginning + "a"), OsIndexedString(beginning + "b"));
  EXPECT_EQ(OsIndexedString("short"), "short");
  for (const std::string text : {"", "w", "x", "xxx", "xy", "z"}) {
    EXPECT_EQ(OsIndexedString(beginning) < text, beginning < text) << text;
  }
}

TEST(OpenSearchCodec, OrderOfDocumentsIsThatOfKeys) {
  CollectionSchema schema;
  schema.tenant_field = "t";
  std::vector<RecordKey> keys;
  for (const std::string tenant : {"a", "ab", "b", "größe"}) {
    for (const std::string key : {"", "a", "b", "\x01"}) {
      keys.push_back({.tenant = tenant, .key = key + "k"});
    }
  }
  keys.push_back({.tenant = std::string("a\0", 2), .key = "k"});
  for (const RecordKey& a : keys) {
    for (const RecordKey& b : keys) {
      EXPECT_EQ(a < b, OsOrder(schema, a) < OsOrder(schema, b)) << ToString(a) << ToString(b);
    }
  }
  CollectionSchema numbers;
  numbers.key_type = KeyType::kInt64;
  const std::vector<int64_t> rising = {kLow, -10, -9, 0, 9, 10, kHigh};
  for (size_t i = 1; i < rising.size(); ++i) {
    EXPECT_LT(OsOrder(numbers, {.tenant = {}, .key = rising[i - 1]}),
              OsOrder(numbers, {.tenant = {}, .key = rising[i]}));
  }
}

TEST(OpenSearchCodec, IdsFitAndDiffer) {
  const CollectionSchema schema;
  const std::string beginning(600, 'k');
  const auto id = [&](std::string key) {
    return OsDocumentId(schema, {.tenant = {}, .key = std::move(key)});
  };
  EXPECT_EQ(id("plain"), "plain");
  EXPECT_LE(id(beginning).size(), kOsMaxIdBytes);
  EXPECT_NE(id(beginning + "a"), id(beginning + "b"));
  EXPECT_NE(id(id(beginning)), id(beginning)) << "a key that looks like a digest is another key";
}

TEST(OpenSearchCodec, FloatsComeBackBitForBit) {
  CollectionSchema schema;
  schema.vectors = {{.name = "v", .dimension = 1'000}};
  SeededRandom random(5);
  std::vector<float> values = {-0.0f, 0.0f, std::numeric_limits<float>::denorm_min(),
                               std::numeric_limits<float>::max()};
  while (values.size() < 1'000) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random.Next()));
    if (std::isfinite(value)) {
      values.push_back(value);
    }
  }
  Record record;
  record.key.key = "a";
  record.vectors["v"] = Vector::Floats(values);
  std::string text = EncodeRecord(schema, record);
  PadReply(text);
  const auto decoded = DecodeRecord(schema, text);
  ASSERT_TRUE(decoded.ok()) << decoded.error().ToString();
  EXPECT_TRUE(SameRecord(decoded->record, record));
}

TEST(OpenSearchCodec, DamagedDocumentsAreErrors) {
  CollectionSchema schema;
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  schema.vectors = {{.name = "v", .dimension = 2}};
  for (std::string text : {R"({"n":1.5})", R"({"n":"x"})", R"({"v":[1]})", R"({"v":["a","b"]})",
                           R"({"v":[1,2)", "[]", "", R"({"n":99999999999999999999})"}) {
    PadReply(text);
    const auto decoded = DecodeRecord(schema, text);
    EXPECT_EQ(decoded.code(), Code::kDataLoss) << text;
  }
}

TEST(OpenSearchIndex, NamesAreLowerCaseShortAndDifferent) {
  const std::string longest(255, 'N');
  EXPECT_LE(OsIndexName("roost-", longest).size(), 70u);
  EXPECT_NE(OsIndexName("roost-", "Books"), OsIndexName("roost-", "books"));
  EXPECT_THAT(OsIndexName("roost-", "shop.Books"), testing::StartsWith("roost-shop_books-"));
}

TEST(OpenSearchReply, ReadsConflictsAndFailures) {
  EXPECT_EQ(ConflictingVersion("[current version [3]]: version conflict, current version [17] is "
                               "higher than the one provided [0]"),
            17);
  EXPECT_FALSE(ConflictingVersion("something else"));
  std::string body =
      R"({"error":{"type":"outer","reason":"all shards failed","failed_shards":[{"reason":)"
      R"({"type":"inner","reason":"the cause"}}]},"status":400})";
  PadReply(body);
  EXPECT_EQ(ParseFailure(body).reason, "the cause");
  EXPECT_EQ(ParseFailure(body).type, "outer");
}

FilterPtr Parse(const std::string& text, const CollectionSchema& schema) {
  const auto filter = ParseFilter(text, schema);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.error().ToString();
  return *filter;
}

TEST(OpenSearchFilter, SaysWhatItCannotSay) {
  CollectionSchema schema;
  schema.fields = {{.name = "n", .type = DataType::kInt64},
                   {.name = "m", .type = DataType::kInt64},
                   {.name = "s", .type = DataType::kVarChar},
                   {.name = "brief", .type = DataType::kVarChar, .max_length = 100}};
  for (const char* said :
       {"n > 5 and s like \"%a%\"", "n in [1, 2]", "not (n == 1)", "s < \"x\""}) {
    EXPECT_TRUE(OsCanPrint(*Parse(said, schema), {})) << said;
  }
  for (const char* unsaid : {"n + 1 > 5", "n > m", "n == 1 and n < m"}) {
    EXPECT_FALSE(OsCanPrint(*Parse(unsaid, schema), {})) << unsaid;
  }
  const auto pattern = Parse("s like \"%a%\" or brief like \"%b\" or s like \"c%\"", schema);
  EXPECT_EQ(OsFieldsThatMustBeWhole(*pattern, schema), (OsCutFields{"s"}));
  EXPECT_FALSE(OsCanPrint(*pattern, {"s"}));
  const auto both = Parse("n + 1 > 5 and m == 7", schema);
  EXPECT_THAT(OsPrintWider(*both, schema, {}), HasSubstr(R"({"term":{"m":7}})"));
}

TEST(OpenSearchFilter, ComparesExactly) {
  CollectionSchema schema;
  schema.fields = {{.name = "b", .type = DataType::kInt8},
                   {.name = "d", .type = DataType::kDouble}};
  const auto print = [&](const std::string& text) {
    return OsPrintFilter(*Parse(text, schema), schema);
  };
  EXPECT_EQ(print("b == 300"), R"({"match_none":{}})") << "OpenSearch would refuse it";
  EXPECT_EQ(print("b < 300"), R"({"exists":{"field":"b"}})");
  EXPECT_EQ(print("b <= 5"), R"({"range":{"b":{"lte":5}}})");
  EXPECT_EQ(print("d == 0"), R"({"range":{"d":{"gte":-0.0,"lte":0.0}}})") << "zeros are equal";
  EXPECT_EQ(print("d == 9007199254740993"), R"({"match_none":{}})") << "no double is that";
}

TEST(OpenSearchFilter, QuotesWhatUsersWrite) {
  CollectionSchema schema;
  schema.fields = {{.name = "s", .type = DataType::kVarChar}};
  const std::string printed =
      OsPrintFilter(*Parse(R"(s == "\"}},{\"match_all\":{}}")", schema), schema);
  EXPECT_EQ(printed, R"({"term":{"s":"\"}},{\"match_all\":{}}"}})");
  EXPECT_THAT(OsPrintFilter(*Parse(R"(s like "a*%?")", schema), schema),
              HasSubstr(R"("value":"a\\**\\?")"));
}

}  // namespace
}  // namespace roost
