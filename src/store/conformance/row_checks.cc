#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

/// Expects kInvalidArgument for the second of two rows, naming it and `field`, and nothing written.
void ExpectRefused(Trial& trial, const CollectionSchema& schema, const Record& bad,
                   const std::string& field) {
  const uint64_t before = trial.Count({.collection = schema.name});
  Record good = bad;
  good.key = schema.key_type == KeyType::kInt64 ? IntegerKey(1'000) : StringKey("good");
  good.key.tenant = schema.multi_tenant() ? "t" : "";
  good.fields.clear();
  good.vectors.clear();
  good.dynamic.clear();
  for (const bool insert : {false, true}) {
    const WriteRequest request{.collection = schema.name, .records = {good, bad}};
    const auto written = insert ? trial.store().Insert(Trial::Context(), request)
                                : trial.store().Upsert(Trial::Context(), request);
    EXPECT_EQ(written.code(), Code::kInvalidArgument) << field << ": " << ErrorOf(written);
    if (!written.ok()) {
      EXPECT_NE(written.error().message.find("row 1"), std::string::npos)
          << written.error().message;
      EXPECT_NE(written.error().message.find(field), std::string::npos) << written.error().message;
    }
    EXPECT_EQ(trial.Count({.collection = schema.name}), before)
        << field << ": rows of a refused batch are there";
  }
}

CollectionSchema WithFields(Trial& trial, std::string_view suffix = "") {
  auto schema = trial.Plain(suffix);
  schema.fields = {{.name = "n", .type = DataType::kInt64},
                   {.name = "s", .type = DataType::kVarChar, .max_length = 10}};
  return schema;
}

void NullAndMissing(Trial& trial) {
  const auto schema = WithFields(trial);
  ASSERT_TRUE(trial.Create(schema));
  auto missing = PlainRecord(StringKey("missing"));
  auto null = PlainRecord(StringKey("null"));
  null.fields["n"];
  null.fields["s"];
  auto empty = PlainRecord(StringKey("empty"));
  empty.fields["n"] = int64_t{0};
  empty.fields["s"] = "";
  Record no_vector;
  no_vector.key = StringKey("no vector");
  no_vector.fields["n"] = int64_t{1};
  for (const auto& record : {missing, null, empty, no_vector}) {
    trial.Upsert(schema.name, {record});
    const auto got = trial.Get(schema.name, record.key);
    ASSERT_TRUE(got.has_value()) << Show(record);
    EXPECT_TRUE(SameRecord(*got, record)) << Show(*got) << ", not " << Show(record);
  }
  const auto hits = trial.Search(
      {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .exact = true});
  EXPECT_EQ(Keys(hits.at(0)), (std::vector<std::string>{"\"empty\"", "\"missing\"", "\"null\""}))
      << "records without the vector are no hits";
}

void DefaultsAreApplied(Trial& trial) {
  auto schema = trial.Plain();
  schema.fields = {
      {.name = "n", .type = DataType::kInt64, .nullable = false, .default_value = int64_t{7}},
      {.name = "s", .type = DataType::kVarChar, .default_value = "d"}};
  ASSERT_TRUE(trial.Create(schema));
  auto explicit_null = PlainRecord(StringKey("null"));
  explicit_null.fields["s"];
  trial.Upsert(schema.name, {PlainRecord(StringKey("absent")), explicit_null});
  auto expected = PlainRecord(StringKey("absent"));
  expected.fields["n"] = int64_t{7};
  expected.fields["s"] = "d";
  auto got = trial.Get(schema.name, expected.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, expected)) << Show(*got);
  expected.key = explicit_null.key;
  expected.fields.erase("s");
  got = trial.Get(schema.name, expected.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, expected)) << "a null that was given is no default: " << Show(*got);
}

void RequiredFieldsMustBeThere(Trial& trial) {
  auto schema = WithFields(trial);
  schema.fields[0].nullable = false;
  ASSERT_TRUE(trial.Create(schema));
  const auto refused = trial.store().Upsert(
      Trial::Context(), {.collection = schema.name, .records = {PlainRecord(StringKey("bad"))}});
  EXPECT_EQ(refused.code(), Code::kInvalidArgument) << ErrorOf(refused);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 0u);
  auto vectors = trial.Plain("Vector");
  vectors.vectors[0].nullable = false;
  ASSERT_TRUE(trial.Create(vectors));
  Record bad;
  bad.key = StringKey("bad");
  const auto written =
      trial.store().Upsert(Trial::Context(), {.collection = vectors.name, .records = {bad}});
  EXPECT_EQ(written.code(), Code::kInvalidArgument) << ErrorOf(written);
}

