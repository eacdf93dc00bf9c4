// Free disk space, and the floor below which no event is taken any more.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"

namespace cdgate::state {

struct DiskSpace {
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
};
using SpaceProbe = std::function<absl::StatusOr<DiskSpace>()>;

// Free space of the filesystem that holds `path`, for unprivileged users (statvfs).
// FILE_UNREADABLE.
SpaceProbe SpaceOf(std::string path);

// Thread-safe.
class SpaceGuard {
 public:
  // An empty `probe`: space is never short. `free_bytes` shows what was found last.
  SpaceGuard(SpaceProbe probe, uint32_t min_free_percent, base::Clock& clock,
             base::Gauge& free_bytes);

  // Is free space below the floor? Asks the system at most once a second; where it does
  // not answer, what it said last counts.
  bool IsLow();

 private:
  const SpaceProbe probe_;
  const uint32_t min_free_percent_;
  base::Clock& clock_;
  base::Gauge& free_bytes_;
  base::Mutex mu_;
  absl::Duration next_probe_ CDGATE_GUARDED_BY(mu_) = -absl::InfiniteDuration();
  bool low_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::state
