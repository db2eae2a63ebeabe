#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

CollectionSchema Shops(Trial& trial) {
  auto schema = trial.Plain();
  schema.tenant_field = "shop";
  schema.fields = {{.name = "n", .type = DataType::kInt64}};
  return schema;
}

Record Row(const std::string& tenant, const std::string& key, int64_t n) {
  auto record = PlainRecord(StringKey(key, tenant));
  record.fields["n"] = n;
  return record;
}

/// Tenants "a", "b" and a strange one hold the same keys "1" to "3".
bool Fill(Trial& trial, const CollectionSchema& schema) {
  if (!trial.Create(schema)) {
    return false;
  }
  std::vector<Record> rows;
  int64_t n = 0;
  for (const char* tenant : {"b", "größe' or '1'='1", "a"}) {
    for (const char* key : {"2", "1", "3"}) {
      rows.push_back(Row(tenant, key, ++n));
    }
  }
  trial.Upsert(schema.name, rows);
  return true;
}

void SameKeyInTwoTenants(Trial& trial) {
  const auto schema = Shops(trial);
  if (!trial.capabilities().tenants || !Fill(trial, schema)) {
    return;
  }
  EXPECT_EQ(trial.Count({.collection = schema.name}), 9u);
  const auto a = trial.Get(schema.name, StringKey("1", "a"));
  const auto b = trial.Get(schema.name, StringKey("1", "b"));
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->key.tenant, "a");
  EXPECT_EQ(b->key.tenant, "b");
  EXPECT_EQ(std::get<int64_t>(b->fields.at("n")), 2);
  EXPECT_EQ(std::get<int64_t>(a->fields.at("n")), 8);
  EXPECT_FALSE(trial.Get(schema.name, StringKey("1", "c")).has_value());
  trial.Upsert(schema.name, {Row("a", "1", 100)});
  EXPECT_EQ(std::get<int64_t>(trial.Get(schema.name, StringKey("1", "b"))->fields.at("n")), 2);
  trial.Delete(schema.name, {StringKey("1", "a")});
  EXPECT_FALSE(trial.Get(schema.name, StringKey("1", "a")).has_value());
  EXPECT_TRUE(trial.Get(schema.name, StringKey("1", "b")).has_value());
  const auto again = trial.Insert(schema.name, {Row("a", "1", 1), Row("b", "1", 1)});
  EXPECT_EQ(again.written, 1u);
  ASSERT_EQ(again.errors.size(), 1u);
  EXPECT_EQ(again.errors[0].row, 1u);
}

void TenantsAreIsolated(Trial& trial) {
  const auto schema = Shops(trial);
  if (!trial.capabilities().tenants || !Fill(trial, schema)) {
    return;
  }
  const std::string strange = "größe' or '1'='1";
  for (const std::string& tenant : {std::string("a"), std::string("b"), strange}) {
    std::vector<std::string> expected;
    for (const char* key : {"1", "2", "3"}) {
      expected.push_back(tenant + "/\"" + key + "\"");
    }
    EXPECT_EQ(Keys(trial.Query({.collection = schema.name, .tenant = tenant})), expected);
    EXPECT_EQ(trial.Count({.collection = schema.name, .tenant = tenant}), 3u);
    const auto hits = trial.Search({.collection = schema.name,
                                    .vectors = {FloatVector({1, 2, 3, 4})},
                                    .tenant = tenant,
                                    .exact = true});
    EXPECT_EQ(Keys(hits.at(0)), expected);
    const auto near = trial.Search(
        {.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}, .tenant = tenant});
    EXPECT_EQ(Keys(near.at(0)), expected);
    const auto page =
        trial.store().Scan(Trial::Context(), {.collection = schema.name, .tenant = tenant});
    ASSERT_TRUE(page.ok()) << ErrorOf(page);
    EXPECT_EQ(Keys(page->records), expected);
    EXPECT_TRUE(page->done);
  }
  EXPECT_EQ(trial.Count({.collection = schema.name, .tenant = "nobody"}), 0u);
  EXPECT_TRUE(trial.Query({.collection = schema.name, .tenant = "nobody"}).empty());
  EXPECT_EQ(trial.Count({.collection = schema.name, .tenant = ""}), 0u);
  EXPECT_EQ(trial.Count({.collection = schema.name,
                         .filter = trial.Parse("n > 0 or shop == \"b\"", schema),
                         .tenant = "a"}),
            3u)
      << "a filter cannot reach beyond the tenant";
}

void TenantIsAFilterField(Trial& trial) {
  const auto schema = Shops(trial);
  if (!trial.capabilities().tenants || !Fill(trial, schema)) {
    return;
  }
  const auto count = [&](std::string_view filter) {
    return trial.Count({.collection = schema.name, .filter = trial.Parse(filter, schema)});
  };
  EXPECT_EQ(count("shop == \"a\""), 3u);
  EXPECT_EQ(count("shop != \"a\""), 6u);
  EXPECT_EQ(count("shop in [\"a\", \"b\"] and id == \"1\""), 2u);
  EXPECT_EQ(count("shop like \"gr%\""), 3u);
  EXPECT_EQ(trial.Count({.collection = schema.name, .filter = TenantFilter("b")}), 3u);
}

void ScanGoesThroughTenantsInOrder(Trial& trial) {
  const auto schema = Shops(trial);
  if (!trial.capabilities().tenants || !Fill(trial, schema)) {
    return;
  }
  std::vector<std::string> expected;
  for (const char* tenant : {"a", "b", "größe' or '1'='1"}) {
    for (const char* key : {"1", "2", "3"}) {
      expected.push_back(std::string(tenant) + "/\"" + key + "\"");
    }
  }
  for (const uint32_t limit : {1u, 2u, 4u, 100u}) {
    EXPECT_EQ(Keys(trial.ScanAll(schema.name, limit)), expected) << limit;
  }
}

void TenantMustBeThereWhereThereAreTenants(Trial& trial) {
  const auto schema = Shops(trial);
  if (!trial.capabilities().tenants || !Fill(trial, schema)) {
    return;
  }
  const auto refused = [&](const Record& record) {
    const auto written =
        trial.store().Upsert(Trial::Context(), {.collection = schema.name, .records = {record}});
    EXPECT_EQ(written.code(), Code::kInvalidArgument) << ErrorOf(written);
  };
  refused(Row("", "1", 1));
  refused(Row(std::string(300, 't'), "1", 1));
  refused(Row("\xff", "1", 1));
  const auto got =
      trial.store().Get(Trial::Context(), {.collection = schema.name, .keys = {StringKey("1")}});
  EXPECT_EQ(got.code(), Code::kInvalidArgument) << ErrorOf(got);
  EXPECT_EQ(trial.Count({.collection = schema.name}), 9u);
}

}  // namespace

Checks TenantChecks() {
  return {{"SameKeyInTwoTenants", SameKeyInTwoTenants},
          {"TenantsAreIsolated", TenantsAreIsolated},
          {"TenantIsAFilterField", TenantIsAFilterField},
          {"ScanGoesThroughTenantsInOrder", ScanGoesThroughTenantsInOrder},
          {"TenantMustBeThereWhereThereAreTenants", TenantMustBeThereWhereThereAreTenants}};
}

}  // namespace roost::conformance
