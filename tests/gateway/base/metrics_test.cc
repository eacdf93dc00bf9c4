#include "gateway/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace cdgate::base {
namespace {

using testing::HasSubstr;

TEST(MetricsTest, ASeriesExistsAtZero) {
  Metrics metrics;
  metrics.AddCounter("cdgate_a_total", "Counts.", {{"peer", "beta.example"}});
  EXPECT_THAT(metrics.Text(), HasSubstr("# HELP cdgate_a_total Counts.\n"
                                        "# TYPE cdgate_a_total counter\n"
                                        "cdgate_a_total{peer=\"beta.example\"} 0\n"));
}

TEST(MetricsTest, TheSameNameAndLabelsGiveTheSameSeries) {
  Metrics metrics;
  Counter& a = metrics.AddCounter("cdgate_a_total", "Counts.", {{"k", "1"}});
  Counter& b = metrics.AddCounter("cdgate_a_total", "Counts.", {{"k", "1"}});
  Counter& other = metrics.AddCounter("cdgate_a_total", "Counts.", {{"k", "2"}});
  a.Add();
  b.Add(2);
  EXPECT_EQ(&a, &b);
  EXPECT_EQ(a.Value(), 3);
  EXPECT_EQ(other.Value(), 0);
}

TEST(MetricsTest, GaugesGoBothWays) {
  Metrics metrics;
  Gauge& gauge = metrics.AddGauge("cdgate_open", "Open.");
  gauge.Set(5);
  gauge.Add(-2);
  EXPECT_EQ(gauge.Value(), 3);
  EXPECT_THAT(metrics.Text(), HasSubstr("# TYPE cdgate_open gauge\ncdgate_open 3\n"));
}

TEST(MetricsTest, HistogramsHaveTheirBoundsAndInfinity) {
  Metrics metrics;
  Histogram& histogram = metrics.AddHistogram("cdgate_s", "Seconds.", {0.1, 1});
  histogram.Observe(0.05);
  histogram.Observe(0.5);
  histogram.Observe(5);
  const std::string text = metrics.Text();
  EXPECT_THAT(text, HasSubstr("cdgate_s_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("cdgate_s_bucket{le=\"1\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("cdgate_s_bucket{le=\"+Inf\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("cdgate_s_count 3\n"));
}

TEST(MetricsTest, CountsFromManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&metrics] {
      Counter& counter = metrics.AddCounter("cdgate_a_total", "Counts.");
      for (int i = 0; i < 10000; ++i) counter.Add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(metrics.AddCounter("cdgate_a_total", "Counts.").Value(), 40000);
}

}  // namespace
}  // namespace cdgate::base
