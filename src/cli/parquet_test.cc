#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/parquet_module.h"
#include "cli/row_sink.h"
#include "cli/row_source.h"
#include "store/schema_json.h"

namespace roost {
namespace {

class Parquet : public testing::Test {
 protected:
  void SetUp() override {
#ifdef ROOST_PARQUET_MODULE
    ::setenv("ROOST_PARQUET_MODULE", ROOST_PARQUET_MODULE, 1);
#else
    ::setenv("ROOST_PARQUET_MODULE", "/nowhere/libroost_parquet.so", 1);
#endif
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  const std::string folder_ = testing::TempDir() + "parquet" + std::to_string(::getpid());
};

#ifdef ROOST_PARQUET_MODULE

CollectionSchema EveryType() {
  CollectionSchema schema;
  schema.name = "all";
  schema.key_type = KeyType::kInt64;
  schema.tenant_field = "org";
  schema.dynamic = true;
  for (const DataType type :
       {DataType::kBool, DataType::kInt8, DataType::kInt16, DataType::kInt32, DataType::kInt64,
        DataType::kFloat, DataType::kDouble, DataType::kVarChar, DataType::kText, DataType::kJson,
        DataType::kTimestamp, DataType::kUuid}) {
    schema.fields.push_back({.name = "f_" + std::string(DataTypeName(type)), .type = type});
  }
  schema.fields.push_back(
      {.name = "tags", .type = DataType::kArray, .element_type = DataType::kVarChar});
  schema.vectors = {
      {.name = "v", .dimension = 2},
      {.name = "h", .type = DataType::kFloat16Vector, .dimension = 2},
      {.name = "b", .type = DataType::kBFloat16Vector, .dimension = 2},
      {.name = "i", .type = DataType::kInt8Vector, .dimension = 2},
      {.name = "bits",
       .type = DataType::kBinaryVector,
       .dimension = 16,
       .metric = Metric::kHamming},
      {.name = "s", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct}};
  return schema;
}

const std::vector<std::string> kRecords = {
    R"({"id":-9223372036854775808,"org":"a","f_BOOL":true,"f_INT8":-128,"f_INT16":-32768,)"
    R"("f_INT32":-2147483648,"f_INT64":9007199254740993,"f_FLOAT":0.1,"f_DOUBLE":5e-324,)"
    R"("f_VARCHAR":"ü\u0000\"","f_TEXT":"whale","f_JSON":{"a":[1,null]},)"
    R"("f_TIMESTAMP":-1,"f_UUID":"123e4567-e89b-12d3-a456-426614174000","tags":["x",""],)"
    R"("v":[0.1,-1e-45],"h":[0.5,65504],"b":[1,3.3895314e+38],"i":[-128,127],"bits":"qVY=",)"
    R"("s":{"indices":[1,4294967295],"values":[0.1,-2]},"extra":{"deep":[1.5]},"more":"x"})",
    R"({"id":7,"org":"b","f_BOOL":null,"tags":[],"v":null})"};

std::string Canonical(const std::string& json) {
  const auto text = CanonicalJson(json);
  return text.ok() ? *text : text.error().message;
}

// Without the nulls that a column of a table cannot leave out.
std::string WithoutNulls(std::string text) {
  for (;;) {
    const size_t null = text.find(":null,");
    if (null == std::string::npos) {
      return text;
    }
    const size_t start = text.rfind('"', null - 2);  // The name's opening quote.
    text.erase(start, null + 6 - start);
  }
}

TEST_F(Parquet, RoundTripKeepsEveryTypeBitForBit) {
  const CollectionSchema schema = EveryType();
  const std::string path = Path("all.parquet");
  auto sink = MakeRowSink({.path = path, .format = "parquet"}, schema, SchemaToJson(schema));
  ASSERT_TRUE(sink.ok()) << sink.error().message;
  const Status written = (*sink)->Write(kRecords);
  ASSERT_TRUE(written.ok()) << written.error().message;
  ASSERT_TRUE((*sink)->Finish().ok());

  auto source = OpenParquetRows(path);
  ASSERT_TRUE(source.ok()) << source.error().message;
  EXPECT_EQ((*source)->total(), 2u);
  EXPECT_TRUE((*source)->schema_is_complete());
  EXPECT_EQ(*(*source)->schema(), schema);
  const auto first = (*source)->Next();
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_EQ(Canonical((*first)->json), Canonical(kRecords[0]));
  const auto second = (*source)->Next();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(WithoutNulls(Canonical((*second)->json)), R"({"id":7,"org":"b","tags":[],"v":null})");
  EXPECT_EQ((*second)->number, 2u);
  EXPECT_FALSE((*source)->Next()->has_value());
}

TEST_F(Parquet, VectorsTravelAsBase64WhereTheCollectionHoldsTheSame) {
  const CollectionSchema schema = EveryType();
  const std::string path = Path("all.parquet");
  auto sink = MakeRowSink({.path = path, .format = "parquet"}, schema, SchemaToJson(schema));
  ASSERT_TRUE(sink.ok());
  ASSERT_TRUE((*sink)->Write(kRecords).ok());
  ASSERT_TRUE((*sink)->Finish().ok());
  auto source = OpenParquetRows(path);
  ASSERT_TRUE(source.ok());
  (*source)->UseSchema(schema);
  const auto row = (*source)->Next();
  ASSERT_TRUE(row.ok());
  for (const char* part : {R"("v":"zczMPQEAAIA=")", R"("h":"ADj/ew==")", R"("i":"gH8=")",
                           R"("bits":"qVY=")", R"("b":[1,3.3895314e+38])"}) {
    EXPECT_NE((*row)->json.find(part), std::string::npos) << part << "\n" << (*row)->json;
  }
}

TEST_F(Parquet, ManyRowsGoThroughSeveralGroups) {
  CollectionSchema schema;
  schema.name = "c";
  schema.key_type = KeyType::kInt64;
  auto sink =
      MakeRowSink({.path = Path("c.parquet"), .format = "parquet"}, schema, SchemaToJson(schema));
  ASSERT_TRUE(sink.ok());
  std::vector<std::string> records;
  for (int i = 0; i < 25'000; ++i) {
    records.push_back("{\"id\":" + std::to_string(i) + "}");
  }
  ASSERT_TRUE((*sink)->Write(records).ok());
  ASSERT_TRUE((*sink)->Finish().ok());
  auto source = OpenParquetRows(Path("c.parquet"));
  ASSERT_TRUE(source.ok());
  for (const std::string& record : records) {
    const auto row = (*source)->Next();
    ASSERT_TRUE(row.ok() && *row);
    ASSERT_EQ((*row)->json, record);
  }
  EXPECT_FALSE((*source)->Next()->has_value());
}

TEST_F(Parquet, ErrorsNameTheFileAndLeaveNone) {
  std::ofstream(Path("bad.parquet")) << std::string(1'000, 'x');
  const auto bad = OpenParquetRows(Path("bad.parquet"));
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.code(), Code::kInvalidArgument);
  EXPECT_NE(bad.error().message.find("bad.parquet: not a readable Parquet file"),
            std::string::npos);
  EXPECT_EQ(OpenParquetRows(Path("none.parquet")).code(), Code::kNotFound);
  CollectionSchema schema;
  schema.key_type = KeyType::kInt64;
  {
    auto sink = MakeRowSink({.path = Path("c.parquet"), .format = "parquet"}, schema, "{}");
    ASSERT_TRUE(sink.ok());
    const std::vector<std::string> wrong = {R"({"id":"text"})"};
    EXPECT_FALSE((*sink)->Write(wrong).ok());
  }
  EXPECT_FALSE(std::filesystem::exists(Path("c.parquet")));
  EXPECT_EQ(
      MakeRowSink({.path = Path("no/folder.parquet"), .format = "parquet"}, schema, "{}").code(),
      Code::kUnavailable);
}

#else

TEST_F(Parquet, WithoutTheModuleTheErrorSaysHowToGetIt) {
  const auto source = OpenParquetRows(Path("a.parquet"));
  ASSERT_FALSE(source.ok());
  EXPECT_EQ(source.code(), Code::kUnimplemented);
  EXPECT_NE(source.error().message.find("/nowhere/libroost_parquet.so"), std::string::npos);
  EXPECT_NE(source.error().message.find("pyarrow"), std::string::npos);
}

#endif

}  // namespace
}  // namespace roost
