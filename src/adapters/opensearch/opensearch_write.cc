// Insert and Upsert.

#include <algorithm>
#include <map>

#include "adapters/opensearch/opensearch_impl.h"
#include "adapters/opensearch/opensearch_version.h"
#include "store/validate.h"

namespace roost {
namespace {

/// Rounds with other writers of the same keys in between, each of which got further.
constexpr int kMaxRounds = 100;

bool Succeeded(const OsItem& item) { return item.status / 100 == 2; }

Error RowErrorOf(const OsItem& item) {
  const std::string said = item.error_type + ": " + item.error_reason;
  if (OsIsBusy(item.status, item.error_type)) {
    return ResourceExhausted("OpenSearch is too busy for the row: " + said);
  }
  if (item.status == 409) {
    return Aborted("others keep writing this key: " + said);
  }
  if (item.error_type == "cluster_block_exception") {
    return ResourceExhausted("the index takes no writes: " + said + "; is a disk full?");
  }
  if (item.status == 400) {
    return FailedPrecondition(
        "the index does not take the row; was it changed behind Roost's back? " + said +
        "; undo that, or drop the collection and load it again");
  }
  Error error = Unavailable("OpenSearch did not write the row: " + said);
  error.outcome_unknown = item.status >= 500;
  return error;
}

WriteResult Summary(size_t rows, std::map<size_t, Error> failed) {
  WriteResult result;
  for (auto& [row, error] : failed) {
    result.errors.push_back({.row = row, .error = std::move(error)});
  }
  result.written = rows - result.errors.size();
  return result;
}

}  // namespace

Result<WriteResult> OsStore::UpsertRows(const Session& session, const WriteRequest& request) {
  TRY(OsCheckFence(request.fence));
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.schema(), capabilities_, records));
  std::map<RecordKey, size_t> last;
  for (size_t i = 0; i < records.size(); ++i) {
    last[records[i].key] = i;
  }
  std::vector<Action> actions;
  std::vector<size_t> rows;
  for (const auto& [key, row] : last) {
    actions.push_back({.id = OsDocumentId(session.schema(), key),
                       .source = EncodeRecord(session.schema(), records[row]),
                       .version = OsVersionOf(request.fence.value_or(0))});
    rows.push_back(row);
  }
  std::map<size_t, Error> failed;
  for (int round = 1; !actions.empty(); ++round) {
    const auto items = TRY(Bulk(session, actions));
    std::vector<Action> again;
    std::vector<size_t> again_rows;
    for (size_t i = 0; i < items.size(); ++i) {
      const OsItem& item = items[i];
      if (Succeeded(item)) {
        continue;
      }
      const auto version =
          item.status == 409 ? ConflictingVersion(item.error_reason) : std::nullopt;
      if (version && request.fence && OsFenceOf(*version) > *request.fence) {
        continue;  // a newer write is there: done
      }
      if (version && round < kMaxRounds) {
        again.push_back(std::move(actions[i]));
        again.back().version = *version;  // an equal version writes, and keeps the fence
        again_rows.push_back(rows[i]);
      } else {
        failed.emplace(rows[i], RowErrorOf(item).Within(client_.name()));
      }
    }
    actions = std::move(again);
    rows = std::move(again_rows);
  }
  return Summary(records.size(), std::move(failed));
}

Result<WriteResult> OsStore::InsertRows(const Session& session, const WriteRequest& request) {
  TRY(OsCheckFence(request.fence));
  std::vector<Record> records = request.records;
  TRY(ValidateRecords(session.schema(), capabilities_, records));
  std::map<size_t, Error> failed;
  std::map<RecordKey, size_t> first;
  std::vector<Action> actions;
  std::vector<size_t> rows;
  std::vector<Action> written;
  const auto exists = [&](size_t row) {
    failed.emplace(row, AlreadyExists("key " + ToString(records[row].key) + " exists already"));
  };
  for (size_t i = 0; i < records.size(); ++i) {
    if (!first.emplace(records[i].key, i).second) {
      exists(i);
      continue;
    }
    actions.push_back({.id = OsDocumentId(session.schema(), records[i].key),
                       .source = EncodeRecord(session.schema(), records[i]),
                       .where = Action::Where::kNothing});
    rows.push_back(i);
  }
  for (int round = 1; !actions.empty(); ++round) {
    const auto items = TRY(Bulk(session, actions));
    std::vector<size_t> conflicts;
    std::vector<std::string> ids;
    for (size_t i = 0; i < items.size(); ++i) {
      if (items[i].status == 409) {
        conflicts.push_back(i);
        ids.push_back(actions[i].id);
      } else if (!Succeeded(items[i])) {
        failed.emplace(rows[i], RowErrorOf(items[i]).Within(client_.name()));
      } else if (request.fence) {
        written.push_back(std::move(actions[i]));
      }
    }
    // What is in the way: a record, a tombstone, or the memory of a delete.
    const Found there = TRY(MultiGet(session, ids, "[\"_dead\"]"));
    std::vector<Action> again;
    std::vector<size_t> again_rows;
    for (size_t k = 0; k < conflicts.size(); ++k) {
      const size_t i = conflicts[k];
      const OsDocument& document = there.documents[k];
      const bool live =
          document.found && !TRY(DecodeRecord(session.schema(), document.source)).dead;
      if (document.found && request.fence && OsFenceOf(document.version) > *request.fence) {
        continue;  // newer: counts as written
      }
      if (live) {
        exists(rows[i]);
      } else if (round == kMaxRounds) {
        failed.emplace(rows[i], RowErrorOf(items[i]).Within(client_.name()));
      } else {
        Action& action = again.emplace_back(std::move(actions[i]));
        action.where = document.found ? Action::Where::kUnchanged : Action::Where::kNoRecord;
        action.seq_no = document.seq_no;
        action.primary_term = document.primary_term;
        again_rows.push_back(rows[i]);
      }
    }
    actions = std::move(again);
    rows = std::move(again_rows);
  }
  TRY(RaiseFences(session, std::move(written), request.fence.value_or(0)));
  return Summary(records.size(), std::move(failed));
}

Result<WriteResult> OsStore::Insert(const RequestContext& context, const WriteRequest& request) {
  return With<WriteResult>(context, options_.bulk_timeout, request.collection,
                           [&](const Session& session) { return InsertRows(session, request); });
}

Result<WriteResult> OsStore::Upsert(const RequestContext& context, const WriteRequest& request) {
  return With<WriteResult>(context, options_.bulk_timeout, request.collection,
                           [&](const Session& session) { return UpsertRows(session, request); });
}

}  // namespace roost
