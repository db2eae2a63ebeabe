#include "store/conformance/trial.h"
#include "store/fake_store.h"

namespace roost::conformance {
namespace {

/// Five records: "a" to "d" with values, "e" with nothing but its key and vector.
std::vector<Record> Books(const CollectionSchema& schema) {
  const auto book = [&](const char* key, int64_t n, double price, const char* s, bool b) {
    auto record = PlainRecord(StringKey(key));
    record.fields = {{"n", n}, {"price", price}, {"s", s}, {"b", b}};
    return record;
  };
  std::vector<Record> records = {book("a", -5, 0.1, "red", true), book("b", 0, 1.5, "Red", false),
                                 book("c", 7, 2.0, "red%wine", true),
                                 book("d", (int64_t{1} << 53) + 1, 1e300, "größe", false),
                                 PlainRecord(StringKey("e"))};
  const std::vector<Array> tags = {{"x", "y"}, {}, {"y"}, {"Red Apple"}};
  const std::vector<std::string> json = {R"({"k":1,"l":[1,"x",[2]],"m":{"k":null}})",
                                         R"({"k":"1"})",
                                         R"({"k":9007199254740993,"l":[],"t":true})", R"([5,6])"};
  for (size_t i = 0; i < json.size(); ++i) {
    if (schema.FindField("tags") != nullptr) {
      records[i].fields["tags"] = tags[i];
    }
    if (schema.FindField("j") != nullptr) {
      records[i].fields["j"] = Json{json[i]};
    }
    if (schema.FindField("ts") != nullptr) {
      records[i].fields["ts"] = static_cast<int64_t>(i) * 1'000'000;
    }
  }
  return records;
}

CollectionSchema BookSchema(Trial& trial) {
  auto schema = trial.Plain();
  schema.fields = {{.name = "n", .type = DataType::kInt64},
                   {.name = "price", .type = DataType::kDouble},
                   {.name = "s", .type = DataType::kVarChar},
                   {.name = "b", .type = DataType::kBool}};
  if (trial.Claims(DataType::kArray)) {
    schema.fields.push_back(
        {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar});
  }
  if (trial.Claims(DataType::kJson)) {
    schema.fields.push_back({.name = "j", .type = DataType::kJson});
  }
  if (trial.Claims(DataType::kTimestamp)) {
    schema.fields.push_back({.name = "ts", .type = DataType::kTimestamp});
  }
  return schema;
}

/// A filter and the keys of the records that match it, as one text.
struct Expectation {
  const char* filter;
  const char* keys;
};

/// Tries each by Query, Count and Search.
void Try(Trial& trial, std::vector<Expectation> expectations) {
  const auto schema = BookSchema(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Books(schema));
  for (const auto& [text, expected] : expectations) {
    const auto filter = trial.Parse(text, schema);
    std::string found;
    for (const auto& record : trial.Query({.collection = schema.name, .filter = filter})) {
      found += std::get<std::string>(record.key.key);
    }
    EXPECT_EQ(found, expected) << "query " << text;
    EXPECT_EQ(trial.Count({.collection = schema.name, .filter = filter}), found.size())
        << "count " << text;
    const auto hits = trial.Search({.collection = schema.name,
                                    .vectors = {FloatVector({4, 3, 2, 1})},
                                    .filter = filter,
                                    .exact = true});
    std::string searched;
    for (const auto& hit : hits.at(0)) {
      searched += std::get<std::string>(hit.record.key.key);
    }
    EXPECT_EQ(searched, expected) << "search " << text;
  }
}

void Comparisons(Trial& trial) {
  Try(trial, {{"n == 0", "b"},
              {"n != 0", "acde"},
              {"n < 0", "a"},
              {"n <= 0", "ab"},
              {"n > 0", "cd"},
              {"n >= 0", "bcd"},
              {"0 < n", "cd"},
              {"-5 <= n < 7", "ab"},
              {"7 >= n > -5", "bc"},
              {"n == 9007199254740993", "d"},
              {"n == 9007199254740992", ""},
              {"n > 9007199254740992.0", "d"},
              {"n == 9007199254740992.0", ""},
              {"n < 6.5", "ab"},
              {"n < 1e300", "abcd"},
              {"price == 0.1", "a"},
              {"price == 2", "c"},
              {"price > 1e299", "d"},
              {"s == \"red\"", "a"},
              {"s < \"a\"", "b"},
              {"s >= \"gröze\"", "acd"},
              {"s != 'red'", "bcde"},
              {"b", "ac"},
              {"b == false", "bd"},
              {"b != true", "bde"},
              {"n < price", "abd"},
              {"n != price", "abcde"},
              {"id > \"b\"", "cde"},
              {"id == \"a' or 'a' == 'a\"", ""},
              {"true", "abcde"},
              {"false", ""}});
}

void LogicAndNulls(Trial& trial) {
  Try(trial, {{"not (n > 0)", "abe"},
              {"not (n != 0)", "b"},
              {"not (not (n == 0))", "b"},
              {"n is null", "e"},
              {"n is not null", "abcd"},
              {"not (s is null) and b", "ac"},
              {"n > 100 or s == \"red\" and b", "ad"},
              {"(n > 100 or s == \"red\") and not b", "d"},
              {"n == 0 || n == 7 && price == 2.0", "bc"},
              {"!(n == 0 || n == 7)", "ade"},
              {"id is null", ""},
              {"n != n", "e"},
              {"not (n == n)", "e"}});
}

void Lists(Trial& trial) {
  Try(trial, {{"n in [0, 7, 8]", "bc"},
              {"n not in [0, 7]", "ade"},
              {"n in []", ""},
              {"n not in []", "abcde"},
              {"n in [0, 7.0]", "bc"},
              {"price in [2, 0.1]", "ac"},
              {"s in [\"red\", \"Red\", \"it's\"]", "ab"},
              {"not (s in [\"red\"])", "bcde"},
              {"b in [true]", "ac"},
              {"id in [\"a\", \"e\", \"zz\"]", "ae"}});
}

void Patterns(Trial& trial) {
  Try(trial, {{"s like \"red%\"", "ac"},
              {"s like \"%e%\"", "abcd"},
              {"s like \"_ed\"", "ab"},
              {"s like \"gr__e\"", "d"},
              {"s like \"red\\%wine\"", "c"},
              {"s like \"red\\_wine\"", ""},
              {"s like \"red\"", "a"},
              {"s like \"\"", ""},
              {"s like \"%\"", "abcd"},
              {"s like \"R*d\"", ""},
              {"s like \"[r]ed\"", ""},
              {"not (s like \"red%\")", "bde"},
              {"id like \"%\"", "abcde"}});
}

void Arithmetic(Trial& trial) {
  Try(trial, {{"n + 5 == 0", "a"},
              {"n * 2 == 14", "c"},
              {"n % 2 == 1", "cd"},
              {"n % 2 == -1", "a"},
              {"n / 2 == 3", "c"},
              {"n / 2 == -2", "a"},
              {"-n > 0", "a"},
              {"price * 2 + 1 > 3.5", "bcd"},
              {"price * 1e10 > 0", "abc"},
              {"n + 9223372036854775807 > 0", "ab"},
              {"7 / n == 1", "c"},
              {"not (7 / n == 1)", "abde"},
              {"(n + 5) * (n - 7) == 0", "ac"}});
}

void JsonPaths(Trial& trial) {
  if (!trial.Claims(DataType::kJson)) {
    return;
  }
  Try(trial, {{"j[\"k\"] == 1", "a"},
              {"j[\"k\"] == \"1\"", "b"},
              {"j[\"k\"] != 1", "bcde"},
              {"j[\"k\"] > 0", "ac"},
              {"j[\"k\"] == 9007199254740993", "c"},
              {"j[\"k\"] == 9007199254740992", ""},
              {"j[\"k\"] in [1, \"1\"]", "ab"},
              {"j[\"l\"][0] == 1", "a"},
              {"j[\"l\"][1] == \"x\"", "a"},
              {"j[\"l\"][2][0] == 2", "a"},
              {"j[\"l\"][\"0\"] == 1", ""},
              {"j[0] == 5", "d"},
              {"j == [5, 6]", "d"},
              {"j[\"t\"] == true", "c"},
              {"exists j[\"l\"]", "ac"},
              {"exists j[\"m\"][\"k\"]", ""},
              {"j[\"m\"][\"k\"] is null", "abcde"},
              {"j[\"k\"] is not null", "abc"},
              {"j is null", "e"},
              {"json_contains(j[\"l\"], \"x\")", "a"},
              {"json_contains(j[\"l\"], [2])", "a"},
              {"json_contains(j, 6)", "d"},
              {"json_contains_all(j[\"l\"], [1, \"x\"])", "a"},
              {"json_contains_all(j[\"l\"], [])", "ac"},
              {"json_contains_any(j[\"l\"], [5, 1])", "a"},
              {"json_contains(j[\"k\"], 1)", ""},
              {"array_length(j[\"l\"]) == 0", "c"},
              {"j[\"k\"] like \"1\"", "b"},
              {"j[\"k\"] + 1 == 2", "a"},
              {"j[\"k\"] < n", ""},
              {"j[\"k\"] == j[\"l\"][0]", "a"}});
}

void Arrays(Trial& trial) {
  if (!trial.Claims(DataType::kArray)) {
    return;
  }
  Try(trial, {{"array_contains(tags, \"y\")", "ac"},
              {"array_contains(tags, \"Red\")", ""},
              {"array_contains_all(tags, [\"x\", \"y\"])", "a"},
              {"array_contains_all(tags, [])", "abcd"},
              {"array_contains_any(tags, [\"x\", \"Red Apple\"])", "ad"},
              {"array_contains_any(tags, [])", ""},
              {"json_contains(tags, \"y\")", "ac"},
              {"array_length(tags) == 1", "cd"},
              {"array_length(tags) < 1", "b"},
              {"tags[0] == \"y\"", "c"},
              {"tags[1] == \"y\"", "a"},
              {"tags[5] is null", "abcde"},
              {"tags == [\"x\", \"y\"]", "a"},
              {"tags == [\"y\", \"x\"]", ""},
              {"tags == []", "b"},
              {"tags != []", "acde"},
              {"tags is null", "e"}});
}

void Timestamps(Trial& trial) {
  if (!trial.Claims(DataType::kTimestamp)) {
    return;
  }
  Try(trial, {{"ts == 1000000", "b"},
              {"ts > \"1970-01-01T00:00:01Z\"", "cd"},
              {"ts <= \"1970-01-01T01:00:01+01:00\"", "ab"},
              {"ts in [\"1970-01-01\", 3000000]", "ad"}});
}

void LongLists(Trial& trial) {
  const auto schema = BookSchema(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Books(schema));
  std::string text = "n in [";
  for (int i = 0; i < 20'000; ++i) {
    text += std::to_string(i + 1'000) + ",";
  }
  EXPECT_EQ(trial.Count({.collection = schema.name, .filter = trial.Parse(text + "7]", schema)}),
            1u);
}

void ManyConditions(Trial& trial) {
  const auto schema = BookSchema(trial);
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, Books(schema));
  std::string either = "n == 7";
  std::string nested = "n == 7";
  for (int i = 0; i < 500; ++i) {
    either += " or s == \"v" + std::to_string(i) + "\"";
  }
  for (int i = 0; i < 40; ++i) {
    nested = "not (" + nested + " and n < " + std::to_string(i + 100) + ")";
  }
  EXPECT_EQ(trial.Count({.collection = schema.name, .filter = trial.Parse(either, schema)}), 1u);
  const auto filter = trial.Parse(nested, schema);
  uint64_t expected = 0;
  for (const auto& record : Books(schema)) {
    expected += Matches(filter.get(), record) ? 1 : 0;
  }
  EXPECT_EQ(trial.Count({.collection = schema.name, .filter = filter}), expected);
}

}  // namespace

Checks FilterChecks() {
  return {{"FilterComparisons", Comparisons},
          {"FilterLogicAndNulls", LogicAndNulls},
          {"FilterLists", Lists},
          {"FilterPatterns", Patterns},
          {"FilterArithmetic", Arithmetic},
          {"FilterJson", JsonPaths},
          {"FilterArrays", Arrays},
          {"FilterTimestamps", Timestamps},
          {"FilterLongLists", LongLists},
          {"FilterManyConditions", ManyConditions}};
}

}  // namespace roost::conformance
