#include "router/routed_store.h"

#include <algorithm>
#include <utility>

namespace roost {
namespace {

Error Moving(const std::string& collection, std::string_view doing) {
  return FailedPrecondition("collection \"" + collection + "\" is being moved and cannot be " +
                            std::string(doing) + "; abort or commit the move first");
}

std::string_view TenantOf(const std::optional<std::string>& tenant) {
  return tenant.has_value() ? std::string_view(*tenant) : std::string_view();
}

}  // namespace

/// Keeps two calls from creating or dropping one collection at the same time.
class RoutedStore::DdlGuard {
 public:
  static Result<DdlGuard> Enter(RoutedStore& store, const std::string& collection) {
    std::lock_guard lock(store.mutex_);
    if (!store.changing_.insert(collection).second) {
      return Aborted("collection \"" + collection +
                     "\" is being created or dropped by another request; try again");
    }
    return DdlGuard(store, collection);
  }
  DdlGuard(DdlGuard&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)), collection_(std::move(other.collection_)) {}
  DdlGuard& operator=(DdlGuard&&) = delete;
  ~DdlGuard() {
    if (store_ != nullptr) {
      std::lock_guard lock(store_->mutex_);
      store_->changing_.erase(collection_);
    }
  }

 private:
  DdlGuard(RoutedStore& store, std::string collection)
      : store_(&store), collection_(std::move(collection)) {}
  RoutedStore* store_;
  std::string collection_;
};

RoutedStore::RoutedStore(RoutedStoreOptions options, std::vector<NamedStore> stores,
                         RouteTable& routes, ControlStore& control, Random& random,
                         Metrics& metrics)
    : options_(std::move(options)),
      stores_(std::move(stores)),
      routes_(routes),
      control_(control),
      reader_(options_.read, stores_, routes_, metrics),
      writer_(options_.mirror, stores_, routes_, metrics),
      shadow_(options_.shadow, random, metrics) {
  CHECK(stores_.Find(options_.default_store) != nullptr);
  CHECK(options_.default_store == routes_.default_store());
}

RoutedStore::~RoutedStore() = default;

Status RoutedStore::LoadRoutes() {
  const std::vector<RouteRow> rows = TRY(control_.ListRoutes());
  for (const RouteRow& row : rows) {
    if (stores_.Find(row.store) == nullptr) {
      return FailedPrecondition("collection \"" + row.collection + "\" lives on store \"" +
                                row.store + "\", which is not configured; add it");
    }
    auto route = std::make_shared<Route>();
    route->collection = row.collection;
    route->epoch = row.epoch;
    route->authority = row.store;
    routes_.Publish(std::move(route));
  }
  return {};
}

Status RoutedStore::SaveRoute(const RequestContext& context, const Route& route) {
  ControlTransaction transaction;
  transaction.put_routes = {
      {.collection = route.collection, .store = route.authority, .epoch = route.epoch}};
  return control_.Commit(context, std::move(transaction));
}

Status RoutedStore::ForgetRoute(const RequestContext& context, const std::string& collection) {
  ControlTransaction transaction;
  transaction.delete_routes = {collection};
  TRY(control_.Commit(context, std::move(transaction)));
  routes_.Remove(collection);
  return {};
}

/// kAlreadyExists when another store answers for that name already.
Status RoutedStore::CheckFree(const RequestContext& context, const std::string& store,
                              const std::string& collection) {
  const std::string owner = StoreOf(collection);
  if (owner == store) {
    return {};  // The store itself knows best.
  }
  const auto described = stores_.At(owner).DescribeCollection(context, collection);
  if (described.ok()) {
    return AlreadyExists("collection \"" + collection + "\" exists already, on store \"" + owner +
                         "\"");
  }
  if (described.code() != Code::kNotFound) {
    return described.error().Within("looking for \"" + collection + "\" on store \"" + owner +
                                    "\"");
  }
  return {};
}

Status RoutedStore::CreateOn(const RequestContext& context, const std::string& store,
                             const CreateCollectionRequest& request) {
  const std::string& name = store.empty() ? options_.default_store : store;
  const std::string& collection = request.schema.name;
  VectorStore* target = stores_.Find(name);
  if (target == nullptr) {
    return NotFound("there is no store \"" + name + "\"; the stores are " + [&] {
      std::string names;
      for (const std::string& known : stores_.Names()) {
        names += (names.empty() ? "\"" : ", \"") + known + "\"";
      }
      return names;
    }());
  }
  const DdlGuard guard = TRY(DdlGuard::Enter(*this, collection));
  const auto before = routes_.Find(collection);
  if (before->moving()) {
    return Moving(collection, "created");
  }
  TRY(CheckFree(context, name, collection));
  if (before->authority == name) {
    return target->CreateCollection(context, request);
  }
  // The route first: a crash in between leaves a route to nothing, and the call can be repeated.
  // The other way round it would leave a collection that no route leads to.
  auto route = std::make_shared<Route>();
  route->collection = collection;
  route->epoch = before->epoch + 1;
  route->authority = name;
  TRY(SaveRoute(context, *route));
  routes_.Publish(route);
  Status created = target->CreateCollection(context, request);
  if (!created.ok() && !MayHaveLanded(created.error()) && created.code() != Code::kAlreadyExists) {
    (void)ForgetRoute(context, collection);  // At worst the route to nothing stays.
  }
  return created;
}

Status RoutedStore::CreateCollection(const RequestContext& context,
                                     const CreateCollectionRequest& request) {
  return CreateOn(context, options_.default_store, request);
}

