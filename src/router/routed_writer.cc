#include "router/routed_writer.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/failpoint.h"
#include "store/validate.h"

namespace roost {
namespace {

/// What became of each row, from the authority's answer.
std::vector<WriteOutcome> OutcomesOf(const Error* error, const std::vector<RowError>* errors,
                                     size_t rows) {
  const auto outcome = [](const Error& e) {
    return MayHaveLanded(e) ? WriteOutcome::kUnknown : WriteOutcome::kRejected;
  };
  if (error != nullptr) {
    return std::vector(rows, outcome(*error));
  }
  std::vector<WriteOutcome> outcomes(rows, WriteOutcome::kWritten);
  for (const RowError& row : *errors) {
    if (row.row < rows) {
      outcomes[row.row] = outcome(row.error);
    }
  }
  return outcomes;
}

/// The store's row numbers as the client's.
void RenumberErrors(std::vector<RowError>& errors, const std::vector<size_t>& client_rows) {
  for (RowError& error : errors) {
    error.row = client_rows[std::min(error.row, client_rows.size() - 1)];
  }
}

/// One bracket's failure to end at the authority, as the client must see it.
Error UnknownEnd(const Error& error) {
  Error unknown = error.Within("the write was carried out but its outcome could not be recorded");
  unknown.outcome_unknown = true;
  return unknown;
}

}  // namespace

/// A batch with one row a key. The ledger has one mark a key, so it must be known which row counts.
struct RoutedWriter::Rows {
  std::vector<Record> records;
  std::vector<size_t> client_rows;  ///< of each record
  std::vector<RowError> doubles;    ///< of an insert: rows whose key stood earlier
  uint64_t replaced = 0;            ///< of an upsert: rows that a later one replaces

  Rows(std::vector<Record> all, Kind kind) {
    std::map<RecordKey, size_t> position;
    for (size_t row = 0; row < all.size(); ++row) {
      const auto [found, first] = position.emplace(all[row].key, records.size());
      if (first) {
        records.push_back(std::move(all[row]));
        client_rows.push_back(row);
      } else if (kind == Kind::kInsert) {
        doubles.push_back({.row = row,
                           .error = AlreadyExists("key " + ToString(all[row].key) +
                                                  " stands earlier in the same batch")});
      } else {
        records[found->second] = std::move(all[row]);
        client_rows[found->second] = row;
        ++replaced;
      }
    }
  }

