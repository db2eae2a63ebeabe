#include "telemetry/metrics.h"

#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace roost {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Metrics, CounterShowsWhatWasAdded) {
  const auto metrics = MakeMetrics();
  Counter& counter = metrics->GetCounter("roost_searches_total", "Searches.");
  counter.Increment();
  counter.Add(2);
  EXPECT_EQ(counter.value(), 3);
  const std::string text = metrics->Render();
  EXPECT_THAT(text, HasSubstr("# HELP roost_searches_total Searches.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE roost_searches_total counter\n"));
  EXPECT_THAT(text, HasSubstr("roost_searches_total 3\n"));
}

TEST(Metrics, CounterNeverGoesDown) {
  const auto metrics = MakeMetrics();
  Counter& counter = metrics->GetCounter("roost_x_total", "X.");
  counter.Add(5);
  counter.Add(-3);
  EXPECT_EQ(counter.value(), 5);
}

TEST(Metrics, GaugeGoesUpAndDown) {
  const auto metrics = MakeMetrics();
  Gauge& gauge = metrics->GetGauge("roost_connections", "Open connections.");
  gauge.Set(10);
  gauge.Add(-3);
  EXPECT_EQ(gauge.value(), 7);
  EXPECT_THAT(metrics->Render(), HasSubstr("roost_connections 7\n"));
}

TEST(Metrics, HistogramCountsIntoBuckets) {
  const auto metrics = MakeMetrics();
  Histogram& histogram = metrics->GetHistogram("roost_search_seconds", "Time of a search.");
  histogram.Observe(0.00003);
  histogram.Observe(0.003);
  histogram.Observe(100);
  const std::string text = metrics->Render();
  EXPECT_THAT(text, HasSubstr("roost_search_seconds_bucket{le=\"5e-05\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("roost_search_seconds_bucket{le=\"0.0025\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("roost_search_seconds_bucket{le=\"0.005\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("roost_search_seconds_bucket{le=\"60\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("roost_search_seconds_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("roost_search_seconds_count 3\n"));
}

TEST(Metrics, SameNameAndLabelsAreTheSameObject) {
  const auto metrics = MakeMetrics();
  Counter& a = metrics->GetCounter("roost_x_total", "X.", {{"store", "a"}});
  Counter& b = metrics->GetCounter("roost_x_total", "X.", {{"store", "b"}});
  EXPECT_NE(&a, &b);
  EXPECT_EQ(&a, &metrics->GetCounter("roost_x_total", "X.", {{"store", "a"}}));
  a.Increment();
  EXPECT_EQ(b.value(), 0);
  const std::string text = metrics->Render();
  EXPECT_THAT(text, HasSubstr("roost_x_total{store=\"a\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("roost_x_total{store=\"b\"} 0\n"));
  EXPECT_EQ(text.find("# TYPE roost_x_total"), text.rfind("# TYPE roost_x_total"));
}

TEST(Metrics, LabelValuesAreEscaped) {
  const auto metrics = MakeMetrics();
  metrics->GetGauge("roost_x", "X.", {{"store", "a\"b\\c\nd"}}).Set(1);
  EXPECT_THAT(metrics->Render(), HasSubstr("roost_x{store=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Metrics, CollectorsRunBeforeEachRendering) {
  const auto metrics = MakeMetrics();
  int value = 0;
  metrics->AddCollector([&] { metrics->GetGauge("roost_late", "Read off late.").Set(++value); });
  EXPECT_THAT(metrics->Render(), HasSubstr("roost_late 1\n"));
  EXPECT_THAT(metrics->Render(), HasSubstr("roost_late 2\n"));
}

TEST(Metrics, RegistriesAreIndependent) {
  const auto a = MakeMetrics();
  const auto b = MakeMetrics();
  a->GetCounter("roost_x_total", "X.").Increment();
  EXPECT_THAT(b->Render(), Not(HasSubstr("roost_x_total")));
}

TEST(MetricsDeathTest, BadNamesAndMixedKindsAreOurMistakes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(MakeMetrics()->GetCounter("no spaces", "X."), "A metric cannot be made");
  EXPECT_DEATH(
      {
        const auto metrics = MakeMetrics();
        metrics->GetCounter("roost_x", "X.");
        metrics->GetGauge("roost_x", "X.");
      },
      "A metric cannot be made");
}

TEST(Metrics, ManyThreadsCountExactly) {
  const auto metrics = MakeMetrics();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 1000; ++i) {
          metrics->GetCounter("roost_x_total", "X.").Increment();
          metrics->GetHistogram("roost_y_seconds", "Y.", {{"thread", std::to_string(t)}})
              .Observe(0.001);
          if (i % 100 == 0) {
            static_cast<void>(metrics->Render());
          }
        }
      });
    }
  }
  EXPECT_EQ(metrics->GetCounter("roost_x_total", "X.").value(), 4000);
  EXPECT_THAT(metrics->Render(), HasSubstr("roost_y_seconds_count{thread=\"3\"} 1000\n"));
}

}  // namespace
}  // namespace roost
