#include "store/fake_store.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "store/bm25.h"
#include "store/fusion.h"
#include "store/tokenizer.h"
#include "store/validate.h"
#include "store/vector_math.h"

namespace roost {
namespace {

struct Collection {
  CollectionSchema schema;
  std::map<RecordKey, Record> records;
  std::map<RecordKey, uint64_t> fences;  ///< the highest of each key, deleted ones too
};

bool WantsRecord(const Record& record, const std::optional<std::string>& tenant,
                 const Filter* filter) {
  return (!tenant || record.key.tenant == *tenant) && Matches(filter, record);
}

/// Puts the best hits of one query in order and cuts out the page.
std::vector<Hit> PageOf(std::vector<std::pair<double, const Record*>> found,
                        const CollectionSchema& schema, Metric metric,
                        const SearchRequest& request) {
  if (request.max_distance) {
    std::erase_if(found, [&](const auto& hit) { return hit.first > *request.max_distance; });
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second->key < b.second->key;
  });
  std::vector<Hit> hits;
  const size_t end = std::min<size_t>(found.size(), size_t{request.offset} + request.top_k);
  for (size_t i = request.offset; i < end; ++i) {
    hits.push_back({.record = Project(schema, request.output, *found[i].second),
                    .distance = found[i].first,
                    .score = ScoreOf(metric, found[i].first)});
  }
  return hits;
}

class FakeStore final : public VectorStore {
 public:
  explicit FakeStore(Capabilities capabilities) : capabilities_(std::move(capabilities)) {}

  const Capabilities& capabilities() const override { return capabilities_; }

  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override;
  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override;
  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& collection) override;
  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override;
  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    return Write(context, request, true);
  }
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    return Write(context, request, false);
  }
  Result<DeleteResult> Delete(const RequestContext& context, const DeleteRequest& request) override;
  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override;
  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override;
  Result<SearchResult> Search(const RequestContext& context, const SearchRequest& request) override;
  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override {
    return FuseSearches(*this, context, request);
  }
  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override;
  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override;
  Status CheckHealth(const RequestContext& context) override {
    return context.CheckAlive("checking health");
  }

 private:
  Result<WriteResult> Write(const RequestContext& context, const WriteRequest& request,
                            bool insert);
  Status CheckFence(const std::optional<uint64_t>& fence) const;
  /// Precondition: mutex_ is held. Null error: kNotFound.
  Result<Collection*> Find(const std::string& name);

  const Capabilities capabilities_;
  std::mutex mutex_;
  std::map<std::string, Collection> collections_;
};

Result<Collection*> FakeStore::Find(const std::string& name) {
  const auto found = collections_.find(name);
  if (found == collections_.end()) {
    return NotFound("collection \"" + name + "\" does not exist");
  }
  return &found->second;
}

Status FakeStore::CreateCollection(const RequestContext& context,
                                   const CreateCollectionRequest& request) {
  TRY(context.CheckAlive("creating a collection"));
  TRY(ValidateSchema(request.schema, capabilities_));
  const std::lock_guard lock(mutex_);
  if (!collections_.try_emplace(request.schema.name, Collection{.schema = request.schema}).second) {
    return AlreadyExists("collection \"" + request.schema.name + "\" exists");
  }
  return {};
}

Status FakeStore::DropCollection(const RequestContext& context,
                                 const DropCollectionRequest& request) {
  TRY(context.CheckAlive("dropping a collection"));
  const std::lock_guard lock(mutex_);
  TRY(Find(request.collection));
  collections_.erase(request.collection);
  return {};
}

Result<CollectionDescription> FakeStore::DescribeCollection(const RequestContext& context,
                                                            const std::string& collection) {
  TRY(context.CheckAlive("describing a collection"));
  const std::lock_guard lock(mutex_);
  const Collection* found = TRY(Find(collection));
  return CollectionDescription{.schema = found->schema, .estimated_count = found->records.size()};
}

Result<std::vector<std::string>> FakeStore::ListCollections(const RequestContext& context) {
  TRY(context.CheckAlive("listing collections"));
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  names.reserve(collections_.size());
  for (const auto& [name, collection] : collections_) {
    names.push_back(name);
  }
  return names;
}

