#include "cli/infer_schema.h"

#include <gtest/gtest.h>

#include "store/schema_json.h"

namespace roost {
namespace {

std::vector<SourceRow> Rows(const std::vector<std::string>& lines) {
  std::vector<SourceRow> rows;
  for (const std::string& line : lines) {
    rows.push_back({.json = line, .error = {}, .number = rows.size() + 1});
  }
  return rows;
}

std::string Inferred(const std::vector<std::string>& lines, InferOptions options = {}) {
  options.collection = "c";
  const auto schema = InferSchema(Rows(lines), options);
  return schema.ok() ? DescribeSchema(*schema) : "error: " + schema.error().message;
}

TEST(InferSchema, TellsTypesFromAllRecords) {
  EXPECT_EQ(
      Inferred({R"({"id":1,"n":1,"x":1,"s":"a","b":true,"t":["p"],"k":[1,2],"v":[1,2.5],"o":{}})",
                R"({"id":2,"n":2,"x":1.5,"s":null,"b":false,"t":[],"k":[3],"v":[3,4],"late":1})"}),
      "collection c: key id INT64; n INT64; x DOUBLE; s VARCHAR; b BOOL; t ARRAY of VARCHAR; "
      "k ARRAY of INT64; o JSON; late INT64; v FLOAT_VECTOR(2, COSINE)");
}

TEST(InferSchema, MixedKindsAreJsonAndUnequalLengthsAreNoVector) {
  EXPECT_EQ(Inferred({R"({"id":"a","m":1,"r":[0.5]})", R"({"id":"b","m":"x","r":[0.5,1.5]})"}),
            "collection c: key id VARCHAR; m JSON; r ARRAY of DOUBLE");
}

TEST(InferSchema, TextsOfSeveralWordsCanBeSearchedForWords) {
  EXPECT_EQ(Inferred({R"({"id":"a","title":"Moby Dick; or, The Whale","isbn":"1"})",
                      R"({"id":"b","title":"Emma","isbn":"2 3"})", R"({"id":"c","isbn":"4"})"}),
            "collection c: key id VARCHAR; title TEXT; isbn VARCHAR");
}

TEST(InferSchema, SparseVectorsAreKnownByTheirMembers) {
  EXPECT_EQ(Inferred({R"({"id":1,"v":{"indices":[1],"values":[0.5]}})"}),
            "collection c: key id INT64; v SPARSE_VECTOR(0, IP)");
}

TEST(InferSchema, WhatTheUserSaysWins) {
  InferOptions options{.key_field = "k", .tenant_field = "org", .dynamic = true};
  options.metric = Metric::kL2;
  options.types = {{"body", DataType::kText}, {"v", DataType::kFloat16Vector}};
  EXPECT_EQ(Inferred({R"({"k":"x","org":"acme","body":"w","v":[1,2,3]})"}, options),
            "collection c: key k VARCHAR; tenants by org; body TEXT; v FLOAT16_VECTOR(3, L2); "
            "further fields allowed");
}

TEST(InferSchema, WhatTheFileSaysComesNext) {
  CollectionSchema known;
  known.fields = {{.name = "when", .type = DataType::kTimestamp}};
  known.vectors = {{.name = "v", .type = DataType::kInt8Vector, .dimension = 2}};
  InferOptions options;
  options.known = known;
  EXPECT_EQ(Inferred({R"({"id":1,"when":5,"v":[1,2]})"}, options),
            "collection c: key id INT64; when TIMESTAMP; v INT8_VECTOR(2, COSINE)");
}

TEST(InferSchema, ErrorsSayWhatToDo) {
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  has(Inferred({R"({"isbn":1,"title":"x"})"}), "--key (there are: isbn, title)");
  has(Inferred({R"({"id":1})", R"({"id":"two"})"}), "key \"id\" must be a whole number in all");
  has(Inferred({R"({"id":1.5})"}), "key \"id\" must be");
  has(Inferred({}), "no record");
  has(Inferred({R"({"id":1})"}, {.types = {{"titel", DataType::kText}}}), "\"titel\"");
  has(Inferred({R"({"id":1,"v":[1]})", R"({"id":2,"v":[1,2]})"},
               {.types = {{"v", DataType::kFloatVector}}}),
      "dimension of \"v\"");
}

TEST(InferSchema, GivesWhatTheServerReads) {
  InferOptions options;
  options.collection = "c";
  const auto schema = InferSchema(Rows({R"({"id":1,"a":["x"],"v":[0.5,1]})"}), options);
  ASSERT_TRUE(schema.ok());
  const auto read = SchemaFromJson(SchemaToJson(*schema));
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, *schema);
}

}  // namespace
}  // namespace roost
