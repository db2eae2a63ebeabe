#include "gateway/records/record_kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using testing::HasSubstr;

std::string Refusal(std::string_view json) {
  const auto kinds = RecordKinds::Parse(json);
  return kinds.ok() ? "taken" : kinds.error().message;
}

TEST(RecordKinds, TheDefaultOnesAreTheSixOfTheApplication) {
  std::vector<std::string> names;
  for (const RecordKind& kind : RecordKinds::Default().kinds()) {
    names.push_back(kind.name);
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("GeneralRecord", "Note", "Tag", "Misc",
                                                   "NoteBody", "DailyNote"));
}

TEST(RecordKinds, LayOutOneFlatCollection) {
  const CollectionSchema schema = RecordKinds::Default().Layout("notes", 768, Metric::kCosine);
  EXPECT_EQ(schema.key_field, "uniqueid");
  EXPECT_EQ(schema.key_type, KeyType::kVarChar);
  EXPECT_EQ(schema.tenant_field, "tenantName");
  ASSERT_EQ(schema.vectors.size(), 1u);
  EXPECT_EQ(schema.vectors.front().name, "vector");
  EXPECT_EQ(schema.vectors.front().dimension, 768u);
  EXPECT_EQ(schema.vectors.front().type, DataType::kFloatVector);
  EXPECT_TRUE(schema.dynamic);
  ASSERT_NE(schema.FindField("title"), nullptr);
  EXPECT_EQ(schema.FindField("title")->type, DataType::kText);
  EXPECT_NE(schema.FindField("note_id"), nullptr);
  EXPECT_TRUE(CheckRecordLayout(schema).ok());
}

TEST(RecordKinds, ADocumentReadsBackAsItself) {
  const auto again = RecordKinds::Parse(RecordKinds::Default().text());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->text(), RecordKinds::Default().text());
}

TEST(RecordKinds, UsersAddTheirOwn) {
  const auto kinds = RecordKinds::Parse(R"({"kinds": {
      "Person": {"properties": [{"name": "name", "type": "TEXT", "required": true},
                                {"name": "boss", "type": "VARCHAR", "refers_to": "Person"}],
                 "extra_properties": false}}})");
  ASSERT_TRUE(kinds.ok()) << kinds.error().ToString();
  const auto person = kinds->Find("Person");
  ASSERT_TRUE(person.ok());
  EXPECT_FALSE((*person)->extra_properties);
  EXPECT_TRUE((*person)->Find("name")->required);
  EXPECT_EQ((*person)->Find("boss")->refers_to, "Person");
  EXPECT_THAT(kinds->Find("Note").error().message, HasSubstr("this collection has Person"));
}

TEST(RecordKinds, MistakesAreNamedWithKindAndProperty) {
  EXPECT_THAT(Refusal("["), HasSubstr("record kinds"));
  EXPECT_THAT(Refusal("[]"), HasSubstr("the document must be"));
  EXPECT_THAT(Refusal(R"({"kinds": {}})"), HasSubstr("has no kind"));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"props": []}}})"), HasSubstr("\"props\""));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"properties": [{"name": "deleted", "type": "BOOL"}]}}})"),
              HasSubstr("kind \"A\": property 0: \"deleted\" is a field of Roost's own"));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"properties": [{"name": "x", "type": "WORD"}]}}})"),
              HasSubstr("WORD"));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"properties": [
                  {"name": "x", "type": "INT64", "refers_to": "A"}]}}})"),
              HasSubstr("must be VARCHAR"));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"properties": [
                  {"name": "x", "type": "VARCHAR", "refers_to": "B"}]}}})"),
              HasSubstr("\"B\", which is no kind"));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"properties": [{"name": "x", "type": "INT64"}]},
                                    "B": {"properties": [{"name": "x", "type": "TEXT"}]}}})"),
              HasSubstr("declared differently"));
  EXPECT_THAT(Refusal(R"({"kinds": {"A": {"properties": [{"name": "x", "type": "INT64"},
                                                         {"name": "x", "type": "INT64"}]}}})"),
              HasSubstr("twice"));
}

TEST(RecordKinds, OtherCollectionsAreNotTakenForRecords) {
  CollectionSchema schema = RecordKinds::Default().Layout("notes", 4, Metric::kCosine);
  schema.tenant_field.clear();
  EXPECT_THAT(CheckRecordLayout(schema).error().message, HasSubstr("tenantName"));
  schema = RecordKinds::Default().Layout("notes", 4, Metric::kCosine);
  std::erase_if(schema.fields, [](const FieldSchema& f) { return f.name == "deleted"; });
  EXPECT_THAT(CheckRecordLayout(schema).error().message, HasSubstr("BOOL \"deleted\""));
}

}  // namespace
}  // namespace roost
