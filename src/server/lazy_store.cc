#include "server/lazy_store.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/executor.h"
#include "base/log.h"

namespace roost {

namespace {

class LazyStore final : public VectorStore, private Adoption {
 public:
  LazyStore(std::string name, Capabilities declared, StoreFactory connect,
            std::chrono::milliseconds retry_after, Clock& clock)
      : name_(std::move(name)),
        declared_(std::move(declared)),
        connect_(std::move(connect)),
        retry_after_(retry_after),
        clock_(clock) {}

  const Capabilities& capabilities() const override {
    const std::lock_guard lock(mutex_);
    return store_ != nullptr ? store_->capabilities() : declared_;
  }

  Status CreateCollection(const RequestContext& context,
                          const CreateCollectionRequest& request) override {
    return TRY(Connected(context))->CreateCollection(context, request);
  }
  Status DropCollection(const RequestContext& context,
                        const DropCollectionRequest& request) override {
    return TRY(Connected(context))->DropCollection(context, request);
  }
  Result<CollectionDescription> DescribeCollection(const RequestContext& context,
                                                   const std::string& collection) override {
    return TRY(Connected(context))->DescribeCollection(context, collection);
  }
  Result<std::vector<std::string>> ListCollections(const RequestContext& context) override {
    return TRY(Connected(context))->ListCollections(context);
  }
  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    return TRY(Connected(context))->Insert(context, request);
  }
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    return TRY(Connected(context))->Upsert(context, request);
  }
  Result<DeleteResult> Delete(const RequestContext& context,
                              const DeleteRequest& request) override {
    return TRY(Connected(context))->Delete(context, request);
  }
  Result<GetResult> Get(const RequestContext& context, const GetRequest& request) override {
    return TRY(Connected(context))->Get(context, request);
  }
  Result<QueryResult> Query(const RequestContext& context, const QueryRequest& request) override {
    return TRY(Connected(context))->Query(context, request);
  }
  Result<SearchResult> Search(const RequestContext& context,
                              const SearchRequest& request) override {
    return TRY(Connected(context))->Search(context, request);
  }
  Result<SearchResult> HybridSearch(const RequestContext& context,
                                    const HybridSearchRequest& request) override {
    return TRY(Connected(context))->HybridSearch(context, request);
  }
  Result<ScanPage> Scan(const RequestContext& context, const ScanRequest& request) override {
    return TRY(Connected(context))->Scan(context, request);
  }
  Result<uint64_t> Count(const RequestContext& context, const CountRequest& request) override {
    return TRY(Connected(context))->Count(context, request);
  }
  Status CheckHealth(const RequestContext& context) override {
    return TRY(Connected(context))->CheckHealth(context);
  }
  Adoption* adoption() override { return this; }

 private:
  Result<std::vector<ForeignCollection>> ListForeign(const RequestContext& context) override {
    return TRY(Adopting(context))->ListForeign(context);
  }
  Result<AdoptionPlan> PlanAdoption(const RequestContext& context,
                                    const AdoptionQuery& query) override {
    return TRY(Adopting(context))->PlanAdoption(context, query);
  }
  Result<Adoption*> Adopting(const RequestContext& context) {
    VectorStore* store = TRY(Connected(context));
    if (store->adoption() == nullptr) {
      return Unimplemented("store \"" + name_ + "\" (" + store->capabilities().store +
                           ") cannot adopt what others made");
    }
    return store->adoption();
  }

  /// A thread of its own connects, because that may take longer than the caller has time.
  Result<VectorStore*> Connected(const RequestContext& context) {
    TRY(context.CheckAlive("connecting to the store"));
    std::unique_lock lock(mutex_);
    if (store_ != nullptr) {
      return store_.get();
    }
    if (!connecting_) {
      if (clock_.Now() < next_try_) {
        return NotConnected();
      }
      connector_ = std::jthread([this] { Connect(); });  // the last one has come to its end
      connecting_ = true;
    }
    const BlockingSection blocking;
    const auto until = context.deadline.infinite()
                           ? std::chrono::steady_clock::now() + std::chrono::hours(24)
                           : context.deadline.time;
    if (!changed_.wait_until(lock, context.stop, until, [this] { return !connecting_; })) {
      TRY(context.CheckAlive("connecting to store \"" + name_ + "\""));
    }
    return store_ != nullptr ? Result<VectorStore*>(store_.get()) : NotConnected();
  }

  Error NotConnected() const {
    return Unavailable("store \"" + name_ +
                       "\" is not connected: " + (connecting_ ? "connecting" : last_error_));
  }

  void Connect() {
    Result<std::unique_ptr<VectorStore>> opened = connect_();
    if (opened.ok()) {
      LogInfo("a store is connected",
              {{"store", name_}, {"version", (*opened)->capabilities().version}});
    } else {
      LogWarning("a store cannot be reached", {{"store", name_}, {"error", opened.error()}});
    }
    const std::lock_guard lock(mutex_);
    connecting_ = false;
    if (opened.ok()) {
      store_ = *std::move(opened);
    } else {
      last_error_ = opened.error().message;
      next_try_ = clock_.Now() + retry_after_;
    }
    changed_.notify_all();
  }

  const std::string name_;
  const Capabilities declared_;
  const StoreFactory connect_;
  const std::chrono::milliseconds retry_after_;
  Clock& clock_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::unique_ptr<VectorStore> store_;  // never taken away once set
  bool connecting_ = false;
  SteadyTime next_try_{};
  std::string last_error_;
  std::jthread connector_;  // destroyed first: it uses the rest
};

}  // namespace

std::unique_ptr<VectorStore> MakeLazyStore(std::string name, Capabilities declared,
                                           StoreFactory connect,
                                           std::chrono::milliseconds retry_after, Clock& clock) {
  return std::make_unique<LazyStore>(std::move(name), std::move(declared), std::move(connect),
                                     retry_after, clock);
}

}  // namespace roost
