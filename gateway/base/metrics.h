// Counters, gauges and histograms, exposed in the Prometheus text format.
//
//   base::Metrics metrics;
//   base::Counter& denied = metrics.AddCounter("cdgate_decisions_total",
//       "Decisions by outcome.", {{"peer", p}, {"direction", "export"}, {"reason", r}});
//   denied.Add();
//
// A series exists from the moment it is added, at 0: whoever can count something
// adds its series at start, so that a dashboard never misses one. Label names are
// constant per metric; an event id or a subject is never a label. References stay
// valid as long as the Metrics object. Thread-safe; Add and Set take no lock.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace cdgate::base {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(double n = 1) = 0;
  virtual double Value() const = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
  virtual void Add(double n) = 0;
  virtual double Value() const = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same series again.
  Counter& AddCounter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& AddGauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // `bounds`: upper bounds, ascending; +Inf is added.
  Histogram& AddHistogram(const std::string& name, const std::string& help,
                          const std::vector<double>& bounds, const Labels& labels = {});

  // Prometheus text exposition format 0.0.4.
  std::string Text() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdgate::base
