#include <algorithm>
#include <limits>

#include "base/random.h"
#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

CollectionSchema Numbered(Trial& trial, std::string_view suffix = "") {
  auto schema = trial.Plain(suffix);
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  return schema;
}

Record Row(RecordKey key, int64_t n) {
  auto record = PlainRecord(std::move(key));
  record.fields["n"] = n;
  return record;
}

int64_t NumberOf(const std::optional<Record>& record) {
  if (!record || !record->fields.contains("n")) {
    return -1;
  }
  return std::get<int64_t>(record->fields.at("n"));
}

void InsertRefusesKeysThatExist(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto first = trial.Insert(schema.name, {Row(StringKey("a"), 1), Row(StringKey("b"), 1)});
  EXPECT_EQ(first.written, 2u);
  EXPECT_TRUE(first.errors.empty());
  const auto second = trial.Insert(
      schema.name, {Row(StringKey("c"), 2), Row(StringKey("a"), 2), Row(StringKey("d"), 2)});
  EXPECT_EQ(second.written, 2u);
  ASSERT_EQ(second.errors.size(), 1u);
  EXPECT_EQ(second.errors[0].row, 1u);
  EXPECT_EQ(second.errors[0].error.code, Code::kAlreadyExists);
  EXPECT_EQ(NumberOf(trial.Get(schema.name, StringKey("a"))), 1);
  EXPECT_EQ(NumberOf(trial.Get(schema.name, StringKey("c"))), 2);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 4u);
}

void InsertRefusesKeysTwiceInABatch(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto result = trial.Insert(schema.name, {Row(StringKey("a"), 1), Row(StringKey("b"), 2),
                                                 Row(StringKey("a"), 3), Row(StringKey("a"), 4)});
  EXPECT_EQ(result.written, 2u);
  ASSERT_EQ(result.errors.size(), 2u);
  EXPECT_EQ(result.errors[0].row, 2u);
  EXPECT_EQ(result.errors[1].row, 3u);
  EXPECT_EQ(result.errors[1].error.code, Code::kAlreadyExists);
  EXPECT_EQ(NumberOf(trial.Get(schema.name, StringKey("a"))), 1);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 2u);
}

void UpsertTakesTheLastOfABatch(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row(StringKey("a"), 1), Row(StringKey("b"), 2), Row(StringKey("a"), 3),
                             Row(StringKey("a"), 4)});
  EXPECT_EQ(NumberOf(trial.Get(schema.name, StringKey("a"))), 4);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 2u);
  EXPECT_EQ(trial.ScanAll(schema.name).size(), 2u);
  const auto hits = trial.Search(
      {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .exact = true});
  EXPECT_EQ(hits.at(0).size(), 2u);
}

void UpsertReplacesWholeRecords(Trial& trial) {
  auto schema = Numbered(trial);
  schema.fields.push_back({.name = "s", .type = DataType::kVarChar});
  ASSERT_TRUE(trial.Create(schema));
  auto full = Row(StringKey("a"), 1);
  full.fields["s"] = "old";
  trial.Upsert(schema.name, {full});
  Record bare;
  bare.key = StringKey("a");
  bare.fields["n"] = int64_t{2};
  trial.Upsert(schema.name, {bare});
  const auto got = trial.Get(schema.name, bare.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, bare)) << "the old vector or field is still there: " << Show(*got);
  const auto hits = trial.Search(
      {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .exact = true});
  EXPECT_TRUE(hits.at(0).empty()) << "search finds a vector that was replaced by none";
  EXPECT_EQ(trial.Count({.collection = schema.name, .filter = trial.Parse("s == \"old\"", schema)}),
            0u);
}

void ReplacedVectorsAreNotFound(Trial& trial) {
  auto schema = Numbered(trial);
  if (!trial.Claims(Metric::kL2)) {
    return;
  }
  schema.vectors[0].metric = Metric::kL2;
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {PlainRecord(StringKey("a"), {1, 0, 0, 0}),
                             PlainRecord(StringKey("b"), {5, 0, 0, 0})});
  trial.Upsert(schema.name, {PlainRecord(StringKey("a"), {9, 0, 0, 0})});
  const auto hits =
      trial.Search({.collection = schema.name, .vectors = {FloatVector({1, 0, 0, 0})}}).at(0);
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(ToString(hits[0].record.key), "\"b\"");
  EXPECT_NEAR(hits[0].distance, 4, 1e-5);
  EXPECT_NEAR(hits[1].distance, 8, 1e-5);
}

