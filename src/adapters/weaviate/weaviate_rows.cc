// How objects are read: by filter, by UUID, by cursor.

#include <algorithm>

#include <v1/base.pb.h>
#include <v1/search_get.pb.h>

#include "adapters/weaviate/weaviate_impl.h"

namespace roost {
namespace {

namespace pb = weaviate::v1;

constexpr ObjectId kBeforeAll{0, 0};
/// What an object takes beside its vectors; a guess, for the size of pages only.
constexpr uint64_t kObjectBytes = 1'024;
/// UUIDs of one filter.
constexpr size_t kIdsPerCall = 1'000;
/// As few as these are looked up without a filter.
constexpr size_t kFewIds = 2;

pb::Filters IdFilter(std::span<const ObjectId> ids) {
  pb::Filters filter;
  filter.set_operator_(pb::Filters::OPERATOR_CONTAINS_ANY);
  filter.mutable_target()->set_property("_id");
  for (const ObjectId& id : ids) {
    filter.mutable_value_text_array()->add_values(id.ToString());
  }
  return filter;
}

}  // namespace

uint64_t WeaviateStore::RowsPerReply(const WeaviateTable& table, const Wanted& wanted,
                                     uint64_t bytes) const {
  const uint64_t room = bytes == 0 ? options_.reply_bytes : bytes;
  uint64_t object = kObjectBytes;
  for (size_t i = 0; i < table.vectors.size(); ++i) {
    if (wanted.vectors || wanted.vector == i) {
      object += uint64_t{table.schema.vectors[i].dimension} * sizeof(float);
    }
  }
  return std::clamp<uint64_t>(room / object, 1, options_.max_results);
}

Result<std::vector<WeaviateStore::Row>> WeaviateStore::Run(const Session& session,
                                                           const std::string& tenant,
                                                           pb::SearchRequest& request) {
  request.set_collection(session.table.class_name);
  if (session.table.schema.multi_tenant()) {
    request.set_tenant(session.table.format->TenantName(tenant));
  }
  auto reply = client_->Search(session.context, request);
  std::vector<Row> rows;
  if (!reply.ok()) {
    if (IsAbsentTenant(reply.error())) {
      return rows;
    }
    return std::move(reply).error();
  }
  rows.reserve(static_cast<size_t>(reply->results_size()));
  for (const pb::SearchResult& object : reply->results()) {
    const auto id = ParseObjectId(object.metadata().id());
    if (!id) {
      return Internal("Weaviate gave an object without a UUID");
    }
    Row& row = rows.emplace_back();
    row.id = *id;
    row.record = TRY(session.table.format->Decode(session.table, tenant, object));
    row.distance = static_cast<double>(object.metadata().distance());
    row.score = static_cast<double>(object.metadata().score());
  }
  return rows;
}

Status WeaviateStore::ReadRange(const Session& session, const std::string& tenant, ObjectId first,
                                ObjectId last, const Wanted& wanted, uint64_t page,
                                const Take& take) {
  uint64_t limit = std::clamp<uint64_t>(page, 1, RowsPerReply(session.table, wanted));
  ObjectId after = first == kBeforeAll ? first : first.Before();
  while (true) {
    pb::SearchRequest request;
    session.table.format->AskFor(session.table, wanted, request);
    request.set_limit(static_cast<uint32_t>(limit));
    request.set_after(after.ToString());
    auto rows = Run(session, tenant, request);
    if (rows.code() == Code::kResourceExhausted && limit > 1) {
      limit = (limit + 7) / 8;  // the objects are larger than was thought
      continue;
    }
    if (!rows.ok()) {
      return std::move(rows).error();
    }
    const bool end = rows->size() < limit;
    for (Row& row : *rows) {
      after = row.id;
      if (row.id > last || !take(std::move(row))) {
        return {};
      }
    }
    if (end) {
      return {};
    }
    TRY(session.context.CheckAlive("reading objects"));
  }
}

Result<std::vector<WeaviateStore::Row>> WeaviateStore::FindOneByOne(const Session& session,
                                                                    const std::string& tenant,
                                                                    std::span<const ObjectId> ids,
                                                                    const Wanted& wanted) {
  // From each UUID the next objects in order: they tell what is there and what is not.
  constexpr uint32_t kAhead = 8;
  std::vector<Row> found;
  for (size_t next = 0; next < ids.size();) {
    pb::SearchRequest request;
    session.table.format->AskFor(session.table, wanted, request);
    const uint32_t limit = ids.size() - next == 1 ? 1 : kAhead;
    request.set_limit(limit);
    request.set_after(ids[next].Before().ToString());
    std::vector<Row> rows = TRY(Run(session, tenant, request));
    for (Row& row : rows) {
      while (next < ids.size() && ids[next] < row.id) {
        ++next;  // not there
      }
      if (next < ids.size() && ids[next] == row.id) {
        found.push_back(std::move(row));
        ++next;
      }
    }
    if (rows.size() < limit) {
      break;  // nothing follows
    }
  }
  return found;
}

Result<std::vector<WeaviateStore::Row>> WeaviateStore::Find(const Session& session,
                                                            const std::string& tenant,
                                                            std::span<const ObjectId> ids,
                                                            const Wanted& wanted) {
  if (ids.size() <= kFewIds) {
    return FindOneByOne(session, tenant, ids, wanted);
  }
  std::vector<Row> found;
  std::vector<ObjectId> missing;
  const size_t most = std::min<size_t>(kIdsPerCall, RowsPerReply(session.table, wanted));
  for (size_t start = 0; start < ids.size(); start += most) {
    const auto part = ids.subspan(start, std::min(most, ids.size() - start));
    pb::SearchRequest request;
    session.table.format->AskFor(session.table, wanted, request);
    request.set_limit(static_cast<uint32_t>(part.size()));
    *request.mutable_filters() = IdFilter(part);
    std::vector<Row> rows = TRY(Run(session, tenant, request));
    std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.id < b.id; });
    for (const ObjectId& id : part) {
      const auto at =
          std::lower_bound(rows.begin(), rows.end(), id,
                           [](const Row& row, const ObjectId& key) { return row.id < key; });
      if (at != rows.end() && at->id == id) {
        found.push_back(std::move(*at));
      } else {
        missing.push_back(id);
      }
    }
  }
  // While an object is being replaced, a filter does not see it for a moment. A cursor does.
  std::vector<Row> late = TRY(FindOneByOne(session, tenant, missing, wanted));
  std::move(late.begin(), late.end(), std::back_inserter(found));
  return found;
}

