#include "gateway/gateway.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace roost {

namespace {

constexpr std::array<std::string_view, 10> kOperationNames = {
    "insert", "upsert",        "delete", "get",   "query",
    "search", "hybrid_search", "scan",   "count", "schema_change"};

bool IsName(std::string_view name) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  if (name.empty() || name.size() > 255 || !letter(name.front())) {
    return false;
  }
  for (const char c : name) {
    if (!letter(c) && !(c >= '0' && c <= '9')) {
      return false;
    }
  }
  return true;
}

Status CheckDatabaseName(std::string_view name) {
  if (!IsName(name)) {
    return InvalidArgument(fmt::format(
        "\"{}\" cannot name a database: letters, digits and '_' only, at most 255, not beginning "
        "with a digit",
        name.substr(0, 300)));
  }
  return {};
}

}  // namespace

std::string_view DatabaseOf(std::string_view collection) {
  const size_t dot = collection.find('.');
  return dot == std::string_view::npos ? std::string_view("default") : collection.substr(0, dot);
}

Gateway::Gateway(GatewayOptions options, RoutedStore& store, ControlStore& control, Clock& clock,
                 Metrics& metrics)
    : options_(options), store_(store), control_(control), clock_(clock), operations_(kOperations) {
  static_assert(kOperationNames.size() == kOperations);
  for (size_t id = 0; id < kOperations; ++id) {
    const std::string name(kOperationNames[id]);
    operations_[id].seconds = &metrics.GetHistogram(
        "roost_request_seconds", "Time a request spent behind the gateway.", {{"operation", name}});
    for (int code = 0; code <= static_cast<int>(Code::kUnauthenticated); ++code) {
      const std::string code_name(CodeName(static_cast<Code>(code)));
      operations_[id].calls[static_cast<Code>(code)] =
          &metrics.GetCounter("roost_requests_total", "Requests by operation and outcome.",
                              {{"operation", name}, {"code", code_name}});
    }
  }
}

template <typename Call>
auto Gateway::Measured(OperationId id, Call call) {
  const SteadyTime start = clock_.Now();
  auto result = call();
  Operation& operation = operations_[id];
  operation.seconds->Observe(std::chrono::duration<double>(clock_.Now() - start).count());
  operation.calls.find(result.code())->second->Increment();
  return result;
}

Result<std::vector<std::string>> Gateway::ListDatabases() {
  const std::vector<DatabaseRow> rows = TRY(control_.ListDatabases());
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const DatabaseRow& row : rows) {
    names.push_back(row.name);
  }
  return names;
}

Status Gateway::CreateDatabase(const RequestContext& context, const std::string& name) {
  TRY(CheckDatabaseName(name));
  ControlTransaction transaction;
  transaction.create_databases.push_back(
      {.name = name, .created_micros = ToUnixMicros(clock_.WallNow())});
  return control_.Commit(context, std::move(transaction));
}

Status Gateway::DropDatabase(const RequestContext& context, const std::string& name) {
  TRY(CheckDatabaseName(name));
  if (name == "default") {
    return FailedPrecondition("the database \"default\" cannot be dropped");
  }
  const std::vector<std::string> held = TRY(ListCollections(context, name));
  if (!held.empty()) {
    return FailedPrecondition(
        fmt::format("database \"{}\" holds {} collections (\"{}\", …); drop them first", name,
                    held.size(), held.front()));
  }
  ControlTransaction transaction;
  transaction.drop_databases.push_back(name);
  return control_.Commit(context, std::move(transaction));
}

Status Gateway::CreateCollection(const RequestContext& context, CollectionSchema schema,
                                 const std::string& store) {
  return Create(context, {.schema = std::move(schema), .adopt = {}}, store);
}

Status Gateway::Create(const RequestContext& context, CreateCollectionRequest request,
                       const std::string& store) {
  const std::string name = request.schema.name;
  const std::string_view database = DatabaseOf(name);
  const std::vector<std::string> known = TRY(ListDatabases());
  if (std::find(known.begin(), known.end(), database) == known.end()) {
    return NotFound(fmt::format("there is no database \"{}\"; create it first", database));
  }
  Status status = Measured(kSchemaChange, [&] { return store_.CreateOn(context, store, request); });
  Forget(name);
  return status;
}

Result<Adoption*> Gateway::AdoptionOf(const std::string& store) const {
  VectorStore* found = store_.FindStore(store);
  if (found == nullptr) {
    return NotFound(fmt::format("there is no store \"{}\"; the stores are {}", store,
                                fmt::join(store_.StoreNames(), ", ")));
  }
  if (found->adoption() == nullptr) {
    return Unimplemented(fmt::format("store \"{}\" ({}) cannot adopt what others made", store,
                                     found->capabilities().store));
  }
  return found->adoption();
}

Result<std::vector<ForeignCollection>> Gateway::ListForeign(const RequestContext& context,
                                                            const std::string& store) {
  Adoption* adoption = TRY(AdoptionOf(store));
  return adoption->ListForeign(context);
}