void DeleteForgets(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name,
               {Row(StringKey("a"), 1), Row(StringKey("b"), 2), Row(StringKey("c"), 3)});
  const uint64_t deleted =
      trial.Delete(schema.name, {StringKey("b"), StringKey("absent"), StringKey("a")});
  EXPECT_TRUE(deleted == 2 || deleted == 3) << deleted;
  EXPECT_FALSE(trial.Get(schema.name, StringKey("a")).has_value());
  EXPECT_EQ(Keys(trial.ScanAll(schema.name)), (std::vector<std::string>{"\"c\""}));
  EXPECT_EQ(trial.Count({.collection = schema.name}), 1u);
  const auto hits = trial.Search(
      {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .exact = true});
  EXPECT_EQ(Keys(hits.at(0)), (std::vector<std::string>{"\"c\""}));
  trial.Delete(schema.name, {StringKey("absent")});
  const auto again = trial.Insert(schema.name, {Row(StringKey("a"), 5)});
  EXPECT_EQ(again.written, 1u) << "a deleted key can be inserted again";
  EXPECT_EQ(NumberOf(trial.Get(schema.name, StringKey("a"))), 5);
}

void DeleteWithFilter(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name,
               {Row(StringKey("a"), 1), Row(StringKey("b"), 2), Row(StringKey("c"), 3)});
  trial.Delete(schema.name, {StringKey("a"), StringKey("b"), StringKey("absent")},
               trial.Parse("n >= 2", schema));
  EXPECT_EQ(Keys(trial.ScanAll(schema.name)), (std::vector<std::string>{"\"a\"", "\"c\""}));
}

/// Keys at the ends of what the store claims, and around 2^53, by rising value.
std::vector<int64_t> ClaimedIntegerKeys(const Capabilities& capabilities) {
  const int64_t lowest = capabilities.min_integer_key;
  const int64_t highest = capabilities.max_integer_key;
  std::vector<int64_t> keys = {
      lowest, lowest + 1,       -(int64_t{1} << 53) - 1, -10,         -9,     0, 9,
      10,     int64_t{1} << 53, (int64_t{1} << 53) + 1,  highest - 1, highest};
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::erase_if(keys, [&](int64_t key) { return key < lowest || key > highest; });
  return keys;
}

/// Writes records of those keys, in any order, and finds each by every kind of read.
void TryIntegerKeys(Trial& trial, const CollectionSchema& schema,
                    const std::vector<int64_t>& keys) {
  const std::string tenant = schema.multi_tenant() ? "t" : "";
  ASSERT_TRUE(trial.Create(schema));
  std::vector<Record> rows;
  std::vector<std::string> expected;
  for (size_t i = keys.size(); i-- > 0;) {
    rows.push_back(Row(IntegerKey(keys[i], tenant), static_cast<int64_t>(i)));
    expected.insert(expected.begin(), ToString(rows.back().key));
  }
  trial.Upsert(schema.name, rows);
  EXPECT_EQ(Keys(trial.ScanAll(schema.name, 3)), expected);
  EXPECT_EQ(Keys(trial.Query({.collection = schema.name})), expected);
  const auto hits = trial.Search({.collection = schema.name,
                                  .vectors = {FloatVector({1, 2, 3, 4})},
                                  .top_k = 50,
                                  .exact = true});
  EXPECT_EQ(Keys(hits.at(0)), expected);
  for (const int64_t key : keys) {
    const auto got = trial.Get(schema.name, IntegerKey(key, tenant));
    ASSERT_TRUE(got.has_value()) << key;
    EXPECT_EQ(got->key, IntegerKey(key, tenant));
    EXPECT_EQ(trial.Count({.collection = schema.name,
                           .filter = trial.Parse("id == " + std::to_string(key), schema)}),
              1u)
        << key;
  }
  EXPECT_FALSE(trial.Get(schema.name, IntegerKey(1, tenant)).has_value());
  trial.Delete(schema.name, {IntegerKey(keys.front(), tenant), IntegerKey(keys.back(), tenant)});
  EXPECT_EQ(trial.Count({.collection = schema.name}), keys.size() - 2);
}

