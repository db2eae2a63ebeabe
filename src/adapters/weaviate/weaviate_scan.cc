// Records in the order of their keys.

#include <algorithm>

#include "adapters/weaviate/weaviate_impl.h"

namespace roost {
namespace {

/// VARCHAR keys: at least so many objects are read at once, to see where a group ends.
constexpr uint64_t kLeastPage = 64;

bool FitsKeyType(const CollectionSchema& schema, const RecordKey& key) {
  return std::holds_alternative<int64_t>(key.key) == (schema.key_type == KeyType::kInt64);
}

}  // namespace

// Objects come in the order of their UUIDs, which is that of their keys from group to group
// (weaviate_names.h). A group is read to its end, sorted, and given on. Of a large one, only as
// many as are wanted are kept, those with the lowest keys.
Status WeaviateStore::ScanKeys(const Session& session, const std::string& tenant,
                               const KeyRange& range, const Filter* filter, const Wanted& wanted,
                               uint64_t limit, const Take& take) {
  const WeaviateFormat& format = *session.table.format;
  const bool grouped = format.Grouped(session.table);
  const uint64_t keep = std::max<uint64_t>(limit, kLeastPage);
  std::vector<Row> group;
  const auto by_key = [](const Row& a, const Row& b) { return a.record.key < b.record.key; };
  const auto flush = [&] {
    std::sort(group.begin(), group.end(), by_key);
    for (Row& row : group) {
      if (!take(std::move(row))) {
        return false;
      }
    }
    group.clear();
    return true;
  };
  bool enough = false;
  const auto collect = [&](Row&& row) {
    const bool other = !group.empty() && (!grouped || !SameGroup(group.front().id, row.id));
    if (other && !flush()) {
      enough = true;
      return false;
    }
    const Key& key = row.record.key.key;
    if ((range.after && key <= *range.after) || (range.until && key > *range.until) ||
        !Matches(filter, row.record)) {
      return true;
    }
    group.push_back(std::move(row));
    if (group.size() / 2 >= keep) {
      std::nth_element(group.begin(), group.begin() + static_cast<ptrdiff_t>(keep), group.end(),
                       by_key);
      group.resize(keep);
    }
    return true;
  };
  const ObjectId first = range.after ? format.RangeOf(*range.after).first : kFirstObjectId;
  const ObjectId last = range.until ? format.RangeOf(*range.until).second : kLastObjectId;
  if (first > last) {
    return {};
  }
  uint64_t page = options_.max_results;
  if (filter == nullptr) {
    page = std::min<uint64_t>(page, grouped ? keep : limit);
  }
  TRY(ReadRange(session, tenant, first, last, wanted, page, collect));
  if (!enough) {
    flush();
  }
  return {};
}

Result<ScanPage> WeaviateStore::ScanRows(const Session& session, const ScanRequest& request) {
  const CollectionSchema& schema = session.table.schema;
  for (const auto* end : {&request.after, &request.until}) {
    if (*end && !FitsKeyType(schema, **end)) {
      return InvalidArgument("the scan's range has keys of the wrong type for collection \"" +
                             schema.name + "\"");
    }
  }
  if (request.limit == 0) {
    return InvalidArgument("the scan's limit is 0; ask for 1 record or more");
  }
  ScanPage page;
  const Wanted wanted{.vectors = request.vectors};
  const size_t most = size_t{request.limit} + 1;
  for (const std::string& tenant : TRY(TenantsOf(session, request.tenant))) {
    if ((request.after && tenant < request.after->tenant) ||
        (request.until && tenant > request.until->tenant)) {
      continue;
    }
    KeyRange range;
    if (request.after && request.after->tenant == tenant) {
      range.after = request.after->key;
    }
    if (request.until && request.until->tenant == tenant) {
      range.until = request.until->key;
    }
    const auto take = [&](Row&& row) {
      page.records.push_back(std::move(row.record));
      return page.records.size() < most;
    };
    TRY(ScanKeys(session, tenant, range, nullptr, wanted, most - page.records.size(), take));
    if (page.records.size() >= most) {
      break;
    }
  }
  page.done = page.records.size() <= request.limit;
  if (!page.done) {
    page.records.pop_back();
  }
  return page;
}

Result<ScanPage> WeaviateStore::Scan(const RequestContext& context, const ScanRequest& request) {
  // The barrier needs nothing: a cursor reads what was written before it, on any node.
  return With<ScanPage>(context, options_.bulk_timeout, request.collection, false,
                        [&](const Session& session) { return ScanRows(session, request); });
}

}  // namespace roost
