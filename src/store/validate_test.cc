#include "store/validate.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/fake_store.h"
#include "store/vector_math.h"

namespace roost {
namespace {

using testing::HasSubstr;

Capabilities All() { return MakeFakeStore()->capabilities(); }

CollectionSchema Books() {
  CollectionSchema schema;
  schema.name = "books";
  schema.fields = {
      {.name = "i8", .type = DataType::kInt8},
      {.name = "f", .type = DataType::kFloat},
      {.name = "d", .type = DataType::kDouble},
      {.name = "s", .type = DataType::kVarChar, .max_length = 5},
      {.name = "j", .type = DataType::kJson},
      {.name = "ts", .type = DataType::kTimestamp},
      {.name = "u", .type = DataType::kUuid},
      {.name = "a", .type = DataType::kArray, .element_type = DataType::kFloat, .max_capacity = 2}};
  schema.vectors = {{.name = "embedding", .dimension = 4, .metric = Metric::kCosine}};
  return schema;
}

Record Row(std::map<std::string, Value, std::less<>> fields) {
  Record record;
  record.key.key = "k";
  record.fields = std::move(fields);
  return record;
}

/// The row as stored, or the error.
Result<Record> Check(Record record, const CollectionSchema& schema = Books(),
                     const Capabilities& capabilities = All()) {
  std::vector<Record> records = {std::move(record)};
  TRY(ValidateRecords(schema, capabilities, records));
  return records[0];
}

std::string Message(Record record, const CollectionSchema& schema = Books(),
                    const Capabilities& capabilities = All()) {
  const auto checked = Check(std::move(record), schema, capabilities);
  EXPECT_EQ(checked.code(), Code::kInvalidArgument);
  return checked.ok() ? "accepted" : checked.error().message;
}

TEST(ValidateRecords, NamesRowKeyAndField) {
  auto schema = Books();
  schema.key_type = KeyType::kInt64;
  std::vector<Record> records(4);
  for (size_t i = 0; i < records.size(); ++i) {
    records[i].key.key = static_cast<int64_t>(39 + i);
    records[i].vectors["embedding"] = Vector::Floats(std::vector<float>(i == 3 ? 5 : 4, 1.0f));
  }
  const auto checked = ValidateRecords(schema, All(), records);
  ASSERT_FALSE(checked.ok());
  EXPECT_EQ(checked.error().message,
            "row 3 (id 42): vector \"embedding\" has 5 dimensions; the collection has 4");
}

TEST(ValidateRecords, NormalisesValues) {
  const auto row = Check(Row({{"f", 0.1},
                              {"d", int64_t{5}},
                              {"j", Json{" {\"b\": 1, \"a\": 2.0} "}},
                              {"ts", "2025-01-01T00:00:00Z"},
                              {"u", "123E4567-E89B-12D3-A456-426614174000"},
                              {"a", Array{0.1, int64_t{2}}},
                              {"s", Value()}}));
  ASSERT_TRUE(row.ok()) << row.error().ToString();
  EXPECT_TRUE(SameRecord(*row, Row({{"f", static_cast<double>(0.1f)},
                                    {"d", 5.0},
                                    {"j", Json{R"({"a":2,"b":1})"}},
                                    {"ts", int64_t{1'735'689'600'000'000}},
                                    {"u", "123e4567-e89b-12d3-a456-426614174000"},
                                    {"a", Array{static_cast<double>(0.1f), 2.0}}})));
  EXPECT_FALSE(row->fields.contains("s")) << "null fields are erased";
  const auto null_json = Check(Row({{"j", Json{"null"}}}));
  ASSERT_TRUE(null_json.ok());
  EXPECT_FALSE(null_json->fields.contains("j"));
}

TEST(ValidateRecords, RefusesWrongTypesAndRanges) {
  EXPECT_THAT(Message(Row({{"i8", int64_t{128}}})),
              HasSubstr("field \"i8\" is INT8; 128 is out of range (-128 to 127)"));
  EXPECT_THAT(Message(Row({{"i8", 1.0}})),
              HasSubstr("field \"i8\" is INT8; the row has a floating number"));
  EXPECT_THAT(Message(Row({{"i8", true}})), HasSubstr("a boolean"));
  EXPECT_THAT(Message(Row({{"f", 3.5e38}})), HasSubstr("3.5e+38 is out of its range"));
  EXPECT_THAT(Message(Row({{"d", std::nan("")}})), HasSubstr("NaN or infinite"));
  EXPECT_THAT(Message(Row({{"s", "123456"}})), HasSubstr("has 6 bytes; at most 5 (max_length)"));
  EXPECT_THAT(Message(Row({{"s", "\xff"}})), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(Message(Row({{"j", Json{"{"}}})), HasSubstr("field \"j\""));
  EXPECT_THAT(Message(Row({{"j", "{}"}})), HasSubstr("field \"j\" is JSON; the row has a string"));
  EXPECT_THAT(Message(Row({{"ts", kMaxTimestamp + 1}})), HasSubstr("out of range"));
  EXPECT_THAT(Message(Row({{"ts", "soon"}})), HasSubstr("not a time like"));
  EXPECT_THAT(Message(Row({{"u", "x"}})), HasSubstr("is UUID"));
  EXPECT_THAT(Message(Row({{"a", Array{1.0, 1.0, 1.0}}})), HasSubstr("3 elements; at most 2"));
  EXPECT_THAT(Message(Row({{"a", Array{1.0, "x"}}})), HasSubstr("element 1"));
  EXPECT_THAT(Message(Row({{"a", Array{Value()}}})), HasSubstr("no nulls inside"));
  EXPECT_THAT(Message(Row({{"a", 1.0}})), HasSubstr("is an ARRAY; the row has a floating number"));
  EXPECT_THAT(Message(Row({{"nope", 1.0}})), HasSubstr("field \"nope\" is not declared"));
  EXPECT_THAT(Message(Row({{"id", "x"}})), HasSubstr("is the collection's key"));
  EXPECT_THAT(Message(Row({{"embedding", "x"}})), HasSubstr("is a vector"));
}

TEST(ValidateRecords, FloatsAtTheEdgeOfTheirRange) {
  EXPECT_TRUE(Check(Row({{"f", 3.4028235677973362e38}})).ok()) << "rounds down to FLT_MAX";
  EXPECT_FALSE(Check(Row({{"f", 3.4028235677973366e38}})).ok()) << "rounds up to infinity";
  const auto tiny = Check(Row({{"f", -1e-46}}));
  ASSERT_TRUE(tiny.ok());
  EXPECT_TRUE(SameValue(tiny->fields.at("f"), Value(-0.0)));
}

TEST(ValidateRecords, KeysAndTenants) {
  auto key = [](RecordKey record_key) {
    Record record;
    record.key = std::move(record_key);
    return record;
  };
  EXPECT_THAT(Message(key({.tenant = "", .key = int64_t{1}})),
              HasSubstr("key \"id\" is an integer; the collection has VARCHAR keys"));
  EXPECT_THAT(Message(key({.tenant = "", .key = ""})), HasSubstr("has 0 bytes"));
  EXPECT_THAT(Message(key({.tenant = "", .key = std::string(65'536, 'x')})),
              HasSubstr("row 0 (id 65536 bytes): key \"id\" has 65536 bytes"));
  EXPECT_THAT(Message(key({.tenant = "", .key = "\xff"})), HasSubstr("not valid UTF-8"));
  EXPECT_THAT(Message(key({.tenant = "t", .key = "a"})), HasSubstr("has no tenants"));
  auto schema = Books();
  schema.tenant_field = "shop";
  EXPECT_THAT(Message(key({.tenant = "", .key = "a"}), schema),
              HasSubstr("the tenant (field \"shop\") is missing"));
  EXPECT_THAT(Message(key({.tenant = std::string(256, 't'), .key = "a"}), schema),
              HasSubstr("at most 255"));
  EXPECT_TRUE(Check(key({.tenant = "t", .key = "a"}), schema).ok());
  const RecordKey bad{.tenant = "", .key = "a"};
  const auto keys = ValidateKeys(schema, All(), std::span(&bad, 1));
  ASSERT_FALSE(keys.ok());
  EXPECT_THAT(keys.error().message, HasSubstr("key 0 (\"a\"): the tenant"));
}

TEST(ValidateRecords, IntegerKeysThatTheStoreCannotGiveBack) {
  auto schema = Books();
  schema.key_type = KeyType::kInt64;
  auto capabilities = All();
  capabilities.store = "narrow";
  capabilities.min_integer_key = -5;
  capabilities.max_integer_key = 7;
  std::vector<Record> records(2);
  records[0].key.key = int64_t{7};
  for (const int64_t outside : {int64_t{-6}, int64_t{8}, std::numeric_limits<int64_t>::max()}) {
    records[1].key.key = outside;
    const Status refused = ValidateRecords(schema, capabilities, records);
    ASSERT_EQ(refused.code(), Code::kInvalidArgument);
    EXPECT_THAT(refused.error().message,
                HasSubstr("row 1 (id " + std::to_string(outside) + "): key \"id\" is " +
                          std::to_string(outside) + "; the narrow store keeps -5 to 7"));
    EXPECT_EQ(ValidateKeys(schema, capabilities, std::span(&records[1].key, 1)).code(),
              Code::kInvalidArgument);
  }
  records[1].key.key = int64_t{-5};
  EXPECT_TRUE(ValidateRecords(schema, capabilities, records).ok());
}

TEST(ValidateRecords, ZeroBytesWhereTheStoreCannotKeepThem) {
  auto schema = Books();
  schema.dynamic = true;
  auto without = All();
  without.null_bytes_in_strings = false;
  const std::string zero("a\0b", 3);
  EXPECT_TRUE(Check(Row({{"s", zero}})).ok());
  EXPECT_THAT(Message(Row({{"s", zero}}), schema, without), HasSubstr("zero byte"));
  EXPECT_THAT(Message(Row({{"j", Json{R"({"a":"x\u0000"})"}}}), schema, without),
              HasSubstr("zero byte"));
  EXPECT_THAT(Message(Row({{"x", zero}}), schema, without), HasSubstr("zero byte"));
  EXPECT_TRUE(Check(Row({{"j", Json{R"({"a":"\\u0000"})"}}}), schema, without).ok())
      << "a backslash and the text u0000";
  Record key;
  key.key.key = zero;
  EXPECT_THAT(Message(key, schema, without), HasSubstr("zero byte"));
}

TEST(ValidateRecords, DynamicFields) {
  auto schema = Books();
  schema.dynamic = true;
  auto record =
      Row({{"i8", int64_t{1}}, {"x", Array{"a", 1.50}}, {"y", Json{" {\"b\":1,\"a\":2} "}}});
  record.dynamic = R"( {"z": null} )";
  const auto row = Check(record, schema);
  ASSERT_TRUE(row.ok()) << row.error().ToString();
  EXPECT_EQ(row->dynamic, R"({"x":["a",1.5],"y":{"a":2,"b":1},"z":null})");
  EXPECT_EQ(row->fields.size(), 1u);
  record.dynamic = "{}";
  record.fields.clear();
  EXPECT_EQ(Check(record, schema)->dynamic, "");
  record.dynamic = R"({"i8":1})";
  EXPECT_THAT(Message(record, schema), HasSubstr("name of a declared field"));
  record.dynamic = R"({"id":1})";
  EXPECT_THAT(Message(record, schema), HasSubstr("name of a declared field"));
  record.dynamic = R"({"x":1})";
  record.fields["x"] = int64_t{2};
  EXPECT_THAT(Message(record, schema), HasSubstr("given twice"));
  record.dynamic = "[]";
  EXPECT_THAT(Message(record, schema), HasSubstr("JSON object"));
  EXPECT_THAT(Message(Row({{"x", std::nan("")}}), schema), HasSubstr("dynamic field \"x\""));
  EXPECT_THAT(Message(Row({{"x", Array{"\xff"}}}), schema), HasSubstr("dynamic field \"x\""));
  record.fields.clear();
  record.dynamic = R"({"z":1})";
  EXPECT_THAT(Message(record), HasSubstr("the collection takes none"));
}

TEST(ValidateRecords, DefaultsAndNulls) {
  auto schema = Books();
  schema.fields = {
      {.name = "a", .type = DataType::kInt64, .default_value = int64_t{1}},
      {.name = "b", .type = DataType::kInt64, .nullable = false, .default_value = int64_t{2}},
      {.name = "c", .type = DataType::kInt64, .nullable = false}};
  const auto row = Check(Row({{"c", int64_t{3}}}), schema);
  ASSERT_TRUE(row.ok());
  EXPECT_TRUE(SameRecord(*row, Row({{"a", int64_t{1}}, {"b", int64_t{2}}, {"c", int64_t{3}}})));
  const auto nulls = Check(Row({{"a", {}}, {"b", {}}, {"c", int64_t{3}}}), schema);
  ASSERT_TRUE(nulls.ok());
  EXPECT_TRUE(SameRecord(*nulls, Row({{"b", int64_t{2}}, {"c", int64_t{3}}})));
  EXPECT_THAT(Message(Row({}), schema), HasSubstr("field \"c\" is missing and may not be null"));
}

TEST(ValidateRecords, Vectors) {
  auto with = [](Vector vector) {
    Record record;
    record.key.key = "k";
    record.vectors["embedding"] = std::move(vector);
    return record;
  };
  const float nan = std::nanf("");
  EXPECT_THAT(Message(with(Vector::Floats(std::vector<float>{1, nan, 1, 1}))),
              HasSubstr("NaN or infinite at element 1"));
  EXPECT_THAT(Message(with(Vector::Floats(std::vector<float>{0, -0.0f, 0, 0}))),
              HasSubstr("all zeros"));
  EXPECT_THAT(Message(with(FromFloats(DataType::kInt8Vector, std::vector<float>(4, 1.0f)))),
              HasSubstr("is INT8_VECTOR; the collection has FLOAT_VECTOR"));
  EXPECT_THAT(Message(with(Vector{.type = DataType::kFloatVector, .bytes = "12345"})),
              HasSubstr("dimensions"));
  auto takes_zero = All();
  takes_zero.zero_vector_with_cosine = true;
  EXPECT_TRUE(Check(with(Vector::Floats(std::vector<float>(4, 0.0f))), Books(), takes_zero).ok());
  auto schema = Books();
  schema.vectors[0] = {
      .name = "embedding", .type = DataType::kFloat16Vector, .dimension = 2, .metric = Metric::kL2};
  EXPECT_THAT(
      Message(with(FromFloats(DataType::kFloat16Vector, std::vector<float>{1, 1e9f})), schema),
      HasSubstr("infinite at element 1"));
  schema.vectors[0] = {
      .name = "embedding", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct};
  EXPECT_THAT(Message(with({.type = DataType::kSparseVector, .bytes = "123"}), schema),
              HasSubstr("8 bytes each"));
  const std::vector<SparseEntry> infinite = {{3, std::numeric_limits<float>::infinity()}};
  EXPECT_THAT(Message(with(FromSparseEntries(infinite)), schema), HasSubstr("at element 3"));
  EXPECT_TRUE(Check(with({.type = DataType::kSparseVector, .bytes = ""}), schema).ok());
}

TEST(ValidateSchema, ChecksNamesAndTypes) {
  const auto message = [](auto change, const Capabilities& capabilities = All()) {
    auto schema = Books();
    change(schema);
    const auto checked = ValidateSchema(schema, capabilities);
    return checked.ok() ? std::string("accepted") : checked.error().ToString();
  };
  using S = CollectionSchema;
  EXPECT_EQ(message([](S&) {}), "accepted");
  EXPECT_EQ(message([](S& s) { s.name = "shop.books"; }), "accepted");
  EXPECT_EQ(message([](S& s) { s.vectors.clear(); }), "accepted");
  for (const char* name : {"", "a b", "1a", "a.b.c", ".a", "a.", "größe", "a-b"}) {
    EXPECT_THAT(message([&](S& s) { s.name = name; }), HasSubstr("INVALID_ARGUMENT")) << name;
  }
  EXPECT_THAT(message([](S& s) { s.name = std::string(256, 'a'); }), HasSubstr("255"));
  EXPECT_THAT(message([](S& s) { s.fields[0].name = "_x"; }), HasSubstr("kept for Roost"));
  EXPECT_THAT(message([](S& s) { s.fields[0].name = "f"; }), HasSubstr("two fields"));
  EXPECT_THAT(message([](S& s) { s.fields[0].type = DataType::kFloatVector; }),
              HasSubstr("declare it among the vectors"));
  EXPECT_THAT(message([](S& s) { s.fields[7].element_type = DataType::kJson; }),
              HasSubstr("ARRAY of JSON"));
  EXPECT_THAT(message([](S& s) { s.fields[7].max_capacity = 5'000; }), HasSubstr("1 to 4096"));
  EXPECT_THAT(message([](S& s) { s.fields[3].max_length = 0; }), HasSubstr("1 to 65535"));
  EXPECT_THAT(message([](S& s) { s.fields[3].default_value = "123456"; }),
              HasSubstr("default value: field \"s\" has 6 bytes"));
  EXPECT_THAT(message([](S& s) { s.fields[3].default_value.emplace(); }), HasSubstr("null"));
  EXPECT_THAT(message([](S& s) { s.vectors[0].dimension = 0; }), HasSubstr("takes 1 to 32768"));
  EXPECT_THAT(message([](S& s) { s.vectors[0].metric = Metric::kBm25; }),
              HasSubstr("L2, COSINE or IP"));
  EXPECT_THAT(message([](S& s) { s.vectors[0].index = "IVF"; }), HasSubstr("HNSW or FLAT"));
  EXPECT_THAT(message([](S& s) { s.vectors[0].hnsw_m = 1; }), HasSubstr("2 to 256"));
  EXPECT_THAT(message([](S& s) {
                s.vectors[0] = {.name = "b",
                                .type = DataType::kBinaryVector,
                                .dimension = 12,
                                .metric = Metric::kHamming};
              }),
              HasSubstr("multiple of 8"));
  EXPECT_THAT(message([](S& s) { s.fields.resize(600, s.fields[0]); }), HasSubstr("at most 512"));
}

TEST(ValidateSchema, SaysWhatTheStoreLacks) {
  auto little = All();
  little.types = {DataType::kInt64, DataType::kFloatVector};
  little.metrics = {Metric::kL2};
  little.dynamic_fields = false;
  little.tenants = false;
  const auto code = [&](auto change) {
    CollectionSchema schema;
    schema.name = "c";
    schema.vectors = {{.name = "v", .dimension = 4, .metric = Metric::kL2}};
    change(schema);
    return ValidateSchema(schema, little).code();
  };
  using S = CollectionSchema;
  EXPECT_EQ(code([](S&) {}), Code::kOk);
  EXPECT_EQ(code([](S& s) { s.dynamic = true; }), Code::kUnimplemented);
  EXPECT_EQ(code([](S& s) { s.tenant_field = "t"; }), Code::kUnimplemented);
  EXPECT_EQ(code([](S& s) { s.vectors[0].metric = Metric::kCosine; }), Code::kUnimplemented);
  EXPECT_EQ(code([](S& s) { s.fields = {{.name = "j", .type = DataType::kJson}}; }),
            Code::kUnimplemented);
}

TEST(ValidateSearch, ResolvesTheField) {
  const auto schema = Books();
  SearchRequest request;
  request.vectors = {Vector::Floats(std::vector<float>{1, 2, 3, 4})};
  const auto field = ValidateSearch(schema, All(), request);
  ASSERT_TRUE(field.ok());
  EXPECT_EQ(*field, &schema.vectors[0]);
  const auto code = [&](auto change) {
    auto changed = request;
    change(changed);
    return ValidateSearch(schema, All(), changed).code();
  };
  using R = SearchRequest;
  EXPECT_EQ(code([](R& r) { r.field = "embedding"; }), Code::kOk);
  EXPECT_EQ(code([](R& r) { r.field = "nope"; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.vectors.clear(); }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.texts = {"x"}; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.top_k = 0; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.top_k = 16'385; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.top_k = 16'384; }), Code::kOk);
  EXPECT_EQ(code([](R& r) { r.offset = 16'375; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.offset = 4'294'967'295; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.ef = 40'000; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.max_distance = std::nan(""); }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.vectors[0].bytes.pop_back(); }), Code::kInvalidArgument);
  EXPECT_EQ(code([](R& r) { r.output.fields = {"nope"}; }), Code::kInvalidArgument);
}

TEST(ValidateSearch, TextsNeedATextField) {
  auto schema = Books();
  SearchRequest request;
  request.texts = {"fox"};
  EXPECT_EQ(ValidateSearch(schema, All(), request).code(), Code::kInvalidArgument);
  schema.fields.push_back({.name = "body", .type = DataType::kText});
  const auto field = ValidateSearch(schema, All(), request);
  ASSERT_TRUE(field.ok());
  EXPECT_EQ(*field, nullptr);
  request.field = "s";
  EXPECT_EQ(ValidateSearch(schema, All(), request).code(), Code::kInvalidArgument);
  request.field = "body";
  EXPECT_TRUE(ValidateSearch(schema, All(), request).ok());
  auto without = All();
  without.keyword_search = false;
  EXPECT_EQ(ValidateSearch(schema, without, request).code(), Code::kUnimplemented);
}

}  // namespace
}  // namespace roost