void IntegerKeys(Trial& trial) {
  auto schema = Numbered(trial);
  schema.key_type = KeyType::kInt64;
  TryIntegerKeys(trial, schema, ClaimedIntegerKeys(trial.capabilities()));
  if (trial.capabilities().tenants) {
    schema.name = trial.Name("Tenants");
    schema.tenant_field = "tenant";
    TryIntegerKeys(trial, schema, ClaimedIntegerKeys(trial.capabilities()));
  }
}

void UnclaimedIntegerKeysAreRefused(Trial& trial) {
  const Capabilities& capabilities = trial.capabilities();
  std::vector<int64_t> beyond;
  if (capabilities.min_integer_key > std::numeric_limits<int64_t>::min()) {
    beyond = {capabilities.min_integer_key - 1, std::numeric_limits<int64_t>::min()};
  }
  if (capabilities.max_integer_key < std::numeric_limits<int64_t>::max()) {
    beyond.push_back(capabilities.max_integer_key + 1);
    beyond.push_back(std::numeric_limits<int64_t>::max());
  }
  auto schema = Numbered(trial);
  schema.key_type = KeyType::kInt64;
  ASSERT_TRUE(trial.Create(schema));
  const auto context = Trial::Context();
  for (const int64_t key : beyond) {
    const WriteRequest request{.collection = schema.name,
                               .records = {Row(IntegerKey(0), 0), Row(IntegerKey(key), 1)}};
    for (const bool insert : {false, true}) {
      const auto written =
          insert ? trial.store().Insert(context, request) : trial.store().Upsert(context, request);
      EXPECT_EQ(written.code(), Code::kInvalidArgument) << key << ": " << ErrorOf(written);
      EXPECT_NE(ErrorOf(written).find("row 1 (id " + std::to_string(key) + ")"), std::string::npos)
          << ErrorOf(written);
    }
    const std::vector<RecordKey> keys = {IntegerKey(key)};
    const auto got = trial.store().Get(context, {.collection = schema.name, .keys = keys});
    EXPECT_EQ(got.code(), Code::kInvalidArgument) << key << ": " << ErrorOf(got);
    const auto gone = trial.store().Delete(context, {.collection = schema.name, .keys = keys});
    EXPECT_EQ(gone.code(), Code::kInvalidArgument) << key << ": " << ErrorOf(gone);
    // Bounds and constants are no keys.
    EXPECT_EQ(trial.Count({.collection = schema.name,
                           .filter = trial.Parse("id == " + std::to_string(key), schema)}),
              0u);
    const auto page = trial.store().Scan(
        context, {.collection = schema.name, .after = std::nullopt, .until = IntegerKey(key)});
    EXPECT_TRUE(page.ok()) << key << ": " << ErrorOf(page);
  }
  EXPECT_EQ(trial.Count({.collection = schema.name}), 0u) << "rows of a refused batch are there";
}