Status FakeStore::CheckFence(const std::optional<uint64_t>& fence) const {
  if (fence && !capabilities_.fenced_writes) {
    return Unimplemented("the " + capabilities_.store + " store has no fenced writes");
  }
  return {};
}

/// Whether a write with this fence comes too late for the key. If not, the key takes the fence.
bool TakeFence(Collection& collection, const RecordKey& key, const std::optional<uint64_t>& fence) {
  if (!fence) {
    return true;
  }
  uint64_t& highest = collection.fences[key];
  if (highest > *fence) {
    return false;
  }
  highest = *fence;
  return true;
}

Result<WriteResult> FakeStore::Write(const RequestContext& context, const WriteRequest& request,
                                     bool insert) {
  TRY(context.CheckAlive(insert ? "inserting" : "upserting"));
  TRY(CheckFence(request.fence));
  auto records = request.records;
  const std::lock_guard lock(mutex_);
  Collection* collection = TRY(Find(request.collection));
  TRY(ValidateRecords(collection->schema, capabilities_, records));
  WriteResult result;
  for (size_t row = 0; row < records.size(); ++row) {
    const RecordKey key = records[row].key;
    const auto fence = collection->fences.find(key);
    const bool fenced_off =
        request.fence && fence != collection->fences.end() && fence->second > *request.fence;
    if (insert && !fenced_off && collection->records.contains(key)) {
      result.errors.push_back(
          {.row = row,
           .error = AlreadyExists("row " + std::to_string(row) + ": key " + ToString(key) +
                                  " exists; upsert replaces records")});
      continue;
    }
    if (TakeFence(*collection, key, request.fence)) {
      collection->records.insert_or_assign(key, std::move(records[row]));
    }
    ++result.written;
  }
  return result;
}

Result<DeleteResult> FakeStore::Delete(const RequestContext& context,
                                       const DeleteRequest& request) {
  TRY(context.CheckAlive("deleting"));
  TRY(CheckFence(request.fence));
  const std::lock_guard lock(mutex_);
  Collection* collection = TRY(Find(request.collection));
  TRY(ValidateKeys(collection->schema, capabilities_, request.keys));
  DeleteResult result;
  for (const auto& key : request.keys) {
    const auto found = collection->records.find(key);
    const bool there = found != collection->records.end();
    if (request.filter != nullptr && (!there || !Matches(request.filter.get(), found->second))) {
      continue;
    }
    if (TakeFence(*collection, key, request.fence) && there) {
      collection->records.erase(found);
      ++result.deleted;
    }
  }
  return result;
}

Result<GetResult> FakeStore::Get(const RequestContext& context, const GetRequest& request) {
  TRY(context.CheckAlive("getting records"));
  const std::lock_guard lock(mutex_);
  const Collection* collection = TRY(Find(request.collection));
  TRY(ValidateKeys(collection->schema, capabilities_, request.keys));
  TRY(ValidateOutput(collection->schema, request.output));
  GetResult result;
  for (const auto& key : request.keys) {
    const auto found = collection->records.find(key);
    result.records.push_back(
        found == collection->records.end()
            ? std::nullopt
            : std::optional(Project(collection->schema, request.output, found->second)));
  }
  return result;
}

Result<QueryResult> FakeStore::Query(const RequestContext& context, const QueryRequest& request) {
  TRY(context.CheckAlive("querying"));
  const std::lock_guard lock(mutex_);
  const Collection* collection = TRY(Find(request.collection));
  TRY(ValidateOutput(collection->schema, request.output));
  QueryResult result;
  uint64_t skipped = 0;
  for (const auto& [key, record] : collection->records) {
    if (result.records.size() >= request.limit) {
      break;
    }
    if (WantsRecord(record, request.tenant, request.filter.get()) && skipped++ >= request.offset) {
      result.records.push_back(Project(collection->schema, request.output, record));
    }
  }
  return result;
}

/// The records with the vector, each with its distance.
std::vector<std::pair<double, const Record*>> FindNear(const Collection& collection,
                                                       const VectorFieldSchema& field,
                                                       const Vector& query,
                                                       const SearchRequest& request) {
  std::vector<std::pair<double, const Record*>> found;
  for (const auto& [key, record] : collection.records) {
    const auto vector = record.vectors.find(field.name);
    if (vector != record.vectors.end() &&
        WantsRecord(record, request.tenant, request.filter.get())) {
      found.emplace_back(ReferenceDistance(field.metric, query, vector->second), &record);
    }
  }
  return found;
}

