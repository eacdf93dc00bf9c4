#include "federation/session/origin_counter.h"

#include <algorithm>
#include <utility>

#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

constexpr char kAccepted[] = "accepted";

// The peers that an event may have gone to the destination through, itself first.
std::vector<admin::v1::Peer> WaysTo(const state::ResourceSnapshot& resources,
                                    const OriginCounter::Question& question) {
  std::vector<admin::v1::Peer> out;
  for (const state::ResourcePtr& resource : resources.List(state::kPeerKind)) {
    if (!question.through.empty() && resource->name != question.through) continue;
    if (auto peer = resource->As<admin::v1::Peer>(); peer.ok()) out.push_back(*std::move(peer));
  }
  std::stable_partition(out.begin(), out.end(), [&question](const admin::v1::Peer& peer) {
    return peer.domain() == question.destination;
  });
  return out;
}

bool MayGoOn(const Outcomes::Decided& decided, const std::string& destination,
             const event::Record& record) {
  const policy::TermsView& terms = decided.decision.terms;
  if (!decided.decision.allow || terms.onward == 0) return false;
  return terms.groups.empty() ||
         std::any_of(terms.groups.begin(), terms.groups.end(), [&](absl::string_view group) {
           return decided.basis.environment->IsMember(group, destination, record.accept_time());
         });
}

}  // namespace

OriginCounter::OriginCounter(const OriginCounterDeps& deps, Question question)
    : deps_(deps),
      question_(std::move(question)),
      outcomes_(deps.domain, deps.store, deps.keeper, deps.link_facts),
      peers_(WaysTo(*deps.store.Resources(), question_)),
      scan_(deps.log) {}

absl::Status OriginCounter::Begin() {
  CDGATE_ASSIGN_OR_RETURN(const absl::Time kept_since, KeptSince(deps_.log));
  const absl::Time from = std::max(question_.from, kept_since);
  window_.emplace(absl::ToUnixNanos(from), absl::ToUnixNanos(std::max(from, question_.until)));
  return scan_.Begin(from);
}

absl::StatusOr<bool> OriginCounter::Step() {
  if (!window_) CDGATE_RETURN_IF_ERROR(Begin());
  CDGATE_ASSIGN_OR_RETURN(const auto commits, scan_.Next());
  for (const event::CommitPtr& commit : commits) {
    CDGATE_RETURN_IF_ERROR(Look(*commit));
    const absl::Time through = commit->commit_time - kCommitSlack;
    if (absl::ToUnixNanos(through) >= window_->until_nanos()) return true;
    if (scanned_ < kMaxScannedEvents) continue;
    window_->EndAt(absl::ToUnixNanos(through));
    return true;
  }
  return commits.empty();
}

absl::Status OriginCounter::Look(const event::Commit& commit) {
  scanned_ += commit.events.size();
  for (const event::Record& record : commit.events) {
    const event::StoredView& stored = record.stored();
    if (!stored.received_from().empty() || !window_->Covers(stored.accepted_time_nanos())) continue;
    CDGATE_ASSIGN_OR_RETURN(const bool counts, Counts(record));
    if (counts) window_->Add(stored.accepted_time_nanos(), stored.commitment());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> OriginCounter::Counts(const event::Record& record) {
  for (const admin::v1::Peer& peer : peers_) {
    CDGATE_ASSIGN_OR_RETURN(const bool gave, GaveThrough(peer, record));
    if (gave) return true;
  }
  return false;
}

absl::StatusOr<bool> OriginCounter::GaveThrough(const admin::v1::Peer& peer,
                                                const event::Record& record) {
  CDGATE_ASSIGN_OR_RETURN(const Outcome outcome, outcomes_.Of(peer, record));
  if (outcome.state != kAccepted) return false;
  if (peer.domain() == question_.destination) return true;
  CDGATE_ASSIGN_OR_RETURN(const Outcomes::Decided decided,
                          outcomes_.Decide(peer, record, outcome, nullptr));
  return MayGoOn(decided, question_.destination, record);
}

}  // namespace cdgate::session
