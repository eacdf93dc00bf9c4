#include "auth/audit/refusal_meter.h"

#include <algorithm>
#include <iterator>

namespace cdgate::audit {

bool RefusalMeter::Bucket::Ready(double burst, double per_second, absl::Duration now) {
  tokens = std::min(burst, tokens + per_second * absl::ToDoubleSeconds(now - filled));
  filled = now;
  return tokens >= 1;
}

RefusalMeter::Bucket& RefusalMeter::BucketOf(const std::string& source, absl::Duration now) {
  const auto known = sources_.find(source);
  if (known != sources_.end()) return known->second;
  if (sources_.size() >= limits_.max_sources) {
    // Whoever was quiet long enough to have its burst again needs no bucket.
    for (auto it = sources_.begin(); it != sources_.end();) {
      it->second.Ready(limits_.source_burst, limits_.source_per_second, now);
      it = it->second.tokens >= limits_.source_burst ? sources_.erase(it) : std::next(it);
    }
  }
  // Still too many at once: what is over shares one.
  const std::string& key = sources_.size() < limits_.max_sources ? source : std::string();
  return sources_.try_emplace(key, Bucket{.tokens = limits_.source_burst, .filled = now})
      .first->second;
}

bool RefusalMeter::Take(const RefusalKey& key, absl::Duration now) {
  Bucket& source = BucketOf(key.source, now);
  const bool ready = source.Ready(limits_.source_burst, limits_.source_per_second, now);
  if (!total_.Ready(limits_.total_burst, limits_.total_per_second, now) || !ready) {
    Count(key);
    return false;
  }
  source.tokens -= 1;
  total_.tokens -= 1;
  return true;
}

void RefusalMeter::Count(const RefusalKey& key) {
  const auto known = counted_.find(key);
  if (known != counted_.end() || counted_.size() < limits_.max_rows) {
    ++counted_[key];
    return;
  }
  // Reasons and places are few, so these rows are too.
  ++counted_[RefusalKey{.source = "", .reason = key.reason, .where = key.where}];
}

std::vector<CountedRefusals> RefusalMeter::Drain() {
  std::vector<CountedRefusals> out;
  for (const auto& [key, count] : counted_) out.push_back({.key = key, .count = count});
  counted_.clear();
  return out;
}

}  // namespace cdgate::audit
