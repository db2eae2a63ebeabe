#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "base/clock.h"

namespace roost {

/// How far a long piece of work is.
struct ProgressState {
  uint64_t done = 0;
  std::optional<uint64_t> total;
  std::optional<double> fraction;  ///< 0 to 1, where the total is not known
  uint64_t failed = 0;
};

/// "12.3 k rows, 45 %, 8.1 k/s, 2 s left" for people.
std::string DescribeProgress(const ProgressState& state, std::string_view unit,
                             std::chrono::nanoseconds elapsed);

/// Shows it: on a terminal one line that is redrawn, elsewhere a line now and then. One thread.
class Progress {
 public:
  struct Options {
    std::string label;  ///< "books"
    std::string unit = "rows";
    bool live = false;   ///< a terminal
    bool quiet = false;  ///< show nothing
    std::chrono::milliseconds redraw{200};
    std::chrono::milliseconds line{5'000};
  };

  Progress(Options options, std::ostream& out, Clock& clock);
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(const ProgressState& state);
  /// Takes the line off the terminal again.
  void Clear();
  std::chrono::nanoseconds Elapsed() const { return clock_.Now() - start_; }

 private:
  const Options options_;
  std::ostream& out_;
  Clock& clock_;
  const SteadyTime start_;
  SteadyTime last_;
  bool drawn_ = false;
};

/// "#####-----" of `width` columns.
std::string Bar(double fraction, size_t width);

}  // namespace roost
