#include "cli/move_view.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/strings.h"
#include "cli/progress.h"
#include "cli/records_view.h"

namespace roost {

namespace bj = boost::json;

namespace {

constexpr std::array<std::string_view, 10> kStates = {"PLANNED",  "CAPTURE", "COPY", "MIRROR",
                                                      "VERIFY",   "SHADOW",  "RAMP", "FENCE",
                                                      "SWITCHED", "REVERSED"};

size_t Place(std::string_view state) {
  return static_cast<size_t>(std::find(kStates.begin(), kStates.end(), state) - kStates.begin());
}

bool Flag(const bj::value& move, std::string_view name) {
  const bj::value* member =
      move.get_object().if_contains(bj::string_view(name.data(), name.size()));
  return member != nullptr && member->is_bool() && member->get_bool();
}

double Count(const bj::value& move, std::string_view name) {
  const bj::value* counts = move.get_object().if_contains("counts");
  return counts == nullptr ? 0 : NumberMember(*counts, name);
}

std::string Human(double count) { return HumanCount(static_cast<uint64_t>(std::max(count, 0.0))); }

std::optional<double> SecondsLeft(const bj::value& move) {
  if (!move.get_object().contains("seconds_left")) {
    return std::nullopt;
  }
  return NumberMember(move, "seconds_left");
}

// How much of the present state's work is done, where it is a matter of counting.
std::optional<double> Fraction(const bj::value& move, std::string_view state) {
  const double records = Count(move, "source_records");
  const double chunks = Count(move, "chunks");
  if (state == "COPY" && chunks > 0) {
    return Count(move, "chunks_closed") / chunks;
  }
  if (state == "VERIFY" && records > 0) {
    return Count(move, "verified") / records;
  }
  if (state == "RAMP") {
    return NumberMember(move, "read_percent_target") / 100;
  }
  return std::nullopt;
}

double LastRampPercent(const bj::value& move) {
  const bj::value* policy = move.get_object().if_contains("policy");
  const bj::value* steps =
      policy == nullptr ? nullptr : policy->get_object().if_contains("ramp_percents");
  const bool listed = steps != nullptr && steps->is_array() && !steps->get_array().empty();
  return listed ? steps->get_array().back().to_number<double>() : 100;
}

std::string StateLine(std::string_view state) {
  std::string out;
  const size_t at = Place(state);
  for (size_t i = 0; i < kStates.size(); ++i) {
    out += i > 0 ? " " : "";
    out += i == at ? fmt::format("[{}]", kStates[i])
                   : fmt::format("{}{}", at < kStates.size() && i < at ? "✓" : "·", kStates[i]);
  }
  return at < kStates.size() ? out : fmt::format("{} [{}]", out, state);
}

// The numbers of the present state.
std::string Work(const bj::value& move, std::string_view state) {
  std::string out = fmt::format("{} of {} copied", Human(Count(move, "copied")),
                                Human(Count(move, "source_records")));
  const double rate = Count(move, "copy_rows_per_second");
  if (state == "COPY" && rate > 0) {
    out += fmt::format(", {}/s", Human(rate));
  }
  if (const std::optional<double> left = SecondsLeft(move)) {
    const auto seconds = std::chrono::seconds(static_cast<int64_t>(std::llround(*left)));
    out += fmt::format(", {} left", HumanDuration(seconds));
  }
  out += fmt::format(" · dirty {} · in flight {}", Human(Count(move, "dirty")),
                     Human(Count(move, "inflight")));
  if (Count(move, "verified") > 0) {
    out += fmt::format(" · verified {} ({} equal, {} different, {} missing, {} extra)",
                       Human(Count(move, "verified")), Human(Count(move, "verified_equal")),
                       Human(Count(move, "different")), Human(Count(move, "missing")),
                       Human(Count(move, "extra")));
  }
  if (Count(move, "shadow_reads") > 0) {
    out += fmt::format(" · shadow {} reads, {:.1f} % alike", Human(Count(move, "shadow_reads")),
                       Count(move, "shadow_overlap") * 100);
  }
  if (Count(move, "dead_letters") > 0) {
    out += fmt::format(" · {} dead letters", Human(Count(move, "dead_letters")));
  }
  return out;
}

}  // namespace

bool MoveRests(const bj::value& move) {
  const std::string state = TextMember(move, "state");
  const std::string goal = TextMember(move, "goal");
  if (Flag(move, "final")) {
    return true;
  }
  const bool between = state == "FENCE" || state == "SWITCHED" || state == "ROLLING_BACK";
  if (!TextMember(move, "command").empty() || between || Place(state) < Place(goal)) {
    return false;
  }
  if (state == "VERIFY" && goal == "VERIFY") {
    return Flag(move, "verified");
  }
  if (state == "RAMP" && goal == "RAMP") {
    return NumberMember(move, "read_percent_target") >= LastRampPercent(move);
  }
  return true;
}

std::vector<std::string> MoveScreen(const bj::value& move, size_t width) {
  const std::string state = TextMember(move, "state");
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{}: {} from {} to {}, goal {}", TextMember(move, "id"),
                              TextMember(move, "collection"), TextMember(move, "source"),
                              TextMember(move, "target"), TextMember(move, "goal")));
  lines.push_back(StateLine(state));
  if (const std::optional<double> fraction = Fraction(move, state)) {
    lines.push_back(fmt::format("[{}] {:3.0f} %", Bar(*fraction, 40), *fraction * 100));
  }
  lines.push_back(Work(move, state));
  if (const std::string waiting = TextMember(move, "waiting_for"); !waiting.empty()) {
    lines.push_back("waiting for: " + waiting);
  }
  if (const std::string trouble = TextMember(move, "last_error"); !trouble.empty()) {
    lines.push_back("trouble: " + trouble);
  }
  for (std::string& line : lines) {
    line = width == 0 ? line : CutTo(line, width);
  }
  return lines;
}

std::string MoveLine(const bj::value& move) {
  const std::string state = TextMember(move, "state");
  std::string out = state;
  if (const std::optional<double> fraction = Fraction(move, state)) {
    out += fmt::format(" {:.0f} %", std::floor(*fraction * 10) * 10);
  }
  const std::string waiting = TextMember(move, "waiting_for");
  if (TextMember(move, "goal") == state && !waiting.empty()) {
    out += "; waiting for: " + waiting;
  }
  if (Flag(move, "verified")) {
    out += "; verified";
  }
  const std::string trouble = TextMember(move, "last_error");
  return trouble.empty() ? out : out + "; trouble: " + trouble;
}

Table MovesTable(const bj::array& moves) {
  Table table({"id", "collection", "from", "to", "state", "goal", "verified", "waiting for"});
  for (const bj::value& move : moves) {
    const std::string trouble = TextMember(move, "last_error");
    table.AddRow({TextMember(move, "id"), TextMember(move, "collection"),
                  TextMember(move, "source"), TextMember(move, "target"), TextMember(move, "state"),
                  TextMember(move, "goal"), Flag(move, "verified") ? "yes" : "no",
                  trouble.empty() ? TextMember(move, "waiting_for") : trouble});
  }
  return table;
}

}  // namespace roost
