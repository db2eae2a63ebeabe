#include "adapters/opensearch/opensearch_index.h"

#include <algorithm>

#include "adapters/opensearch/opensearch_codec.h"
#include "adapters/opensearch/opensearch_reply.h"
#include "base/hash.h"
#include "base/json.h"
#include "store/schema_json.h"

namespace roost {
namespace {

constexpr int64_t kFormat = 1;  ///< of documents and mapping
constexpr size_t kMaxSlug = 40;

std::string Slug(std::string_view name) {
  std::string slug;
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool plain = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (slug.size() < kMaxSlug) {
      slug += plain ? lower : '_';
    }
  }
  return slug;
}

void AppendProperty(std::string& out, std::string_view name, std::string_view settings) {
  out += out.back() == '{' ? "" : ",";
  out += JsonString(name) + ":{" + std::string(settings) + "}";
}

std::string_view ScalarType(DataType type) {
  switch (type) {
    case DataType::kBool:
      return R"("type":"boolean")";
    case DataType::kInt8:
      return R"("type":"byte")";
    case DataType::kInt16:
      return R"("type":"short")";
    case DataType::kInt32:
      return R"("type":"integer")";
    case DataType::kInt64:
    case DataType::kTimestamp:
      return R"("type":"long")";
    case DataType::kFloat:
      return R"("type":"float")";
    case DataType::kDouble:
      return R"("type":"double")";
    default:
      return R"("type":"keyword")";
  }
}

bool WantsGraph(const VectorFieldSchema& field) {
  return field.index == "HNSW" && !OsIsPacked(field.type);
}

std::string Properties(const OpenSearchOptions& options, const CollectionSchema& schema) {
  const bool graphs = std::any_of(schema.vectors.begin(), schema.vectors.end(), WantsGraph);
  std::string out = "{";
  std::string words = "{";
  std::string packed = "{";
  AppendProperty(out, kOsOrder, R"("type":"keyword")");
  AppendProperty(out, kOsKey,
                 schema.key_type == KeyType::kInt64 ? R"("type":"long")" : R"("type":"keyword")");
  if (schema.multi_tenant()) {
    AppendProperty(out, kOsTenant, R"("type":"keyword")");
  }
  AppendProperty(out, kOsDead, R"("type":"boolean")");
  AppendProperty(out, kOsFence, R"("type":"long")");
  AppendProperty(out, kOsBuried, R"("type":"long")");
  AppendProperty(out, kOsTokens, R"("type":"keyword","doc_values":false)");
  AppendProperty(out, kOsCut, R"("type":"keyword","doc_values":false)");
  AppendProperty(out, kOsExact, R"("type":"object","enabled":false)");
  for (const FieldSchema& field : schema.fields) {
    if (field.type != DataType::kJson) {
      AppendProperty(out, field.name,
                     ScalarType(field.type == DataType::kArray ? field.element_type : field.type));
    }
    if (field.type == DataType::kText) {
      AppendProperty(words, field.name, R"("type":"text","analyzer":"whitespace")");
    }
  }
  for (const VectorFieldSchema& field : schema.vectors) {
    if (OsIsPacked(field.type)) {
      AppendProperty(packed, field.name, R"("type":"long","index":false)");
    } else {
      // A field without a graph in an index that has some would get one by default: name it.
      AppendProperty(out, field.name, OsVectorProperty(options, field, graphs));
    }
  }
  AppendProperty(out, kOsWords, R"("properties":)" + words + "}");
  AppendProperty(out, kOsPacked, R"("properties":)" + packed + "}");
  return out + "}";
}

Error Missing(const OsClient& client, const std::string& collection) {
  return NotFound("collection \"" + collection + "\" does not exist in OpenSearch at " +
                  client.name() + "; create it, again if somebody dropped it there");
}

}  // namespace

std::string OsVectorProperty(const OpenSearchOptions& options, const VectorFieldSchema& field,
                             bool graph) {
  std::string out = R"("type":"knn_vector","dimension":)" + std::to_string(field.dimension);
  if (graph) {
    out += R"(,"method":{"name":"hnsw","engine":)" + JsonString(options.engine) +
           R"(,"space_type":")" + std::string(OsSpaceType(field.metric)) +
           R"(","parameters":{"m":)" + std::to_string(field.hnsw_m) + R"(,"ef_construction":)" +
           std::to_string(field.hnsw_ef_construction) + "}}";
  }
  return out;
}

std::string_view OsSpaceType(Metric metric) {
  switch (metric) {
    case Metric::kCosine:
      return "cosinesimil";
    case Metric::kInnerProduct:
      return "innerproduct";
    default:
      return "l2";
  }
}

std::string OsIndexName(const std::string& prefix, const std::string& collection) {
  return prefix + Slug(collection) + "-" + Hash128(collection).ToString().substr(0, 16);
}

