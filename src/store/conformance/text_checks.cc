#include <algorithm>
#include <set>

#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

CollectionSchema Articles(Trial& trial) {
  auto schema = trial.Plain();
  schema.fields = {{.name = "title", .type = DataType::kText},
                   {.name = "body", .type = DataType::kText},
                   {.name = "n", .type = DataType::kInt64}};
  return schema;
}

bool Fill(Trial& trial, const CollectionSchema& schema) {
  if (!trial.Create(schema)) {
    return false;
  }
  const std::vector<std::pair<const char*, const char*>> texts = {
      {"Foxes", "The quick brown fox jumps over the lazy dog"},
      {"Dogs", "A dog is a dog, and a lazy dog is a dog that sleeps"},
      {"Vögel", "Größe und Flug der VÖGEL; 42 Arten"},
      {"Nothing", ""},
      {"More foxes", "fox fox fox"},
      {"Plain", "words about something else entirely"}};
  std::vector<Record> rows;
  for (size_t i = 0; i < texts.size(); ++i) {
    auto record = PlainRecord(StringKey(std::to_string(i)));
    record.fields["title"] = texts[i].first;
    record.fields["body"] = texts[i].second;
    record.fields["n"] = static_cast<int64_t>(i);
    rows.push_back(std::move(record));
  }
  rows.push_back(PlainRecord(StringKey("null")));
  trial.Upsert(schema.name, rows);
  return true;
}

std::set<std::string> Found(Trial& trial, const CollectionSchema& schema, const std::string& field,
                            const std::string& query, const std::string& filter = "") {
  std::set<std::string> keys;
  const auto hits = trial.Search({.collection = schema.name,
                                  .field = field,
                                  .texts = {query},
                                  .filter = trial.Parse(filter, schema)});
  double last = -1e300;
  for (const auto& hit : hits.at(0)) {
    keys.insert(std::get<std::string>(hit.record.key.key));
    EXPECT_GE(hit.distance, last) << "best first";
    EXPECT_NEAR(hit.score, -hit.distance, 1e-9);
    EXPECT_GT(hit.score, 0) << "a record with a word scores above zero";
    last = hit.distance;
  }
  return keys;
}

using Set = std::set<std::string>;

void KeywordSearchFindsRecordsWithAWord(Trial& trial) {
  const auto schema = Articles(trial);
  if (!trial.capabilities().keyword_search || !Fill(trial, schema)) {
    return;
  }
  EXPECT_EQ(Found(trial, schema, "body", "fox"), (Set{"0", "4"}));
  EXPECT_EQ(Found(trial, schema, "body", "FOX"), (Set{"0", "4"}));
  EXPECT_EQ(Found(trial, schema, "body", "fox sleeps"), (Set{"0", "1", "4"}));
  EXPECT_EQ(Found(trial, schema, "body", "vögel"), (Set{"2"}));
  EXPECT_EQ(Found(trial, schema, "body", "42!"), (Set{"2"}));
  EXPECT_EQ(Found(trial, schema, "body", "foxes"), Set{});
  EXPECT_EQ(Found(trial, schema, "title", "foxes"), (Set{"0", "4"}));
  EXPECT_EQ(Found(trial, schema, "", "foxes dog"), (Set{"0", "1", "4"}));
  EXPECT_EQ(Found(trial, schema, "body", "absent"), Set{});
  EXPECT_EQ(Found(trial, schema, "body", ""), Set{});
  EXPECT_EQ(Found(trial, schema, "body", "... !?"), Set{});
  EXPECT_EQ(Found(trial, schema, "body", "fox\" OR 1=1 & | ! ( ) : * '"), (Set{"0", "4"}));
  EXPECT_EQ(Found(trial, schema, "body", "dog", "n == 1"), (Set{"1"}));
}

void KeywordSearchRanks(Trial& trial) {
  const auto schema = Articles(trial);
  if (!trial.capabilities().keyword_search || !Fill(trial, schema)) {
    return;
  }
  const auto first = [&](const std::string& query) {
    const auto hits =
        trial.Search({.collection = schema.name, .field = "body", .texts = {query}}).at(0);
    return hits.empty() ? std::string() : std::get<std::string>(hits[0].record.key.key);
  };
  EXPECT_EQ(first("fox"), "4") << "the word thrice in a short text";
  EXPECT_EQ(first("dog"), "1");
  EXPECT_EQ(first("quick brown fox"), "0") << "all the words before one of them";
  const auto both = trial.Search(
      {.collection = schema.name, .field = "body", .texts = {"fox", "dog"}, .top_k = 1});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(Keys(both[0]), (std::vector<std::string>{"\"4\""}));
  EXPECT_EQ(Keys(both[1]), (std::vector<std::string>{"\"1\""}));
}

