#include "base/failpoint.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.h"

namespace roost {

namespace {

enum class Action : uint8_t { kOff, kError, kSleep, kKill, kAbort };

struct Armed {
  Action action = Action::kOff;
  uint64_t number = 0;  ///< errors left, milliseconds, or passes until the kill
};

struct Place {
  Armed armed;
  uint64_t hits = 0;
};

struct Places {
  std::mutex mutex;
  std::map<std::string, Place, std::less<>> by_name;
};

Result<uint64_t> ParseNumber(std::string_view text, std::string_view item) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument("failpoint \"" + std::string(item) + "\": \"" + std::string(text) +
                           "\" is not a whole number");
  }
  return number;
}

Result<Armed> ParseAction(std::string_view action, std::string_view item) {
  if (action == "off") {
    return Armed{};
  }
  if (action == "error") {
    return Armed{Action::kError, std::numeric_limits<uint64_t>::max()};
  }
  if (action == "kill") {
    return Armed{Action::kKill, 1};
  }
  if (action == "abort") {
    return Armed{Action::kAbort, 0};
  }
  if (action.starts_with("error*")) {
    const uint64_t times = TRY(ParseNumber(action.substr(6), item));
    return Armed{Action::kError, times};
  }
  if (action.starts_with("sleep:")) {
    const uint64_t milliseconds = TRY(ParseNumber(action.substr(6), item));
    return Armed{Action::kSleep, milliseconds};
  }
  if (action.starts_with("kill@")) {
    const uint64_t pass = TRY(ParseNumber(action.substr(5), item));
    if (pass == 0) {
      return InvalidArgument("failpoint \"" + std::string(item) + "\": passes count from 1");
    }
    return Armed{Action::kKill, pass};
  }
  return InvalidArgument("failpoint \"" + std::string(item) +
                         "\": the action is one of error, error*N, sleep:MS, kill, kill@N, abort, "
                         "off");
}

Status ArmAll(Places& places, std::string_view specification) {
  std::vector<std::pair<std::string_view, Armed>> parsed;
  while (!specification.empty()) {
    const std::string_view item = specification.substr(0, specification.find(';'));
    specification.remove_prefix(std::min(item.size() + 1, specification.size()));
    if (item.empty()) {
      continue;
    }
    const size_t equals = item.find('=');
    if (equals == 0 || equals == std::string_view::npos) {
      return InvalidArgument("failpoint \"" + std::string(item) + "\" is not of the form " +
                             "name=action");
    }
    const Armed armed = TRY(ParseAction(item.substr(equals + 1), item));
    parsed.emplace_back(item.substr(0, equals), armed);
  }
  std::lock_guard lock(places.mutex);
  for (const auto& [name, armed] : parsed) {
    places.by_name[std::string(name)].armed = armed;
  }
  return {};
}

Places& AllPlaces() {
  // Never destroyed: threads may pass places while the process ends.
  static Places& places = *[] {
    auto* made = new Places;
    if (const char* specification = std::getenv("ROOST_FAILPOINTS")) {
      const Status status = ArmAll(*made, specification);
      if (!status.ok()) {
        // A test that believes it injects a fault must not pass because of a typing error.
        LogError("ROOST_FAILPOINTS cannot be read", {{"error", status.error()}});
        CHECK(status.ok());
      }
    }
    return made;
  }();
  return places;
}

/// Counts the pass and says what to do now.
Armed NextAction(std::string_view name) {
  Places& places = AllPlaces();
  std::lock_guard lock(places.mutex);
  auto found = places.by_name.find(name);
  if (found == places.by_name.end()) {
    found = places.by_name.emplace(std::string(name), Place{}).first;
  }
  Place& place = found->second;
  ++place.hits;
  Armed now = place.armed;
  if (now.action == Action::kError && now.number != std::numeric_limits<uint64_t>::max()) {
    if (now.number == 0) {
      return {};
    }
    --place.armed.number;
  }
  if (now.action == Action::kKill && --place.armed.number > 0) {
    return {};
  }
  return now;
}

}  // namespace

Status Failpoints::Set(std::string_view specification) {
  return ArmAll(AllPlaces(), specification);
}

void Failpoints::Clear() {
  Places& places = AllPlaces();
  std::lock_guard lock(places.mutex);
  places.by_name.clear();
}

uint64_t Failpoints::Hits(std::string_view name) {
  Places& places = AllPlaces();
  std::lock_guard lock(places.mutex);
  const auto found = places.by_name.find(name);
  return found == places.by_name.end() ? 0 : found->second.hits;
}

bool Failpoints::Pass(std::string_view name) {
  const Armed now = NextAction(name);
  switch (now.action) {
    case Action::kOff:
      return false;
    case Action::kError:
      return true;
    case Action::kSleep:
      std::this_thread::sleep_for(std::chrono::milliseconds(now.number));
      return false;
    case Action::kKill:
      std::raise(SIGKILL);
      return false;
    case Action::kAbort:
      std::abort();
  }
  return false;
}

}  // namespace roost
