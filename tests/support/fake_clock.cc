#include "tests/support/fake_clock.h"

#include <algorithm>

namespace cdgate::test {

absl::Time FakeClock::Now() const {
  return absl::FromCivil(absl::CivilSecond(2026, 1, 1), absl::UTCTimeZone()) + Monotonic();
}

absl::Duration FakeClock::Monotonic() const {
  base::MutexLock lock(mu_);
  return elapsed_;
}

void FakeClock::Advance(absl::Duration by) {
  base::MutexLock lock(mu_);
  elapsed_ += by;
}

base::TimerQueue::Id FakeTimerQueue::At(absl::Duration due, Callback callback) {
  base::MutexLock lock(mu_);
  const Id id = next_id_++;
  pending_.emplace(std::pair(due, id), std::move(callback));
  return id;
}

bool FakeTimerQueue::Cancel(Id id) {
  base::MutexLock lock(mu_);
  const auto it = std::find_if(pending_.begin(), pending_.end(),
                               [id](const auto& entry) { return entry.first.second == id; });
  if (it == pending_.end()) return false;
  pending_.erase(it);
  return true;
}

void FakeTimerQueue::Advance(absl::Duration by) {
  const absl::Duration end = clock_.Monotonic() + by;
  for (;;) {
    Callback due;
    {
      base::MutexLock lock(mu_);
      if (pending_.empty() || pending_.begin()->first.first > end) break;
      const absl::Duration at = pending_.begin()->first.first;
      due = std::move(pending_.begin()->second);
      pending_.erase(pending_.begin());
      clock_.Advance(std::max(absl::ZeroDuration(), at - clock_.Monotonic()));
    }
    due();
  }
  clock_.Advance(end - clock_.Monotonic());
}

size_t FakeTimerQueue::pending() const {
  base::MutexLock lock(mu_);
  return pending_.size();
}

}  // namespace cdgate::test
