// Holds changes back that widen what crosses, where the domain has them approved by a second
// person: grants, groups and peers. (Policies have plans of their own, plan_api.h.)
//
//   gate.Admit(call, policy::WhyWidens(before, grant), std::move(proposal),
//              [=](absl::StatusOr<state::Proposal> admitted) {
//                if (!admitted.ok()) return reply(admitted.status());   // APPROVAL_REQUIRED
//                store.Propose(*std::move(admitted), ...);
//              });
//
// What is held back is kept as a plan under its hash, which the error names. When another
// principal has approved that plan (ApprovePlan), the same call goes through and uses it up.
// As long as no grant has the role policy_approver nobody could approve anything: then giving
// that role goes through, and all else that widens is refused saying so.
//
// Thread-safe; outlived by what it is given.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/api/plan_book.h"
#include "gateway/rpc/call.h"
#include "gateway/state/store.h"

namespace cdgate::api {

class WideningGate {
 public:
  using Reasons = std::vector<std::string>;
  using Admitted = std::function<void(absl::StatusOr<state::Proposal>)>;

  WideningGate(state::Store& store, const PlanBook& book) : store_(store), book_(book) {}

  // Whether the change may be made as it is: nothing widens, nobody has to approve, or a plan
  // of just this change is approved by another principal than the caller. APPROVAL_REQUIRED
  // otherwise, with the hash of the plan in the metadata "plan"; the plan is queued to be
  // written when this returns. Errors of PlanBook and Store::Propose.
  absl::Status Check(const rpc::Call& call, absl::string_view kind, absl::string_view name,
                     absl::string_view candidate, uint64_t base_version,
                     const Reasons& reasons) const;

  // The same for the first resource edit of `proposal`, with the plan on disk when it is
  // answered. What is admitted is based on the version that was looked at, names the plan and
  // its approver, and deletes the plan. `then` is called once, from here or later. Where more
  // than the first edit matters to who approves, `besides_digest` is over that: it has to be
  // the same when the change is made.
  void Admit(const rpc::Call& call, const Reasons& reasons, state::Proposal proposal,
             const Admitted& then, absl::string_view besides_digest = "") const;

 private:
  // What is to be done with a change.
  struct Verdict {
    absl::Status status;
    std::optional<StoredPlan> used = {};              // OK: the plan that it goes by
    std::optional<state::ResourceEdit> to_keep = {};  // not OK: the plan that is new
  };
  Verdict Judge(const rpc::Call& call, storage::v1::PlannedChange change) const;
  absl::Status CheckBootstrap(const storage::v1::PlannedChange& change) const;
  bool AnyApprover() const;

  state::Store& store_;
  const PlanBook& book_;
};

}  // namespace cdgate::api
