#include "adapters/embedded/reads.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "adapters/embedded/ordered_rows.h"
#include "store/validate.h"

namespace roost::embedded {

namespace {

constexpr size_t kRowsBetweenChecks = 1'024;  // of the deadline

/// Reads rows out of pinned blocks, verified once a block.
class RowReader {
 public:
  RowReader(const Pin& pin, Selection selection, const OutputFields& output)
      : pin_(pin), selection_(std::move(selection)), output_(output) {}

  Result<Record> Read(const PinnedBlock& block, uint32_t slot) {
    if (block.sealed != nullptr && block.sealed != verified_) {
      TRY(VerifyFor(pin_, block, selection_));
      verified_ = block.sealed;
    }
    return Project(pin_.schema(), output_,
                   ReadRecord(pin_.schema(), block.block, slot, selection_));
  }

 private:
  const Pin& pin_;
  const Selection selection_;
  const OutputFields& output_;
  const SealedSegment* verified_ = nullptr;
};

}  // namespace

Result<std::vector<PinnedBlock>> BlocksOf(const Pin& pin) {
  std::vector<PinnedBlock> blocks;
  for (const auto& segment : pin.version->sealed) {
    TRY(pin.collection->Watch(segment->VerifyKeys()));
    blocks.push_back({.block = segment->block(), .sealed = segment.get()});
  }
  const auto add = [&](const MutableSegment& segment) {
    for (const RowBlock& block : segment.Blocks(pin.lsn)) {
      blocks.push_back({.block = block, .growing = &segment});
    }
  };
  for (const FrozenSegment& frozen : pin.version->frozen) {
    add(*frozen.rows);
  }
  add(*pin.version->active);
  return blocks;
}

Status VerifyFor(const Pin& pin, const PinnedBlock& block, const Selection& selection) {
  if (block.sealed == nullptr) {
    return {};
  }
  if (!selection.fields.empty() || selection.dynamic) {
    TRY(pin.collection->Watch(block.sealed->VerifyScalars()));
  }
  for (const size_t field : selection.vectors) {
    TRY(pin.collection->Watch(block.sealed->VerifyVector(field)));
  }
  return {};
}

Status VerifyForFilter(const Pin& pin, const PinnedBlock& block, const SlotFilter& filter) {
  if (block.sealed == nullptr || filter.matches_all()) {
    return {};
  }
  return pin.collection->Watch(block.sealed->VerifyScalars());
}

Result<GetResult> RunGet(const RequestContext& context, const Pin& pin, const GetRequest& request) {
  TRY(pin.collection->Watch(VerifyKeys(*pin.version)));
  const Selection selection = SelectOutput(pin.schema(), request.output);
  GetResult result;
  for (const RecordKey& key : request.keys) {
    if (result.records.size() % kRowsBetweenChecks == 0) {
      TRY(context.CheckAlive("the get"));
    }
    const auto found = FindPinned(pin, KeyRef(key));
    if (!found) {
      result.records.emplace_back();
      continue;
    }
    TRY(VerifyFor(pin, {.block = found->place.block, .sealed = found->sealed}, selection));
    result.records.push_back(
        Project(pin.schema(), request.output,
                ReadRecord(pin.schema(), found->place.block, found->place.slot, selection)));
  }
  return result;
}

Result<QueryResult> RunQuery(const RequestContext& context, const Pin& pin,
                             const QueryRequest& request) {
  const SlotFilter filter(pin.schema(), request.filter.get());
  OrderedRows rows(pin, TRY(BlocksOf(pin)));
  TRY(rows.Start(context, {.tenant = request.tenant, .filter = &filter}));
  RowReader reader(pin, SelectOutput(pin.schema(), request.output), request.output);
  QueryResult result;
  uint64_t skipped = 0;
  for (; result.records.size() < request.limit && !rows.done(); rows.Next()) {
    if ((skipped + result.records.size()) % kRowsBetweenChecks == 0) {
      TRY(context.CheckAlive("the query"));
    }
    if (skipped < request.offset) {
      ++skipped;
      continue;
    }
    result.records.push_back(TRY(reader.Read(rows.block(), rows.slot())));
  }
  return result;
}

Result<ScanPage> RunScan(const RequestContext& context, const Pin& pin,
                         const ScanRequest& request) {
  const SlotFilter all(pin.schema(), nullptr);
  const OutputFields output{.all_scalars = true, .fields = {}, .vectors = request.vectors};
  OrderedRows rows(pin, TRY(BlocksOf(pin)));
  TRY(rows.Start(context, {.tenant = request.tenant, .filter = &all, .after = request.after}));
  RowReader reader(pin, SelectOutput(pin.schema(), output), output);
  std::optional<KeyRef> until;
  if (request.until) {
    until = KeyRef(*request.until);
  }
  ScanPage page;
  for (; !rows.done() && !(until && *until < rows.key()); rows.Next()) {
    if (page.records.size() == request.limit) {
      return page;
    }
    if (page.records.size() % kRowsBetweenChecks == 0) {
      TRY(context.CheckAlive("the scan"));
    }
    page.records.push_back(TRY(reader.Read(rows.block(), rows.slot())));
  }
  page.done = true;
  return page;
}

Result<uint64_t> RunCount(const RequestContext& context, const Pin& pin,
                          const CountRequest& request) {
  const SlotFilter filter(pin.schema(), request.filter.get());
  uint64_t count = 0;
  for (const PinnedBlock& block : TRY(BlocksOf(pin))) {
    TRY(context.CheckAlive("the count"));
    TRY(VerifyForFilter(pin, block, filter));
    count += AllowedRows(block.block, pin.lsn, request.tenant, filter, block.sorted()).count;
  }
  return count;
}

}  // namespace roost::embedded