void KeywordSearchFollowsWrites(Trial& trial) {
  const auto schema = Articles(trial);
  if (!trial.capabilities().keyword_search || !Fill(trial, schema)) {
    return;
  }
  auto changed = PlainRecord(StringKey("4"));
  changed.fields["body"] = "cat";
  trial.Upsert(schema.name, {changed});
  trial.Delete(schema.name, {StringKey("1")});
  EXPECT_EQ(Found(trial, schema, "body", "fox"), (Set{"0"}));
  EXPECT_EQ(Found(trial, schema, "body", "cat"), (Set{"4"}));
  EXPECT_EQ(Found(trial, schema, "body", "dog"), (Set{"0"}));
}

void TextMatchFilters(Trial& trial) {
  const auto schema = Articles(trial);
  if (!trial.Claims(DataType::kText) || !Fill(trial, schema)) {
    return;
  }
  const auto matching = [&](std::string_view filter) {
    Set keys;
    for (const auto& record :
         trial.Query({.collection = schema.name, .filter = trial.Parse(filter, schema)})) {
      keys.insert(std::get<std::string>(record.key.key));
    }
    return keys;
  };
  EXPECT_EQ(matching("text_match(body, \"fox\")"), (Set{"0", "4"}));
  EXPECT_EQ(matching("text_match(body, \"sleeps Fox\")"), (Set{"0", "1", "4"}));
  EXPECT_EQ(matching("text_match(body, \"größe\")"), (Set{"2"}));
  EXPECT_EQ(matching("text_match(body, \"fo\")"), Set{});
  EXPECT_EQ(matching("text_match(body, \"\")"), Set{});
  EXPECT_EQ(matching("not text_match(body, \"fox\") and n < 3"), (Set{"1", "2"}));
}

void HybridOfWordsAndVectors(Trial& trial) {
  const auto schema = Articles(trial);
  if (!trial.capabilities().keyword_search || !Fill(trial, schema)) {
    return;
  }
  auto near = PlainRecord(StringKey("near"), {4, 3, 2, 1});
  near.fields["body"] = "fox fox fox";
  trial.Upsert(schema.name, {near});
  HybridSearchRequest request;
  request.legs = {{.collection = schema.name, .vectors = {FloatVector({4, 3, 2, 1})}},
                  {.collection = schema.name, .field = "body", .texts = {"fox"}}};
  request.top_k = 3;
  const auto found = trial.store().HybridSearch(Trial::Context(), request);
  ASSERT_TRUE(found.ok()) << ErrorOf(found);
  ASSERT_EQ(found->hits.at(0).size(), 3u);
  request.fusion = HybridSearchRequest::Fusion::kWeighted;
  request.weights = {0.5, 0.5};
  const auto weighted = trial.store().HybridSearch(Trial::Context(), request);
  ASSERT_TRUE(weighted.ok()) << ErrorOf(weighted);
  EXPECT_EQ(ToString(weighted->hits.at(0).at(0).record.key), "\"near\"");
  EXPECT_NEAR(weighted->hits.at(0).at(0).score, 1, 0.05);
}

void KeywordSearchIsRefusedWhereThereIsNone(Trial& trial) {
  const bool without_words = !trial.capabilities().keyword_search && trial.Claims(DataType::kText);
  const auto schema = without_words ? Articles(trial) : trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  for (const char* field : {"v", "body", ""}) {
    const auto searched = trial.store().Search(
        Trial::Context(), {.collection = schema.name, .field = field, .texts = {"fox"}});
    EXPECT_TRUE(IsRefusal(searched.code())) << field << ": " << ErrorOf(searched);
  }
}

}  // namespace

Checks TextChecks() {
  return {{"KeywordSearchFindsRecordsWithAWord", KeywordSearchFindsRecordsWithAWord},
          {"KeywordSearchRanks", KeywordSearchRanks},
          {"KeywordSearchFollowsWrites", KeywordSearchFollowsWrites},
          {"TextMatchFilters", TextMatchFilters},
          {"HybridOfWordsAndVectors", HybridOfWordsAndVectors},
          {"KeywordSearchIsRefusedWhereThereIsNone", KeywordSearchIsRefusedWhereThereIsNone}};
}

}  // namespace roost::conformance
