#include "cli/bootstrap_view.h"

#include <fmt/format.h>

#include "base/json.h"

namespace roost {

namespace {

size_t Count(const std::vector<PreparedStore>& stores, StepState state) {
  size_t count = 0;
  for (const PreparedStore& store : stores) {
    count += store.Count(state);
  }
  return count;
}

std::string_view Outcome(const std::vector<PreparedStore>& stores, bool dry_run) {
  if (Count(stores, StepState::kDifferent) > 0) {
    return "refused";
  }
  if (Count(stores, StepState::kMissing) > 0) {
    return dry_run ? "would be made" : "incomplete";
  }
  return Count(stores, StepState::kMade) > 0 ? "made" : "nothing to do";
}

std::string Summary(const std::vector<PreparedStore>& stores, bool dry_run) {
  const size_t missing = Count(stores, StepState::kMissing);
  const size_t made = Count(stores, StepState::kMade);
  if (const size_t different = Count(stores, StepState::kDifferent); different > 0) {
    return fmt::format("refused: {} in the way; nothing was changed", different);
  }
  if (missing > 0 && dry_run) {
    return fmt::format("{} would be made; nothing was changed", missing);
  }
  if (missing > 0) {
    return fmt::format("{} made, {} still missing", made, missing);
  }
  return made > 0 ? fmt::format("{} made", made) : "everything is there; nothing had to be done";
}

void AppendStep(std::vector<std::string>& lines, const PreparationStep& step, bool color) {
  // Green, yellow, red, green.
  constexpr const char* kColors[] = {"\033[32m", "\033[33m", "\033[31m", "\033[32m"};
  constexpr const char* kIndent = "             ";
  lines.push_back(
      fmt::format("  {}{:<10}{} {} {}", color ? kColors[static_cast<size_t>(step.state)] : "",
                  StepStateName(step.state), color ? "\033[0m" : "", step.kind, step.name));
  if (step.state == StepState::kDifferent) {
    for (const std::string& difference : step.differences) {
      lines.push_back(kIndent + difference);
    }
    if (!step.advice.empty()) {
      lines.push_back(kIndent + ("→ " + step.advice));
    }
  }
}

void AppendText(std::string& out, std::string_view name, std::string_view value) {
  out += out.back() == '{' ? "" : ",";
  AppendJsonString(out, name);
  out.push_back(':');
  AppendJsonString(out, value);
}

void AppendTexts(std::string& out, std::string_view name, const std::vector<std::string>& values) {
  out += fmt::format(R"(,"{}":[)", name);
  for (const std::string& value : values) {
    out += out.back() == '[' ? "" : ",";
    AppendJsonString(out, value);
  }
  out.push_back(']');
}

std::string StepJson(const PreparationStep& step) {
  std::string out = "{";
  AppendText(out, "kind", step.kind);
  AppendText(out, "name", step.name);
  AppendText(out, "state", StepStateName(step.state));
  AppendTexts(out, "differences", step.differences);
  AppendText(out, "advice", step.state == StepState::kDifferent ? step.advice : "");
  return out + "}";
}

}  // namespace

std::vector<std::string> BootstrapLines(const std::vector<PreparedStore>& stores,
                                        const BootstrapLook& look) {
  std::vector<std::string> lines;
  for (const PreparedStore& store : stores) {
    lines.push_back(store.address + (store.version.empty() ? "" : " (" + store.version + ")"));
    for (const PreparationStep& step : store.steps) {
      AppendStep(lines, step, look.color);
    }
    for (const std::string& note : store.notes) {
      lines.push_back("  note: " + note);
    }
  }
  lines.push_back(Summary(stores, look.dry_run));
  return lines;
}

std::string BootstrapJson(const std::vector<PreparedStore>& stores, bool dry_run) {
  std::string out =
      fmt::format(R"({{"dry_run":{},"outcome":"{}","stores":[)", dry_run, Outcome(stores, dry_run));
  for (const PreparedStore& store : stores) {
    out += out.back() == '[' ? "{" : ",{";
    AppendText(out, "address", store.address);
    AppendText(out, "version", store.version);
    AppendTexts(out, "notes", store.notes);
    out += R"(,"steps":[)";
    for (const PreparationStep& step : store.steps) {
      out += (out.back() == '[' ? "" : ",") + StepJson(step);
    }
    out += "]}";
  }
  return out + "]}";
}

}  // namespace roost
