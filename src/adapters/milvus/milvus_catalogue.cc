#include "adapters/milvus/milvus_catalogue.h"

#include <algorithm>

#include "adapters/milvus/milvus_call.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

Error Missing(const std::string& collection, const std::string& store) {
  return NotFound("collection \"" + collection + "\" does not exist in " + store +
                  "; create it, again if somebody dropped it there");
}

}  // namespace

Result<MilvusLayoutPtr> MilvusCatalogue::Load(const RequestContext& context,
                                              const std::string& physical,
                                              const std::string& collection) const {
  pb::DescribeCollectionRequest request;
  request.set_db_name(database_);
  request.set_collection_name(physical);
  auto reply = CallMilvus<pb::DescribeCollectionResponse>(
      client_, store_, context, "DescribeCollection", request, GrpcEffect::kRead);
  if (!reply.ok()) {
    // 2.3 has no code of its own for this call.
    const bool absent = reply.code() == Code::kNotFound ||
                        reply.error().message.find("can't find collection") != std::string::npos;
    return absent ? Missing(collection, store_) : reply.error();
  }
  const std::string what = store_ + ": collection \"" +
                           (collection.empty() ? physical : collection) + "\" is there as \"" +
                           physical + "\", but not as Roost made it: ";
  constexpr std::string_view kAdvice =
      "; if its data is no longer needed drop it with a Milvus client, else restore it";
  auto description = ParseDescription(reply->schema().description());
  if (!description.ok()) {
    return FailedPrecondition(what + description.error().message + std::string(kAdvice));
  }
  auto layout = std::make_shared<MilvusLayout>(std::move(description->schema),
                                               std::move(description->instance));
  layout->id = reply->collectionid();
  if (layout->name != physical || (!collection.empty() && layout->schema.name != collection)) {
    return FailedPrecondition(what + "its description is that of collection \"" +
                              layout->schema.name + "\"" + std::string(kAdvice));
  }
  if (const Status same = layout->CheckProto(reply->schema()); !same.ok()) {
    return FailedPrecondition(what + same.error().message + std::string(kAdvice));
  }
  return MilvusLayoutPtr(std::move(layout));
}

Result<MilvusLayoutPtr> MilvusCatalogue::Find(const RequestContext& context,
                                              const std::string& collection) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(collection); found != known_.end()) {
      return found->second;
    }
  }
  MilvusLayoutPtr layout = TRY(Load(context, MilvusCollectionName(collection), collection));
  Remember(layout);
  return layout;
}

void MilvusCatalogue::Remember(MilvusLayoutPtr layout) {
  const std::lock_guard lock(mutex_);
  const std::string name = layout->schema.name;
  known_[name] = std::move(layout);
}

void MilvusCatalogue::Forget(const std::string& collection) {
  const std::lock_guard lock(mutex_);
  known_.erase(collection);
}

Result<bool> MilvusCatalogue::IsCurrent(const RequestContext& context,
                                        const MilvusLayout& layout) const {
  pb::DescribeCollectionRequest request;
  request.set_db_name(database_);
  request.set_collection_name(layout.name);
  auto reply = CallMilvus<pb::DescribeCollectionResponse>(
      client_, store_, context, "DescribeCollection", request, GrpcEffect::kRead);
  if (reply.ok()) {
    return reply->collectionid() == layout.id;
  }
  if (IsRetryable(reply.code()) || reply.code() == Code::kDeadlineExceeded ||
      reply.code() == Code::kCancelled) {
    return reply.error();
  }
  return false;
}

Result<std::vector<std::string>> MilvusCatalogue::Aliases(const RequestContext& context,
                                                          const MilvusLayout& layout) const {
  pb::DescribeCollectionRequest request;
  request.set_db_name(database_);
  request.set_collection_name(layout.name);
  const auto reply = TRY(CallMilvus<pb::DescribeCollectionResponse>(
      client_, store_, context, "DescribeCollection", request, GrpcEffect::kRead));
  return std::vector<std::string>(reply.aliases().begin(), reply.aliases().end());
}

Result<std::vector<std::string>> MilvusCatalogue::List(const RequestContext& context) {
  pb::ShowCollectionsRequest request;
  request.set_db_name(database_);
  const auto reply = TRY(CallMilvus<pb::ShowCollectionsResponse>(
      client_, store_, context, "ShowCollections", request, GrpcEffect::kRead));
  std::vector<std::string> names;
  std::map<int64_t, std::string> seen;
  for (int i = 0; i < reply.collection_names_size(); ++i) {
    const std::string& physical = reply.collection_names(i);
    if (!physical.starts_with(kMilvusCollectionPrefix) || i >= reply.collection_ids_size()) {
      continue;
    }
    const int64_t id = reply.collection_ids(i);
    std::string name;
    {
      const std::lock_guard lock(mutex_);
      const auto known = names_.find(id);
      name = known == names_.end() ? "" : known->second;
    }
    if (name.empty()) {
      auto layout = Load(context, physical, "");
      if (layout.ok()) {
        name = (*layout)->schema.name;
      } else if (layout.code() != Code::kNotFound && layout.code() != Code::kFailedPrecondition) {
        return layout.error();
      } else {
        continue;
      }
    }
    seen[id] = name;
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  const std::lock_guard lock(mutex_);
  names_ = std::move(seen);
  return names;
}

}  // namespace roost
