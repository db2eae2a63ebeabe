#include "telemetry/health.h"

#include <algorithm>
#include <exception>
#include <string_view>
#include <utility>

#include "base/json.h"

namespace roost {

namespace {

Status RunCheck(const HealthRegistry::Check& check) {
  try {
    return check();
  } catch (const std::exception& error) {
    return Internal(std::string("the check threw: ") + error.what());
  } catch (...) {
    return Internal("the check threw something that is no exception");
  }
}

/// What the checks say together.
struct Findings {
  bool restart = false;
  bool not_ready = false;
  bool degraded = false;
  std::string checks_json = "[";

  void Add(const std::string& name, HealthImpact impact, const Status& status) {
    if (checks_json.size() > 1) {
      checks_json += ',';
    }
    checks_json += "{\"name\":";
    AppendJsonString(checks_json, name);
    if (status.ok()) {
      checks_json += R"(,"status":"ok"})";
      return;
    }
    restart |= impact == HealthImpact::kRestart;
    not_ready |= impact == HealthImpact::kNotReady;
    degraded = true;
    checks_json += R"(,"status":"failing","code":)";
    AppendJsonString(checks_json, CodeName(status.code()));
    checks_json += R"(,"message":)";
    AppendJsonString(checks_json, status.error().message);
    checks_json += '}';
  }
};

HealthReport Report(bool ok, std::string_view status, const Findings& findings) {
  std::string json = R"({"status":")";
  json += status;
  json += R"(","checks":)";
  json += findings.checks_json;
  json += "]}";
  return {.ok = ok, .json = std::move(json)};
}

}  // namespace

void HealthRegistry::AddCheck(std::string name, HealthImpact impact, Check check) {
  auto shared = std::make_shared<const Check>(std::move(check));
  std::lock_guard lock(mutex_);
  for (Entry& entry : state_.checks) {
    if (entry.name == name) {
      entry.impact = impact;
      entry.check = std::move(shared);
      return;
    }
  }
  state_.checks.push_back({std::move(name), impact, std::move(shared)});
}

void HealthRegistry::RemoveCheck(std::string_view name) {
  std::lock_guard lock(mutex_);
  std::erase_if(state_.checks, [&](const Entry& entry) { return entry.name == name; });
}

void HealthRegistry::SetReady(bool ready) {
  std::lock_guard lock(mutex_);
  state_.ready = ready;
}

void HealthRegistry::SetDraining(bool draining) {
  std::lock_guard lock(mutex_);
  state_.draining = draining;
}

bool HealthRegistry::ready() const {
  std::lock_guard lock(mutex_);
  return state_.ready;
}

bool HealthRegistry::draining() const {
  std::lock_guard lock(mutex_);
  return state_.draining;
}

HealthRegistry::Snapshot HealthRegistry::Copy() const {
  std::lock_guard lock(mutex_);
  return state_;
}

HealthReport HealthRegistry::Live() const {
  // Checks run on a copy, without the lock: they may call back into the registry.
  const Snapshot now = Copy();
  Findings findings;
  for (const Entry& entry : now.checks) {
    findings.Add(entry.name, entry.impact, RunCheck(*entry.check));
  }
  if (findings.restart) {
    return Report(false, "failing", findings);
  }
  return Report(true, findings.degraded ? "degraded" : "ok", findings);
}

HealthReport HealthRegistry::Ready() const {
  const Snapshot now = Copy();
  Findings findings;
  for (const Entry& entry : now.checks) {
    findings.Add(entry.name, entry.impact, RunCheck(*entry.check));
  }
  if (now.draining) {
    return Report(false, "draining", findings);
  }
  if (!now.ready) {
    return Report(false, "starting", findings);
  }
  if (findings.restart || findings.not_ready) {
    return Report(false, "failing", findings);
  }
  return Report(true, findings.degraded ? "degraded" : "ready", findings);
}

}  // namespace roost
