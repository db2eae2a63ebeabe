#include "adapters/embedded/embedded_store.h"

#include <algorithm>
#include <utility>

#include "adapters/embedded/core.h"
#include "adapters/embedded/maintenance.h"
#include "adapters/embedded/reads.h"
#include "adapters/embedded/recovery.h"
#include "adapters/embedded/search_slots.h"
#include "adapters/embedded/searches.h"
#include "adapters/embedded/sequencer.h"
#include "adapters/embedded/snapshot.h"
#include "adapters/embedded/structure.h"
#include "base/log.h"
#include "store/fusion.h"
#include "store/validate.h"

namespace roost {

namespace {

using embedded::Core;
using embedded::Pin;

class EmbeddedStoreImpl final : public EmbeddedStore {
 public:
  EmbeddedStoreImpl(EmbeddedOptions options, FileSystem& file_system, Clock& clock)
      : capabilities_(EmbeddedCapabilities()),
        core_(std::move(options), file_system, clock),
        slots_(core_.options.search_slots, core_.options.max_waiting_searches),
        maintenance_(core_),
        sequencer_(core_, capabilities_, [this] { maintenance_.Wake(); }) {}

  /// Seals what is in memory so that the next opening need not read the log. When that fails the
  /// log has it all.
  ~EmbeddedStoreImpl() override {
    maintenance_.Stop();
    if (core_.wal == nullptr || core_.failure.is_set()) {
      return;
    }
    if (const Status flushed = maintenance_.FlushAll(); !flushed.ok()) {
      LogWarning(
          "The store was closed with writes that are only in the log; the next opening "
          "reads them from there",
          {{"folder", core_.options.folder}, {"error", flushed.error()}});
    }
  }

  Status Open(Metrics& metrics) {
    const SteadyTime start = core_.clock.Now();
    core_.commit = std::make_unique<embedded::GroupCommit>(
        embedded::GroupCommit::Options{.window = core_.options.group_commit_window,
                                       .bytes = core_.options.group_commit_bytes},
        [this] { return core_.SyncLog(); });
    TRY(embedded::Recover(core_, opened_));
    opened_.open_time =
        std::chrono::duration_cast<std::chrono::milliseconds>(core_.clock.Now() - start);
    if (core_.options.background) {
      maintenance_.StartThreads();
    }
    replayed_ = &metrics.GetGauge("roost_embedded_replayed_records",
                                  "Log records read when the store was opened");
    replayed_->Set(static_cast<double>(opened_.wal_records_replayed));
    LogInfo("The embedded store is open", {{"folder", core_.options.folder},
                                           {"records_replayed", opened_.wal_records_replayed},
                                           {"bytes_dropped", opened_.wal_bytes_dropped},
                                           {"open_ms", opened_.open_time.count()}});
    return {};
  }

