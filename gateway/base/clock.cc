#include "gateway/base/clock.h"

#include <chrono>
#include <memory>

#include "absl/time/clock.h"

namespace cdgate::base {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
  absl::Duration Monotonic() const override {
    return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
  }
};

}  // namespace

Clock& SystemClock() {
  // Never destroyed: threads that outlive main() may still look at it.
  static RealClock* const clock = std::make_unique<RealClock>().release();
  return *clock;
}

}  // namespace cdgate::base
