#include "federation/manager/session_leases.h"

#include <utility>

namespace cdgate::manager {

std::shared_ptr<void> SessionLeases::Take(std::shared_ptr<void> owner) {
  {
    base::MutexLock lock(mu_);
    if (closed_) return nullptr;
    ++taken_;
  }
  return std::shared_ptr<void>(this, [owner = std::move(owner)](void* leases) {
    auto* const self = static_cast<SessionLeases*>(leases);
    base::MutexLock lock(self->mu_);
    --self->taken_;
    self->less_.SignalAll();
  });
}

void SessionLeases::ExpectStep() {
  base::MutexLock lock(mu_);
  ++steps_;
}

void SessionLeases::StepIsDone() {
  base::MutexLock lock(mu_);
  --steps_;
  less_.SignalAll();
}

bool SessionLeases::Close(absl::Duration limit) {
  const absl::Duration end = clock_.Monotonic() + limit;
  base::MutexLock lock(mu_);
  while (steps_ > 0 || taken_ > 0) {
    const absl::Duration left = end - clock_.Monotonic();
    if (left <= absl::ZeroDuration()) return false;
    less_.WaitFor(mu_, left);
  }
  closed_ = true;
  return true;
}

}  // namespace cdgate::manager