std::string OsCreateBody(const OpenSearchOptions& options, const OsIndex& index) {
  const bool graphs =
      std::any_of(index.schema.vectors.begin(), index.schema.vectors.end(), WantsGraph);
  std::string out = R"({"settings":{"index":{"number_of_shards":)" + std::to_string(options.shards);
  out += options.replicas < 0 ? R"(,"auto_expand_replicas":"0-1")"
                              : R"(,"number_of_replicas":)" + std::to_string(options.replicas);
  out += R"(,"knn":)" + std::string(graphs ? "true" : "false");
  if (graphs) {
    out += R"(,"knn.derived_source.enabled":false)";
  }
  out += R"(,"max_result_window":20000,"translog.durability":"request",)"
         R"("mapping.total_fields.limit":4000}},"aliases":{)" +
         JsonString(index.alias) +
         R"(:{}},"mappings":{"dynamic":"strict","_meta":{"roost":{"format":)" +
         std::to_string(kFormat) + R"(,"collection":)" + JsonString(index.schema.name) +
         R"(,"alias":)" + JsonString(index.alias) + R"(,"schema":)" +
         JsonString(SchemaToJson(index.schema)) + R"(}},"properties":)" +
         Properties(options, index.schema) + "}}";
  return out;
}

Result<OsCatalogue::IndexPtr> OsCatalogue::Find(const RequestContext& context,
                                                const std::string& collection) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(collection); found != known_.end()) {
      return found->second;
    }
  }
  IndexPtr index = TRY(Load(context, collection));
  const std::lock_guard lock(mutex_);
  known_[collection] = index;
  return index;
}

void OsCatalogue::Forget(const std::string& collection) {
  const std::lock_guard lock(mutex_);
  known_.erase(collection);
}

std::vector<OsCatalogue::IndexPtr> OsCatalogue::Known() const {
  const std::lock_guard lock(mutex_);
  std::vector<IndexPtr> known;
  for (const auto& [name, index] : known_) {
    known.push_back(index);
  }
  return known;
}

Result<OsCatalogue::IndexPtr> OsCatalogue::Load(const RequestContext& context,
                                                const std::string& collection) const {
  const std::string name = OsIndexName(options_.index_prefix, collection);
  OsCall call;
  call.path = "/" + name + "?allow_no_indices=true&ignore_unavailable=true";
  const std::string reply = TRY(client_.Call(context, call));
  const auto indexes = TRY(ParseIndexes(reply));
  if (indexes.empty()) {
    return Missing(client_, collection);
  }
  const OsIndexDescription& found = indexes.front();
  const std::string where = "index \"" + found.name + "\" at " + client_.name();
  if (found.collection.empty()) {
    return FailedPrecondition(where + " stands where collection \"" + collection +
                              "\" would be and was not made by Roost; delete or rename it");
  }
  if (found.collection != collection || found.format != kFormat) {
    return FailedPrecondition(where + " holds collection \"" + found.collection + "\" in format " +
                              std::to_string(found.format) + ", which this Roost does not read");
  }
  auto index = std::make_shared<OsIndex>();
  index->schema = TRY(SchemaFromJson(found.schema));
  index->name = found.name;
  index->alias = found.alias;
  if (!found.alias_exists) {
    return FailedPrecondition(where + " has lost its alias \"" + found.alias +
                              "\", by which Roost reads and writes it; put it back, or drop the "
                              "collection");
  }
  for (const auto& [vector, dimension] : found.vector_dimensions) {
    const VectorFieldSchema* field = index->schema.FindVector(vector);
    if (field == nullptr || field->dimension != static_cast<uint64_t>(dimension)) {
      return FailedPrecondition(where + " was changed behind Roost's back: vector \"" + vector +
                                "\" has " + std::to_string(dimension) + " dimensions" +
                                (field == nullptr
                                     ? " and is not in the schema"
                                     : ", the schema says " + std::to_string(field->dimension)) +
                                "; drop the collection and load it again");
    }
  }
  return IndexPtr(std::move(index));
}

Result<bool> OsCatalogue::IsCurrent(const RequestContext& context, const OsIndex& index) const {
  const auto now = Load(context, index.schema.name);
  if (now.ok()) {
    return (*now)->alias == index.alias;
  }
  return now.code() == Code::kNotFound ? Result<bool>(false) : now.error();
}

Status OsCatalogue::Create(const RequestContext& context, const CollectionSchema& schema) {
  OsIndex index;
  index.schema = schema;
  index.name = OsIndexName(options_.index_prefix, schema.name);
  index.alias = index.name + "-" + random_.Hex(8);
  OsCall call;
  call.method = "PUT";
  call.path = "/" + index.name;
  call.body = OsCreateBody(options_, index);
  call.write = true;
  Result<std::string> made = client_.Call(context, call);
  if (made.ok()) {
    Forget(schema.name);
    return {};
  }
  if (made.code() == Code::kAlreadyExists) {
    return AlreadyExists("collection \"" + schema.name + "\" exists already");
  }
  return std::move(made).error();
}

Status OsCatalogue::Drop(const RequestContext& context, const std::string& collection) {
  OsCall call;
  call.method = "DELETE";
  call.path = "/" + OsIndexName(options_.index_prefix, collection);
  call.write = true;
  Result<std::string> dropped = client_.Call(context, call);
  Forget(collection);
  if (dropped.ok()) {
    return {};
  }
  if (dropped.code() == Code::kNotFound) {
    return Missing(client_, collection);
  }
  return std::move(dropped).error();
}

Result<std::vector<std::string>> OsCatalogue::List(const RequestContext& context) const {
  OsCall call;
  call.path = "/" + options_.index_prefix + "*?filter_path=*.mappings._meta";
  const std::string reply = TRY(client_.Call(context, call));
  std::vector<std::string> names;
  const auto indexes = TRY(ParseIndexes(reply));
  for (const OsIndexDescription& index : indexes) {
    if (!index.collection.empty() &&
        index.name == OsIndexName(options_.index_prefix, index.collection)) {
      names.push_back(index.collection);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace roost
