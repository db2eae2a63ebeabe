#include "adapters/milvus/milvus_store.h"

#include <algorithm>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_impl.h"
#include "adapters/milvus/milvus_with.h"
#include "base/log.h"
#include "store/fusion.h"
#include "store/validate.h"

namespace roost {
namespace {

namespace pb = milvus_messages;
using std::chrono::milliseconds;

/// Fields of a collection, Roost's own included (proxy.maxFieldNum).
constexpr size_t kMaxMilvusFields = 64;

std::string IndexParams(const VectorFieldSchema& field) {
  return "{\"M\":" + std::to_string(field.hnsw_m) +
         ",\"efConstruction\":" + std::to_string(field.hnsw_ef_construction) + "}";
}

std::string IndexType(const VectorFieldSchema& field) {
  switch (field.type) {
    case DataType::kBinaryVector:
      return "BIN_FLAT";
    case DataType::kSparseVector:
      return "SPARSE_INVERTED_INDEX";
    default:
      return field.index;
  }
}

template <typename Request>
void AddParam(Request& request, const char* key, std::string value) {
  auto* param = request.add_extra_params();
  param->set_key(key);
  param->set_value(std::move(value));
}

}  // namespace

MilvusStore::MilvusStore(MilvusOptions options, MilvusServer server, std::unique_ptr<Random> random,
                         Clock& clock)
    : options_(std::move(options)),
      server_(std::move(server)),
      random_(std::move(random)),
      clock_(clock),
      capabilities_(MilvusCapabilities(server_.version)),
      catalogue_(*server_.client, server_.name, server_.database) {}

Status MilvusStore::CreateIndex(const RequestContext& context, const MilvusLayout& layout,
                                size_t vector) {
  const VectorFieldSchema& field = layout.schema.vectors[vector];
  pb::CreateIndexRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(layout.name);
  request.set_field_name(layout.VectorColumn(vector).name);
  AddParam(request, "index_type", IndexType(field));
  AddParam(request, "metric_type", std::string(MetricName(field.metric)));
  AddParam(request, "params", IndexType(field) == "HNSW" ? IndexParams(field) : "{}");
  TRY(CallMilvus<milvus::proto::common::Status>(*server_.client, server_.name, context,
                                                "CreateIndex", request, GrpcEffect::kWrite));
  return {};
}

Status MilvusStore::CreateIndexes(const RequestContext& context, const MilvusLayout& layout) {
  for (size_t i = 0; i < layout.schema.vectors.size(); ++i) {
    TRY(CreateIndex(context, layout, i));
  }
  return {};
}

Status MilvusStore::Load(const RequestContext& context, const MilvusLayout& layout) {
  constexpr milliseconds kFirstLook{10};
  constexpr milliseconds kLastLook{200};
  pb::LoadCollectionRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(layout.name);
  request.set_replica_number(static_cast<int32_t>(options_.replicas));
  TRY(CallMilvus<milvus::proto::common::Status>(*server_.client, server_.name, context,
                                                "LoadCollection", request, GrpcEffect::kWrite));
  pb::GetLoadingProgressRequest look;
  look.set_db_name(server_.database);
  look.set_collection_name(layout.name);
  for (milliseconds pause = kFirstLook;; pause = std::min(pause * 2, kLastLook)) {
    const auto progress = TRY(CallMilvus<pb::GetLoadingProgressResponse>(
        *server_.client, server_.name, context, "GetLoadingProgress", look, GrpcEffect::kRead));
    if (progress.progress() >= 100) {
      return {};
    }
    const auto left = std::chrono::duration_cast<milliseconds>(context.deadline.Remaining());
    clock_.SleepFor(std::min(pause, left + milliseconds(1)), context.stop);
    TRY(context.CheckAlive("waiting until Milvus has loaded the collection"));
  }
}

Status MilvusStore::CreateCollection(const RequestContext& outer,
                                     const CreateCollectionRequest& request) {
  TRY(outer.CheckAlive("creating a collection"));
  TRY(ValidateSchema(request.schema, capabilities_));
  const RequestContext context = outer.WithTimeout(options_.bulk_timeout);
  const std::string& name = request.schema.name;
  auto layout = std::make_shared<MilvusLayout>(request.schema, random_->Hex(4));
  if (request.schema.vectors.empty()) {
    return Unimplemented("collection \"" + name +
                         "\" has no vector; the milvus store needs one in each");
  }
  if (layout->columns.size() > kMaxMilvusFields) {
    return InvalidArgument(
        "collection \"" + name + "\" needs " + std::to_string(layout->columns.size()) +
        " fields, Roost's own included; Milvus takes " + std::to_string(kMaxMilvusFields));
  }
  const Error exists = AlreadyExists("collection \"" + name + "\" exists");
  catalogue_.Forget(name);
  const auto found = catalogue_.Find(context, name);
  if (found.ok()) {
    return exists;
  }
  if (found.code() != Code::kNotFound) {
    return found.error();
  }
  pb::CreateCollectionRequest create;
  create.set_db_name(server_.database);
  create.set_collection_name(layout->name);
  create.set_shards_num(static_cast<int32_t>(options_.shards));
  create.set_consistency_level(milvus::proto::common::Bounded);
  milvus::proto::schema::CollectionSchema schema;
  layout->ToProto(schema);
  create.set_schema(schema.SerializeAsString());
  const auto created = CallMilvus<milvus::proto::common::Status>(
      *server_.client, server_.name, context, "CreateCollection", create, GrpcEffect::kWrite);
  if (!created.ok()) {
    const bool raced = created.error().message.find("already exist") != std::string::npos;
    return raced ? exists : created.error();
  }
  Status ready = CreateIndexes(context, *layout);
  if (ready.ok()) {
    ready = Load(context, *layout);
  }
  if (!ready.ok()) {
    const RequestContext cleanup = RequestContext{}.WithTimeout(options_.call_timeout);
    if (const Status dropped = DropPhysical(cleanup, *layout); !dropped.ok()) {
      LogWarning("A collection that could not be made ready stays in Milvus",
                 {{"collection", name}, {"error", dropped.error()}});
    }
    return ready;
  }
  TRY(catalogue_.Find(context, name));
  return {};
}

Status MilvusStore::DropPhysical(const RequestContext& context, const MilvusLayout& layout) {
  // 2.3 lets a collection go that an alias points to; the alias then hangs in the air and can
  // neither be used nor made anew.
  const std::vector<std::string> aliases = TRY(catalogue_.Aliases(context, layout));
  for (const std::string& alias : aliases) {
    pb::DropAliasRequest drop;
    drop.set_db_name(server_.database);
    drop.set_alias(alias);
    TRY(CallMilvus<milvus::proto::common::Status>(*server_.client, server_.name, context,
                                                  "DropAlias", drop, GrpcEffect::kWrite));
    LogWarning("An alias was dropped with the collection it pointed to",
               {{"alias", alias}, {"collection", layout.schema.name}});
  }
  pb::DropCollectionRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(layout.name);
  TRY(CallMilvus<milvus::proto::common::Status>(*server_.client, server_.name, context,
                                                "DropCollection", request, GrpcEffect::kWrite));
  return {};
}

Status MilvusStore::DropCollection(const RequestContext& outer,
                                   const DropCollectionRequest& request) {
  TRY(outer.CheckAlive("dropping a collection"));
  const RequestContext context = outer.WithTimeout(options_.bulk_timeout);
  catalogue_.Forget(request.collection);
  const MilvusLayoutPtr layout = TRY(catalogue_.Find(context, request.collection));
  const Status dropped = DropPhysical(context, *layout);
  catalogue_.Forget(request.collection);
  return dropped;
}

Result<std::vector<std::string>> MilvusStore::ListCollections(const RequestContext& outer) {
  TRY(outer.CheckAlive("listing collections"));
  return catalogue_.List(outer.WithTimeout(options_.call_timeout));
}

Result<MilvusStore::IndexState> MilvusStore::LookAtIndex(const RequestContext& context,
                                                         const MilvusLayout& layout,
                                                         size_t vector) {
  pb::DescribeIndexRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(layout.name);
  request.set_field_name(layout.VectorColumn(vector).name);
  const auto reply = TRY(CallMilvus<pb::DescribeIndexResponse>(
      *server_.client, server_.name, context, "DescribeIndex", request, GrpcEffect::kRead));
  IndexState state;
  for (const auto& index : reply.index_descriptions()) {
    state.indexed += static_cast<uint64_t>(std::max<int64_t>(index.indexed_rows(), 0));
    state.pending += static_cast<uint64_t>(std::max<int64_t>(index.pending_index_rows(), 0));
    state.ready = state.ready && index.pending_index_rows() <= 0;
  }
  return state;
}

Result<CollectionDescription> MilvusStore::DescribeCollection(const RequestContext& context,
                                                              const std::string& collection) {
  return With<CollectionDescription>(
      context, options_.call_timeout, collection,
      [&](const Session& session) -> Result<CollectionDescription> {
        CollectionDescription description;
        description.schema = session.layout.schema;
        description.estimated_count = TRY(CountThere(session, "", Consistency::kEventual));
        for (size_t i = 0; i < session.layout.schema.vectors.size(); ++i) {
          const IndexState state = TRY(LookAtIndex(session.context, session.layout, i));
          description.index_ready = description.index_ready && state.ready;
        }
        return description;
      });
}

Result<SearchResult> MilvusStore::HybridSearch(const RequestContext& context,
                                               const HybridSearchRequest& request) {
  return FuseSearches(*this, context, request);
}

Status MilvusStore::CheckHealth(const RequestContext& outer) {
  TRY(outer.CheckAlive("checking health"));
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  const auto reply =
      TRY(CallMilvus<pb::CheckHealthResponse>(*server_.client, server_.name, context, "CheckHealth",
                                              pb::CheckHealthRequest(), GrpcEffect::kRead));
  if (!reply.ishealthy()) {
    std::string reasons;
    for (const auto& reason : reply.reasons()) {
      reasons += (reasons.empty() ? "" : "; ") + reason;
    }
    return Unavailable(server_.name + " says it is not healthy: " + reasons);
  }
  return {};
}

}  // namespace roost
