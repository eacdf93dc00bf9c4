#include "gateway/app/refusal_memory.h"

#include <algorithm>

#include "auth/trust/spiffe_id.h"

namespace cdgate::app {

void RefusalMemory::Note(const credentials::Refusal& refusal, absl::Time now) {
  // What we refused as a client says nothing of who dials us.
  if (refusal.side != credentials::Side::kServer) return;
  const auto id = trust::SpiffeId::Parse(refusal.claimed_id);
  if (!id.ok()) return;
  base::MutexLock lock(mu_);
  last_[std::string(id->trust_domain())] = {now, refusal.reason, refusal.message};
  if (last_.size() <= kMostDomains) return;
  last_.erase(std::min_element(last_.begin(), last_.end(), [](const auto& a, const auto& b) {
    return a.second.when < b.second.when;
  }));
}

void RefusalMemory::Forget(absl::string_view domain) {
  base::MutexLock lock(mu_);
  if (const auto found = last_.find(domain); found != last_.end()) last_.erase(found);
}

std::optional<RefusalMemory::Refused> RefusalMemory::LastOf(absl::string_view domain) const {
  base::MutexLock lock(mu_);
  const auto found = last_.find(domain);
  if (found == last_.end()) return std::nullopt;
  return found->second;
}

}  // namespace cdgate::app
