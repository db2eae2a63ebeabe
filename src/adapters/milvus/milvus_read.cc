// Get, Query, Scan, Count, and the reading that search shares with them.

#include <algorithm>
#include <map>

#include "adapters/milvus/milvus_call.h"
#include "adapters/milvus/milvus_impl.h"
#include "adapters/milvus/milvus_key.h"
#include "adapters/milvus/milvus_with.h"
#include "store/validate.h"

namespace roost {
namespace {

namespace pb = milvus_messages;

/// Milvus' own limit of a page.
constexpr size_t kMaxPageRows = 16'384;
constexpr size_t kMaxKeysPerCall = 4'096;
constexpr size_t kMaxKeyBytesPerCall = 1u << 20;

template <typename Request>
void AddParam(Request& request, const char* key, std::string value) {
  auto* param = request.add_query_params();
  param->set_key(key);
  param->set_value(std::move(value));
}

/// The tenant's keys and no others.
std::string TenantRange(const MilvusLayout& layout, const std::string& tenant) {
  const MilvusColumn* column = layout.Find(MilvusColumn::Role::kTenant);
  return column->name + " == " + MilvusString(tenant);
}

bool FitsKeyType(const CollectionSchema& schema, const RecordKey& key) {
  return std::holds_alternative<int64_t>(key.key) == (schema.key_type == KeyType::kInt64);
}

}  // namespace

Error MilvusStore::TooManyToJudge() const {
  return ResourceExhausted(
      "Milvus cannot say all of the filter, and more than " +
      std::to_string(options_.max_judged_records) +
      " records would have to be judged by Roost; add a condition that matches fewer");
}

Result<MilvusStore::ReadPoint> MilvusStore::SharedPoint(const RequestContext& context,
                                                        Consistency consistency) {
  if (consistency != Consistency::kStrong) {
    return ReadPoint{.consistency = consistency};
  }
  auto reply = CallMilvus<pb::AllocTimestampResponse>(*server_.client, server_.name, context,
                                                      "AllocTimestamp", pb::AllocTimestampRequest(),
                                                      GrpcEffect::kRead);
  if (!reply.ok() && reply.code() != Code::kUnimplemented) {
    return reply.error();
  }
  return ReadPoint{.consistency = consistency, .timestamp = reply.ok() ? reply->timestamp() : 0};
}

size_t MilvusStore::PageRows(const MilvusLayout& layout,
                             std::span<const MilvusColumn* const> columns) const {
  const uint64_t rows = options_.batch_bytes / layout.RowBytes(columns);
  return static_cast<size_t>(std::clamp<uint64_t>(rows, 1, kMaxPageRows));
}

Result<MilvusFilter> MilvusStore::Translate(const Session& session,
                                            const std::optional<std::string>& tenant,
                                            const FilterPtr& filter) const {
  if (filter != nullptr) {
    TRY(CheckFilter(*filter, session.layout));
  }
  MilvusFilter translated = TranslateFilter(filter.get(), session.layout);
  if (tenant) {
    if (!session.layout.schema.multi_tenant()) {
      translated.nothing = translated.nothing || !tenant->empty();
    } else {
      translated.text = AndTexts(TenantRange(session.layout, *tenant), translated.text);
    }
  }
  return translated;
}

Result<MilvusStore::Page> MilvusStore::FetchPage(const Session& session, const std::string& filter,
                                                 std::span<const MilvusColumn* const> columns,
                                                 size_t limit, const ReadPoint& point) {
  pb::QueryRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(session.layout.name);
  request.set_expr(filter);
  for (const MilvusColumn* column : columns) {
    request.add_output_fields(column->name);
  }
  SetReadPoint(request, point.consistency, point.timestamp);
  Page page;
  for (page.asked = std::min(limit, kMaxPageRows);; page.asked /= 2) {
    request.clear_query_params();
    AddParam(request, "limit", std::to_string(page.asked));
    // Without this a page may end beyond rows of another segment that it does not hold.
    AddParam(request, "reduce_stop_for_best", "true");
    const auto reply = CallMilvus<pb::QueryResults>(*server_.client, server_.name, session.context,
                                                    "Query", request, GrpcEffect::kRead);
    if (!reply.ok()) {
      if (IsTooLarge(reply.error()) && page.asked > 1) {
        continue;
      }
      return reply.error();
    }
    size_t rows = 0;
    for (const auto& field : reply->fields_data()) {
      if (field.field_name() == session.layout.key_name()) {
        rows = static_cast<size_t>(session.layout.integer_keys()
                                       ? field.scalars().long_data().data_size()
                                       : field.scalars().string_data().data_size());
      }
    }
    const MilvusRows read =
        TRY(MilvusRows::Open(session.layout, columns, reply->fields_data(), rows));
    page.records.reserve(rows);
    for (size_t row = 0; row < rows; ++row) {
      page.records.push_back(TRY(read.Read(row)));
    }
    return page;
  }
}

Status MilvusStore::ForEach(const Session& session, Range range,
                            std::span<const MilvusColumn* const> columns, size_t page_rows,
                            const ReadPoint& point, const std::function<bool(Record&&)>& visit) {
  const size_t most = PageRows(session.layout, columns);
  std::string bounded = range.filter;
  if (range.until) {
    bounded = AndTexts(KeyUpTo(session.layout, StoredKey(session.layout, *range.until)), bounded);
  }
  while (true) {
    TRY(session.context.CheckAlive("reading from Milvus"));
    const std::string filter =
        range.after
            ? AndTexts(KeyAbove(session.layout, StoredKey(session.layout, *range.after)), bounded)
            : bounded;
    Page page =
        TRY(FetchPage(session, filter, columns, std::clamp<size_t>(page_rows, 1, most), point));
    // A page that is short is not the last: where segments hold the same keys it is cut early.
    if (page.records.empty()) {
      return {};
    }
    for (Record& record : page.records) {
      if (range.after && record.key <= *range.after) {
        if (record.key == *range.after) {
          continue;  // a second row of one key, written by others
        }
        return DataLoss("Milvus' page is not in the order of keys at " + ToString(record.key));
      }
      range.after = record.key;
      if (!visit(std::move(record))) {
        return {};
      }
    }
  }
}

Result<std::vector<Record>> MilvusStore::FetchKeys(const Session& session,
                                                   std::span<const RecordKey* const> keys,
                                                   const std::string& filter,
                                                   std::span<const MilvusColumn* const> columns,
                                                   const ReadPoint& point) {
  const size_t most = std::min(kMaxKeysPerCall, PageRows(session.layout, columns));
  std::vector<Record> found;
  std::vector<std::span<const RecordKey* const>> left;
  for (size_t from = 0; from < keys.size();) {
    size_t count = 0;
    for (size_t bytes = 0;
         from + count < keys.size() && count < most && bytes < kMaxKeyBytesPerCall; ++count) {
      const auto* text = std::get_if<std::string>(&keys[from + count]->key);
      bytes += keys[from + count]->tenant.size() + (text == nullptr ? 20 : text->size());
    }
    left.push_back(keys.subspan(from, count));
    from += count;
  }
  while (!left.empty()) {
    const auto part = left.back();
    left.pop_back();
    std::vector<int64_t> integers;
    std::string texts;
    for (const RecordKey* key : part) {
      const Key stored = StoredKey(session.layout, *key);
      if (const auto* integer = std::get_if<int64_t>(&stored)) {
        integers.push_back(*integer);
      } else {
        texts += (texts.empty() ? "" : ",") + MilvusString(std::get<std::string>(stored));
      }
    }
    const std::string in = integers.empty() ? session.layout.key_name() + " in [" + texts + "]"
                                            : IntegersIn(session.layout.key_name(), integers);
    Page page = TRY(FetchPage(session, AndTexts(in, filter), columns, part.size(), point));
    if (page.asked < part.size() && part.size() > 1) {  // too large a message
      left.push_back(part.subspan(0, part.size() / 2));
      left.push_back(part.subspan(part.size() / 2));
      continue;
    }
    std::move(page.records.begin(), page.records.end(), std::back_inserter(found));
  }
  return found;
}

Result<GetResult> MilvusStore::Get(const RequestContext& context, const GetRequest& request) {
  return With<GetResult>(
      context, options_.call_timeout, request.collection,
      [&](const Session& session) -> Result<GetResult> {
        TRY(ValidateOutput(session.layout.schema, request.output));
        TRY(ValidateKeys(session.layout.schema, capabilities_, request.keys));
        GetResult result;
        result.records.resize(request.keys.size());
        std::map<RecordKey, std::vector<size_t>> places;
        std::vector<const RecordKey*> keys;
        for (size_t i = 0; i < request.keys.size(); ++i) {
          auto& place = places[request.keys[i]];
          place.push_back(i);
          if (place.size() == 1) {
            keys.push_back(&request.keys[i]);
          }
        }
        const auto columns = session.layout.Selected(request.output);
        const bool one_call = keys.size() <= PageRows(session.layout, columns) / 2;
        const ReadPoint point = one_call ? ReadPoint{.consistency = request.consistency}
                                         : TRY(SharedPoint(session.context, request.consistency));
        for (Record& record : TRY(FetchKeys(session, keys, "", columns, point))) {
          const auto found = places.find(record.key);
          if (found == places.end()) {
            continue;
          }
          const Record asked = Project(session.layout.schema, request.output, std::move(record));
          for (const size_t place : found->second) {
            result.records[place] = asked;
          }
        }
        return result;
      });
}

Result<QueryResult> MilvusStore::QueryRows(const Session& session, const QueryRequest& request) {
  TRY(ValidateOutput(session.layout.schema, request.output));
  const MilvusFilter filter = TRY(Translate(session, request.tenant, request.filter));
  QueryResult result;
  if (filter.nothing || request.limit == 0) {
    return result;
  }
  const ReadPoint point = TRY(SharedPoint(session.context, request.consistency));
  Range range{.after = {}, .until = {}, .filter = filter.text};
  uint64_t skip = request.offset;
  uint64_t judged = 0;
  if (filter.exact && skip > 0) {
    // The skipped ones are read without their fields.
    const auto bare = session.layout.Selected({.all_scalars = false});
    std::optional<RecordKey> last;
    TRY(ForEach(session, range, bare, static_cast<size_t>(skip), point, [&](Record&& record) {
      last = std::move(record.key);
      return --skip > 0;
    }));
    if (skip > 0) {
      return result;
    }
    range.after = std::move(last);
  }
  OutputFields read = request.output;
  read.fields.insert(read.fields.end(), filter.needed.fields.begin(), filter.needed.fields.end());
  const auto columns = session.layout.Selected(read);
  const uint64_t page = filter.exact ? request.limit : kMaxPageRows;
  bool too_many = false;
  TRY(ForEach(session, range, columns, static_cast<size_t>(page), point, [&](Record&& record) {
    if (!filter.exact) {
      too_many = ++judged > options_.max_judged_records;
      if (too_many) {
        return false;
      }
      if (!Matches(request.filter.get(), record)) {
        return true;
      }
      if (skip > 0) {
        --skip;
        return true;
      }
    }
    result.records.push_back(Project(session.layout.schema, request.output, std::move(record)));
    return result.records.size() < request.limit;
  }));
  if (too_many) {
    return TooManyToJudge();
  }
  return result;
}

Result<QueryResult> MilvusStore::Query(const RequestContext& context, const QueryRequest& request) {
  return With<QueryResult>(context, options_.call_timeout, request.collection,
                           [&](const Session& session) { return QueryRows(session, request); });
}

Result<ScanPage> MilvusStore::ScanRows(const Session& session, const ScanRequest& request) {
  const CollectionSchema& schema = session.layout.schema;
  for (const auto* end : {&request.after, &request.until}) {
    if (*end && !FitsKeyType(schema, **end)) {
      return InvalidArgument("the scan's range has keys of the wrong type for collection \"" +
                             schema.name + "\"");
    }
  }
  if (request.limit == 0) {
    return InvalidArgument("the scan's limit is 0; ask for 1 record or more");
  }
  const MilvusFilter filter = TRY(Translate(session, request.tenant, nullptr));
  ScanPage page{.records = {}, .done = true};
  if (filter.nothing || (request.after && request.until && *request.until <= *request.after)) {
    return page;
  }
  const ReadPoint point = TRY(SharedPoint(
      session.context, request.barrier ? Consistency::kStrong : Consistency::kEventual));
  const auto columns =
      session.layout.Selected(OutputFields{.fields = {}, .vectors = request.vectors});
  TRY(ForEach(session, {.after = request.after, .until = request.until, .filter = filter.text},
              columns, size_t{request.limit} + 1, point, [&](Record&& record) {
                page.done = page.records.size() < request.limit;
                if (page.done) {
                  page.records.push_back(std::move(record));
                }
                return page.done;
              }));
  return page;
}

Result<ScanPage> MilvusStore::Scan(const RequestContext& context, const ScanRequest& request) {
  return With<ScanPage>(context, options_.bulk_timeout, request.collection,
                        [&](const Session& session) { return ScanRows(session, request); });
}

Result<uint64_t> MilvusStore::CountThere(const Session& session, const std::string& filter,
                                         Consistency consistency) {
  pb::QueryRequest request;
  request.set_db_name(server_.database);
  request.set_collection_name(session.layout.name);
  // Not Milvus' own statistics, which never subtract what was deleted.
  request.add_output_fields("count(*)");
  request.set_expr(filter);
  SetReadPoint(request, consistency, 0);
  const auto reply = TRY(CallMilvus<pb::QueryResults>(
      *server_.client, server_.name, session.context, "Query", request, GrpcEffect::kRead));
  if (reply.fields_data_size() != 1 ||
      reply.fields_data(0).scalars().long_data().data_size() != 1) {
    return DataLoss(server_.name + " does not answer count(*) with a number");
  }
  return static_cast<uint64_t>(reply.fields_data(0).scalars().long_data().data(0));
}

Result<uint64_t> MilvusStore::CountRows(const Session& session, const CountRequest& request) {
  const MilvusFilter filter = TRY(Translate(session, request.tenant, request.filter));
  if (filter.nothing) {
    return uint64_t{0};
  }
  if (filter.exact) {
    return CountThere(session, filter.text, Consistency::kStrong);
  }
  const ReadPoint point = TRY(SharedPoint(session.context, Consistency::kStrong));
  uint64_t count = 0;
  uint64_t judged = 0;
  TRY(ForEach(session, {.after = {}, .until = {}, .filter = filter.text},
              session.layout.Selected(filter.needed), kMaxPageRows, point, [&](Record&& record) {
                count += Matches(request.filter.get(), record) ? 1 : 0;
                return ++judged <= options_.max_judged_records;
              }));
  if (judged > options_.max_judged_records) {
    return TooManyToJudge();
  }
  return count;
}

Result<uint64_t> MilvusStore::Count(const RequestContext& context, const CountRequest& request) {
  return With<uint64_t>(context, options_.bulk_timeout, request.collection,
                        [&](const Session& session) { return CountRows(session, request); });
}

}  // namespace roost