std::vector<std::string> StrangeKeys(Trial& trial) {
  std::vector<std::string> keys = {" ",
                                   "  ",
                                   " a",
                                   "a ",
                                   "a",
                                   "A",
                                   "a/b",
                                   "../..",
                                   "_id",
                                   "5",
                                   "05",
                                   "null",
                                   "'; DROP TABLE x; --",
                                   "\" or 1 == 1 or \"",
                                   "back\\slash",
                                   "%_*?",
                                   "line\nbreak\ttab",
                                   "größe",
                                   "gro\u0308\u00dfe",
                                   "日本語",
                                   "👍🏽",
                                   "\x01",
                                   "\x7f",
                                   std::string(500, 'k'),
                                   std::string(500, 'k') + "l",
                                   std::string(trial.capabilities().max_key_bytes, 'm')};
  SeededRandom random(3);
  keys.push_back(random.Hex(trial.capabilities().max_key_bytes / 2));  // does not compress
  if (trial.capabilities().null_bytes_in_strings) {
    keys.push_back(std::string("a\0b", 3));
    keys.push_back(std::string("a\0", 2));
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

void StringKeys(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto keys = StrangeKeys(trial);
  std::vector<Record> rows;
  std::vector<std::string> expected;
  for (size_t i = 0; i < keys.size(); ++i) {
    rows.push_back(Row(StringKey(keys[keys.size() - 1 - i]), static_cast<int64_t>(i)));
    expected.push_back(ToString(StringKey(keys[i])));
  }
  trial.Upsert(schema.name, rows);
  EXPECT_EQ(Keys(trial.ScanAll(schema.name, 4)), expected);
  EXPECT_EQ(Keys(trial.Query({.collection = schema.name})), expected);
  EXPECT_EQ(trial.Count({.collection = schema.name}), keys.size());
  for (const auto& row : rows) {
    const auto got = trial.Get(schema.name, row.key);
    ASSERT_TRUE(got.has_value()) << ToString(row.key);
    EXPECT_TRUE(SameRecord(*got, row)) << Show(*got);
  }
  trial.Delete(schema.name, {StringKey("a")});
  EXPECT_EQ(trial.Count({.collection = schema.name}), keys.size() - 1);
  EXPECT_TRUE(trial.Get(schema.name, StringKey("A")).has_value());
}

void BigBatch(Trial& trial) {
  constexpr int64_t kRows = 20'000;
  auto schema = Numbered(trial);
  schema.key_type = KeyType::kInt64;
  schema.vectors[0].index = "FLAT";
  ASSERT_TRUE(trial.Create(schema));
  std::vector<Record> rows;
  std::vector<RecordKey> even;
  for (int64_t i = 0; i < kRows; ++i) {
    rows.push_back(Row(IntegerKey(i), i % 7));
    if (i % 2 == 0) {
      even.push_back(IntegerKey(i));
    }
  }
  trial.Upsert(schema.name, rows);
  EXPECT_EQ(trial.Count({.collection = schema.name}), static_cast<uint64_t>(kRows));
  EXPECT_EQ(trial.Count({.collection = schema.name, .filter = trial.Parse("n == 3", schema)}),
            static_cast<uint64_t>(kRows / 7));
  const auto got = trial.store().Get(Trial::Context(), {.collection = schema.name, .keys = even});
  ASSERT_TRUE(got.ok()) << ErrorOf(got);
  ASSERT_EQ(got->records.size(), even.size());
  for (size_t i = 0; i < even.size(); ++i) {
    ASSERT_TRUE(got->records[i].has_value() && got->records[i]->key == even[i]) << i;
  }
  trial.Delete(schema.name, even);
  EXPECT_EQ(trial.Count({.collection = schema.name}), static_cast<uint64_t>(kRows / 2));
}

void EmptyBatch(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  EXPECT_EQ(trial.Upsert(schema.name, {}).written, 0u);
  EXPECT_EQ(trial.Insert(schema.name, {}).written, 0u);
  EXPECT_EQ(trial.Delete(schema.name, {}), 0u);
  const auto got = trial.store().Get(Trial::Context(), {.collection = schema.name});
  ASSERT_TRUE(got.ok()) << ErrorOf(got);
  EXPECT_TRUE(got->records.empty());
}

void WrongKeysAreRefused(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row(StringKey("5"), 1)});
  const auto got =
      trial.store().Get(Trial::Context(), {.collection = schema.name, .keys = {IntegerKey(5)}});
  EXPECT_EQ(got.code(), Code::kInvalidArgument) << ErrorOf(got);
  const auto deleted = trial.store().Delete(
      Trial::Context(), {.collection = schema.name, .keys = {StringKey("5"), IntegerKey(5)}});
  EXPECT_EQ(deleted.code(), Code::kInvalidArgument) << ErrorOf(deleted);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 1u) << "a refused delete deleted";
}

}  // namespace

Checks WriteChecks() {
  return {{"InsertRefusesKeysThatExist", InsertRefusesKeysThatExist},
          {"InsertRefusesKeysTwiceInABatch", InsertRefusesKeysTwiceInABatch},
          {"UpsertTakesTheLastOfABatch", UpsertTakesTheLastOfABatch},
          {"UpsertReplacesWholeRecords", UpsertReplacesWholeRecords},
          {"ReplacedVectorsAreNotFound", ReplacedVectorsAreNotFound},
          {"DeleteForgets", DeleteForgets},
          {"DeleteWithFilter", DeleteWithFilter},
          {"IntegerKeys", IntegerKeys},
          {"UnclaimedIntegerKeysAreRefused", UnclaimedIntegerKeysAreRefused},
          {"StringKeys", StringKeys},
          {"BigBatch", BigBatch},
          {"EmptyBatch", EmptyBatch},
          {"WrongKeysAreRefused", WrongKeysAreRefused}};
}

}  // namespace roost::conformance
