#include <algorithm>

#include "store/conformance/trial.h"

namespace roost::conformance {
namespace {

void CreateTwice(Trial& trial) {
  const auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  const auto again = trial.store().CreateCollection(Trial::Context(), {.schema = schema});
  EXPECT_EQ(again.code(), Code::kAlreadyExists) << ErrorOf(again);
}

void DropAbsent(Trial& trial) {
  const auto dropped =
      trial.store().DropCollection(Trial::Context(), {.collection = trial.Name("Absent")});
  EXPECT_EQ(dropped.code(), Code::kNotFound) << ErrorOf(dropped);
}

void ListIsSorted(Trial& trial) {
  for (const char* suffix : {"C", "A", "B", "a"}) {
    ASSERT_TRUE(trial.Create(trial.Plain(suffix)));
  }
  const auto list = trial.store().ListCollections(Trial::Context());
  ASSERT_TRUE(list.ok()) << ErrorOf(list);
  EXPECT_TRUE(std::is_sorted(list->begin(), list->end()));
  std::vector<std::string> ours;
  for (const auto& name : *list) {
    if (name.starts_with(trial.Name())) {
      ours.push_back(name.substr(trial.Name().size()));
    }
  }
  EXPECT_EQ(ours, (std::vector<std::string>{"A", "B", "C", "a"}));
}

/// A schema with everything that the store claims.
CollectionSchema Rich(Trial& trial) {
  auto schema = trial.Plain();
  schema.description = "Books, \"quoted\" and 'quoted'; größer";
  schema.key_type = KeyType::kInt64;
  schema.key_field = "isbn";
  schema.tenant_field = trial.capabilities().tenants ? "shop" : "";
  schema.dynamic = trial.capabilities().dynamic_fields;
  for (int i = 0; i <= static_cast<int>(DataType::kArray); ++i) {
    const auto type = static_cast<DataType>(i);
    if (trial.Claims(type)) {
      schema.fields.push_back({.name = "field_" + std::to_string(i),
                               .type = type,
                               .max_length = 1'000,
                               .max_capacity = 10,
                               .nullable = i % 2 == 0});
    }
  }
  if (trial.Claims(DataType::kVarChar)) {
    schema.fields.push_back({.name = "color", .default_value = Value("it's \"red\"")});
  }
  schema.vectors[0].index = "FLAT";
  if (trial.capabilities().max_vectors_per_record > 1) {
    schema.vectors.push_back({.name = "w",
                              .dimension = 8,
                              .metric = trial.AnyMetric(),
                              .nullable = false,
                              .hnsw_m = 24,
                              .hnsw_ef_construction = 300});
  }
  return schema;
}

void DescribeGivesTheSchemaBack(Trial& trial) {
  const auto schema = Rich(trial);
  ASSERT_TRUE(trial.Create(schema));
  const auto found = trial.store().DescribeCollection(Trial::Context(), schema.name);
  ASSERT_TRUE(found.ok()) << ErrorOf(found);
  EXPECT_TRUE(found->schema == schema);
  EXPECT_EQ(found->estimated_count, 0u);
  EXPECT_EQ(trial.store().DescribeCollection(Trial::Context(), trial.Name("Absent")).code(),
            Code::kNotFound);
}

void CallsToAbsentCollectionsAreNotFound(Trial& trial) {
  const std::string name = trial.Name("Absent");
  const auto context = Trial::Context();
  auto& store = trial.store();
  const auto record = PlainRecord(StringKey("a"));
  EXPECT_EQ(store.Insert(context, {.collection = name, .records = {record}}).code(),
            Code::kNotFound);
  EXPECT_EQ(store.Upsert(context, {.collection = name, .records = {record}}).code(),
            Code::kNotFound);
  EXPECT_EQ(store.Delete(context, {.collection = name, .keys = {record.key}}).code(),
            Code::kNotFound);
  EXPECT_EQ(store.Get(context, {.collection = name, .keys = {record.key}}).code(), Code::kNotFound);
  EXPECT_EQ(store.Query(context, {.collection = name}).code(), Code::kNotFound);
  EXPECT_EQ(
      store.Search(context, {.collection = name, .vectors = {FloatVector({1, 2, 3, 4})}}).code(),
      Code::kNotFound);
  EXPECT_EQ(store.Scan(context, {.collection = name}).code(), Code::kNotFound);
  EXPECT_EQ(store.Count(context, {.collection = name}).code(), Code::kNotFound);
  const auto list = store.ListCollections(context);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(std::find(list->begin(), list->end(), name), list->end())
      << "a write made a collection";
}

void BadSchemasAreRefused(Trial& trial) {
  const auto refused = [&](const char* what, auto change) {
    auto schema = trial.Plain("Bad");
    change(schema);
    const auto made = trial.store().CreateCollection(Trial::Context(), {.schema = schema});
    EXPECT_TRUE(IsRefusal(made.code())) << what << ": " << ErrorOf(made);
    if (made.ok()) {
      static_cast<void>(
          trial.store().DropCollection(Trial::Context(), {.collection = schema.name}));
    }
  };
  refused("name with a blank", [](auto& schema) { schema.name = "a b"; });
  refused("name with SQL", [](auto& schema) { schema.name = "x\"; DROP TABLE y; --"; });
  refused("empty name", [](auto& schema) { schema.name = ""; });
  refused("name beginning with a digit", [](auto& schema) { schema.name = "1a"; });
  refused("dimension 0", [](auto& schema) { schema.vectors[0].dimension = 0; });
  refused("dimension over the limit", [&](auto& schema) {
    schema.vectors[0].dimension = trial.capabilities().max_dimension + 1;
  });
  refused("a scalar among the vectors",
          [](auto& schema) { schema.vectors[0].type = DataType::kInt64; });
  refused("binary metric for floats",
          [](auto& schema) { schema.vectors[0].metric = Metric::kHamming; });
  refused("two fields of one name",
          [](auto& schema) { schema.fields = {{.name = "v", .type = DataType::kVarChar}}; });
  refused("a field with the key's name",
          [](auto& schema) { schema.fields = {{.name = "id", .type = DataType::kVarChar}}; });
  refused("a name of Roost's own",
          [](auto& schema) { schema.fields = {{.name = "_x", .type = DataType::kVarChar}}; });
  refused("default of another type", [](auto& schema) {
    schema.fields = {{.name = "s", .type = DataType::kVarChar, .default_value = Value(true)}};
  });
  refused("too many vectors", [&](auto& schema) {
    for (uint32_t i = 0; i < trial.capabilities().max_vectors_per_record; ++i) {
      schema.vectors.push_back(
          {.name = "v" + std::to_string(i), .dimension = 4, .metric = trial.AnyMetric()});
    }
  });
}

void UnclaimedAbilitiesAreRefused(Trial& trial) {
  const auto try_schema = [&](bool claimed, const std::string& what, CollectionSchema schema) {
    if (claimed) {
      EXPECT_TRUE(trial.Create(schema)) << what;
      return;
    }
    const auto made = trial.store().CreateCollection(Trial::Context(), {.schema = schema});
    EXPECT_TRUE(IsRefusal(made.code())) << what << ": " << ErrorOf(made);
  };
  for (int i = 0; i <= static_cast<int>(DataType::kSparseVector); ++i) {
    const auto type = static_cast<DataType>(i);
    auto schema = trial.Plain("Type" + std::to_string(i));
    if (IsVector(type)) {
      schema.vectors[0].type = type;
      schema.vectors[0].dimension = type == DataType::kSparseVector ? 0 : 16;
      schema.vectors[0].metric = type == DataType::kSparseVector   ? Metric::kInnerProduct
                                 : type == DataType::kBinaryVector ? Metric::kHamming
                                                                   : trial.AnyMetric();
    } else {
      schema.fields = {{.name = "f", .type = type}};
    }
    try_schema(trial.Claims(type), std::string(DataTypeName(type)), schema);
  }
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    auto schema = trial.Plain("Metric" + std::string(MetricName(metric)));
    schema.vectors[0].metric = metric;
    try_schema(trial.Claims(metric), std::string(MetricName(metric)), schema);
  }
  auto dynamic = trial.Plain("Dynamic");
  dynamic.dynamic = true;
  try_schema(trial.capabilities().dynamic_fields, "dynamic fields", dynamic);
  auto tenants = trial.Plain("Tenants");
  tenants.tenant_field = "tenant";
  try_schema(trial.capabilities().tenants, "tenants", tenants);
}

void NamesThatStoresKeepForThemselves(Trial& trial) {
  auto schema = trial.Plain();
  schema.key_field = "order";
  if (!trial.Claims(DataType::kVarChar)) {
    return;
  }
  const std::string longest(255, 'x');
  const std::vector<std::string> names = {
      "select", "Table",  "table", "user",    "tableoid",  "RowID", "group", "rank",
      "xmin",   "data",   "key",   "fence",   "distance",  "type",  "count", "pk",
      "score",  "exists", "like",  "payload", "Timestamp", longest};
  for (const auto& name : names) {
    schema.fields.push_back({.name = name, .type = DataType::kVarChar});
  }
  schema.vectors[0].name = "vector";
  ASSERT_TRUE(trial.Create(schema));
  Record record;
  record.key = StringKey("a");
  record.vectors["vector"] = FloatVector({1, 2, 3, 4});
  for (const auto& name : names) {
    record.fields[name] = name + "!";
  }
  trial.Upsert(schema.name, {record});
  const auto found = trial.Get(schema.name, record.key);
  ASSERT_TRUE(found.has_value());
  EXPECT_TRUE(SameRecord(*found, record)) << Show(*found);
  for (const char* filter : {"Table == \"Table!\"", "`like` like \"like%\"", "`exists` is not null",
                             "order == \"a\"", "tableoid == \"tableoid!\""}) {
    EXPECT_EQ(trial.Count({.collection = schema.name, .filter = trial.Parse(filter, schema)}), 1u)
        << filter;
  }
}

void LongAndQualifiedNames(Trial& trial) {
  auto schema = trial.Plain();
  schema.name += std::string(255 - schema.name.size(), 'n');
  auto other = schema;
  other.name.back() = 'm';
  ASSERT_TRUE(trial.Create(schema));
  ASSERT_TRUE(trial.Create(other));  // differs in the last character only
  auto qualified = trial.Plain("Short");
  qualified.name = "shop." + qualified.name;
  ASSERT_TRUE(trial.Create(qualified));
  trial.Upsert(schema.name, {PlainRecord(StringKey("a"))});
  trial.Upsert(qualified.name, {PlainRecord(StringKey("b")), PlainRecord(StringKey("c"))});
  EXPECT_EQ(trial.Count({.collection = schema.name}), 1u);
  EXPECT_EQ(trial.Count({.collection = other.name}), 0u);
  EXPECT_EQ(trial.Count({.collection = qualified.name}), 2u);
  const auto list = trial.store().ListCollections(Trial::Context());
  ASSERT_TRUE(list.ok());
  EXPECT_NE(std::find(list->begin(), list->end(), qualified.name), list->end());
  EXPECT_NE(std::find(list->begin(), list->end(), schema.name), list->end());
}

void NewCollectionOfAnOldNameIsEmpty(Trial& trial) {
  auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  trial.Upsert(schema.name, {PlainRecord(StringKey("a"))});
  ASSERT_TRUE(trial.store().DropCollection(Trial::Context(), {.collection = schema.name}).ok());
  EXPECT_EQ(trial.store().Count(Trial::Context(), {.collection = schema.name}).code(),
            Code::kNotFound);
  schema.vectors[0].dimension = 3;
  ASSERT_TRUE(trial.Create(schema));
  EXPECT_EQ(trial.Count({.collection = schema.name}), 0u);
  trial.Upsert(schema.name, {PlainRecord(StringKey("a"), {1, 2, 3})});
  EXPECT_EQ(trial.Count({.collection = schema.name}), 1u);
}

void EmptyCollectionAnswersEverything(Trial& trial) {
  const auto schema = trial.Plain();
  ASSERT_TRUE(trial.Create(schema));
  EXPECT_EQ(trial.Count({.collection = schema.name}), 0u);
  EXPECT_TRUE(trial.Query({.collection = schema.name}).empty());
  EXPECT_TRUE(trial.ScanAll(schema.name).empty());
  const auto hits =
      trial.Search({.collection = schema.name, .vectors = {FloatVector({1, 2, 3, 4})}});
  EXPECT_TRUE(hits.at(0).empty());
  EXPECT_FALSE(trial.Get(schema.name, StringKey("a")).has_value());
}

void HealthyStoreSaysSo(Trial& trial) {
  const auto health = trial.store().CheckHealth(Trial::Context());
  EXPECT_TRUE(health.ok()) << ErrorOf(health);
}

}  // namespace

Checks CollectionChecks() {
  return {{"CreateTwice", CreateTwice},
          {"DropAbsent", DropAbsent},
          {"ListIsSorted", ListIsSorted},
          {"DescribeGivesTheSchemaBack", DescribeGivesTheSchemaBack},
          {"CallsToAbsentCollectionsAreNotFound", CallsToAbsentCollectionsAreNotFound},
          {"BadSchemasAreRefused", BadSchemasAreRefused},
          {"UnclaimedAbilitiesAreRefused", UnclaimedAbilitiesAreRefused},
          {"NamesThatStoresKeepForThemselves", NamesThatStoresKeepForThemselves},
          {"LongAndQualifiedNames", LongAndQualifiedNames},
          {"NewCollectionOfAnOldNameIsEmpty", NewCollectionOfAnOldNameIsEmpty},
          {"EmptyCollectionAnswersEverything", EmptyCollectionAnswersEverything},
          {"HealthyStoreSaysSo", HealthyStoreSaysSo}};
}

}  // namespace roost::conformance
