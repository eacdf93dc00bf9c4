#include "federation/manager/link_refusal.h"

#include "absl/strings/str_cat.h"
#include "federation/manager/lifetime.h"
#include "gateway/base/timestamp.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using link::Refuse;

// An operator may change it any moment, so the peer asks again soon.
constexpr absl::Duration kSoon = absl::Seconds(5);

std::string TimeText(absl::Time time) { return base::FormatRfc3339(absl::ToUnixSeconds(time), 0); }

Refuse StartedFrozen(absl::string_view domain) {
  return {Reason::kFrozen,
          absl::StrCat("the gateway of ", domain,
                       " was started frozen, and nothing crosses until its operator runs cdgate "
                       "export resume --all"),
          kSoon};
}

Refuse Expired(absl::string_view domain, absl::Time end) {
  return {Reason::kAgreementExpired,
          absl::StrCat("the agreement ended at ", TimeText(end), " on the side of ", domain,
                       "; cdgate peer renew makes it go on where it ended"),
          kSoon};
}

Refuse Suspended(const RefusalFacts& facts) {
  return {
      Reason::kPeerSuspended,
      absl::StrCat(facts.domain, " does not hear this peer for a while; its last link ended by ",
                   facts.offence),
      absl::Ceil(facts.suspended_for, absl::Seconds(1))};
}

}  // namespace

std::optional<Refuse> RefusalOf(const admin::v1::Peer& peer, const RefusalFacts& facts) {
  if (facts.draining) return Refuse{Reason::kDraining, "shutting down", absl::Seconds(1)};
  if (!facts.ended_text.empty()) {
    return Refuse{Reason::kNoAgreement, std::string(facts.ended_text), {}};
  }
  if (facts.started_frozen) return StartedFrozen(facts.domain);
  if (peer.frozen()) return Refuse{Reason::kFrozen, "the link is frozen", kSoon};
  if (peer.state() != admin::v1::PEER_STATE_APPROVED) {
    return Refuse{Reason::kAgreementPending, "the agreement is not approved on this side yet",
                  absl::Seconds(2)};
  }
  const absl::Time end = EndOf(peer);
  if (facts.now >= end) return Expired(facts.domain, end);
  if (facts.suspended_for > absl::ZeroDuration()) return Suspended(facts);
  return std::nullopt;
}

std::string EndedText(const state::ResourceSnapshot& resources, absl::string_view domain,
                      absl::string_view peer) {
  const state::ResourcePtr last = resources.Latest(state::kPeerKind, peer);
  const std::string when = last == nullptr ? "" : absl::StrCat(" at ", TimeText(last->commit_time));
  return absl::StrCat(domain, " ended the agreement", when);
}

}  // namespace cdgate::manager