/// The records with at least one of the query's words, each with its negative score summed over the
/// fields searched.
std::vector<std::pair<double, const Record*>> FindWords(const Collection& collection,
                                                        const std::string& query,
                                                        const SearchRequest& request) {
  const auto words = Tokenize(query);
  std::map<const Record*, double> scores;
  for (const auto& field : collection.schema.fields) {
    if (field.type != DataType::kText || (!request.field.empty() && field.name != request.field)) {
      continue;
    }
    Bm25Statistics statistics;
    std::vector<std::pair<const Record*, std::vector<std::string>>> texts;
    for (const auto& [key, record] : collection.records) {
      if (const auto text = record.fields.find(field.name); text != record.fields.end()) {
        texts.emplace_back(&record, Tokenize(std::get<std::string>(text->second)));
        statistics.Add(texts.back().second);
      }
    }
    for (const auto& [record, text] : texts) {
      if (const double score = statistics.Score(words, text); score > 0) {
        scores[record] += score;
      }
    }
  }
  std::vector<std::pair<double, const Record*>> found;
  for (const auto& [record, score] : scores) {
    if (WantsRecord(*record, request.tenant, request.filter.get())) {
      found.emplace_back(-score, record);
    }
  }
  return found;
}

Result<SearchResult> FakeStore::Search(const RequestContext& context,
                                       const SearchRequest& request) {
  TRY(context.CheckAlive("searching"));
  const std::lock_guard lock(mutex_);
  const Collection* collection = TRY(Find(request.collection));
  const VectorFieldSchema* field = TRY(ValidateSearch(collection->schema, capabilities_, request));
  SearchResult result;
  for (const auto& query : request.vectors) {
    result.hits.push_back(PageOf(FindNear(*collection, *field, query, request), collection->schema,
                                 field->metric, request));
  }
  for (const auto& query : request.texts) {
    result.hits.push_back(
        PageOf(FindWords(*collection, query, request), collection->schema, Metric::kBm25, request));
  }
  return result;
}

Result<ScanPage> FakeStore::Scan(const RequestContext& context, const ScanRequest& request) {
  TRY(context.CheckAlive("scanning"));
  if (request.limit < 1) {
    return InvalidArgument("the scan's limit is 0; at least 1");
  }
  const std::lock_guard lock(mutex_);
  const Collection* collection = TRY(Find(request.collection));
  ScanPage page;
  auto next =
      request.after ? collection->records.upper_bound(*request.after) : collection->records.begin();
  for (; next != collection->records.end(); ++next) {
    if (request.until && *request.until < next->first) {
      break;
    }
    if (request.tenant && next->first.tenant != *request.tenant) {
      continue;
    }
    if (page.records.size() == request.limit) {
      return page;
    }
    page.records.push_back(Project(collection->schema,
                                   {.all_scalars = true, .fields = {}, .vectors = request.vectors},
                                   next->second));
  }
  page.done = true;
  return page;
}

Result<uint64_t> FakeStore::Count(const RequestContext& context, const CountRequest& request) {
  TRY(context.CheckAlive("counting"));
  const std::lock_guard lock(mutex_);
  const Collection* collection = TRY(Find(request.collection));
  return static_cast<uint64_t>(
      std::count_if(collection->records.begin(), collection->records.end(), [&](const auto& entry) {
        return WantsRecord(entry.second, request.tenant, request.filter.get());
      }));
}

Capabilities Everything() {
  Capabilities all;
  all.store = "fake";
  all.version = "1";
  for (int type = 0; type <= static_cast<int>(DataType::kSparseVector); ++type) {
    all.types.insert(static_cast<DataType>(type));
  }
  all.metrics = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};
  all.keyword_search = true;
  all.dynamic_fields = true;
  all.tenants = true;
  all.fenced_writes = true;
  return all;
}

}  // namespace

std::unique_ptr<VectorStore> MakeFakeStore(Capabilities capabilities) {
  return std::make_unique<FakeStore>(std::move(capabilities));
}

std::unique_ptr<VectorStore> MakeFakeStore() { return MakeFakeStore(Everything()); }

}  // namespace roost
