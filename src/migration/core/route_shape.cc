#include <algorithm>

#include "migration/core/decisions.h"

namespace roost {
namespace {

uint32_t RampPercent(const MigrationProgress& progress, const MigrationPolicy& policy) {
  if (progress.ramp_step == 0 || policy.ramp_percents.empty()) {
    return 0;
  }
  // The list may have been shortened while the move stood on a later step.
  const size_t step = std::min<size_t>(progress.ramp_step, policy.ramp_percents.size());
  return std::min<uint32_t>(policy.ramp_percents[step - 1], 100);
}

RouteShape OnB(bool hold_writes) {
  return {.authority_is_b = true,
          .mirror = !hold_writes,
          .capture = true,
          .capture_payload = true,
          .hold_writes = hold_writes,
          .read_percent_b = 100};
}

}  // namespace

RouteShape ShapeOf(const MigrationProgress& progress, const MigrationPolicy& policy) {
  switch (progress.state) {
    case MigrationState::kPlanned:
    case MigrationState::kAborted:
      return {};
    case MigrationState::kCapture:
    case MigrationState::kCopy:
      return {.capture = true};
    case MigrationState::kMirror:
    case MigrationState::kVerify:
      return {.mirror = true, .capture = true};
    case MigrationState::kShadow:
      return {.mirror = true, .capture = true, .shadow_percent = policy.shadow_percent};
    case MigrationState::kRamp:
      return {.mirror = true,
              .capture = true,
              .read_percent_b = RampPercent(progress, policy),
              .shadow_percent = policy.shadow_percent};
    case MigrationState::kFence:
      return {.capture = true, .hold_writes = true};
    case MigrationState::kSwitched: {
      RouteShape shape = OnB(true);
      shape.mirror = true;  // No write passes; the shape is REVERSED's but for the hold.
      return shape;
    }
    case MigrationState::kReversed:
      return OnB(false);
    case MigrationState::kRollingBack:
      return progress.ramp_step == 0 ? OnB(true) : RouteShape{.capture = true, .hold_writes = true};
    case MigrationState::kCommitted:
      return {.authority_is_b = true, .read_percent_b = 100};
  }
  return {};
}

}  // namespace roost
