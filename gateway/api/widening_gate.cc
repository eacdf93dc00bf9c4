#include "gateway/api/widening_gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

storage::v1::PlannedChange ChangeOf(absl::string_view kind, absl::string_view name,
                                    absl::string_view candidate, absl::string_view source,
                                    const std::vector<std::string>& reasons) {
  storage::v1::PlannedChange change;
  change.set_kind(std::string(kind));
  change.set_name(std::string(name));
  change.set_candidate(std::string(candidate));
  change.set_source(std::string(source));
  for (const std::string& reason : reasons) change.add_widens(reason);
  return change;
}

bool GivesApprover(const storage::v1::PlannedChange& change) {
  admin::v1::Grant grant;
  return change.kind() == state::kGrantKind && grant.ParseFromString(change.candidate()) &&
         grant.role() == admin::v1::ROLE_POLICY_APPROVER;
}

}  // namespace

bool WideningGate::AnyApprover() const {
  const auto grants = store_.Resources()->List(state::kGrantKind);
  return std::any_of(grants.begin(), grants.end(), [](const state::ResourcePtr& stored) {
    const auto grant = stored->As<admin::v1::Grant>();
    return grant.ok() && grant->role() == admin::v1::ROLE_POLICY_APPROVER;
  });
}

absl::Status WideningGate::CheckBootstrap(const storage::v1::PlannedChange& change) const {
  if (GivesApprover(change)) return absl::OkStatus();
  return base::MakeError(
      base::Reason::kApprovalRequired,
      absl::StrCat("the change of the ", change.kind(), " ", change.name(),
                   " widens what crosses (", change.widens(0),
                   "), and nobody can approve it: no grant has the role policy_approver; apply "
                   "one first"),
      {{"kind", change.kind()}, {"name", change.name()}});
}

WideningGate::Verdict WideningGate::Judge(const rpc::Call& call,
                                          storage::v1::PlannedChange change) const {
  if (!book_.NeedsApproval(change)) return {};
  if (!AnyApprover()) return {.status = CheckBootstrap(change)};
  book_.Date(call.principal.id, &change);
  const auto known = book_.FindFresh(HashOf(change));
  if (known.ok()) {
    Verdict verdict{.status = book_.CheckApproved(*known, call.principal.id)};
    if (verdict.status.ok()) verdict.used = *known;
    return verdict;
  }
  StoredPlan plan{.hash = HashOf(change), .change = change};
  return {.status = book_.CheckApproved(plan, call.principal.id), .to_keep = book_.Entry(change)};
}

absl::Status WideningGate::Check(const rpc::Call& call, absl::string_view kind,
                                 absl::string_view name, absl::string_view candidate,
                                 uint64_t base_version, const Reasons& reasons) const {
  const auto now = store_.Resources()->Find(kind, name);
  if ((now == nullptr ? 0 : now->version) != base_version) {
    return base::MakeError(base::Reason::kEtagMismatch,
                           absl::StrCat("the ", kind, " ", name, " has changed; try again"));
  }
  Verdict verdict = Judge(call, ChangeOf(kind, name, candidate, "", reasons));
  if (!verdict.to_keep) return verdict.status;
  state::Proposal proposal;
  proposal.resources.push_back(*std::move(verdict.to_keep));
  CDGATE_RETURN_IF_ERROR(store_.Propose(std::move(proposal), [](const state::Outcome&) {}));
  return verdict.status;
}

void WideningGate::Admit(const rpc::Call& call, const Reasons& reasons, state::Proposal proposal,
                         const Admitted& then, absl::string_view besides_digest) const {
  state::ResourceEdit& edit = proposal.resources.front();
  storage::v1::PlannedChange change =
      ChangeOf(edit.kind, edit.name, edit.value, edit.source, reasons);
  change.set_besides_digest(std::string(besides_digest));
  Verdict verdict = Judge(call, std::move(change));
  if (verdict.used) {
    edit.expected_version = verdict.used->change.base_version();
    PlanBook::Use(*verdict.used, call.principal.id, &proposal);
  }
  if (verdict.status.ok()) return then(std::move(proposal));
  if (!verdict.to_keep) return then(verdict.status);
  state::Proposal keep;
  keep.resources.push_back(*std::move(verdict.to_keep));
  const absl::Status queued = store_.Propose(
      std::move(keep), [then, status = verdict.status](const state::Outcome& outcome) {
        then(outcome.status.ok() ? status : outcome.status);
      });
  if (!queued.ok()) then(queued);
}

}  // namespace cdgate::api
