// Which refusals become entries of their own, so that whoever is refused a million times a
// minute cannot fill the disk, and none is lost without a trace: those beyond the rate are
// counted, by who, why and where.
//
//   RefusalMeter meter;
//   if (meter.Take({source, reason, listener}, now)) AppendEntry();
//   ... every few seconds:
//   for (const auto& counted : meter.Drain()) AppendSummary(counted);
//
// Not thread-safe; pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/time/time.h"

namespace cdgate::audit {

struct RefusalKey {
  std::string source;  // who was refused, or the address
  std::string reason;
  std::string where;  // the listener, "handshake"
  friend bool operator<(const RefusalKey& a, const RefusalKey& b) {
    return std::tie(a.source, a.reason, a.where) < std::tie(b.source, b.reason, b.where);
  }
};

struct RefusalLimits {
  // Entries of one source: so many at once, then so many a second.
  double source_burst = 20;
  double source_per_second = 1;
  // Of all together.
  double total_burst = 200;
  double total_per_second = 10;
  // Sources whose rate is known, rows that are counted apart.
  size_t max_sources = 1024;
  size_t max_rows = 64;
};

struct CountedRefusals {
  RefusalKey key;  // source empty: of several sources, which were too many to tell apart
  uint64_t count = 0;
};

class RefusalMeter {
 public:
  explicit RefusalMeter(RefusalLimits limits = {}) : limits_(limits) {}

  // True: it becomes an entry. False: it was counted. `now` is a monotonic time.
  bool Take(const RefusalKey& key, absl::Duration now);
  // What was counted since the last call.
  std::vector<CountedRefusals> Drain();
  size_t sources() const { return sources_.size(); }

 private:
  struct Bucket {
    double tokens = 0;
    absl::Duration filled;
    // Adds what came since, and says whether there is one.
    bool Ready(double burst, double per_second, absl::Duration now);
  };
  Bucket& BucketOf(const std::string& source, absl::Duration now);
  void Count(const RefusalKey& key);

  const RefusalLimits limits_;
  Bucket total_{.tokens = limits_.total_burst, .filled = absl::ZeroDuration()};
  std::map<std::string, Bucket> sources_;
  std::map<RefusalKey, uint64_t> counted_;
};

}  // namespace cdgate::audit
