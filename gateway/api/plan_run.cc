#include "gateway/api/plan_run.h"

#include <utility>

#include "gateway/api/event_lookup.h"
#include "gateway/api/plan_content.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

// The policy let it through, whatever became of it on its way: it crossed, is crossing or may
// have crossed.
bool LetThrough(const session::Outcome& outcome) {
  for (const char* state :
       {"accepted", "sent", "possibly_sent", "waiting", "frozen", "acknowledged_undisclosed"}) {
    if (outcome.state == state) return true;
  }
  return false;
}

// Decided, or in the way of being decided, against it.
bool DeniedByPolicy(const session::Outcome& outcome) {
  return outcome.state == "denied" || outcome.state == "not_wanted";
}

}  // namespace

absl::string_view Difference::outgoing_data() const {
  if (!after->allow) return "";
  if (after->outgoing == nullptr) return record->data();
  const auto view = event::CloudEventView::Scan(after->outgoing->cloud_event);
  return view.ok() ? view->data() : absl::string_view();
}

admin::v1::PlanEvent Difference::ToProto(bool with_leaks) const {
  admin::v1::PlanEvent out;
  *out.mutable_event() = Summarise(*record);
  out.set_rule_before(before->rule);
  out.set_reason_before(before->reason);
  out.set_rule_after(std::string(after->rule));
  out.set_reason_after(base::ReasonLabel(after->reason));
  if (!with_leaks) return out;
  for (std::string& pointer : AddressesWithin(outgoing_data())) {
    out.add_leaks(std::move(pointer));
  }
  return out;
}

PlanRun::PlanRun(const PlanRunDeps& deps, admin::v1::Peer peer,
                 std::shared_ptr<const policy::CompiledPolicy> candidate, bool backfill)
    : deps_(deps),
      peer_(std::move(peer)),
      candidate_(std::move(candidate)),
      backfill_(backfill),
      outcomes_(deps.domain, deps.store, deps.keeper, deps.link_facts) {}

absl::Status PlanRun::Over(const PlanRange& range, const Visitor& visit) {
  CDGATE_ASSIGN_OR_RETURN(basis_, outcomes_.source().Candidate(peer_.domain(), candidate_));
  base::Sequence from = range.first;
  while (from <= range.last) {
    CDGATE_ASSIGN_OR_RETURN(const auto commits, deps_.log.Read({.sequence = from}, {}));
    if (commits.empty()) return absl::OkStatus();
    for (const event::CommitPtr& commit : commits) {
      for (const event::Record& record : commit->events) {
        if (record.sequence() < from) continue;
        if (record.sequence() > range.last) return absl::OkStatus();
        CDGATE_ASSIGN_OR_RETURN(const bool go_on, Look(record, visit));
        if (!go_on) return absl::OkStatus();
      }
    }
    from = commits.back()->last_sequence.Next();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PlanRun::Look(const event::Record& record, const Visitor& visit) {
  if (record.stored().received_from() == peer_.domain()) return true;  // it has it
  context_.Reset(record);
  const policy::Decision after = policy::DecideExport(
      basis_.policy.get(), context_, basis_.ForExport(deps_.domain, transformer_, &memo_));
  CDGATE_ASSIGN_OR_RETURN(const session::Outcome before, outcomes_.Of(peer_, record));
  Difference difference{.record = &record, .before = &before, .after = &after};
  CDGATE_ASSIGN_OR_RETURN(difference.list, Compare(record, before, after));
  if (difference.list == admin::v1::PLAN_LIST_KIND_UNSPECIFIED) return true;
  return visit(difference);
}

absl::StatusOr<admin::v1::PlanListKind> PlanRun::Compare(const event::Record& record,
                                                         const session::Outcome& before,
                                                         const policy::Decision& after) {
  if (DeniedByPolicy(before) || (backfill_ && before.withheld())) {
    return after.allow ? admin::v1::PLAN_LIST_KIND_NEWLY : admin::v1::PLAN_LIST_KIND_UNSPECIFIED;
  }
  if (!LetThrough(before)) return admin::v1::PLAN_LIST_KIND_UNSPECIFIED;
  if (!after.allow) return admin::v1::PLAN_LIST_KIND_NO_LONGER;
  CDGATE_ASSIGN_OR_RETURN(const session::Outcomes::Decided decided,
                          outcomes_.Decide(peer_, record, before, nullptr));
  const bool more = decided.decision.allow &&
                    HasMore(record, decided.decision, after, basis_.environment->labels());
  return more ? admin::v1::PLAN_LIST_KIND_MORE_CONTENT : admin::v1::PLAN_LIST_KIND_UNSPECIFIED;
}

}  // namespace cdgate::api
