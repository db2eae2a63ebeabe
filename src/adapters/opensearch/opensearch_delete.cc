// Delete, with and without fence and filter.

#include <algorithm>
#include <map>

#include "adapters/opensearch/opensearch_filter.h"
#include "adapters/opensearch/opensearch_impl.h"
#include "adapters/opensearch/opensearch_version.h"
#include "store/validate.h"

namespace roost {
namespace {

constexpr int kMaxRounds = 100;

bool Succeeded(const OsItem& item) { return item.status / 100 == 2 || item.status == 404; }

Error RowErrorOf(const OsItem& item) {
  const std::string said = item.error_type + ": " + item.error_reason;
  if (item.status == 409) {
    return Aborted("others keep writing this key: " + said);
  }
  if (OsIsBusy(item.status, item.error_type)) {
    return ResourceExhausted("OpenSearch is too busy to delete the record: " + said);
  }
  Error error = Unavailable("OpenSearch did not delete the record: " + said);
  error.outcome_unknown = item.status >= 500;
  return error;
}

}  // namespace

/// A key to delete and the first row of the request that names it.
struct OsStore::Deletion {
  RecordKey key;
  std::string id;
  size_t row = 0;
};

int64_t OsStore::NowMs() const { return ToUnixMicros(clock_.WallNow()) / 1'000; }

/// Without fence and filter: most records carry no fence, so try that first. What is left carries
/// one.
Status OsStore::DeleteDirectly(const Session& session, std::vector<Deletion>& rows,
                               DeleteResult& result) {
  std::vector<Action> actions;
  for (const Deletion& row : rows) {
    actions.push_back({.id = row.id, .version = OsVersionOf(0)});
  }
  const auto items = TRY(Bulk(session, actions));
  std::vector<Deletion> left;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].status == 409) {
      left.push_back(std::move(rows[i]));
    } else if (!Succeeded(items[i])) {
      result.errors.push_back(
          {.row = rows[i].row, .error = RowErrorOf(items[i]).Within(client_.name())});
    } else {
      result.deleted += items[i].result == "deleted" ? 1 : 0;
    }
  }
  rows = std::move(left);
  return {};
}

/// Looks at what is there and deletes just that: a record that changed in between is looked at
/// again. A record without any fence is removed, any other leaves a tombstone with its fence.
Status OsStore::DeleteChecked(const Session& session, const DeleteRequest& request,
                              std::vector<Deletion>& rows, DeleteResult& result) {
  const Filter* filter = request.filter.get();
  std::vector<Action> buried;
  for (int round = 1; !rows.empty(); ++round) {
    std::vector<std::string> ids;
    for (const Deletion& row : rows) {
      ids.push_back(row.id);
    }
    const Found there = TRY(MultiGet(session, ids, filter != nullptr ? "true" : "[\"_dead\"]"));
    std::vector<Action> actions;
    std::vector<Deletion> tried;
    std::vector<bool> counts;
    for (size_t i = 0; i < rows.size(); ++i) {
      const OsDocument& document = there.documents[i];
      OsDecoded decoded;
      if (document.found) {
        decoded = TRY(DecodeRecord(session.schema(), document.source));
      }
      const bool live = document.found && !decoded.dead;
      if (filter != nullptr && (!live || !Matches(filter, decoded.record))) {
        continue;
      }
      if (!live && !request.fence) {
        continue;
      }
      const uint64_t carried = document.found ? OsFenceOf(document.version) : 0;
      if (request.fence && carried > *request.fence) {
        continue;  // newer
      }
      const uint64_t fence = std::max(carried, request.fence.value_or(0));
      Action action{.id = rows[i].id,
                    .version = std::max(document.version, OsVersionOf(fence)),
                    .seq_no = document.seq_no,
                    .primary_term = document.primary_term};
      if (fence > 0) {
        action.source = EncodeTombstone(session.schema(), rows[i].key, fence, NowMs());
      }
      if (filter != nullptr) {
        action.where = Action::Where::kUnchanged;
      }
      actions.push_back(std::move(action));
      tried.push_back(std::move(rows[i]));
      counts.push_back(live);
    }
    const auto items = TRY(Bulk(session, actions));
    std::vector<Deletion> again;
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].status == 409 && round < kMaxRounds) {
        again.push_back(std::move(tried[i]));
      } else if (!Succeeded(items[i])) {
        result.errors.push_back(
            {.row = tried[i].row, .error = RowErrorOf(items[i]).Within(client_.name())});
      } else {
        result.deleted += counts[i] && items[i].status != 404 ? 1 : 0;
        if (filter != nullptr && request.fence) {
          buried.push_back(std::move(actions[i]));
        }
      }
    }
    rows = std::move(again);
  }
  return RaiseFences(session, std::move(buried), request.fence.value_or(0));
}

Result<DeleteResult> OsStore::DeleteRows(const Session& session, const DeleteRequest& request) {
  TRY(OsCheckFence(request.fence));
  TRY(ValidateKeys(session.schema(), capabilities_, request.keys));
  if (request.filter != nullptr) {
    TRY(OsCheckFilter(*request.filter, session.schema()));
  }
  std::map<RecordKey, size_t> first;
  for (size_t i = 0; i < request.keys.size(); ++i) {
    first.emplace(request.keys[i], i);
  }
  std::vector<Deletion> rows;
  for (const auto& [key, row] : first) {
    rows.push_back({.key = key, .id = OsDocumentId(session.schema(), key), .row = row});
  }
  DeleteResult result;
  if (!request.fence && request.filter == nullptr) {
    TRY(DeleteDirectly(session, rows, result));
  }
  TRY(DeleteChecked(session, request, rows, result));
  std::sort(result.errors.begin(), result.errors.end(),
            [](const RowError& a, const RowError& b) { return a.row < b.row; });
  return result;
}

Result<DeleteResult> OsStore::Delete(const RequestContext& context, const DeleteRequest& request) {
  return With<DeleteResult>(context, options_.bulk_timeout, request.collection,
                            [&](const Session& session) { return DeleteRows(session, request); });
}

}  // namespace roost
