#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

CollectionSchema Numbered(Trial& trial) {
  auto schema = trial.Plain();
  schema.key_type = KeyType::kInt64;
  schema.fields = {{.name = "n", .type = DataType::kInt64},
                   {.name = "s", .type = DataType::kVarChar}};
  return schema;
}

/// Keys 0 to count − 1, written from the last to the first; n is key % 10.
void Fill(Trial& trial, const std::string& collection, int64_t count) {
  std::vector<Record> rows;
  for (int64_t i = count - 1; i >= 0; --i) {
    auto record = PlainRecord(IntegerKey(i), {static_cast<float>(i), 1, 1, 1});
    record.fields["n"] = i % 10;
    record.fields["s"] = "s" + std::to_string(i);
    rows.push_back(std::move(record));
  }
  trial.Upsert(collection, rows);
}

void GetKeepsOrderAndHoles(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  Fill(trial, schema.name, 20);
  std::vector<RecordKey> keys;
  for (const int64_t key : {7, 100, 3, 7, -1, 19, 0}) {
    keys.push_back(IntegerKey(key));
  }
  const auto got = trial.store().Get(Trial::Context(), {.collection = schema.name, .keys = keys});
  ASSERT_TRUE(got.ok()) << ErrorOf(got);
  ASSERT_EQ(got->records.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const int64_t key = std::get<int64_t>(keys[i].key);
    ASSERT_EQ(got->records[i].has_value(), key >= 0 && key < 20) << key;
    if (got->records[i]) {
      EXPECT_EQ(got->records[i]->key, keys[i]);
    }
  }
}

void OutputIsWhatWasAsked(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  Fill(trial, schema.name, 3);
  const auto shape = [&](OutputFields output) {
    const auto records =
        trial.Query({.collection = schema.name, .limit = 1, .output = std::move(output)});
    std::string found;
    for (const auto& record : records) {
      for (const auto& [name, value] : record.fields) {
        found += name + " ";
      }
      for (const auto& [name, vector] : record.vectors) {
        found += name + " ";
      }
    }
    return found;
  };
  EXPECT_EQ(shape({}), "n s ");
  EXPECT_EQ(shape({.vectors = true}), "n s v ");
  EXPECT_EQ(shape({.all_scalars = false}), "");
  EXPECT_EQ(shape({.all_scalars = false, .fields = {"s"}}), "s ");
  EXPECT_EQ(shape({.all_scalars = false, .fields = {"s", "v", "id"}}), "s v ");
  EXPECT_EQ(shape({.all_scalars = false, .vectors = true}), "v ");
  const auto got = trial.store().Get(
      Trial::Context(),
      {.collection = schema.name, .keys = {IntegerKey(1)}, .output = {.all_scalars = false}});
  ASSERT_TRUE(got.ok() && got->records.size() == 1 && got->records[0].has_value());
  EXPECT_TRUE(got->records[0]->fields.empty());
  EXPECT_TRUE(got->records[0]->vectors.empty());
  const auto hits = trial.Search({.collection = schema.name,
                                  .vectors = {FloatVector({1, 1, 1, 1})},
                                  .top_k = 1,
                                  .output = {.all_scalars = false, .fields = {"n"}}});
  ASSERT_EQ(hits.at(0).size(), 1u);
  EXPECT_EQ(hits.at(0)[0].record.fields.size(), 1u);
  EXPECT_TRUE(hits.at(0)[0].record.vectors.empty());
  const auto unknown = trial.store().Query(
      Trial::Context(),
      {.collection = schema.name, .output = {.all_scalars = false, .fields = {"nope"}}});
  EXPECT_EQ(unknown.code(), Code::kInvalidArgument) << ErrorOf(unknown);
}

void QueryPagesInKeyOrder(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  Fill(trial, schema.name, 100);
  const auto page = [&](std::string_view filter, uint64_t offset, uint64_t limit) {
    return Keys(trial.Query({.collection = schema.name,
                             .filter = trial.Parse(filter, schema),
                             .offset = offset,
                             .limit = limit}));
  };
  EXPECT_EQ(page("", 0, 3), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(page("", 98, 5), (std::vector<std::string>{"98", "99"}));
  EXPECT_EQ(page("", 100, 5), std::vector<std::string>());
  EXPECT_EQ(page("", 0, 0), std::vector<std::string>());
  EXPECT_EQ(page("n == 3", 2, 3), (std::vector<std::string>{"23", "33", "43"}));
  EXPECT_EQ(page("n > 100", 0, 3), std::vector<std::string>());
  EXPECT_EQ(page("", 0, 1'000).size(), 100u);
}

void CountWithFilter(Trial& trial) {
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  Fill(trial, schema.name, 95);
  const auto count = [&](std::string_view filter) {
    return trial.Count({.collection = schema.name, .filter = trial.Parse(filter, schema)});
  };
  EXPECT_EQ(count(""), 95u);
  EXPECT_EQ(count("n == 3"), 10u);
  EXPECT_EQ(count("n == 7"), 9u);
  EXPECT_EQ(count("n > 100"), 0u);
  EXPECT_EQ(count("s == \"s42\""), 1u);
  trial.Upsert(schema.name, {PlainRecord(IntegerKey(3))});
  trial.Delete(schema.name, {IntegerKey(13)});
  EXPECT_EQ(count(""), 94u);
  EXPECT_EQ(count("n == 3"), 8u);
  EXPECT_EQ(count("n is null"), 1u);
}

}  // namespace

Checks ReadChecks() {
  return {{"GetKeepsOrderAndHoles", GetKeepsOrderAndHoles},
          {"OutputIsWhatWasAsked", OutputIsWhatWasAsked},
          {"QueryPagesInKeyOrder", QueryPagesInKeyOrder},
          {"CountWithFilter", CountWithFilter}};
}

}  // namespace roost::conformance