  std::vector<RecordKey> Keys() const {
    std::vector<RecordKey> keys;
    keys.reserve(records.size());
    for (const Record& record : records) {
      keys.push_back(record.key);
    }
    return keys;
  }
};

RoutedWriter::RoutedWriter(MirrorOptions options, const StoreSet& stores, RouteTable& routes,
                           Metrics& metrics)
    : stores_(stores), routes_(routes), mirror_(options, metrics) {}

Result<WriteResult> RoutedWriter::Write(const RequestContext& context, const WriteRequest& request,
                                        Kind kind) {
  const RouteTable::Pin pin = TRY(routes_.PinWrite(context, request.collection));
  if (pin->capture != nullptr) {
    return CapturedWrite(context, *pin, request, kind);
  }
  VectorStore& authority = stores_.At(pin->authority);
  return kind == Kind::kInsert ? authority.Insert(context, request)
                               : authority.Upsert(context, request);
}

Result<DeleteResult> RoutedWriter::Delete(const RequestContext& context,
                                          const DeleteRequest& request) {
  const RouteTable::Pin pin = TRY(routes_.PinWrite(context, request.collection));
  if (pin->capture != nullptr) {
    return CapturedDelete(context, *pin, request);
  }
  return stores_.At(pin->authority).Delete(context, request);
}

Result<WriteResult> RoutedWriter::CapturedWrite(const RequestContext& context, const Route& route,
                                                const WriteRequest& request, Kind kind) {
  VectorStore& authority = stores_.At(route.authority);
  std::vector<Record> validated = request.records;
  // What goes to the other store is what the authority keeps: defaults applied, values normalised.
  TRY(ValidateRecords(*route.schema, authority.capabilities(), validated));
  Rows rows(std::move(validated), kind);
  if (rows.records.empty()) {
    return WriteResult{};
  }
  std::vector<const Record*> payload;
  for (size_t i = 0; route.capture_payload && i < rows.records.size(); ++i) {
    payload.push_back(&rows.records[i]);
  }
  std::shared_ptr<WriteBracket> bracket = TRY(route.capture->Mark(context, rows.Keys(), payload));
  FAILPOINT("router.write.marked");
  const WriteRequest deduplicated{.collection = request.collection, .records = rows.records};
  Result<WriteResult> result = kind == Kind::kInsert ? authority.Insert(context, deduplicated)
                                                     : authority.Upsert(context, deduplicated);
  FAILPOINT("router.write.authority_done");
  const std::vector<WriteOutcome> outcomes =
      OutcomesOf(result.ok() ? nullptr : &result.error(), result.ok() ? &result->errors : nullptr,
                 rows.records.size());
  const Status recorded = bracket->AuthorityDone(context, outcomes);
  MirrorJob job{.bracket_keys = rows.records.size(), .bracket = bracket};
  for (size_t i = 0; i < rows.records.size(); ++i) {
    if (route.mirror && outcomes[i] == WriteOutcome::kWritten && bracket->MayMirror(i)) {
      job.keys.push_back(i);
      job.upserts.push_back(std::move(rows.records[i]));
    }
  }
  Mirror(route, std::move(job), outcomes);
  FAILPOINT("router.write.before_reply");
  if (!recorded.ok()) {
    return UnknownEnd(recorded.error());
  }
  if (result.ok()) {
    RenumberErrors(result->errors, rows.client_rows);
    result->written += rows.replaced;
    std::move(rows.doubles.begin(), rows.doubles.end(), std::back_inserter(result->errors));
    std::sort(result->errors.begin(), result->errors.end(),
              [](const RowError& a, const RowError& b) { return a.row < b.row; });
  }
  return result;
}

Result<DeleteResult> RoutedWriter::CapturedDelete(const RequestContext& context, const Route& route,
                                                  const DeleteRequest& request) {
  VectorStore& authority = stores_.At(route.authority);
  std::vector<RecordKey> keys;
  std::vector<size_t> client_rows;
  std::map<RecordKey, size_t> seen;
  for (size_t row = 0; row < request.keys.size(); ++row) {
    if (seen.emplace(request.keys[row], row).second) {
      keys.push_back(request.keys[row]);
      client_rows.push_back(row);
    }
  }
  if (keys.empty()) {
    return DeleteResult{};
  }
  const bool filtered = request.filter != nullptr;
  // What a filtered delete leaves is only known afterwards; then EndFilteredDelete keeps it.
  const std::vector<const Record*> payload(route.capture_payload && !filtered ? keys.size() : 0);
  std::shared_ptr<WriteBracket> bracket = TRY(route.capture->Mark(context, keys, payload));
  FAILPOINT("router.write.marked");
  Result<DeleteResult> result = authority.Delete(
      context, {.collection = request.collection, .keys = keys, .filter = request.filter});
  FAILPOINT("router.write.authority_done");
  const std::vector<WriteOutcome> outcomes =
      OutcomesOf(result.ok() ? nullptr : &result.error(), result.ok() ? &result->errors : nullptr,
                 keys.size());
  const Status recorded = filtered && route.capture_payload
                              ? EndFilteredDelete(context, route, keys, *bracket, outcomes)
                              : bracket->AuthorityDone(context, outcomes);
  MirrorJob job{.bracket_keys = keys.size(), .bracket = bracket};
  for (size_t i = 0; i < keys.size(); ++i) {
    // The other store may hold another version that the filter sees differently: its state is
    // copied later instead.
    if (route.mirror && !filtered && outcomes[i] == WriteOutcome::kWritten &&
        bracket->MayMirror(i)) {
      job.keys.push_back(i);
      job.deletes.push_back(keys[i]);
    }
  }
  Mirror(route, std::move(job), outcomes);
  FAILPOINT("router.write.before_reply");
  if (!recorded.ok()) {
    return UnknownEnd(recorded.error());
  }
  if (result.ok()) {
    RenumberErrors(result->errors, client_rows);
  }
  return result;
}

/// Reads back what the authority holds after a filtered delete and keeps that as the payload.
Status RoutedWriter::EndFilteredDelete(const RequestContext& context, const Route& route,
                                       std::span<const RecordKey> keys, WriteBracket& bracket,
                                       std::span<const WriteOutcome> outcomes) {
  const Result<GetResult> now =
      stores_.At(route.authority)
          .Get(context, {.collection = route.collection, .keys = {keys.begin(), keys.end()}});
  if (!now.ok()) {
    const std::vector unknown(keys.size(), WriteOutcome::kUnknown);
    TRY(bracket.AuthorityDone(context, unknown));
    return now.error();
  }
  std::vector<const Record*> state;
  for (const std::optional<Record>& record : now->records) {
    state.push_back(record.has_value() ? &*record : nullptr);
  }
  return bracket.AuthorityDoneWith(context, outcomes, state);
}

void RoutedWriter::Mirror(const Route& route, MirrorJob job,
                          std::span<const WriteOutcome> outcomes) {
  std::shared_ptr<WriteBracket> bracket = job.bracket;
  const bool any = std::any_of(outcomes.begin(), outcomes.end(),
                               [](WriteOutcome o) { return o != WriteOutcome::kRejected; });
  if (!any || !route.mirror || !stores_.Available(route.other)) {
    job.keys.clear();
    job.upserts.clear();
    job.deletes.clear();
  } else {
    job.store = &stores_.At(route.other);
  }
  job.collection = route.collection;
  // While the other store answers reads the reply waits a moment, so that it may go on answering.
  mirror_.Post(std::move(job), route.read_percent_other > 0);
  bracket->ReplyBeforeFinish();
}

}  // namespace roost
