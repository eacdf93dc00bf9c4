#include "gateway/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <utility>

#include "gateway/base/mutex.h"

namespace cdgate::base {
namespace {

class PrometheusCounter final : public Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Add(double n) override { counter_.Increment(n); }
  double Value() const override { return counter_.Value(); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public Gauge {
 public:
  explicit PrometheusGauge(prometheus::Gauge& gauge) : gauge_(gauge) {}
  void Set(double value) override { gauge_.Set(value); }
  void Add(double n) override { gauge_.Increment(n); }
  double Value() const override { return gauge_.Value(); }

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

using Key = std::pair<std::string, Labels>;

// The series of `key`, made by `make` when it is new.
template <typename Interface, typename Make>
Interface& FindOrAdd(std::map<Key, std::unique_ptr<Interface>>& series, Key key, Make make) {
  std::unique_ptr<Interface>& slot = series[std::move(key)];
  if (slot == nullptr) slot = make();
  return *slot;
}

}  // namespace

class Metrics::Impl {
 public:
  prometheus::Registry registry;
  Mutex mu;
  std::map<Key, std::unique_ptr<Counter>> counters CDGATE_GUARDED_BY(mu);
  std::map<Key, std::unique_ptr<Gauge>> gauges CDGATE_GUARDED_BY(mu);
  std::map<Key, std::unique_ptr<Histogram>> histograms CDGATE_GUARDED_BY(mu);
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter& Metrics::AddCounter(const std::string& name, const std::string& help,
                             const Labels& labels) {
  MutexLock lock(impl_->mu);
  return FindOrAdd(impl_->counters, Key{name, labels}, [&] {
    return std::make_unique<PrometheusCounter>(
        prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add(labels));
  });
}

Gauge& Metrics::AddGauge(const std::string& name, const std::string& help, const Labels& labels) {
  MutexLock lock(impl_->mu);
  return FindOrAdd(impl_->gauges, Key{name, labels}, [&] {
    return std::make_unique<PrometheusGauge>(
        prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add(labels));
  });
}

Histogram& Metrics::AddHistogram(const std::string& name, const std::string& help,
                                 const std::vector<double>& bounds, const Labels& labels) {
  MutexLock lock(impl_->mu);
  return FindOrAdd(impl_->histograms, Key{name, labels}, [&] {
    return std::make_unique<PrometheusHistogram>(prometheus::BuildHistogram()
                                                     .Name(name)
                                                     .Help(help)
                                                     .Register(impl_->registry)
                                                     .Add(labels, bounds));
  });
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace cdgate::base
