#include "store/conformance/trial.h"

#include <algorithm>
#include <chrono>

#include "store/json_value.h"

namespace roost::conformance {

Trial::Trial(const ConformanceTarget& target, const std::string& test)
    : target_(target), base_name_(target.prefix + test), store_(target.make()) {}

Trial::~Trial() {
  for (const auto& name : created_) {
    // The test may have dropped it itself.
    static_cast<void>(store_->DropCollection(Context(), {.collection = name}));
  }
}

RequestContext Trial::Context() {
  RequestContext context;
  context.request_id = "conformance";
  context.deadline = Deadline::After(std::chrono::minutes(2));
  return context;
}

Metric Trial::AnyMetric() {
  return Claims(Metric::kL2) || capabilities().metrics.empty() ? Metric::kL2
                                                               : *capabilities().metrics.begin();
}

std::string Trial::Name(std::string_view suffix) const { return base_name_ + std::string(suffix); }

CollectionSchema Trial::Plain(std::string_view suffix) {
  CollectionSchema schema;
  schema.name = Name(suffix);
  schema.vectors = {{.name = "v", .dimension = 4, .metric = AnyMetric()}};
  return schema;
}

bool Trial::Create(const CollectionSchema& schema) {
  // What an earlier run on the same server left behind.
  static_cast<void>(store_->DropCollection(Context(), {.collection = schema.name}));
  const auto made = store_->CreateCollection(Context(), {.schema = schema});
  EXPECT_TRUE(made.ok()) << "creating " << schema.name << ": " << ErrorOf(made);
  created_.push_back(schema.name);
  return made.ok();
}

WriteResult Trial::Upsert(const std::string& collection, std::vector<Record> records,
                          std::optional<uint64_t> fence) {
  const size_t rows = records.size();
  const auto result = store_->Upsert(
      Context(), {.collection = collection, .records = std::move(records), .fence = fence});
  EXPECT_TRUE(result.ok()) << "upsert: " << ErrorOf(result);
  if (!result.ok()) {
    return {};
  }
  EXPECT_TRUE(result->errors.empty())
      << "upsert: row " << result->errors[0].row << ": " << result->errors[0].error.ToString();
  EXPECT_EQ(result->written, rows) << "rows written by an upsert";
  return *result;
}

WriteResult Trial::Insert(const std::string& collection, std::vector<Record> records) {
  const auto result =
      store_->Insert(Context(), {.collection = collection, .records = std::move(records)});
  EXPECT_TRUE(result.ok()) << "insert: " << ErrorOf(result);
  return result.ok() ? *result : WriteResult{};
}

uint64_t Trial::Delete(const std::string& collection, std::vector<RecordKey> keys, FilterPtr filter,
                       std::optional<uint64_t> fence) {
  const auto result = store_->Delete(Context(), {.collection = collection,
                                                 .keys = std::move(keys),
                                                 .filter = std::move(filter),
                                                 .fence = fence});
  EXPECT_TRUE(result.ok()) << "delete: " << ErrorOf(result);
  return result.ok() ? result->deleted : 0;
}

std::optional<Record> Trial::Get(const std::string& collection, const RecordKey& key) {
  const auto result = store_->Get(Context(), {.collection = collection, .keys = {key}});
  EXPECT_TRUE(result.ok()) << "get: " << ErrorOf(result);
  if (!result.ok()) {
    return std::nullopt;
  }
  EXPECT_EQ(result->records.size(), 1u) << "get gives one entry a key";
  return result->records.size() == 1 ? result->records[0] : std::nullopt;
}

std::vector<Record> Trial::Query(QueryRequest request) {
  const auto result = store_->Query(Context(), request);
  EXPECT_TRUE(result.ok()) << "query: " << ErrorOf(result);
  return result.ok() ? result->records : std::vector<Record>();
}

std::vector<std::vector<Hit>> Trial::Search(SearchRequest request) {
  const size_t queries = request.vectors.size() + request.texts.size();
  const auto result = store_->Search(Context(), request);
  EXPECT_TRUE(result.ok()) << "search: " << ErrorOf(result);
  if (!result.ok() || result->hits.size() != queries) {
    EXPECT_EQ(result.ok() ? result->hits.size() : queries, queries) << "one list a query";
    return std::vector<std::vector<Hit>>(queries);
  }
  return result->hits;
}

std::vector<Record> Trial::ScanAll(const std::string& collection, uint32_t limit) {
  std::vector<Record> all;
  ScanRequest request{.collection = collection, .limit = limit};
  while (true) {
    const auto page = store_->Scan(Context(), request);
    EXPECT_TRUE(page.ok()) << "scan: " << ErrorOf(page);
    if (!page.ok()) {
      return all;
    }
    EXPECT_LE(page->records.size(), limit);
    all.insert(all.end(), page->records.begin(), page->records.end());
    if (page->done) {
      return all;
    }
    EXPECT_FALSE(page->records.empty()) << "an empty page that is not the last";
    if (page->records.empty()) {
      return all;
    }
    request.after = page->records.back().key;
  }
}

uint64_t Trial::Count(CountRequest request) {
  const auto result = store_->Count(Context(), request);
  EXPECT_TRUE(result.ok()) << "count: " << ErrorOf(result);
  return result.ok() ? *result : 0;
}

FilterPtr Trial::Parse(std::string_view filter, const CollectionSchema& schema) {
  const auto parsed = ParseFilter(filter, schema);
  EXPECT_TRUE(parsed.ok()) << filter << ": " << ErrorOf(parsed);
  return parsed.ok() ? *parsed : nullptr;
}

RecordKey StringKey(std::string key, std::string tenant) {
  return {.tenant = std::move(tenant), .key = std::move(key)};
}

RecordKey IntegerKey(int64_t key, std::string tenant) {
  return {.tenant = std::move(tenant), .key = key};
}

Vector FloatVector(std::initializer_list<float> values) {
  return Vector::Floats(std::vector<float>(values));
}

Record PlainRecord(RecordKey key, std::initializer_list<float> vector) {
  Record record;
  record.key = std::move(key);
  record.vectors["v"] = FloatVector(vector);
  return record;
}

std::vector<std::string> Keys(const std::vector<Record>& records) {
  std::vector<std::string> keys;
  for (const auto& record : records) {
    keys.push_back(ToString(record.key));
  }
  return keys;
}

std::vector<std::string> Keys(const std::vector<Hit>& hits) {
  std::vector<std::string> keys;
  for (const auto& hit : hits) {
    keys.push_back(ToString(hit.record.key));
  }
  return keys;
}

std::string Show(const Value& value) {
  constexpr std::string_view kKinds[] = {"null",   "bool", "int",  "double",
                                         "string", "json", "array"};
  std::string text(kKinds[value.index()]);
  text += ' ';
  AppendJsonValue(text, value);
  constexpr size_t kShown = 200;
  return text.size() > kShown
             ? text.substr(0, kShown) + "… (" + std::to_string(text.size()) + " bytes)"
             : text;
}

std::string Show(const Record& record) {
  std::string text = "key " + ToString(record.key);
  for (const auto& [name, value] : record.fields) {
    text += "; " + name + ": " + Show(value);
  }
  for (const auto& [name, vector] : record.vectors) {
    text += "; vector " + name + ": " + std::string(DataTypeName(vector.type)) + " of " +
            std::to_string(vector.dimension());
    constexpr size_t kShown = 8;
    if (vector.type == DataType::kFloatVector) {
      for (size_t i = 0; i < std::min(kShown, vector.dimension()); ++i) {
        text += " " + std::to_string(vector.floats()[i]);
      }
    }
  }
  return record.dynamic.empty() ? text : text + "; dynamic: " + record.dynamic;
}

}  // namespace roost::conformance
