#include "gateway/app/trust_upkeep.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"

namespace cdgate::app {
namespace {

constexpr absl::Duration kVerifyAgain = absl::Hours(1);

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// The infinite future where there is no list that ends.
absl::Time FirstDue(const crypto::TrustStore& store) {
  absl::Time due = absl::InfiniteFuture();
  for (const crypto::RevocationList& list : store.crls()) due = std::min(due, list.next_update());
  return due;
}

// Whether a list became too old after `from`, at `to` at the latest.
bool OneEnded(const trust::TrustSnapshot& trust, absl::Time from, absl::Time to) {
  for (const auto& [domain, store] : trust.stores()) {
    for (const crypto::RevocationList& list : store->crls()) {
      const absl::Time end = list.next_update() + store->crl_grace();
      if (from < end && end <= to) return true;
    }
  }
  return false;
}

std::string Overdue(const std::string& domain, const crypto::RevocationList& list,
                    absl::Duration grace, absl::Time now) {
  const absl::Time end = list.next_update() + grace;
  return absl::StrCat("revocation list ", list.number(), " of ", base::Shorten(list.issuer()), " (",
                      domain, ") was due at ", TimeText(list.next_update()), ": ",
                      now < end ? absl::StrCat("what needs it is refused from ", TimeText(end))
                                : std::string("what needs it is refused"),
                      "; have its CA issue the next");
}

}  // namespace

void TrustUpkeep::Look(rpc::HealthRegistry& health) {
  const absl::Time now = clock_.Now();
  absl::Time before;
  {
    base::MutexLock lock(mu_);
    before = looked_;
  }
  const auto trust = trust_.Current();
  for (const auto& [domain, store] : trust->stores()) {
    if (store->crls().empty()) continue;
    health.Set(absl::StrCat("trust:", domain), now < FirstDue(*store));
  }
  const bool hourly = absl::ToUnixSeconds(before) / absl::ToInt64Seconds(kVerifyAgain) !=
                      absl::ToUnixSeconds(now) / absl::ToInt64Seconds(kVerifyAgain);
  if (hourly || OneEnded(*trust, before, now)) trust_.TimePassed();
  base::MutexLock lock(mu_);
  looked_ = now;
}

std::vector<std::string> TrustUpkeep::Problems() const {
  const absl::Time now = clock_.Now();
  std::vector<std::string> out;
  const auto trust = trust_.Current();
  for (const auto& [domain, store] : trust->stores()) {
    for (const crypto::RevocationList& list : store->crls()) {
      if (now < list.next_update()) continue;
      out.push_back(Overdue(domain, list, store->crl_grace(), now));
    }
  }
  return out;
}

void TrustUpkeep::UpdateGauges() const {
  const auto trust = trust_.Current();
  for (const auto& [domain, store] : trust->stores()) {
    const absl::Time due = FirstDue(*store);
    if (due == absl::InfiniteFuture()) continue;
    metrics_
        .AddGauge("cdgate_revocation_list_due_timestamp_seconds",
                  "When the next revocation list of a domain is due, seconds since the Unix epoch.",
                  {{"domain", domain}})
        .Set(absl::ToDoubleSeconds(due - absl::UnixEpoch()));
  }
}

}  // namespace cdgate::app
