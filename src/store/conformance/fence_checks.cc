#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

Record Row(const std::string& key, int64_t n) {
  auto record = PlainRecord(StringKey(key));
  record.fields["n"] = n;
  return record;
}

CollectionSchema Numbered(Trial& trial) {
  auto schema = trial.Plain();
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  return schema;
}

int64_t NumberOf(Trial& trial, const std::string& collection, const std::string& key) {
  const auto got = trial.Get(collection, StringKey(key));
  return got && got->fields.contains("n") ? std::get<int64_t>(got->fields.at("n")) : -1;
}

void UnclaimedFencesAreRefused(Trial& trial) {
  if (trial.capabilities().fenced_writes) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto written = trial.store().Upsert(
      Trial::Context(), {.collection = schema.name, .records = {Row("a", 1)}, .fence = 5});
  EXPECT_TRUE(IsRefusal(written.code())) << ErrorOf(written);
  const auto inserted = trial.store().Insert(
      Trial::Context(), {.collection = schema.name, .records = {Row("a", 1)}, .fence = 5});
  EXPECT_TRUE(IsRefusal(inserted.code())) << ErrorOf(inserted);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 0u);
  trial.Upsert(schema.name, {Row("a", 1)});
  const auto deleted = trial.store().Delete(
      Trial::Context(), {.collection = schema.name, .keys = {StringKey("a")}, .fence = 5});
  EXPECT_TRUE(IsRefusal(deleted.code())) << ErrorOf(deleted);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 1) << "a refused delete deleted";
}

void OlderFenceDoesNotOverwrite(Trial& trial) {
  if (!trial.capabilities().fenced_writes) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row("a", 10)}, 10);
  trial.Upsert(schema.name, {Row("a", 9), Row("b", 9)}, 9);  // counts as written
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 10);
  EXPECT_EQ(NumberOf(trial, schema.name, "b"), 9);
  trial.Upsert(schema.name, {Row("a", 11)}, 10);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 11) << "an equal fence writes";
  trial.Upsert(schema.name, {Row("a", 12)}, uint64_t{1} << 62);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 12);
  trial.Upsert(schema.name, {Row("a", 13)}, 11);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 12);
}

void OlderFenceDoesNotDelete(Trial& trial) {
  if (!trial.capabilities().fenced_writes) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row("a", 10)}, 10);
  trial.Delete(schema.name, {StringKey("a")}, nullptr, 9);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 10);
  trial.Delete(schema.name, {StringKey("a")}, nullptr, 11);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), -1);
}

void OlderFenceDoesNotResurrect(Trial& trial) {
  if (!trial.capabilities().fenced_writes) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row("a", 5)}, 5);
  trial.Delete(schema.name, {StringKey("a"), StringKey("never there")}, nullptr, 10);
  trial.Upsert(schema.name, {Row("a", 6), Row("never there", 6)}, 6);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), -1) << "an old write brought a deleted record back";
  EXPECT_EQ(NumberOf(trial, schema.name, "never there"), -1)
      << "a delete of an absent key must hold against older writes";
  EXPECT_EQ(trial.Count({.collection = schema.name}), 0u);
  EXPECT_TRUE(trial.ScanAll(schema.name).empty());
  EXPECT_TRUE(trial.Query({.collection = schema.name}).empty());
  const auto hits = trial.Search(
      {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .exact = true});
  EXPECT_TRUE(hits.at(0).empty());
  trial.Upsert(schema.name, {Row("a", 12)}, 12);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 12);
}

void FencedInsert(Trial& trial) {
  if (!trial.capabilities().fenced_writes) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row("a", 5)}, 5);
  const auto result = trial.store().Insert(
      Trial::Context(),
      {.collection = schema.name, .records = {Row("a", 6), Row("b", 6)}, .fence = 6});
  ASSERT_TRUE(result.ok()) << ErrorOf(result);
  EXPECT_EQ(result->written, 1u);
  ASSERT_EQ(result->errors.size(), 1u);
  EXPECT_EQ(result->errors[0].error.code, Code::kAlreadyExists);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 5);
}

void PlainWritesBetweenFences(Trial& trial) {
  if (!trial.capabilities().fenced_writes) {
    return;
  }
  const auto schema = Numbered(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {Row("a", 10)}, 10);
  trial.Upsert(schema.name, {Row("a", 1)});
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 1) << "a write without a fence always applies";
  trial.Upsert(schema.name, {Row("a", 20)}, 20);
  EXPECT_EQ(NumberOf(trial, schema.name, "a"), 20);
}

}  // namespace

Checks FenceChecks() {
  return {{"UnclaimedFencesAreRefused", UnclaimedFencesAreRefused},
          {"OlderFenceDoesNotOverwrite", OlderFenceDoesNotOverwrite},
          {"OlderFenceDoesNotDelete", OlderFenceDoesNotDelete},
          {"OlderFenceDoesNotResurrect", OlderFenceDoesNotResurrect},
          {"FencedInsert", FencedInsert},
          {"PlainWritesBetweenFences", PlainWritesBetweenFences}};
}

}  // namespace roost::conformance
