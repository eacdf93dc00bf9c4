#include "federation/policy/widening.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "federation/policy/widening_rules.h"

namespace cdgate::policy {
namespace {

using Reasons = std::vector<std::string>;
using Origins = google::protobuf::RepeatedPtrField<std::string>;

// As a number that grows with what is let through.
uint64_t BoundOf(uint64_t limit) {
  return limit == 0 ? std::numeric_limits<uint64_t>::max() : limit;
}
std::string TextOf(uint64_t limit) { return limit == 0 ? "no limit" : absl::StrCat(limit); }

absl::Duration BacklogOf(const admin::v1::Limits& limits) {
  const auto& backlog = limits.max_backlog();
  const absl::Duration out = absl::Seconds(backlog.seconds()) + absl::Nanoseconds(backlog.nanos());
  return out == absl::ZeroDuration() ? absl::InfiniteDuration() : out;
}

// Events at once; 0: no limit.
uint32_t BurstOf(const admin::v1::Limits& limits) {
  if (limits.events_per_second() == 0) return 0;
  return limits.burst() == 0 ? limits.events_per_second() : limits.burst();
}

void CompareLimits(absl::string_view side, const admin::v1::Limits& before,
                   const admin::v1::Limits& after, Reasons* reasons) {
  const auto compare = [&](absl::string_view field, uint64_t from, uint64_t to) {
    if (BoundOf(to) <= BoundOf(from)) return;
    reasons->push_back(
        absl::StrCat(side, ".limits.", field, ": ", TextOf(to), " in place of ", TextOf(from)));
  };
  compare("events_per_second", before.events_per_second(), after.events_per_second());
  compare("burst", BurstOf(before), BurstOf(after));
  compare("max_event_bytes", before.max_event_bytes(), after.max_event_bytes());
  if (BacklogOf(after) > BacklogOf(before)) {
    reasons->push_back(absl::StrCat(side, ".limits.max_backlog: longer than before"));
  }
}

void CompareTransit(absl::string_view side, const Origins& before, const Origins& after,
                    Reasons* reasons) {
  for (const std::string& origin : after) {
    if (std::find(before.begin(), before.end(), origin) != before.end()) continue;
    reasons->push_back(absl::StrCat(side, ".transit: ", origin, " is added"));
  }
}

template <typename Rules>
std::vector<RuleShape> ShapesOf(const Rules& rules) {
  std::vector<RuleShape> out;
  for (const auto& rule : rules) out.emplace_back(rule);
  return out;
}

// What both sides have.
template <typename Side>
void CompareSide(absl::string_view name, const Side& before, const Side& after,
                 const WideningContext& context, Reasons* reasons) {
  CompareRules(name, ShapesOf(before.rules()), ShapesOf(after.rules()), context, reasons);
  CompareTransit(name, before.transit(), after.transit(), reasons);
  CompareLimits(name, before.limits(), after.limits(), reasons);
}

admin::v1::ReasonsToPeer ReasonsOf(const admin::v1::ExportPolicy& side) {
  return side.reasons_to_peer() == admin::v1::REASONS_TO_PEER_UNSPECIFIED
             ? admin::v1::REASONS_TO_PEER_NONE
             : side.reasons_to_peer();
}

void CompareWhatIsTold(const admin::v1::Policy& before, const admin::v1::Policy& after,
                       Reasons* reasons) {
  if (ReasonsOf(after.export_()) > ReasonsOf(before.export_())) {
    reasons->push_back("export.reasons_to_peer: a refused peer is told more");
  }
  const bool shown = after.import().interest() != admin::v1::INTEREST_MODE_NONE;
  if (shown && before.import().interest() == admin::v1::INTEREST_MODE_NONE) {
    reasons->push_back("import.interest: the import rules are shown to the peer");
  }
}

bool DecidesWhatCrosses(admin::v1::Role role) {
  return role == admin::v1::ROLE_OPERATOR || role == admin::v1::ROLE_POLICY_AUTHOR ||
         role == admin::v1::ROLE_POLICY_APPROVER;
}

// Each pattern has to be one that was there: whether one matches all that another does is not
// looked at.
void CompareScopes(const admin::v1::Grant& before, const admin::v1::Grant& after,
                   Reasons* reasons) {
  if (before.peers().empty()) return;  // it was for all
  if (after.peers().empty()) {
    reasons->push_back(
        absl::StrCat("peers: ", after.principal(), " takes part in what crosses to all peers"));
  }
  for (const std::string& peer : after.peers()) {
    if (std::find(before.peers().begin(), before.peers().end(), peer) != before.peers().end()) {
      continue;
    }
    reasons->push_back(absl::StrCat("peers: ", peer, " is added to those of ", after.principal()));
  }
}

absl::Time ExpiryOf(const admin::v1::Group& group) {
  if (!group.has_expire_time()) return absl::InfiniteFuture();
  return absl::FromUnixSeconds(group.expire_time().seconds()) +
         absl::Nanoseconds(group.expire_time().nanos());
}

}  // namespace

Reasons WhyWidens(const admin::v1::Policy* before, const admin::v1::Policy& after,
                  const WideningContext& context) {
  const admin::v1::Policy& old =
      before == nullptr ? admin::v1::Policy::default_instance() : *before;
  Reasons reasons;
  CompareSide("export", old.export_(), after.export_(), context, &reasons);
  CompareSide("import", old.import(), after.import(), context, &reasons);
  if (after.import().accept_unknown() && !old.import().accept_unknown()) {
    reasons.push_back("import.accept_unknown: events of unknown types are taken");
  }
  CompareWhatIsTold(old, after, &reasons);
  return reasons;
}

Reasons WhyWidens(const admin::v1::Grant* before, const admin::v1::Grant& after) {
  const admin::v1::Grant& old = before == nullptr ? admin::v1::Grant::default_instance() : *before;
  Reasons reasons;
  const bool other_principal = after.principal() != old.principal();
  if (after.plane() != old.plane()) {
    reasons.push_back(absl::StrCat("plane: ", after.plane().empty() ? "none" : after.plane(),
                                   " in place of ", old.plane().empty() ? "none" : old.plane(),
                                   ", which policies may ask for"));
  } else if (!after.plane().empty() && other_principal) {
    reasons.push_back(absl::StrCat("principal: ", after.principal(), " publishes on the plane ",
                                   after.plane(), ", which policies may ask for"));
  }
  if (DecidesWhatCrosses(after.role()) && (other_principal || after.role() != old.role())) {
    std::string role = admin::v1::Role_Name(after.role()).substr(sizeof("ROLE_") - 1);
    reasons.push_back(absl::StrCat("role: ", after.principal(), " becomes ", role,
                                   " and takes part in what crosses"));
  }
  if (DecidesWhatCrosses(after.role()) && !other_principal && after.role() == old.role()) {
    CompareScopes(old, after, &reasons);
  }
  return reasons;
}

Reasons WhyWidens(const admin::v1::Group* before, const admin::v1::Group& after) {
  const admin::v1::Group& old = before == nullptr ? admin::v1::Group::default_instance() : *before;
  Reasons reasons;
  for (const std::string& member : after.members()) {
    if (std::find(old.members().begin(), old.members().end(), member) == old.members().end()) {
      reasons.push_back(absl::StrCat("members: ", member, " is added"));
    }
  }
  if (before != nullptr && !after.members().empty() && ExpiryOf(after) > ExpiryOf(old)) {
    reasons.push_back("expire_time: its members stay members for longer");
  }
  return reasons;
}

}  // namespace cdgate::policy
