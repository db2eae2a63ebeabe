#pragma once

#include <memory>

#include "migration/ledger_scope.h"

namespace roost {

/// The writer's handle on its bracket.
class LedgerBracket final : public WriteBracket {
 public:
  LedgerBracket(std::shared_ptr<LedgerScope> scope, std::shared_ptr<BracketState> state);
  ~LedgerBracket() override;

  uint64_t fence() const override;
  bool MayMirror(size_t key) const override;
  Status AuthorityDone(const RequestContext& context,
                       std::span<const WriteOutcome> outcomes) override;
  Status AuthorityDoneWith(const RequestContext& context, std::span<const WriteOutcome> outcomes,
                           std::span<const Record* const> state) override;
  void ReplyBeforeFinish() override;
  void Finish(std::span<const MirrorOutcome> outcomes) override;

 private:
  const std::shared_ptr<LedgerScope> scope_;
  const std::shared_ptr<BracketState> state_;
  bool finished_ = false;
};

}  // namespace roost
