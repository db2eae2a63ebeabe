#include "migration/ledger_bracket.h"

#include <utility>

namespace roost {

LedgerBracket::LedgerBracket(std::shared_ptr<LedgerScope> scope,
                             std::shared_ptr<BracketState> state)
    : scope_(std::move(scope)), state_(std::move(state)) {}

LedgerBracket::~LedgerBracket() {
  if (!finished_) {
    Finish(std::vector(state_->keys.size(), MirrorOutcome::kUnknown));
  }
}

uint64_t LedgerBracket::fence() const { return state_->stamp; }

bool LedgerBracket::MayMirror(size_t key) const { return state_->marks[key].alone; }

Status LedgerBracket::AuthorityDone(const RequestContext& context,
                                    std::span<const WriteOutcome> outcomes) {
  return scope_->AuthorityDone(context, *state_, outcomes, {});
}

Status LedgerBracket::AuthorityDoneWith(const RequestContext& context,
                                        std::span<const WriteOutcome> outcomes,
                                        std::span<const Record* const> state) {
  return scope_->AuthorityDone(context, *state_, outcomes, state);
}

void LedgerBracket::ReplyBeforeFinish() { scope_->ReplyBeforeFinish(*state_); }

void LedgerBracket::Finish(std::span<const MirrorOutcome> outcomes) {
  finished_ = true;
  scope_->Finish(state_, outcomes);
}

}  // namespace roost
