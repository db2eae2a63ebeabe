// Tables made by plain SQL, as collections: what is read and adopted.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapters/pgvector/pgvector_adoption_testing.h"

namespace roost {
namespace {

using testing::HasSubstr;

TEST_F(PgAdoptionTest, ReadsEveryTypeAsTheApplicationWroteIt) {
  const std::string table = FreshName();
  Sql(EveryColumn(table) + "INSERT INTO " + table +
      " VALUES (7, true, -3, 70000, 9007199254740993, 0.1, 1e-320, 12.50, 123456789012345678, "
      "1.5000000000000000000001, 'Grüße \"x\"', 'abc', 'ab', "
      "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2024-02-29 12:34:56.789012+02', '1969-12-31 "
      "23:59:59.999999', '2024-02-29', '{\"b\": 1.50, \"a\": [1, null, \"x\"]}', '{\"z\":1, "
      "\"a\" : 2, \"z\":3}', '{\"a b\",c}', '{3,1,2}', '{0.5}', '[0.1,-0,1e-30]', '[0.5,-2]', "
      "'{1:2}/5'); INSERT INTO " +
      table + " (id) VALUES (8)");
  const AdoptionPlan plan = Adopt(table);
  const auto record = Get(table, Key(7));
  ASSERT_TRUE(record);
  const auto field = [&](const std::string& name) { return record->fields.at(name); };
  EXPECT_TRUE(SameValue(field("flag"), true));
  EXPECT_TRUE(SameValue(field("i2"), int64_t{-3}));
  EXPECT_TRUE(SameValue(field("i4"), int64_t{70'000}));
  EXPECT_TRUE(SameValue(field("i8"), int64_t{9'007'199'254'740'993}));
  EXPECT_TRUE(SameValue(field("f4"), static_cast<double>(0.1F)));
  EXPECT_TRUE(SameValue(field("f8"), 1e-320));
  EXPECT_TRUE(SameValue(field("price"), 12.5));
  EXPECT_TRUE(SameValue(field("big"), int64_t{123'456'789'012'345'678}));
  EXPECT_TRUE(SameValue(field("any_number"), std::string("1.5000000000000000000001")));
  EXPECT_TRUE(SameValue(field("name"), std::string("Grüße \"x\"")));
  EXPECT_TRUE(SameValue(field("padded"), std::string("ab")));
  EXPECT_TRUE(SameValue(field("ref"), std::string("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")));
  EXPECT_TRUE(SameValue(field("made"), int64_t{1'709'202'896'789'012}));
  EXPECT_TRUE(SameValue(field("local"), int64_t{-1}));
  EXPECT_TRUE(SameValue(field("day"), std::string("2024-02-29")));
  EXPECT_TRUE(SameValue(field("meta"), Json{R"({"a":[1,null,"x"],"b":1.5})"}));
  EXPECT_TRUE(SameValue(field("raw"), Json{R"({"a":2,"z":3})"}));
  EXPECT_TRUE(SameValue(field("tags"), Array{std::string("a b"), std::string("c")}));
  EXPECT_TRUE(SameValue(field("counts"), Array{int64_t{3}, int64_t{1}, int64_t{2}}));
  EXPECT_TRUE(SameValue(field("rates"), Array{0.5}));
  EXPECT_EQ(record->vectors.at("v"), Vector::Floats(std::vector<float>{0.1F, -0.0F, 1e-30F}));
  EXPECT_EQ(record->vectors.at("h").bytes, std::string("\x00\x38\x00\xC0", 4));
  EXPECT_FALSE(record->fields.contains("sparse"));
  EXPECT_EQ(Said(plan, "sparse").first, Fidelity::kImpossible);
  EXPECT_EQ(Said(plan, "any_number").first, Fidelity::kShadow);
  EXPECT_EQ(Said(plan, "padded").first, Fidelity::kApproximated);
  EXPECT_EQ(Said(plan, "i8").first, Fidelity::kExact);
  const auto nulls = Get(table, Key(8));
  ASSERT_TRUE(nulls);
  EXPECT_TRUE(nulls->fields.empty() && nulls->vectors.empty());
}

TEST_F(PgAdoptionTest, WhatIsReadAndWrittenBackIsTheSameToTheApplication) {
  const std::string table = FreshName();
  Sql(EveryColumn(table) + "INSERT INTO " + table +
      " VALUES (7, false, 32767, -70000, -1, 3.4e38, 0.30000000000000004, -0.01, -5, 12.340, 'x', "
      "'abcde', 'abcd', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '9999-12-31 23:59:59.999999+00', "
      "'0001-01-01 00:00:00', '0044-03-15 BC', '{\"a\": 12345678901234567}', '[1,2]', '{}', "
      "'{-2147483648}', '{1e-45}', '[1,2,3]', '[65504,-0.00006]', '{2:1}/5')");
  Adopt(table);
  const std::string all = "SELECT t FROM " + table + " t WHERE id = 7";
  const std::string before = Cell(all);
  auto record = Get(table, Key(7));
  ASSERT_TRUE(record);
  Record copy = *record;
  const Status written = Upsert(table, copy);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(Cell(all), before);
  // And as a new row, but for the column that Roost does not read.
  copy.key.key = Key(9);
  ASSERT_TRUE(Upsert(table, copy).ok());
  EXPECT_EQ(
      Cell("SELECT (a.* IS NOT DISTINCT FROM b.*) FROM (SELECT (to_jsonb(t) - 'id' - 'sparse') "
           "FROM " +
           table +
           " t WHERE id = 7) a, (SELECT (to_jsonb(t) - 'id' - 'sparse') "
           "FROM " +
           table + " t WHERE id = 9) b"),
      "true");
  EXPECT_EQ(Cell("SELECT sparse IS NULL FROM " + table + " WHERE id = 9"), "true");
  copy.fields.clear();
  ASSERT_TRUE(Upsert(table, copy).ok());
  EXPECT_EQ(Cell("SELECT name IS NULL AND v IS NOT NULL FROM " + table + " WHERE id = 9"), "true");
  copy.fields["short"] = std::string("abcdef");
  EXPECT_EQ(Upsert(table, copy).code(), Code::kInvalidArgument);
  EXPECT_EQ(
      Cell("SELECT count(*) FROM information_schema.columns WHERE table_name = '" + table + "'"),
      "25");
}

TEST_F(PgAdoptionTest, ValuesThatRoostDoesNotHaveAreReadAsReported) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table +
      " (id int PRIMARY KEY, f double precision, n numeric(5,2), t timestamptz, a int[], j jsonb, "
      "s text, v vector(2)); INSERT INTO " +
      table +
      " VALUES (1, 'NaN', 'NaN', 'infinity', '{1,NULL,2}', 'null', repeat('x', 70000), '[0,0]'), "
      "(2, '-Infinity', 1, '4000-01-01 BC', '{{1,2},{3,4}}', '1', '', NULL)");
  const AdoptionPlan plan = Adopt(table);
  EXPECT_THAT(plan.notes, testing::IsSupersetOf({
                              "2 rows were looked at",
                              "2 rows: \"f\" is NaN or infinite: read as null",
                              "1 row: \"n\" is NaN: read as null",
                              "1 row: \"a\" is of several dimensions: read as null",
                          }));
  EXPECT_THAT(plan.notes, testing::Contains(HasSubstr("1 row: \"s\" is longer than 65,535 bytes")));
  EXPECT_THAT(plan.notes, testing::Contains(HasSubstr("1 row: \"v\" is zero")));
  const auto first = Get(table, Key(1));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->fields.size(), 2u);
  EXPECT_TRUE(SameValue(first->fields.at("a"), Array{int64_t{1}, int64_t{2}}));
  EXPECT_EQ(std::get<std::string>(first->fields.at("s")).size(), 70'000u);
  const auto second = Get(table, Key(2));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->fields.size(), 3u);
  EXPECT_TRUE(SameValue(second->fields.at("s"), std::string()));
}

TEST_F(PgAdoptionTest, DefaultsAndComputedColumnsStayPostgres) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table +
      " (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text NOT NULL DEFAULT 'new', "
      "made timestamptz NOT NULL DEFAULT now(), n int, twice int GENERATED ALWAYS AS (n * 2) "
      "STORED, v vector(2) NOT NULL)");
  const AdoptionPlan plan = Adopt(table);
  EXPECT_EQ(Said(plan, "twice").first, Fidelity::kApproximated);
  EXPECT_THAT(plan.notes, testing::Contains(HasSubstr("from a counter")));
  Record record = Row(Key(40), {1, 2});
  record.fields["n"] = 21;
  record.fields["twice"] = 7;
  const Status written = Upsert(table, record);
  ASSERT_TRUE(written.ok()) << written.error().ToString();
  EXPECT_EQ(Cell("SELECT state || ' ' || twice || ' ' || (made > now() - interval '1 hour') FROM " +
                 table + " WHERE id = 40"),
            "new 42 true");
  Sql("INSERT INTO " + table + " (n, v) VALUES (5, '[3,4]')");  // the application goes on
  const auto theirs = Get(table, Key(1));
  ASSERT_TRUE(theirs);
  EXPECT_TRUE(SameValue(theirs->fields.at("twice"), int64_t{10}));
}

TEST_F(PgAdoptionTest, WhatCannotBeAdoptedIsRefusedWithWhatToDo) {
  const std::string t = FreshName();
  Sql("CREATE TABLE " + t + "_a (id int, v vector(2)); CREATE TABLE " + t +
      "_b (a int, b int, v vector(2), PRIMARY KEY (a, b)); CREATE TABLE " + t +
      "_c (id int PRIMARY KEY, name text); CREATE TABLE " + t +
      "_d (id numeric PRIMARY KEY, v vector(2)); CREATE VIEW " + t + "_e AS SELECT * FROM " + t +
      "_a; CREATE TABLE " + t + "_f (id int PRIMARY KEY, v vector(2)); CREATE TABLE " + t +
      "_g () INHERITS (" + t + "_f); CREATE TABLE " + t +
      "_h (id int PRIMARY KEY, v vector); CREATE TABLE " + t +
      "_i (id int PRIMARY KEY DEFERRABLE, v vector(2)); CREATE TABLE " + t +
      "_j (id int PRIMARY KEY, v vector(2), s sparsevec(4) NOT NULL)");
  EXPECT_THAT(WhyNot(t + "_a"), HasSubstr("no primary key"));
  EXPECT_THAT(WhyNot(t + "_b"), HasSubstr("several columns"));
  EXPECT_THAT(WhyNot(t + "_c"), HasSubstr("no column of type vector"));
  EXPECT_THAT(WhyNot(t + "_d"), HasSubstr("keys are integers, text, varchar or uuid"));
  EXPECT_THAT(WhyNot(t + "_e"), HasSubstr("it is a view"));
  EXPECT_THAT(WhyNot(t + "_f"), HasSubstr("inherit from it"));
  EXPECT_THAT(WhyNot(t + "_h"), HasSubstr("whose dimension is declared"));
  EXPECT_THAT(WhyNot(t + "_i"), HasSubstr("NOT DEFERRABLE"));
  EXPECT_THAT(WhyNot(t + "_j"), HasSubstr("give it a default or allow nulls"));
  EXPECT_THAT(WhyNot("roost_collections"), HasSubstr("one of Roost's own"));
  EXPECT_EQ(Plan(t + "_none").code(), Code::kNotFound);
  const auto list = store_->adoption()->ListForeign(Soon());
  ASSERT_TRUE(list.ok()) << list.error().ToString();
  size_t listed = 0;
  for (const ForeignCollection& one : *list) {
    EXPECT_THAT(one.name, testing::Not(HasSubstr("roost_")));
    if (one.name.starts_with("public." + t)) {
      ++listed;
      EXPECT_FALSE(one.obstacle.empty()) << one.name;
    }
  }
  EXPECT_EQ(listed, 9u);  // all but the one without vectors
}

TEST_F(PgAdoptionTest, ATableIsOneCollectionAndDroppingThatLeavesIt) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + " (id int PRIMARY KEY, v vector(2)); INSERT INTO " + table +
      " VALUES (1, '[1,2]')");
  Adopt("public." + table);
  EXPECT_EQ(Plan(table).code(), Code::kAlreadyExists);
  const auto names = store_->ListCollections(Soon());
  ASSERT_TRUE(names.ok());
  EXPECT_THAT(*names, testing::Contains(table));
  ASSERT_TRUE(store_->DropCollection(Soon(), {.collection = table}).ok());
  EXPECT_EQ(Cell("SELECT count(*) FROM " + table), "1");
  EXPECT_EQ(store_->DescribeCollection(Soon(), table).code(), Code::kNotFound);
  Adopt(table);
  EXPECT_TRUE(Get(table, Key(1)));
}

TEST_F(PgAdoptionTest, AnotherProcessReadsTheSameCollection) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table +
      " (\"Größe (cm)\" int, \"_id\" text PRIMARY KEY, v vector(2)); "
      "INSERT INTO " +
      table + " VALUES (180, 'a', '[1,2]')");
  const AdoptionPlan plan = Adopt(table);
  EXPECT_EQ(plan.schema.key_field, "f_id");
  const auto other = OpenStore(SharedServer());
  const auto got = other->Get(Soon(), {.collection = table, .keys = {{"", Key("a")}}});
  ASSERT_TRUE(got.ok()) << got.error().ToString();
  ASSERT_TRUE(got->records.at(0));
  EXPECT_TRUE(SameValue(got->records.at(0)->fields.at("Gr____e__cm_"), int64_t{180}));
}

TEST_F(PgAdoptionTest, AChangedTableIsRefusedByNameAndADroppedOneIsLost) {
  const std::string table = FreshName();
  Sql("CREATE TABLE " + table + " (id int PRIMARY KEY, n int, v vector(2)); INSERT INTO " + table +
      " VALUES (1, 2, '[1,2]')");
  Adopt(table);
  ASSERT_TRUE(Get(table, Key(1)));
  Sql("ALTER TABLE " + table + " ADD COLUMN extra text NOT NULL DEFAULT 'e'");  // nothing to Roost
  ASSERT_TRUE(Get(table, Key(1)));
  Sql("ALTER TABLE " + table + " ALTER COLUMN n TYPE text");
  const auto changed = store_->Get(Soon(), {.collection = table, .keys = {{"", Key(1)}}});
  ASSERT_EQ(changed.code(), Code::kFailedPrecondition);
  EXPECT_THAT(changed.error().message, HasSubstr("column \"n\" is text now"));
  Sql("DROP TABLE " + table);
  EXPECT_EQ(store_->Count(Soon(), {.collection = table, .filter = {}, .tenant = {}}).code(),
            Code::kDataLoss);
  EXPECT_TRUE(store_->DropCollection(Soon(), {.collection = table}).ok());
}

}  // namespace
}  // namespace roost