Result<std::string> WeaviateStore::TenantOf(const Session& session, const std::string& name) {
  if (!session.table.format->ours()) {
    return name;
  }
  if (auto tenant = TenantFromName(name)) {
    return *std::move(tenant);
  }
  const std::string key = session.table.class_name + "/" + name;
  {
    const std::lock_guard lock(mutex_);
    const auto known = tenant_names_.find(key);
    if (known != tenant_names_.end()) {
      return known->second;
    }
  }
  // The name is a hash; any of the tenant's objects tells the real one.
  pb::SearchRequest request;
  request.set_collection(session.table.class_name);
  request.set_tenant(name);
  request.set_limit(1);
  AskFor(session.table, {.scalars = false}, request);
  request.mutable_properties()->add_non_ref_properties(std::string(kTenantProperty));
  auto reply = TRY(client_->Search(session.context, request));
  if (reply.results_size() == 0) {
    return std::string();  // it holds nothing
  }
  const auto& members = reply.results(0).properties().non_ref_props().fields();
  const auto found = members.find(std::string(kTenantProperty));
  if (found == members.end() || TenantNameOf(found->second.text_value()) != name) {
    return DataLoss("tenant " + name + " of class " + session.table.class_name +
                    " was not made by Roost; delete it");
  }
  const std::lock_guard lock(mutex_);
  return tenant_names_[key] = found->second.text_value();
}

Result<std::vector<std::string>> WeaviateStore::TenantsOf(
    const Session& session, const std::optional<std::string>& tenant) {
  if (!session.table.schema.multi_tenant()) {
    return tenant && !tenant->empty() ? std::vector<std::string>() : std::vector<std::string>{""};
  }
  if (tenant) {
    return tenant->empty() ? std::vector<std::string>() : std::vector<std::string>{*tenant};
  }
  std::vector<std::string> tenants;
  for (const std::string& name : TRY(client_->Tenants(session.context, session.table.class_name))) {
    std::string own = TRY(TenantOf(session, name));
    if (!own.empty()) {
      tenants.push_back(std::move(own));
    }
  }
  std::sort(tenants.begin(), tenants.end());
  return tenants;
}

}  // namespace roost
