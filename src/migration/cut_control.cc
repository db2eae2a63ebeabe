#include "migration/cut_control.h"

#include <algorithm>
#include <utility>

namespace roost {
namespace {

Error CutOff() { return Unavailable("the control store is cut off"); }

}  // namespace

void CutControl::CutAt(MigrationState state, bool before) {
  std::lock_guard lock(mutex_);
  state_ = state;
  before_ = before;
}

void CutControl::CutAtChunk(uint64_t n) {
  std::lock_guard lock(mutex_);
  chunks_left_ = n;
}

bool CutControl::Admit(const ControlTransaction& transaction, bool& last) {
  if (cut_) {
    return false;
  }
  if (!transaction.put_chunks.empty() && chunks_left_ > 0) {
    --chunks_left_;
    if (chunks_left_ == 0) {
      cut_ = true;
      return false;
    }
  }
  const auto& moves = transaction.put_migrations;
  const bool hit =
      state_.has_value() && std::any_of(moves.begin(), moves.end(), [&](const MigrationRow& row) {
        return row.state == MigrationStateName(*state_);
      });
  if (hit) {
    cut_ = true;
    last = !before_;
    return last;
  }
  return true;
}

Result<uint64_t> CutControl::NextSeq(uint64_t count) {
  if (cut_) {
    return CutOff();
  }
  return inner_->NextSeq(count);
}

Status CutControl::Commit(const RequestContext& context, ControlTransaction transaction) {
  {
    std::lock_guard lock(mutex_);
    bool last = false;
    if (!Admit(transaction, last)) {
      return CutOff();
    }
    if (last) {
      TRY(inner_->Commit(context, std::move(transaction)));
      return CutOff();  // Durable, but nobody is left to know.
    }
  }
  return inner_->Commit(context, std::move(transaction));
}

void CutControl::CommitLater(ControlTransaction transaction, std::function<void(Status)> done) {
  std::unique_lock lock(mutex_);
  bool last = false;
  if (Admit(transaction, last)) {
    // Under the mutex: nothing that is cut off may be followed by something that is not.
    inner_->CommitLater(std::move(transaction), std::move(done));
    return;
  }
  lock.unlock();
  if (done) {
    done(CutOff());
  }
}

}  // namespace roost
