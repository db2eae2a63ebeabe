#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/json.h"
#include "store/fake_store.h"
#include "store/filter.h"
#include "store/json_value.h"
#include "store/scalar_text.h"
#include "store/validate.h"

namespace roost {
namespace {

/// The lines of the page's code blocks of one language. Tests run in the root of the tree.
std::vector<std::string> BlockLines(const std::string& language) {
  std::ifstream page("docs/filters.md");
  EXPECT_TRUE(page.is_open()) << "docs/filters.md";
  std::vector<std::string> lines;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      inside = line == "```" + language;
    } else if (inside) {
      lines.push_back(line);
    }
  }
  return lines;
}

CollectionSchema PageSchema() {
  CollectionSchema schema;
  schema.name = "page";
  schema.key_type = KeyType::kInt64;
  schema.tenant_field = "shop";
  schema.dynamic = true;
  schema.fields = {{.name = "title", .type = DataType::kText},
                   {.name = "price", .type = DataType::kDouble},
                   {.name = "stock", .type = DataType::kInt64},
                   {.name = "new", .type = DataType::kBool},
                   {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar},
                   {.name = "added", .type = DataType::kTimestamp},
                   {.name = "info", .type = DataType::kJson}};
  return schema;
}

Value FieldValue(const FieldSchema& field, const std::string& json) {
  if (field.type == DataType::kJson) {
    return Json{json};
  }
  Value value = JsonToValue(json);
  if (field.type == DataType::kTimestamp) {
    const auto time = ParseTimestamp(std::get<std::string>(value));
    EXPECT_TRUE(time.has_value()) << json;
    return time.value_or(0);
  }
  if (field.type == DataType::kDouble && std::holds_alternative<int64_t>(value)) {
    return static_cast<double>(std::get<int64_t>(value));
  }
  return value;
}

std::vector<Record> PageRecords(const CollectionSchema& schema) {
  std::vector<Record> records;
  for (const auto& line : BlockLines("json")) {
    const auto canonical = CanonicalJson(line);
    EXPECT_TRUE(canonical.ok()) << line;
    Record record;
    std::vector<std::pair<std::string, std::string>> dynamic;
    for (const auto& [name, json] : JsonMembers(canonical.ok() ? *canonical : "{}")) {
      if (name == "id") {
        record.key.key = std::get<int64_t>(JsonToValue(json));
      } else if (name == "shop") {
        record.key.tenant = std::get<std::string>(JsonToValue(json));
      } else if (const auto* field = schema.FindField(name)) {
        record.fields[name] = FieldValue(*field, json);
      } else {
        dynamic.emplace_back(name, json);
      }
    }
    record.dynamic = JsonObject(dynamic);
    records.push_back(record);
  }
  EXPECT_TRUE(ValidateRecords(schema, MakeFakeStore()->capabilities(), records).ok());
  return records;
}

std::string Trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? ""
                                    : text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

TEST(FilterPage, EveryExampleIsTrue) {
  const auto schema = PageSchema();
  const auto records = PageRecords(schema);
  ASSERT_EQ(records.size(), 4u);
  const std::string arrow = "→";
  const std::string error = "error: ";
  int examples = 0;
  for (const auto& line : BlockLines("filter")) {
    const size_t at = line.find(arrow);
    ASSERT_NE(at, std::string::npos) << line;
    const std::string text = Trimmed(line.substr(0, at));
    const std::string expected = Trimmed(line.substr(at + arrow.size()));
    ++examples;
    const auto filter = ParseFilter(text, schema);
    if (expected.starts_with(error)) {
      ASSERT_FALSE(filter.ok()) << text << " is no error";
      EXPECT_NE(filter.error().message.find(expected.substr(error.size())), std::string::npos)
          << text << ": " << filter.error().message;
      continue;
    }
    ASSERT_TRUE(filter.ok()) << text << ": " << filter.error().message;
    std::string keys;
    for (const auto& record : records) {
      if (Matches(filter->get(), record)) {
        keys += (keys.empty() ? "" : ", ") + ToString({.key = record.key.key});
      }
    }
    EXPECT_EQ(keys, expected) << text;
  }
  EXPECT_GT(examples, 80);
}

TEST(FilterPage, NamesEveryOperatorAndFunction) {
  std::string all;
  for (const auto& line : BlockLines("filter")) {
    all += line + "\n";
  }
  for (const char* word : {" == ",
                           " != ",
                           " < ",
                           " <= ",
                           " > ",
                           " >= ",
                           " + ",
                           " * ",
                           " / ",
                           " % ",
                           "-stock",
                           " and ",
                           " or ",
                           "not ",
                           "&&",
                           "||",
                           "!(",
                           " in ",
                           " not in ",
                           " like ",
                           " is null",
                           " is not null",
                           "exists ",
                           "array_contains(",
                           "array_contains_all(",
                           "array_contains_any(",
                           "json_contains(",
                           "json_contains_all(",
                           "json_contains_any(",
                           "array_length(",
                           "text_match(",
                           "$meta["}) {
    EXPECT_NE(all.find(word), std::string::npos) << "no example of \"" << word << "\"";
  }
}

}  // namespace
}  // namespace roost
