// roost_simulation: the model check of the ledger and the seeded schedules of whole moves.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/json.h"
#include "model_trial.h"
#include "trial.h"

namespace roost::simulation {
namespace {

constexpr uint64_t kBugLimit = 5'000'000;  ///< schedules after which a planted bug counts as unseen

/// Names and numbers, written as one JSON object in the order in which they came.
class Figures {
 public:
  void Add(std::string_view name, uint64_t value) {
    std::string text;
    AppendJsonUint(text, value);
    AddRaw(name, text);
  }
  void Add(std::string_view name, const std::vector<std::string>& values) {
    std::string text = "[";
    for (const std::string& value : values) {
      text += text.size() > 1 ? ", " : "";
      AppendJsonString(text, value);
    }
    AddRaw(name, text + "]");
  }
  /// One number for each name.
  void Add(std::string_view name, const std::vector<std::pair<std::string, uint64_t>>& values) {
    std::string text = "{";
    for (const auto& [key, value] : values) {
      text += text.size() > 1 ? ", " : "";
      AppendJsonString(text, key);
      text += ": ";
      AppendJsonUint(text, value);
    }
    AddRaw(name, text + "}");
  }
  bool Write(const std::string& file) const {
    std::ofstream out(file);
    out << "{" << text_ << "}\n";
    return static_cast<bool>(out.flush());
  }