  const Capabilities& capabilities() const override { return capabilities_; }

  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override {
    TRY(context.CheckAlive("creating a collection"));
    TRY(ValidateSchema(request.schema, capabilities_));
    std::lock_guard structure(core_.structure_mutex);
    return embedded::PublishNewCollection(core_, request.schema);
  }

  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override {
    TRY(context.CheckAlive("dropping a collection"));
    std::lock_guard structure(core_.structure_mutex);
    const auto collection = core_.catalog.Find(request.collection);
    if (collection == nullptr) {
      return NotFound("collection \"" + request.collection + "\" does not exist");
    }
    return embedded::PublishDrop(core_, collection);
  }

  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& collection) override {
    TRY(context.CheckAlive("describing a collection"));
    const Pin pin = TRY(core_.catalog.PinCollection(collection));
    CollectionDescription description{.schema = pin.schema()};
    description.estimated_count = TRY(embedded::RunCount(context, pin, {}));
    for (const auto& segment : pin.version->sealed) {
      description.bytes_on_disk += segment->file_bytes();
      description.index_ready = description.index_ready && segment->index_done.load();
    }
    return description;
  }

  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override {
    TRY(context.CheckAlive("listing collections"));
    return core_.catalog.Names();
  }

  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    return sequencer_.Insert(context, request);
  }
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    return sequencer_.Upsert(context, request);
  }
  Result<DeleteResult> Delete(const RequestContext& context,
                              const DeleteRequest& request) override {
    return sequencer_.Delete(context, request);
  }

  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override {
    TRY(context.CheckAlive("the get"));
    const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
    TRY(ValidateKeys(pin.schema(), capabilities_, request.keys));
    TRY(ValidateOutput(pin.schema(), request.output));
    return embedded::RunGet(context, pin, request);
  }

  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override {
    TRY(context.CheckAlive("the query"));
    const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
    TRY(ValidateOutput(pin.schema(), request.output));
    return embedded::RunQuery(context, pin, request);
  }

  Result<SearchResult> Search(const RequestContext& context,
                              const SearchRequest& request) override {
    TRY(context.CheckAlive("the search"));
    const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
    const VectorFieldSchema* field = TRY(ValidateSearch(pin.schema(), capabilities_, request));
    TRY(ValidateOutput(pin.schema(), request.output));
    const auto slot = TRY(slots_.Enter(context));
    if (field == nullptr) {
      return embedded::RunKeywordSearch(context, pin, request);
    }
    const auto position = static_cast<size_t>(field - pin.schema().vectors.data());
    return embedded::RunVectorSearch(context, pin, request, position);
  }

  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override {
    return FuseSearches(*this, context, request);
  }

  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override {
    TRY(context.CheckAlive("the scan"));
    if (request.limit < 1) {
      return InvalidArgument("the scan's limit is 0; at least 1");
    }
    const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
    return embedded::RunScan(context, pin, request);
  }

  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override {
    TRY(context.CheckAlive("the count"));
    const Pin pin = TRY(core_.catalog.PinCollection(request.collection));
    return embedded::RunCount(context, pin, request);
  }

  Status CheckHealth(const RequestContext& context) override {
    TRY(context.CheckAlive("the health check"));
    return core_.failure.Check();
  }

  EmbeddedStats stats() const override {
    EmbeddedStats stats = opened_;
    for (const Pin& pin : core_.catalog.PinAll()) {
      stats.segments += pin.version->sealed.size();
      for (const auto& segment : pin.version->sealed) {
        stats.bytes_on_disk += segment->file_bytes();
      }
      if (const auto count = embedded::RunCount({}, pin, {}); count.ok()) {
        stats.records += count.value();
      }
    }
    stats.busy = maintenance_.busy();
    return stats;
  }

  Status WaitIdle(const RequestContext& context) override { return maintenance_.WaitIdle(context); }
  Status Compact(const RequestContext& context, const std::string& collection) override {
    return maintenance_.Compact(context, collection);
  }
  Status Snapshot(const RequestContext& context, const std::string& folder) override {
    TRY(context.CheckAlive("the snapshot"));
    return embedded::WriteSnapshot(core_, context, folder);
  }

  Status Verify(const RequestContext& context) override {
    Status first;
    for (const Pin& pin : core_.catalog.PinAll()) {
      for (const auto& segment : pin.version->sealed) {
        TRY(context.CheckAlive("verifying segments"));
        Status checked = pin.collection->Watch(segment->VerifyAll());
        if (!checked.ok() && first.ok()) {
          first = std::move(checked);
        }
      }
    }
    return first;
  }

 private:
  const Capabilities capabilities_;
  Core core_;
  embedded::SearchSlots slots_;
  embedded::Maintenance maintenance_;
  embedded::Sequencer sequencer_;
  EmbeddedStats opened_;
  Gauge* replayed_ = nullptr;
};

}  // namespace

Capabilities EmbeddedCapabilities() {
  Capabilities capabilities;
  capabilities.store = "embedded";
  capabilities.version = "1";
  for (int type = 0; type <= static_cast<int>(DataType::kSparseVector); ++type) {
    capabilities.types.insert(static_cast<DataType>(type));
  }
  capabilities.metrics = {Metric::kL2, Metric::kCosine, Metric::kInnerProduct};
  capabilities.keyword_search = true;
  capabilities.dynamic_fields = true;
  capabilities.tenants = true;
  // A write whose caller stopped waiting lands when the disk is done with it.
  capabilities.zombie_horizon = std::chrono::seconds(10);
  return capabilities;
}

Result<std::unique_ptr<EmbeddedStore>> OpenEmbeddedStore(const EmbeddedOptions& options,
                                                         FileSystem& file_system, Clock& clock,
                                                         Metrics& metrics) {
  auto store = std::make_unique<EmbeddedStoreImpl>(options, file_system, clock);
  TRY(store->Open(metrics));
  return std::unique_ptr<EmbeddedStore>(std::move(store));
}

}  // namespace roost
