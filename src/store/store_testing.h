#pragma once

// What the tests of stores share.

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/context.h"
#include "store/types.h"
#include "telemetry/metrics.h"

namespace roost {

SystemClock& TestClock();
Metrics& TestMetrics();

RequestContext Within(std::chrono::milliseconds time);
/// A deadline far beyond what a call takes.
RequestContext Soon();

/// A name no other test has.
std::string FreshName();
/// Waits for what another thread or process does; false after a minute.
bool Await(const std::function<bool()>& condition);

/// VARCHAR keys, one integer field "n", a float vector "v" with L2.
CollectionSchema PlainSchema(uint32_t dimension = 4);
Record PlainRow(std::string key, int64_t n, std::vector<float> v = {1, 2, 3, 4});
RecordKey KeyOf(std::string key, std::string tenant = "");

}  // namespace roost
