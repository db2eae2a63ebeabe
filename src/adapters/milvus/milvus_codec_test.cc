// Records as Milvus' columns and back; keys, layouts, errors, versions: without a server.

#include "adapters/milvus/milvus_codec.h"

#include <algorithm>
#include <limits>

#include <gtest/gtest.h>
#include <milvus.pb.h>

#include "adapters/milvus/milvus_error.h"
#include "adapters/milvus/milvus_key.h"
#include "adapters/milvus/milvus_store.h"
#include "store/vector_math.h"

namespace roost {
namespace {

CollectionSchema Everything() {
  CollectionSchema schema;
  schema.name = "shop.Books";
  schema.description = "größer \"quoted\"";
  schema.dynamic = true;
  for (int i = 0; i < static_cast<int>(DataType::kArray); ++i) {
    const auto type = static_cast<DataType>(i);
    schema.fields.push_back({.name = "f" + std::to_string(i), .type = type});
    if (type != DataType::kJson && type != DataType::kText) {
      schema.fields.push_back(
          {.name = "a" + std::to_string(i), .type = DataType::kArray, .element_type = type});
    }
  }
  schema.vectors = {
      {.name = "float", .dimension = 4},
      {.name = "half", .type = DataType::kFloat16Vector, .dimension = 4},
      {.name = "bf", .type = DataType::kBFloat16Vector, .dimension = 4},
      {.name = "byte", .type = DataType::kInt8Vector, .dimension = 4},
      {.name = "bits",
       .type = DataType::kBinaryVector,
       .dimension = 16,
       .metric = Metric::kHamming},
      {.name = "sparse", .type = DataType::kSparseVector, .metric = Metric::kInnerProduct}};
  return schema;
}

Value ValueOf(DataType type) {
  switch (type) {
    case DataType::kBool:
      return true;
    case DataType::kFloat:
      return double{0.1f};
    case DataType::kDouble:
      return -std::numeric_limits<double>::denorm_min();
    case DataType::kJson:
      return Json{R"({"v":{"a":[1,null]},"w":9223372036854775807})"};
    case DataType::kVarChar:
    case DataType::kText:
    case DataType::kUuid:
      return std::string("a\0ü", 4);
    case DataType::kInt8:
      return int64_t{-128};
    default:
      return int64_t{127};
  }
}

Record FullRecord(const CollectionSchema& schema) {
  Record record;
  record.key.key = std::string("k\0", 2);
  record.dynamic = R"({"x":1})";
  for (const auto& field : schema.fields) {
    record.fields[field.name] =
        field.type == DataType::kArray
            ? Value(Array{ValueOf(field.element_type), ValueOf(field.element_type)})
            : ValueOf(field.type);
  }
  const std::vector<float> values = {-0.0f, 1.5f, -2, 127};
  for (const auto& field : schema.vectors) {
    record.vectors[field.name] =
        field.type == DataType::kSparseVector
            ? FromSparseEntries(std::vector<SparseEntry>{{3, 1.5f}, {4'000'000'000, -2}})
        : field.type == DataType::kBinaryVector
            ? Vector{.type = field.type, .bytes = std::string("\xF0\x01", 2)}
            : FromFloats(field.type, values);
  }
  return record;
}

std::vector<Record> RoundTrip(const MilvusLayout& layout, const std::vector<Record>& records) {
  std::vector<const Record*> rows;
  for (const Record& record : records) {
    rows.push_back(&record);
  }
  MilvusFields fields;
  EncodeRows(layout, rows, fields);
  std::vector<const MilvusColumn*> columns;
  for (const MilvusColumn& column : layout.columns) {
    columns.push_back(&column);
  }
  const auto read = MilvusRows::Open(layout, columns, fields, rows.size());
  EXPECT_TRUE(read.ok());
  std::vector<Record> back;
  for (size_t row = 0; read.ok() && row < rows.size(); ++row) {
    auto record = read->Read(row);
    EXPECT_TRUE(record.ok()) << record.error().ToString();
    back.push_back(record.ok() ? *std::move(record) : Record{});
  }
  return back;
}

TEST(MilvusCodec, EveryTypeComesBackAsItWas) {
  const MilvusLayout layout(Everything(), "00c0ffee");
  const Record full = FullRecord(layout.schema);
  Record empty;
  empty.key.key = "empty";
  Record empty_arrays;
  empty_arrays.key.key = "arrays";
  empty_arrays.fields["a4"] = Array{};
  const std::vector<Record> records = {full, empty, empty_arrays, full};
  const auto back = RoundTrip(layout, records);
  ASSERT_EQ(back.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_TRUE(SameRecord(back[i], records[i])) << i;
  }
}

TEST(MilvusCodec, RowsAreNeverLargerThanSaid) {
  const MilvusLayout layout(Everything(), "00c0ffee");
  const Record full = FullRecord(layout.schema);
  Record empty;
  empty.key.key = "e";
  for (const Record* row : {&full, const_cast<const Record*>(&empty)}) {
    const std::vector<const Record*> rows(100, row);
    milvus::proto::milvus::UpsertRequest request;
    EncodeRows(layout, rows, *request.mutable_fields_data());
    EXPECT_LE(request.ByteSizeLong(), 2'000 + 100 * EncodedBytes(layout, *row));
  }
}

TEST(MilvusCodec, ShortOrMissingColumnsAreDataLoss) {
  const MilvusLayout layout(Everything(), "00c0ffee");
  const Record full = FullRecord(layout.schema);
  const std::vector<const Record*> rows = {&full};
  MilvusFields fields;
  EncodeRows(layout, rows, fields);
  const std::vector<const MilvusColumn*> columns = {layout.FindField("f4"), &layout.columns[0]};
  const auto two = MilvusRows::Open(layout, columns, fields, 2);
  ASSERT_TRUE(two.ok());
  EXPECT_TRUE(two->Read(0).ok());
  EXPECT_EQ(two->Read(1).code(), Code::kDataLoss);
  fields.DeleteSubrange(0, 1);
  EXPECT_EQ(MilvusRows::Open(layout, columns, fields, 1).code(), Code::kDataLoss);
}

TEST(MilvusCodec, JsonBeyondTheServersLimitIsRefused) {
  const MilvusLayout layout(Everything(), "00c0ffee");
  Record record;
  record.key.key = "k";
  record.fields["f9"] = Json{"\"" + std::string(65'536 - 7, 'x') + "\""};
  ASSERT_EQ(layout.schema.FindField("f9")->type, DataType::kJson);
  EXPECT_TRUE(CheckLimits(layout, std::vector<Record>{record}).ok() == false);
  const Status refused = CheckLimits(layout, std::vector<Record>{Record{}, record});
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_NE(refused.error().message.find("row 1 (id \"k\")"), std::string::npos);
  EXPECT_NE(refused.error().message.find("\"f9\""), std::string::npos);
  record.fields["f9"] = Json{"\"" + std::string(65'536 - 8, 'x') + "\""};
  EXPECT_TRUE(CheckLimits(layout, std::vector<Record>{record}).ok());
}

TEST(MilvusKeys, TenantAndKeyKeepTheirOrder) {
  CollectionSchema schema;
  schema.name = "t";
  schema.tenant_field = "shop";
  for (const KeyType type : {KeyType::kVarChar, KeyType::kInt64}) {
    schema.key_type = type;
    const MilvusLayout layout(schema, "00c0ffee");
    std::vector<RecordKey> keys;
    for (const std::string& tenant :
         {std::string("a"), std::string("a\0", 2), std::string("a\0b", 3), std::string("a\1"),
          std::string("a\1\1"), std::string("a\2"), std::string("ab"), std::string("größe")}) {
      if (type == KeyType::kInt64) {
        for (const int64_t key : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0},
                                  int64_t{10}, std::numeric_limits<int64_t>::max()}) {
          keys.push_back({.tenant = tenant, .key = key});
        }
      } else {
        for (const std::string& key : {std::string("\0", 1), std::string("a"), std::string("z")}) {
          keys.push_back({.tenant = tenant, .key = key});
        }
      }
    }
    ASSERT_TRUE(std::is_sorted(keys.begin(), keys.end()));
    std::vector<Key> stored;
    for (const RecordKey& key : keys) {
      stored.push_back(StoredKey(layout, key));
      const auto back = FromStoredKey(layout, stored.back());
      ASSERT_TRUE(back.ok());
      EXPECT_EQ(*back, key);
    }
    EXPECT_TRUE(std::is_sorted(stored.begin(), stored.end()));
  }
}

TEST(MilvusLayouts, DescriptionGivesTheSchemaBack) {
  const MilvusLayout layout(Everything(), "00c0ffee");
  const auto read = ParseDescription(layout.Description());
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  EXPECT_EQ(read->instance, "00c0ffee");
  EXPECT_TRUE(read->schema == layout.schema);
  for (const char* foreign : {"", "roost/1", "roost/1 00c0ffee", "roost/2 00c0ffee {}", "mine"}) {
    EXPECT_EQ(ParseDescription(foreign).code(), Code::kFailedPrecondition) << foreign;
  }
}

TEST(MilvusLayouts, NamesAreMilvusNames) {
  const std::string name = MilvusCollectionName("shop.Größe and more" + std::string(300, 'x'));
  EXPECT_LT(name.size(), 255u);
  EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos);
  EXPECT_NE(MilvusCollectionName("A"), MilvusCollectionName("a"));
  EXPECT_NE(MilvusCollectionName("a.b"), MilvusCollectionName("a_b"));
  EXPECT_EQ(MilvusCollectionName("books"), MilvusCollectionName("books"));
  for (const char* word : {"in", "LIKE", "Exists", "RowID", "Timestamp", "array_contains"}) {
    EXPECT_TRUE(IsMilvusWord(word)) << word;
  }
  EXPECT_FALSE(IsMilvusWord("price"));
}

TEST(MilvusLayouts, ChangedDimensionIsSaid) {
  const MilvusLayout layout(Everything(), "00c0ffee");
  milvus::proto::schema::CollectionSchema found;
  layout.ToProto(found);
  EXPECT_TRUE(layout.CheckProto(found).ok());
  for (auto& field : *found.mutable_fields()) {
    if (field.name() == "float") {
      field.mutable_type_params(0)->set_value("5");
    }
  }
  const Status changed = layout.CheckProto(found);
  EXPECT_EQ(changed.code(), Code::kFailedPrecondition);
  EXPECT_NE(changed.error().message.find("\"float\" has 5 dimensions, not 4"), std::string::npos)
      << changed.error().message;
}

TEST(MilvusErrors, TheTableDecidesWhatIsTriedAgain) {
  for (const int code : {1, 2, 4, 8, 12, 103, 106, 202, 305, 1002, 1807, 2200}) {
    EXPECT_TRUE(IsRetryable(MilvusError({.code = code, .reason = "r"}, true).code)) << code;
  }
  for (const int code : {3, 5, 7, 9, 100, 101, 1100, 1401, 1600, 1700, 1800, 65535}) {
    EXPECT_FALSE(IsRetryable(MilvusError({.code = code, .reason = "r"}, true).code)) << code;
  }
  EXPECT_TRUE(IsRetryable(MilvusError({.legacy_code = 49, .reason = "r"}, true).code));
}

TEST(MilvusErrors, RefusedWritesAreKnownToHaveDoneNothing) {
  for (const int code : {8, 9, 100, 101, 1100, 1800}) {
    EXPECT_FALSE(MilvusError({.code = code, .reason = "r"}, true).outcome_unknown) << code;
  }
  for (const int code : {1, 2, 5, 12, 65535}) {
    EXPECT_TRUE(MilvusError({.code = code, .reason = "r"}, true).outcome_unknown) << code;
    EXPECT_FALSE(MilvusError({.code = code, .reason = "r"}, false).outcome_unknown) << code;
  }
  EXPECT_TRUE(IsNotLoaded(MilvusError({.code = 101, .reason = "r"}, false)));
  EXPECT_TRUE(IsTooLarge(FromTransport(ResourceExhausted("message larger than max (5 vs. 4)"))));
}

TEST(MilvusVersions, AreReadAsServersWriteThem) {
  EXPECT_EQ(ParseMilvusVersion("v2.3.5"), (MilvusVersion{.major = 2, .minor = 3, .patch = 5}));
  EXPECT_EQ(ParseMilvusVersion("2.4.0-rc.1"), (MilvusVersion{.major = 2, .minor = 4}));
  EXPECT_EQ(ParseMilvusVersion("v2.6"), (MilvusVersion{.major = 2, .minor = 6}));
  EXPECT_EQ(ParseMilvusVersion("master-2025"), MilvusVersion{});
  EXPECT_LT(ParseMilvusVersion("2.3.22"), ParseMilvusVersion("2.4.0"));
}

TEST(MilvusVersions, CapabilitiesGrowWithTheServer) {
  EXPECT_EQ(MilvusCapabilities("2.3.5").max_vectors_per_record, 1u);
  EXPECT_FALSE(MilvusCapabilities("2.3.5").types.contains(DataType::kSparseVector));
  EXPECT_EQ(MilvusCapabilities("v2.4.1").max_vectors_per_record, 4u);
  EXPECT_TRUE(MilvusCapabilities("v2.4.1").types.contains(DataType::kSparseVector));
  EXPECT_FALSE(MilvusCapabilities("").fenced_writes);
  EXPECT_EQ(MilvusCapabilities("").max_vectors_per_record, 1u);
}

}  // namespace
}  // namespace roost