 private:
  void AddRaw(std::string_view name, const std::string& value) {
    text_ += text_.empty() ? "" : ", ";
    AppendJsonString(text_, name);
    text_ += ": " + value;
  }
  std::string text_;
};

struct Options {
  bool three_writers = false;
  bool traces = true;
  uint64_t count = 1'000'000;
  uint64_t seed = 0;
  unsigned jobs = 1;
  uint64_t limit = kBugLimit;
  uint64_t replay_seed = 0;
  PlantedBug bug = PlantedBug::kNone;
  std::string json;
};

void PrintTrace(const std::vector<std::string>& trace) {
  for (size_t i = 0; i < trace.size(); ++i) {
    fmt::print("    {:2}. {}\n", i + 1, trace[i]);
  }
}

/// Prints what a search of the rules as they are found; true: nothing.
bool Sound(std::string_view what, const ModelTotals& totals, Figures& figures,
           std::string_view figure) {
  fmt::print("{}: {} configurations, {} states, {} ends: {}\n", what, totals.configurations,
             totals.states, totals.ends,
             totals.truncated           ? "NOT ALL STATES WERE SEEN"
             : totals.violation.empty() ? "every end is equal and settled, no state is a trap"
                                        : "VIOLATION: " + totals.violation);
  PrintTrace(totals.trace);
  std::fflush(stdout);
  figures.Add(figure, totals.states);
  return totals.violation.empty() && !totals.truncated;
}

/// Prints how a rule's absence was seen; true: it was.
bool Caught(const ModelFind& find, const Options& options) {
  if (find.violation.empty()) {
    fmt::print("  {}: NOT CAUGHT\n", find.rule);
  } else {
    fmt::print("  {}: {} after {} steps\n", find.rule, find.violation, find.trace.size());
  }
  if (options.traces) {
    PrintTrace(find.trace);
  }
  std::fflush(stdout);
  return !find.violation.empty();
}

bool RunModel(const Options& options, Figures& figures) {
  bool sound = Sound("ledger, two writers", CheckLedgerConfigs(TwoWriterConfigs()), figures,
                     "ledger_states");
  if (options.three_writers) {
    sound &= Sound("ledger, three writers", CheckLedgerConfigs(ThreeWriterConfigs()), figures,
                   "ledger_states_three_writers");
  }
  const SearchResult cutover = CheckCutoverModel({});
  sound &= Sound("cut-over and rollback",
                 {.configurations = 1,
                  .states = cutover.states,
                  .ends = cutover.ends,
                  .violation = cutover.violation,
                  .trace = cutover.trace,
                  .truncated = cutover.truncated},
                 figures, "cutover_states");
  std::vector<std::string> missed;
  uint64_t caught = 0;
  const auto judge = [&](const ModelFind& find) {
    if (Caught(find, options)) {
      ++caught;
    } else {
      missed.push_back(find.rule);
    }
  };
  fmt::print("rules of the ledger, each left out once:\n");
  for (const LedgerMutation mutation : LedgerMutations()) {
    judge(CatchMutation(mutation, TwoWriterConfigs()));
  }
  figures.Add("ledger_mutations_caught", std::exchange(caught, 0));
  fmt::print("rules of the cut-over, each left out once:\n");
  for (const CutoverMistake mistake : CutoverMistakes()) {
    judge(CatchMistake(mistake, {}));
  }
  figures.Add("cutover_mistakes_caught", caught);
  figures.Add("rules_missed", missed);
  return sound && missed.empty();
}

bool RunSchedules(const Options& options, Figures& figures) {
  const TrialReport report =
      RunTrial({.first_seed = options.seed, .count = options.count, .jobs = options.jobs});
  std::cout << CoverageTable(report.coverage);
  const auto missing = Uncovered(report.coverage);
  std::vector<std::string> names;
  for (const auto& [state, fault] : missing) {
    names.push_back(fmt::format("{} in {}", FaultName(fault), MigrationStateName(state)));
  }
  fmt::print(
      "{} schedules of {} steps on average, {:.0f} a minute with {} threads, {:.0f} a minute of "
      "one processor's time\n"
      "{} cut-overs under load; {} schedules run twice, {} of them not the same\n"
      "{} violations; {} pairs of state and fault were not met\n",
      report.schedules, report.steps / std::max<uint64_t>(report.schedules, 1), report.PerMinute(),
      options.jobs, report.PerProcessorMinute(), report.cutovers_under_load, report.replayed,
      report.not_replayed, report.violations, missing.size());
  for (const TrialFind& find : report.finds) {
    fmt::print("VIOLATION seed {}: {}\n", find.seed, find.violation);
  }
  for (const std::string& name : names) {
    fmt::print("NOT MET: {}\n", name);
  }
  figures.Add("schedules", report.schedules);
  figures.Add("schedules_per_minute", static_cast<uint64_t>(report.PerMinute()));
  figures.Add("schedules_per_processor_minute", static_cast<uint64_t>(report.PerProcessorMinute()));
  figures.Add("steps", report.steps);
  figures.Add("violations", report.violations);
  figures.Add("cutovers_under_load", report.cutovers_under_load);
  figures.Add("replayed", report.replayed);
  figures.Add("not_replayed", report.not_replayed);
  figures.Add("pairs_not_met", names);
  return report.violations == 0 && report.not_replayed == 0 && missing.empty();
}

bool RunBugs(const Options& options, Figures& figures) {
  std::vector<std::string> missed;
  std::vector<std::pair<std::string, uint64_t>> caught;
  for (int i = 1; i <= kPlantedBugs; ++i) {
    const auto bug = static_cast<PlantedBug>(i);
    const TrialReport report = RunTrial({.first_seed = options.seed,
                                         .count = options.limit,
                                         .jobs = options.jobs,
                                         .bug = bug,
                                         .until_violation = true});
    const std::string name(PlantedBugName(bug));
    if (report.finds.empty()) {
      fmt::print("{:<46} NOT CAUGHT in {} schedules\n", name, report.schedules);
      missed.push_back(name);
      continue;
    }
    const TrialFind& find = report.finds.front();
    const uint64_t taken = find.seed - options.seed + 1;
    fmt::print("{:<46} {:>8} schedules: {}\n", name, taken, find.violation);
    std::fflush(stdout);
    caught.emplace_back(name, taken);
  }
  figures.Add("planted_bugs", kPlantedBugs);
  figures.Add("planted_bugs_missed", missed);
  figures.Add("schedules_to_catch", caught);
  return missed.empty();
}

bool RunReplay(const Options& options, Figures& figures) {
  const ScheduleResult whole =
      RunSchedule({.seed = options.replay_seed, .bug = options.bug, .log = true});
  for (const std::string& event : whole.events) {
    fmt::print("{}\n", event);
  }
  fmt::print("{} events in {} steps, at the end in {}: {}\n", whole.events.size(), whole.steps,
             MigrationStateName(whole.end),
             whole.violation.empty() ? "every invariant held" : "VIOLATION: " + whole.violation);
  figures.Add("events", whole.events.size());
  if (whole.violation.empty()) {
    return true;
  }
  const auto small = Shrink(options.replay_seed, options.bug);
  fmt::print("\nthe same with all steps left out that are not needed:\n");
  for (const std::string& event : small->events) {
    fmt::print("{}\n", event);
  }
  figures.Add("events_shrunk", small->events.size());
  return false;
}

void AddBugOption(CLI::App& app, Options& options) {
  std::string names;
  std::vector<std::pair<std::string, PlantedBug>> bugs;
  for (int i = 0; i <= kPlantedBugs; ++i) {
    const auto bug = static_cast<PlantedBug>(i);
    bugs.emplace_back(PlantedBugName(bug), bug);
    names += "\n  " + bugs.back().first;
  }
  app.add_option("--bug", options.bug, "A planted bug; one of:" + names)
      ->type_name("NAME")
      ->transform(CLI::Transformer(bugs).description(""));
}

void AddCommands(CLI::App& app, Options& options) {
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--json", options.json, "Write the figures to this file")->type_name("FILE");
  const auto jobs = [&](CLI::App& command) {
    options.jobs = std::clamp(std::thread::hardware_concurrency(), 1U, 64U);
    command.add_option("--jobs", options.jobs, "Threads (as many as there are processors)")
        ->check(CLI::Range(1, 64));
    command.add_option("--seed", options.seed, "The first seed (0)")
        ->check(CLI::Range(uint64_t{0}, ~uint64_t{0} / 2));
  };
  CLI::App& model = *app.add_subcommand(
      "model", "Every state of the ledger and of the cut-over; every rule left out once");
  model.add_flag("--three-writers", options.three_writers,
                 "Also with three writers (4.8 M states)");
  model.add_flag("!--no-traces", options.traces, "Do not print the shortest traces");
  CLI::App& schedules = *app.add_subcommand(
      "schedules",
      "Seeded schedules; fails on a violation and when a pair of state and fault that "
      "must be met was not (200,000 schedules meet all)");
  schedules.add_option("--count", options.count, "How many (1000000)")
      ->check(CLI::Range(uint64_t{1}, ~uint64_t{0} / 4));
  jobs(schedules);
  CLI::App& bugs =
      *app.add_subcommand("bugs", "Each planted bug: how many schedules it takes until it is seen");
  bugs.add_option("--limit", options.limit, "Give up after so many (5000000)")
      ->check(CLI::Range(uint64_t{1}, ~uint64_t{0} / 4));
  jobs(bugs);
  CLI::App& replay = *app.add_subcommand(
      "replay", "The events of one seed; a failing one is also cut down to what it needs");
  replay.add_option("seed", options.replay_seed, "The seed")->required()->type_name("SEED");
  AddBugOption(replay, options);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Model check and simulation of the protocol by which Roost moves a collection. The "
      "exit status is 0 if everything held, 1 if not, 2 for wrong usage.",
      "roost_simulation");
  Options options;
  AddCommands(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  Figures figures;
  const auto begin = std::chrono::steady_clock::now();
  const bool passed = app.got_subcommand("model")       ? RunModel(options, figures)
                      : app.got_subcommand("schedules") ? RunSchedules(options, figures)
                      : app.got_subcommand("bugs")      ? RunBugs(options, figures)
                                                        : RunReplay(options, figures);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  figures.Add("seconds", static_cast<uint64_t>(took.count() + 0.5));
  if (!options.json.empty() && !figures.Write(options.json)) {
    fmt::print(stderr, "cannot write {}\n", options.json);
    return 2;
  }
  return passed ? 0 : 1;
}

}  // namespace
}  // namespace roost::simulation

int main(int argc, char** argv) { return roost::simulation::Main(argc, argv); }