void BadRowsAreRefused(Trial& trial) {
  const auto schema = WithFields(trial);
  ASSERT_TRUE(trial.Create(schema));
  auto unknown = PlainRecord(StringKey("bad"));
  unknown.fields["unknown"] = int64_t{1};
  ExpectRefused(trial, schema, unknown, "\"unknown\"");
  auto too_long = PlainRecord(StringKey("bad"));
  too_long.fields["s"] = "12345678901";
  ExpectRefused(trial, schema, too_long, "\"s\"");
  auto bytes_count = PlainRecord(StringKey("bad"));
  bytes_count.fields["s"] = "üüüüüü";  // 6 characters, 12 bytes
  ExpectRefused(trial, schema, bytes_count, "\"s\"");
  auto not_utf8 = PlainRecord(StringKey("bad"));
  not_utf8.fields["s"] = "\xc3\x28";
  ExpectRefused(trial, schema, not_utf8, "\"s\"");
  auto dynamic = PlainRecord(StringKey("bad"));
  dynamic.dynamic = R"({"x":1})";
  ExpectRefused(trial, schema, dynamic, "dynamic");
  ExpectRefused(trial, schema, PlainRecord(IntegerKey(5)), "\"id\"");
  ExpectRefused(trial, schema, PlainRecord(StringKey("")), "\"id\"");
  ExpectRefused(trial, schema,
                PlainRecord(StringKey(std::string(trial.capabilities().max_key_bytes + 1, 'k'))),
                "\"id\"");
  ExpectRefused(trial, schema, PlainRecord(StringKey("bad", "tenant")), "tenant");
  if (!trial.capabilities().null_bytes_in_strings) {
    auto zero = PlainRecord(StringKey("bad"));
    zero.fields["s"] = std::string("a\0b", 3);
    ExpectRefused(trial, schema, zero, "\"s\"");
    ExpectRefused(trial, schema, PlainRecord(StringKey(std::string("a\0b", 3))), "\"id\"");
    if (trial.Claims(DataType::kJson)) {
      auto with_json = trial.Plain("Json");
      with_json.fields = {{.name = "j", .type = DataType::kJson}};
      ASSERT_TRUE(trial.Create(with_json));
      auto inside = PlainRecord(StringKey("bad"));
      inside.fields["j"] = Json{R"({"z":"a\u0000b"})"};
      ExpectRefused(trial, with_json, inside, "\"j\"");
    }
  }
}

void DynamicFields(Trial& trial) {
  if (!trial.capabilities().dynamic_fields) {
    return;
  }
  auto schema = WithFields(trial);
  schema.dynamic = true;
  ASSERT_TRUE(trial.Create(schema));
  auto record = PlainRecord(StringKey("a"));
  record.fields["n"] = int64_t{1};
  record.fields["extra"] = "undeclared";
  record.dynamic = R"({ "color": "red", "size": {"w": 9223372036854775807}, "list": [1, "x"],
                        "quote'\"": "größe", "none": null })";
  trial.Upsert(schema.name, {record});
  auto expected = PlainRecord(StringKey("a"));
  expected.fields["n"] = int64_t{1};
  expected.dynamic =
      R"({"color":"red","extra":"undeclared","list":[1,"x"],"none":null,"quote'\"":"größe","size":{"w":9223372036854775807}})";
  auto got = trial.Get(schema.name, record.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, expected)) << Show(*got);
  for (const char* filter :
       {"color == \"red\"", "$meta[\"size\"][\"w\"] == 9223372036854775807", "exists extra",
        "json_contains(list, \"x\")", "none is null", "nowhere is null", "list[0] == 1"}) {
    EXPECT_EQ(trial.Count({.collection = schema.name, .filter = trial.Parse(filter, schema)}), 1u)
        << filter;
  }
  const auto named = trial.Query(
      {.collection = schema.name, .output = {.all_scalars = false, .fields = {"n", "color"}}});
  ASSERT_EQ(named.size(), 1u);
  EXPECT_EQ(named[0].dynamic, R"({"color":"red"})");
  EXPECT_EQ(named[0].fields.size(), 1u);
  auto clash = PlainRecord(StringKey("bad"));
  clash.dynamic = R"({"n":5})";
  ExpectRefused(trial, schema, clash, "\"n\"");
  auto no_object = PlainRecord(StringKey("bad"));
  no_object.dynamic = "[1]";
  ExpectRefused(trial, schema, no_object, "dynamic");
  auto replaced = PlainRecord(StringKey("a"));
  trial.Upsert(schema.name, {replaced});
  got = trial.Get(schema.name, record.key);
  ASSERT_TRUE(got.has_value());
  EXPECT_TRUE(SameRecord(*got, replaced)) << "dynamic fields outlive an upsert: " << Show(*got);
}

}  // namespace

Checks RowChecks() {
  return {{"NullAndMissing", NullAndMissing},
          {"DefaultsAreApplied", DefaultsAreApplied},
          {"RequiredFieldsMustBeThere", RequiredFieldsMustBeThere},
          {"BadRowsAreRefused", BadRowsAreRefused},
          {"DynamicFields", DynamicFields}};
}

}  // namespace roost::conformance
