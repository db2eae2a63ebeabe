// What others made on the server, and its adoption.

#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_adopter.h"
#include "adapters/weaviate/weaviate_codec.h"
#include "adapters/weaviate/weaviate_format.h"
#include "store/validate.h"

namespace roost {
namespace {

namespace pb = weaviate::v1;

/// Objects that are looked at to learn how long vectors are.
constexpr uint32_t kSample = 100;

void Measure(const pb::SearchReply& reply, const WeaviateForeignClass& found,
             std::vector<uint32_t>& dimensions) {
  for (const pb::SearchResult& object : reply.results()) {
    for (size_t i = 0; i < found.vectors.size(); ++i) {
      size_t bytes = found.vectors[i].name.empty() ? object.metadata().vector_bytes().size() : 0;
      for (const auto& vector : object.metadata().vectors()) {
        bytes = vector.name() == found.vectors[i].name ? vector.vector_bytes().size() : bytes;
      }
      dimensions[i] =
          dimensions[i] == 0 ? static_cast<uint32_t>(bytes / sizeof(float)) : dimensions[i];
    }
  }
}

}  // namespace

Result<std::vector<uint32_t>> WeaviateAdopter::DimensionsOf(const RequestContext& context,
                                                            const WeaviateForeignClass& found) {
  std::vector<std::string> tenants = {""};
  if (found.tenants) {
    tenants = TRY(client_.Tenants(context, found.name));
  }
  std::vector<uint32_t> dimensions(found.vectors.size(), 0);
  for (const std::string& tenant : tenants) {
    WeaviateTable table;
    table.class_name = found.name;
    for (const WeaviateForeignVector& vector : found.vectors) {
      table.vectors.push_back(vector.name);
      table.schema.vectors.emplace_back();
    }
    pb::SearchRequest request;
    AdoptedFormat().AskFor(table, {.scalars = false, .vectors = true}, request);
    request.set_collection(found.name);
    request.set_tenant(tenant);
    request.set_limit(kSample);
    auto reply = client_.Search(context, request);
    if (!reply.ok() && !IsAbsentTenant(reply.error())) {
      return std::move(reply).error();
    }
    if (reply.ok()) {
      Measure(*reply, found, dimensions);
    }
  }
  return dimensions;
}

Result<WeaviateAdoption> WeaviateAdopter::PlanClass(const RequestContext& context,
                                                    const AdoptionQuery& query) {
  const std::string schema = TRY(client_.Rest(context, "GET", "/v1/schema"));
  const auto adopted = TRY(AdoptedClasses(schema));
  for (const auto& [class_name, collection] : adopted) {
    if (class_name == query.foreign) {
      return AlreadyExists("class " + class_name + " is collection \"" + collection + "\" already");
    }
  }
  const auto classes = TRY(ForeignClasses(schema));
  for (const WeaviateForeignClass& found : classes) {
    if (found.name != query.foreign) {
      continue;
    }
    std::string why = WhyNotAdoptable(found);
    if (why.empty()) {
      const auto dimensions = TRY(DimensionsOf(context, found));
      WeaviateAdoption adoption = PlanWeaviateAdoption(found, query, dimensions);
      if (!adoption.plan.schema.vectors.empty()) {
        TRY(ValidateSchema(adoption.plan.schema, capabilities_));
        return adoption;
      }
      why = "it holds no object with a vector, so that the dimension is not known; add one";
    }
    return FailedPrecondition("class " + found.name + " cannot be adopted: " + why);
  }
  return NotFound("there is no class \"" + query.foreign + "\" of others in Weaviate at " +
                  client_.address());
}

Result<std::vector<ForeignCollection>> WeaviateAdopter::ListForeign(const RequestContext& outer) {
  const RequestContext context = outer.WithTimeout(options_.call_timeout);
  const std::string schema = TRY(client_.Rest(context, "GET", "/v1/schema"));
  const auto adopted = TRY(AdoptedClasses(schema));
  const auto classes = TRY(ForeignClasses(schema));
  std::vector<ForeignCollection> list;
  for (const WeaviateForeignClass& found : classes) {
    ForeignCollection& one = list.emplace_back();
    one.name = found.name;
    one.obstacle = WhyNotAdoptable(found);
    for (const auto& [class_name, collection] : adopted) {
      one.adopted_as = class_name == found.name ? collection : one.adopted_as;
    }
  }
  return list;
}

Result<AdoptionPlan> WeaviateAdopter::PlanAdoption(const RequestContext& outer,
                                                   const AdoptionQuery& query) {
  const RequestContext context = outer.WithTimeout(options_.bulk_timeout);
  TRY(context.CheckAlive("looking at a class"));
  WeaviateAdoption adoption = TRY(PlanClass(context, query));
  return std::move(adoption.plan);
}

Status WeaviateAdopter::Adopt(const RequestContext& context,
                              const CreateCollectionRequest& request) {
  const AdoptionQuery query{.foreign = request.adopt, .name = request.schema.name, .metric = {}};
  WeaviateAdoption adoption = TRY(PlanClass(context, query));
  if (adoption.plan.schema != request.schema) {
    return Aborted("class " + request.adopt +
                   " has changed since the adoption was planned; plan it again");
  }
  adoption.table.id = random_.Hex(8);
  auto made = client_.Rest(context, "POST", "/v1/schema", ClassJson(adoption.table));
  if (made.code() == Code::kAlreadyExists) {
    return AlreadyExists("collection \"" + request.schema.name + "\" exists already");
  }
  return made.ok() ? Status() : Status(std::move(made).error());
}

}  // namespace roost
