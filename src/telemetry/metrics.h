#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace roost {

using MetricLabels = std::map<std::string, std::string>;

/// Goes up. Thread safe, a few nanoseconds.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(double amount) = 0;
  void Increment() { Add(1); }
  virtual double value() const = 0;
};

/// Goes up and down. Thread safe.
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double amount) = 0;
  virtual double value() const = 0;
};

/// A distribution; seconds or bytes. Thread safe.
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

/// The process's numbers, served at /metrics in Prometheus' text format. Names start with
/// "roost_", use base units and end in _total, _seconds, _bytes. Labels come from small sets known
/// beforehand, never from a client. Asking again for the same name and labels gives the same
/// object, which lives as long as the registry. Thread safe.
class Metrics {
 public:
  virtual ~Metrics() = default;
  virtual Counter& GetCounter(const std::string& name, const std::string& help,
                              const MetricLabels& labels = {}) = 0;
  virtual Gauge& GetGauge(const std::string& name, const std::string& help,
                          const MetricLabels& labels = {}) = 0;
  /// Buckets for latencies: 50 µs to 60 s.
  virtual Histogram& GetHistogram(const std::string& name, const std::string& help,
                                  const MetricLabels& labels = {}) = 0;
  /// Called before each rendering, for gauges that are read off elsewhere.
  virtual void AddCollector(std::function<void()> collect) = 0;
  /// Prometheus text format 0.0.4.
  virtual std::string Render() const = 0;
};

std::unique_ptr<Metrics> MakeMetrics();

}  // namespace roost
