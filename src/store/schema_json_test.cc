#include "store/schema_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

CollectionSchema Rich() {
  CollectionSchema schema;
  schema.name = "books";
  schema.description = "with \"quotes\"";
  schema.key_type = KeyType::kInt64;
  schema.key_field = "isbn";
  schema.tenant_field = "library";
  schema.dynamic = true;
  schema.fields.push_back({.name = "title", .type = DataType::kText, .max_length = 100});
  schema.fields.push_back({.name = "tags",
                           .type = DataType::kArray,
                           .element_type = DataType::kVarChar,
                           .default_value = Value(Array{Value(std::string("new"))})});
  schema.fields.push_back(
      {.name = "price", .type = DataType::kDouble, .nullable = false, .default_value = Value(1.5)});
  schema.fields.push_back(
      {.name = "extra", .type = DataType::kJson, .default_value = Value(Json{R"({"a":1})"})});
  schema.vectors.push_back({.name = "cover",
                            .type = DataType::kFloat16Vector,
                            .dimension = 8,
                            .metric = Metric::kL2,
                            .index = "FLAT",
                            .hnsw_m = 8});
  return schema;
}

TEST(SchemaJson, ReadsBackAsAnEqualSchema) {
  const std::string json = SchemaToJson(Rich());
  const Result<CollectionSchema> back = SchemaFromJson(json);
  ASSERT_TRUE(back.ok()) << back.error().ToString() << json;
  EXPECT_EQ(*back, Rich());
  EXPECT_EQ(SchemaToJson(*back), json);
}

TEST(SchemaJson, LeavesDefaultsOut) {
  const auto schema =
      SchemaFromJson(R"({"name":"a","vectors":[{"name":"v","dimension":4,"metric":"IP"}]})");
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ(schema->key_field, "id");
  EXPECT_EQ(schema->vectors.at(0).type, DataType::kFloatVector);
  EXPECT_EQ(schema->vectors.at(0).metric, Metric::kInnerProduct);
}

TEST(SchemaJson, NamesWhatIsWrong) {
  const auto message = [](std::string_view json) {
    const auto schema = SchemaFromJson(json);
    return schema.ok() ? std::string("accepted") : schema.error().message;
  };
  EXPECT_THAT(message("[]"), testing::HasSubstr("object"));
  EXPECT_THAT(message("{"), testing::HasSubstr("JSON"));
  EXPECT_THAT(message(R"({"fields":[]})"), testing::HasSubstr("\"name\""));
  EXPECT_THAT(message(R"({"name":"a","dimesion":3})"), testing::HasSubstr("dimesion"));
  EXPECT_THAT(message(R"({"name":"a","fields":[{"name":"x","type":"INT65"}]})"),
              testing::HasSubstr("INT65"));
  EXPECT_THAT(message(R"({"name":"a","vectors":[{"name":"x","dimension":-1}]})"),
              testing::HasSubstr("dimension"));
  EXPECT_THAT(message(R"({"name":"a","key":{"type":"FLOAT"}})"),
              testing::HasSubstr("VARCHAR or INT64"));
}

}  // namespace
}  // namespace roost