Result<AdoptionPlan> Gateway::PlanAdoption(const RequestContext& context, const std::string& store,
                                           const AdoptionQuery& query) {
  Adoption* adoption = TRY(AdoptionOf(store));
  return adoption->PlanAdoption(context, query);
}

Result<AdoptionPlan> Gateway::Adopt(const RequestContext& context, const std::string& store,
                                    const AdoptionQuery& query) {
  AdoptionPlan plan = TRY(PlanAdoption(context, store, query));
  TRY(Create(context, {.schema = plan.schema, .adopt = query.foreign}, store));
  return plan;
}

Status Gateway::DropCollection(const RequestContext& context, const std::string& collection) {
  Status status = Measured(
      kSchemaChange, [&] { return store_.DropCollection(context, {.collection = collection}); });
  Forget(collection);
  return status;
}

Result<Gateway::Described> Gateway::DescribeCollection(const RequestContext& context,
                                                       const std::string& collection) {
  Described described;
  described.description = TRY(store_.DescribeCollection(context, collection));
  described.store = store_.StoreOf(collection);
  return described;
}

Result<std::vector<std::string>> Gateway::ListCollections(
    const RequestContext& context, const std::optional<std::string>& database) {
  std::vector<std::string> names = TRY(store_.ListCollections(context));
  if (database) {
    std::erase_if(names, [&](const std::string& name) { return DatabaseOf(name) != *database; });
  }
  return names;
}

Result<Gateway::SchemaPtr> Gateway::Schema(const RequestContext& context,
                                           const std::string& collection) {
  const SteadyTime now = clock_.Now();
  {
    const std::lock_guard lock(mutex_);
    const auto found = schemas_.find(collection);
    if (found != schemas_.end() && now - found->second.read_at < options_.schema_cache_ttl) {
      return found->second.schema;
    }
  }
  CollectionDescription description = TRY(store_.DescribeCollection(context, collection));
  auto schema = std::make_shared<const CollectionSchema>(std::move(description.schema));
  const std::lock_guard lock(mutex_);
  if (schemas_.size() >= options_.schema_cache_entries) {
    schemas_.clear();
  }
  schemas_.insert_or_assign(collection, CachedSchema{.schema = schema, .read_at = now});
  return schema;
}

void Gateway::Forget(const std::string& collection) {
  const std::lock_guard lock(mutex_);
  schemas_.erase(collection);
}

Result<WriteResult> Gateway::Insert(const RequestContext& context, const WriteRequest& request) {
  return Measured(kInsert, [&] { return store_.Insert(context, request); });
}

Result<WriteResult> Gateway::Upsert(const RequestContext& context, const WriteRequest& request) {
  return Measured(kUpsert, [&] { return store_.Upsert(context, request); });
}

Result<DeleteResult> Gateway::Delete(const RequestContext& context, const DeleteRequest& request) {
  return Measured(kDelete, [&] { return store_.Delete(context, request); });
}

Result<DeleteResult> Gateway::DeleteByFilter(const RequestContext& context,
                                             const std::string& collection, const FilterPtr& filter,
                                             const std::optional<std::string>& tenant) {
  DeleteResult total;
  QueryRequest page{.collection = collection, .filter = filter, .tenant = tenant};
  page.limit = options_.delete_page_rows;
  page.output.all_scalars = false;
  for (;;) {
    QueryResult found = TRY(Query(context, page));
    if (found.records.empty()) {
      return total;
    }
    DeleteRequest request{.collection = collection, .keys = {}, .filter = filter, .fence = {}};
    for (const Record& record : found.records) {
      request.keys.push_back(record.key);
    }
    DeleteResult deleted = TRY(Delete(context, request));
    total.deleted += deleted.deleted;
    if (!deleted.errors.empty()) {
      // The rows that failed would be found again for ever.
      total.errors = std::move(deleted.errors);
      return total;
    }
    if (found.records.size() < page.limit) {
      return total;
    }
  }
}

Result<GetResult> Gateway::Get(const RequestContext& context, const GetRequest& request) {
  return Measured(kGet, [&] { return store_.Get(context, request); });
}

Result<QueryResult> Gateway::Query(const RequestContext& context, const QueryRequest& request) {
  return Measured(kQuery, [&] { return store_.Query(context, request); });
}

Result<SearchResult> Gateway::Search(const RequestContext& context, const SearchRequest& request) {
  return Measured(kSearch, [&] { return store_.Search(context, request); });
}

Result<SearchResult> Gateway::HybridSearch(const RequestContext& context,
                                           const HybridSearchRequest& request) {
  return Measured(kHybridSearch, [&] { return store_.HybridSearch(context, request); });
}

Result<ScanPage> Gateway::Scan(const RequestContext& context, const ScanRequest& request) {
  return Measured(kScan, [&] { return store_.Scan(context, request); });
}

Result<uint64_t> Gateway::Count(const RequestContext& context, const CountRequest& request) {
  return Measured(kCount, [&] { return store_.Count(context, request); });
}

}  // namespace roost
