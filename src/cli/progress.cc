#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "base/strings.h"

namespace roost {

namespace {

std::optional<double> Fraction(const ProgressState& state) {
  if (state.total && *state.total > 0) {
    return std::min(1.0, static_cast<double>(state.done) / static_cast<double>(*state.total));
  }
  return state.fraction;
}

}  // namespace

std::string DescribeProgress(const ProgressState& state, std::string_view unit,
                             std::chrono::nanoseconds elapsed) {
  std::string out = HumanCount(state.done);
  if (state.total) {
    out += " of " + HumanCount(*state.total);
  }
  out += " " + std::string(unit);
  const std::optional<double> fraction = Fraction(state);
  if (fraction) {
    out += ", " + std::to_string(static_cast<int>(*fraction * 100)) + " %";
  }
  const double seconds = std::chrono::duration<double>(elapsed).count();
  if (seconds > 0 && state.done > 0) {
    const double rate = static_cast<double>(state.done) / seconds;
    out += ", " + HumanCount(static_cast<uint64_t>(std::llround(rate))) + "/s";
    if (fraction && *fraction > 0.01 && *fraction < 1) {
      const double left = seconds * (1 - *fraction) / *fraction;
      out += ", " + HumanDuration(std::chrono::seconds(std::llround(left))) + " left";
    }
  }
  if (state.failed > 0) {
    out += ", " + HumanCount(state.failed) + " refused";
  }
  return out;
}

Progress::Progress(Options options, std::ostream& out, Clock& clock)
    : options_(std::move(options)), out_(out), clock_(clock), start_(clock.Now()), last_(start_) {}

void Progress::Update(const ProgressState& state) {
  const SteadyTime now = clock_.Now();
  if (options_.quiet || now - last_ < (options_.live ? options_.redraw : options_.line)) {
    return;
  }
  last_ = now;
  const std::string text =
      options_.label + ": " + DescribeProgress(state, options_.unit, now - start_);
  if (options_.live) {
    out_ << "\r\033[K" << text << std::flush;
    drawn_ = true;
  } else {
    out_ << text << std::endl;
  }
}

void Progress::Clear() {
  if (drawn_) {
    out_ << "\r\033[K" << std::flush;
    drawn_ = false;
  }
}

std::string Bar(double fraction, size_t width) {
  const double clamped = std::clamp(fraction, 0.0, 1.0);
  const auto full = static_cast<size_t>(clamped * static_cast<double>(width));
  return std::string(full, '#') + std::string(width - full, '-');
}

}  // namespace roost
