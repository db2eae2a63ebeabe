#include "telemetry/metrics.h"

#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/log.h"
#include "base/result.h"

namespace roost {

namespace {

/// In seconds.
const prometheus::Histogram::BucketBoundaries kLatencyBuckets = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1,     0.25,   0.5,     1,      2.5,   5,      10,    30,   60};

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Add(double amount) override { counter_.Increment(amount); }
  double value() const override { return counter_.Value(); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }
  void Add(double amount) override { gauge_.Increment(amount); }
  double value() const override { return gauge_.Value(); }

 private:
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

class PrometheusMetrics final : public Metrics {
 public:
  Counter& GetCounter(const std::string& name, const std::string& help,
                      const MetricLabels& labels) override {
    std::lock_guard lock(mutex_);
    return Find<Counter>(counters_, name, labels, [&] {
      auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
      return std::make_unique<PrometheusCounter>(family.Add(labels));
    });
  }

  Gauge& GetGauge(const std::string& name, const std::string& help,
                  const MetricLabels& labels) override {
    std::lock_guard lock(mutex_);
    return Find<Gauge>(gauges_, name, labels, [&] {
      auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
      return std::make_unique<PrometheusGauge>(family.Add(labels));
    });
  }

  Histogram& GetHistogram(const std::string& name, const std::string& help,
                          const MetricLabels& labels) override {
    std::lock_guard lock(mutex_);
    return Find<Histogram>(histograms_, name, labels, [&] {
      auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
      return std::make_unique<PrometheusHistogram>(family.Add(labels, kLatencyBuckets));
    });
  }

  void AddCollector(std::function<void()> collect) override {
    std::lock_guard lock(mutex_);
    collectors_.push_back(std::move(collect));
  }

  std::string Render() const override {
    // Collectors run without the lock: they may ask for metrics.
    std::vector<std::function<void()>> collectors;
    {
      std::lock_guard lock(mutex_);
      collectors = collectors_;
    }
    for (const auto& collect : collectors) {
      collect();
    }
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  template <typename Metric>
  using Series = std::map<std::string, std::map<MetricLabels, std::unique_ptr<Metric>>>;

  template <typename Metric, typename Make>
  static Metric& Find(Series<Metric>& series, const std::string& name, const MetricLabels& labels,
                      const Make& make) {
    std::unique_ptr<Metric>& metric = series[name][labels];
    if (!metric) {
      try {
        metric = make();
      } catch (const std::exception& error) {
        // A name or label that Prometheus does not know, or one name for two kinds: our mistake.
        LogError("A metric cannot be made", {{"name", name}, {"what", error.what()}});
        CHECK(metric != nullptr);
      }
    }
    return *metric;
  }

  prometheus::Registry registry_;
  mutable std::mutex mutex_;
  Series<Counter> counters_;
  Series<Gauge> gauges_;
  Series<Histogram> histograms_;
  std::vector<std::function<void()>> collectors_;
};

}  // namespace

std::unique_ptr<Metrics> MakeMetrics() { return std::make_unique<PrometheusMetrics>(); }

}  // namespace roost
