#include "gateway/state/space.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"

namespace cdgate::state {

using base::MutexLock;

SpaceProbe SpaceOf(std::string path) {
  return [path = std::move(path)]() -> absl::StatusOr<DiskSpace> {
    struct statvfs info {};
    if (statvfs(path.c_str(), &info) == 0) {
      return DiskSpace{.free_bytes = info.f_bavail * info.f_frsize,
                       .total_bytes = info.f_blocks * info.f_frsize};
    }
    return base::MakeError(
        base::Reason::kFileUnreadable,
        absl::StrCat("cannot tell the free space of ", path, ": ", std::strerror(errno)),
        {{"path", path}});
  };
}

SpaceGuard::SpaceGuard(SpaceProbe probe, uint32_t min_free_percent, base::Clock& clock,
                       base::Gauge& free_bytes)
    : probe_(std::move(probe)),
      min_free_percent_(min_free_percent),
      clock_(clock),
      free_bytes_(free_bytes) {}

bool SpaceGuard::IsLow() {
  if (!probe_) return false;
  {
    MutexLock lock(mu_);
    const absl::Duration now = clock_.Monotonic();
    if (now < next_probe_) return low_;
    next_probe_ = now + absl::Seconds(1);
  }
  const absl::StatusOr<DiskSpace> space = probe_();
  if (space.ok()) free_bytes_.Set(static_cast<double>(space->free_bytes));
  MutexLock lock(mu_);
  if (!space.ok()) return low_;
  const bool low = space->free_bytes / 100 < space->total_bytes / 10000 * min_free_percent_;
  if (low != low_) {
    base::Log(base::LogLevel::kWarning, low ? "disk space is short" : "disk space is back",
              {{"free_bytes", absl::StrCat(space->free_bytes)}});
  }
  low_ = low;
  return low_;
}

}  // namespace cdgate::state
