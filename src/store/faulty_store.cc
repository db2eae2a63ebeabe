#include "store/faulty_store.h"

#include <algorithm>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "store/intercepted_store.h"

namespace roost {
namespace {

Error Unknown(Error error) {
  error.outcome_unknown = true;
  return error;
}

class FaultyStoreImpl final : public InterceptedStore<FaultyStoreImpl, FaultyStore> {
 public:
  FaultyStoreImpl(VectorStore& inner, Clock& clock, Random& random)
      : InterceptedStore(inner), store_(inner), clock_(clock), random_(random) {}

  void SetFaults(FaultPlan plan) override {
    const std::lock_guard lock(mutex_);
    plan_ = plan;
  }
  uint64_t faults_played() const override {
    const std::lock_guard lock(mutex_);
    return played_;
  }
  void Settle() override {
    Land(SteadyTime::max());
    std::unique_lock lock(mutex_);
    landed_.wait(lock, [&] { return landing_ == 0; });
  }

  Result<WriteResult> Insert(const RequestContext& context, const WriteRequest& request) override {
    return Write<WriteResult>(
        context, StoreCall::kInsert, request, request.records, &WriteRequest::records,
        [this](const RequestContext& c, const auto& r) { return store_.Insert(c, r); });
  }
  Result<WriteResult> Upsert(const RequestContext& context, const WriteRequest& request) override {
    return Write<WriteResult>(
        context, StoreCall::kUpsert, request, request.records, &WriteRequest::records,
        [this](const RequestContext& c, const auto& r) { return store_.Upsert(c, r); });
  }
  Result<DeleteResult> Delete(const RequestContext& context,
                              const DeleteRequest& request) override {
    return Write<DeleteResult>(
        context, StoreCall::kDelete, request, request.keys, &DeleteRequest::keys,
        [this](const RequestContext& c, const auto& r) { return store_.Delete(c, r); });
  }

  /// Every call but the three above, and these where none of their own faults is due.
  template <typename Run>
  auto Intercept(const RequestContext& context, StoreCall call, Run run) -> decltype(run(context)) {
    const FaultPlan plan = Begin();
    if (const Status entered = Enter(context, call, plan); !entered.ok()) {
      return entered.error();
    }
    const bool fail_after = Happens(plan.fail_after);
    auto result = run(context);
    return fail_after ? decltype(result)(FailAfter(call)) : std::move(result);
  }

 private:
  FaultPlan Begin() {
    Land(clock_.Now());
    const std::lock_guard lock(mutex_);
    return plan_;
  }

  bool Happens(double probability) {
    // No draw for a fault that is off: one more kind of fault leaves other seeds' histories alone.
    return probability > 0 && random_.NextDouble() < probability;
  }
  void Played() {
    const std::lock_guard lock(mutex_);
    ++played_;
  }

  /// The faults before the store is reached.
  Status Enter(const RequestContext& context, StoreCall call, const FaultPlan& plan) {
    const std::string doing = "calling a faulty store";
    if (plan.delay.count() > 0) {
      const auto pause =
          std::min<std::chrono::nanoseconds>(plan.delay, context.deadline.Remaining());
      clock_.SleepFor(pause, context.stop);
      TRY(context.CheckAlive(doing));
    }
    if (plan.down || Happens(plan.fail_before)) {
      Played();
      return Unavailable("the store is not reached (planned fault)");
    }
    if (plan.hang) {
      Played();
      clock_.SleepUntil(context.deadline.time, context.stop);
      Error error = context.stop.stop_requested()
                        ? Cancelled("cancelled while the store hangs (planned fault)")
                        : DeadlineExceeded("the store hangs (planned fault)");
      error.outcome_unknown = IsWrite(call);
      return error;
    }
    return {};
  }

  Error FailAfter(StoreCall call) {
    Played();
    Error error = Unavailable("the reply is lost (planned fault)");
    error.outcome_unknown = IsWrite(call);
    return error;
  }

  template <typename Output, typename Request, typename Rows, typename Send>
  Result<Output> Write(const RequestContext& context, StoreCall call, const Request& request,
                       const Rows& rows, Rows Request::* member, Send send) {
    const FaultPlan plan = Begin();
    TRY(Enter(context, call, plan));
    if (Happens(plan.lose)) {
      Played();
      Output done;
      Written(done) = rows.size();
      return done;
    }
    if (Happens(plan.late)) {
      Played();
      // Whoever asked may be gone by then: the write has no deadline.
      Postpone(clock_.Now() + plan.late_by,
               [send, request] { static_cast<void>(send(RequestContext(), request)); });
      return Unknown(DeadlineExceeded("the store is too slow (planned fault)"));
    }
    Request reduced = request;
    std::vector<size_t> kept(rows.size());
    for (size_t i = 0; i < kept.size(); ++i) {
      kept[i] = i;
    }
    std::vector<RowError> failed;
    if (!rows.empty() && Happens(plan.partial)) {
      Played();
      failed = DropRows(reduced.*member, kept);
    }
    const bool fail_after = Happens(plan.fail_after);
    auto result = send(context, reduced);
    if (fail_after) {
      return FailAfter(call);
    }
    if (result.ok()) {
      for (auto& error : result->errors) {
        error.row = kept[error.row];
      }
      result->errors.insert(result->errors.end(), failed.begin(), failed.end());
      std::sort(result->errors.begin(), result->errors.end(),
                [](const RowError& a, const RowError& b) { return a.row < b.row; });
    }
    return result;
  }

  static uint64_t& Written(WriteResult& result) { return result.written; }
  static uint64_t& Written(DeleteResult& result) { return result.deleted; }

  /// Takes each row out with probability one half, one certainly; `kept` keeps their old numbers.
  template <typename Rows>
  std::vector<RowError> DropRows(Rows& rows, std::vector<size_t>& kept) {
    const size_t certain = random_.Below(rows.size());
    std::vector<RowError> failed;
    Rows left;
    kept.clear();
    for (size_t row = 0; row < rows.size(); ++row) {
      if (row == certain || random_.Below(2) == 0) {
        failed.push_back({.row = row, .error = Unavailable("this row failed (planned fault)")});
      } else {
        kept.push_back(row);
        left.push_back(std::move(rows[row]));
      }
    }
    rows = std::move(left);
    return failed;
  }

  void Postpone(SteadyTime until, std::function<void()> write) {
    const std::lock_guard lock(mutex_);
    late_.emplace(until, std::move(write));
  }

  /// Carries out the late writes whose time is `now` or before.
  void Land(SteadyTime now) {
    std::unique_lock lock(mutex_);
    while (!late_.empty() && late_.begin()->first <= now) {
      const auto write = std::move(late_.begin()->second);
      late_.erase(late_.begin());
      ++landing_;
      lock.unlock();
      write();
      lock.lock();
      --landing_;
      landed_.notify_all();
    }
  }

  VectorStore& store_;
  Clock& clock_;
  Random& random_;

  mutable std::mutex mutex_;
  std::condition_variable landed_;
  int landing_ = 0;  ///< late writes under way
  FaultPlan plan_;
  uint64_t played_ = 0;
  std::multimap<SteadyTime, std::function<void()>> late_;
};

}  // namespace

std::unique_ptr<FaultyStore> MakeFaultyStore(VectorStore& inner, Clock& clock, Random& random) {
  return std::make_unique<FaultyStoreImpl>(inner, clock, random);
}

}  // namespace roost
