#include "federation/manager/catalogue_exchange.h"

#include <algorithm>
#include <utility>

#include "federation/manager/access_requests.h"
#include "gateway/base/logging.h"

namespace cdgate::manager {
namespace {

using federation::v1::Catalogue;

// What is shown to people of what a peer sent.
Catalogue Shown(Catalogue catalogue) {
  auto& offers = *catalogue.mutable_offers();
  const auto bad = [](const federation::v1::Offer& offer) {
    return !IsPlainText(offer.type()) || !IsPlainText(offer.source()) ||
           !IsPlainText(offer.plane());
  };
  offers.erase(std::remove_if(offers.begin(), offers.end(), bad), offers.end());
  return catalogue;
}

}  // namespace

void CatalogueExchange::Allowance::Refill(absl::Duration now, double most) {
  left = std::min(most, left + absl::ToDoubleMinutes(now - at));
  at = now;
}

// ------------------------------------------------------------------------ ours

CatalogueExchange::Basis CatalogueExchange::BasisNow(const state::ResourceSnapshot& resources,
                                                     absl::string_view peer) const {
  const state::ResourcePtr policy = resources.Find(state::kPolicyKind, peer);
  return {.requests = std::max(resources.LastChange(kAccessRequestKind),
                               resources.LastChange(kOwnAccessRequestKind)),
          .policy = policy == nullptr ? 0 : policy->version,
          .given = deps_.given.VersionOf(peer),
          .day = DayOf(deps_.clock.Now())};
}

std::vector<NamedOffer> CatalogueExchange::NamedFor(absl::string_view peer) const {
  const state::ResourcePtr stored = deps_.store.Resources()->Find(state::kPolicyKind, peer);
  if (stored == nullptr) return {};
  const auto policy = stored->As<admin::v1::Policy>();
  return policy.ok() ? OffersNamedBy(*policy) : std::vector<NamedOffer>();
}

CatalogueExchange::CataloguePtr CatalogueExchange::For(absl::string_view peer) {
  const state::ResourceSnapshotPtr resources = deps_.store.Resources();
  const Basis basis = BasisNow(*resources, peer);
  {
    base::MutexLock lock(mu_);
    auto it = ours_.find(peer);
    if (it == ours_.end()) it = ours_.emplace(std::string(peer), Ours()).first;
    Ours& ours = it->second;
    if (ours.catalogue != nullptr && ours.basis == basis) return ours.catalogue;
    ours.news.Refill(deps_.clock.Monotonic(), kNewsAtOnce);
    // What people ask and answer is not held up.
    const bool free = ours.basis.requests != basis.requests;
    if (ours.catalogue != nullptr && !free && ours.news.left < 1) return ours.catalogue;
  }
  auto made = std::make_shared<Catalogue>(OffersTo(*deps_.given.Of(peer), NamedFor(peer)));
  AddAccessRequests(*resources, peer, made.get());
  base::MutexLock lock(mu_);
  Ours& ours = ours_[std::string(peer)];
  ours.basis = basis;
  const bool same =
      ours.catalogue != nullptr && ours.catalogue->SerializeAsString() == made->SerializeAsString();
  if (same) return ours.catalogue;
  ours.news.left = std::max(0.0, ours.news.left - 1);
  ours.catalogue = std::move(made);
  return ours.catalogue;
}

// ---------------------------------------------------------------------- theirs

void CatalogueExchange::OnReceived(absl::string_view peer, Catalogue catalogue) {
  const auto shown = std::make_shared<const Catalogue>(Shown(std::move(catalogue)));
  base::MutexLock lock(mu_);
  Theirs& theirs = theirs_[std::string(peer)];
  theirs.told = {.at = deps_.clock.Now(), .catalogue = shown};
  theirs.looked_at = false;
}

std::optional<CatalogueExchange::Told> CatalogueExchange::ToldBy(absl::string_view peer) const {
  base::MutexLock lock(mu_);
  const auto it = theirs_.find(peer);
  if (it == theirs_.end()) return std::nullopt;
  return it->second.told;
}

void CatalogueExchange::Take(const std::string& peer) {
  CataloguePtr told;
  size_t may_add = 0;
  {
    base::MutexLock lock(mu_);
    const auto it = theirs_.find(peer);
    if (it == theirs_.end() || std::exchange(it->second.looked_at, true)) return;
    Theirs& theirs = it->second;
    told = theirs.told.catalogue;
    theirs.requests.Refill(deps_.clock.Monotonic(), kRequestsAtOnce);
    may_add = static_cast<size_t>(theirs.requests.left);
  }
  const size_t allowed = may_add;
  state::Proposal proposal;
  proposal.resources =
      EditsOfTold(*deps_.store.Resources(), peer, *told, deps_.clock.Now(), &may_add);
  const auto again = [this, peer](absl::Status why) {
    base::LogError(base::LogLevel::kWarning, "requests for access not taken", why,
                   {{"peer", peer}});
    base::MutexLock lock(mu_);
    // It may be no peer any more.
    if (const auto it = theirs_.find(peer); it != theirs_.end()) it->second.looked_at = false;
  };
  {
    base::MutexLock lock(mu_);
    const auto it = theirs_.find(peer);
    if (it == theirs_.end()) return;
    it->second.requests.left -= static_cast<double>(allowed - may_add);
    // More than it may add now: later.
    if (may_add == 0) it->second.looked_at = false;
  }
  if (proposal.resources.empty()) return;
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [again](const state::Outcome& outcome) {
        if (!outcome.status.ok()) again(outcome.status);
      });
  if (!queued.ok()) again(queued);
}

// Of domains that are no peers any more.
void CatalogueExchange::ForgetOthers(const state::ResourceSnapshot& resources) {
  const auto gone = [&resources](const auto& entry) {
    return resources.Find(state::kPeerKind, entry.first) == nullptr;
  };
  base::MutexLock lock(mu_);
  std::erase_if(ours_, gone);
  std::erase_if(theirs_, gone);
}

void CatalogueExchange::Upkeep() {
  const state::ResourceSnapshotPtr resources = deps_.store.Resources();
  ForgetOthers(*resources);
  std::vector<std::string> peers;
  {
    base::MutexLock lock(mu_);
    for (const auto& [peer, theirs] : theirs_) peers.push_back(peer);
  }
  for (const std::string& peer : peers) Take(peer);
  state::Proposal old;
  old.resources = EditsOfAge(*resources, deps_.clock.Now());
  if (old.resources.empty()) return;
  const auto kept = [](const absl::Status& why) {
    base::LogError(base::LogLevel::kWarning, "old requests for access kept for now", why);
  };
  const absl::Status queued =
      deps_.store.Propose(std::move(old), [kept](const state::Outcome& outcome) {
        if (!outcome.status.ok()) kept(outcome.status);
      });
  if (!queued.ok()) kept(queued);
}

}  // namespace cdgate::manager