Status RoutedStore::DropCollection(const RequestContext& context,
                                   const DropCollectionRequest& request) {
  const DdlGuard guard = TRY(DdlGuard::Enter(*this, request.collection));
  if (routes_.Find(request.collection)->moving()) {
    return Moving(request.collection, "dropped");
  }
  {
    // Pinned as a write: a move that begins now waits for the end of the drop.
    const RouteTable::Pin pin = TRY(routes_.PinWrite(context, request.collection));
    if (pin->moving()) {
      return Moving(request.collection, "dropped");
    }
    TRY(stores_.At(pin->authority).DropCollection(context, request));
    if (pin->authority == options_.default_store) {
      return {};
    }
  }
  return ForgetRoute(context, request.collection);
}

Result<CollectionDescription> RoutedStore::DescribeCollection(const RequestContext& context,
                                                              const std::string& collection) {
  return reader_.ReadAuthority(context, collection,
                               [&](VectorStore& store, const RequestContext& c) {
                                 return store.DescribeCollection(c, collection);
                               });
}

Result<std::vector<std::string>> RoutedStore::ListCollections(const RequestContext& context) {
  std::set<std::string> owners = {options_.default_store};
  for (const auto& route : routes_.List()) {
    owners.insert(route->authority);
  }
  std::vector<std::string> names;
  for (const std::string& owner : owners) {
    auto listed = stores_.At(owner).ListCollections(context);
    if (!listed.ok()) {
      return listed.error().Within("listing the collections of store \"" + owner + "\"");
    }
    // What a move left behind on another store is not ours to show.
    std::copy_if(listed->begin(), listed->end(), std::back_inserter(names),
                 [&](const std::string& name) { return StoreOf(name) == owner; });
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<WriteResult> RoutedStore::Insert(const RequestContext& context,
                                        const WriteRequest& request) {
  return writer_.Write(context, request, RoutedWriter::Kind::kInsert);
}

Result<WriteResult> RoutedStore::Upsert(const RequestContext& context,
                                        const WriteRequest& request) {
  return writer_.Write(context, request, RoutedWriter::Kind::kUpsert);
}

Result<DeleteResult> RoutedStore::Delete(const RequestContext& context,
                                         const DeleteRequest& request) {
  return writer_.Delete(context, request);
}

Result<GetResult> RoutedStore::Get(const RequestContext& context, const GetRequest& request) {
  const std::string_view tenant =
      request.keys.empty() ? std::string_view() : std::string_view(request.keys[0].tenant);
  return reader_.Read(
      context, request.collection, tenant, nullptr,
      [&](VectorStore& store, const RequestContext& c) { return store.Get(c, request); });
}

Result<QueryResult> RoutedStore::Query(const RequestContext& context, const QueryRequest& request) {
  return reader_.Read(
      context, request.collection, TenantOf(request.tenant), nullptr,
      [&](VectorStore& store, const RequestContext& c) { return store.Query(c, request); });
}

Result<SearchResult> RoutedStore::Search(const RequestContext& context,
                                         const SearchRequest& request) {
  RoutedReader::Trace trace;
  Result<SearchResult> result = reader_.Read(
      context, request.collection, TenantOf(request.tenant), &trace,
      [&](VectorStore& store, const RequestContext& c) { return store.Search(c, request); });
  if (result.ok() && !trace.route->other.empty() && shadow_.Chosen(trace.route->shadow_percent) &&
      stores_.Available(trace.route->other)) {
    shadow_.Post(stores_.At(trace.route->authority), stores_.At(trace.route->other), request,
                 {.from_authority = !trace.by_other, .seconds = trace.seconds, .result = *result});
  }
  return result;
}

Result<SearchResult> RoutedStore::HybridSearch(const RequestContext& context,
                                               const HybridSearchRequest& request) {
  if (request.legs.empty()) {
    return InvalidArgument("a hybrid search needs at least one leg");
  }
  return reader_.Read(
      context, request.legs[0].collection, TenantOf(request.legs[0].tenant), nullptr,
      [&](VectorStore& store, const RequestContext& c) { return store.HybridSearch(c, request); });
}

Result<ScanPage> RoutedStore::Scan(const RequestContext& context, const ScanRequest& request) {
  return reader_.ReadAuthority(
      context, request.collection,
      [&](VectorStore& store, const RequestContext& c) { return store.Scan(c, request); });
}

Result<uint64_t> RoutedStore::Count(const RequestContext& context, const CountRequest& request) {
  return reader_.ReadAuthority(
      context, request.collection,
      [&](VectorStore& store, const RequestContext& c) { return store.Count(c, request); });
}

Status RoutedStore::CheckHealth(const RequestContext& context) {
  return stores_.At(options_.default_store).CheckHealth(context);
}

std::vector<std::string> RoutedStore::StoreNames() const { return stores_.Names(); }

VectorStore* RoutedStore::FindStore(const std::string& name) const { return stores_.Find(name); }

bool RoutedStore::StoreAvailable(const std::string& name) const { return stores_.Available(name); }

std::string RoutedStore::StoreOf(const std::string& collection) const {
  return routes_.Find(collection)->authority;
}

ShadowReport RoutedStore::ShadowOf(const std::string& collection) const {
  return shadow_.Report(collection);
}

MirrorCounts RoutedStore::MirrorOf(const std::string& collection) const {
  return writer_.mirror().Counts(collection);
}

void RoutedStore::ResetShadow(const std::string& collection) { shadow_.Reset(collection); }

void RoutedStore::ResetMirror(const std::string& collection) { writer_.mirror().Reset(collection); }

const Capabilities& RoutedStore::capabilities() const {
  return stores_.At(options_.default_store).capabilities();
}

const Capabilities& RoutedStore::CapabilitiesOf(const std::string& collection) const {
  return stores_.At(StoreOf(collection)).capabilities();
}

}  // namespace roost
