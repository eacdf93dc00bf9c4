// Plans: changes that wait to be applied, each a resource named by its hash.
//
//   PlanBook book(store, clock, {.approve_widening = true, .validity = absl::Hours(24)});
//   storage::v1::PlannedChange change = ...;               // kind, name, candidate, widens
//   book.Date(call.principal.id, &change);                 // what it is based on, its times
//   proposal.resources.push_back(book.Entry(HashOf(change), change));
//   ...
//   CDGATE_ASSIGN_OR_RETURN(const Plan plan, book.FindFresh(hash));
//   CDGATE_RETURN_IF_ERROR(book.CheckApproved(plan, call.principal.id));
//   book.Use(plan, call.principal.id, &proposal);          // applied, and gone
//
// A plan is good until its time is over or what it is based on changes: the resource it
// changes, the groups and labels in force, any grant. Such a plan is stale for ever, because
// versions only grow. The hash is over what would happen, not over who wants it or when: the
// same change planned again on the same base is the same plan.
//
// Thread-safe; outlived by what it is given. Nothing blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/api/policy_candidate.h"
#include "gateway/base/clock.h"
#include "gateway/state/proposal.h"
#include "gateway/state/resources.h"
#include "gateway/state/store.h"

namespace cdgate::api {

// config.v1.PolicyConfig.
struct PlanSettings {
  // Ours.
  std::string domain = {};
  // What widens needs the approval of another principal.
  bool approve_widening = false;
  // How long plans and their approvals are good.
  absl::Duration validity = absl::Hours(24);
  // Of the largest event that is accepted here.
  size_t max_event_bytes = 1'000'000;
};

// A plan as it is kept.
struct StoredPlan {
  std::string hash;  // 32 bytes
  storage::v1::PlannedChange change;
  uint64_t version = 0;  // of the resource
};

// 32 bytes: SHA-256 over all of `change` but what was written around the candidate, who made
// or approved it, and when.
std::string HashOf(const storage::v1::PlannedChange& change);

// The same bytes for equal messages.
std::string DeterministicBytes(const google::protobuf::MessageLite& message);

class PlanBook {
 public:
  PlanBook(state::Store& store, const base::Clock& clock, PlanSettings settings)
      : store_(store), clock_(clock), settings_(std::move(settings)) {}

  const PlanSettings& settings() const { return settings_; }
  // What candidates are judged in, now.
  CandidateContext context() const {
    return {.own_domain = settings_.domain,
            .now = clock_.Now(),
            .max_event_bytes = settings_.max_event_bytes};
  }

  // Says what `change` is based on as things are, that `author` made it, and when it ends.
  // Its approval is cleared.
  void Date(const std::string& author, storage::v1::PlannedChange* change) const;
  // The edit that keeps it under its hash, in place of an older one.
  state::ResourceEdit Entry(const storage::v1::PlannedChange& change) const;

  // INVALID_ARGUMENT for what is no hash, PLAN_UNKNOWN.
  absl::StatusOr<StoredPlan> Find(absl::string_view hash) const;
  // Besides: PLAN_STALE saying what changed.
  absl::StatusOr<StoredPlan> FindFresh(absl::string_view hash) const;
  // By hash, those after `after`, at most `limit`.
  absl::StatusOr<std::vector<StoredPlan>> List(absl::string_view after, size_t limit) const;
  // PLAN_STALE.
  absl::Status CheckFresh(const storage::v1::PlannedChange& change) const;

  // Whether it has to be approved before it is applied.
  bool NeedsApproval(const storage::v1::PlannedChange& change) const {
    return settings_.approve_widening && change.widens_size() > 0;
  }
  // Whether `applier` may apply it: APPROVAL_REQUIRED with the hash as metadata "plan",
  // APPROVER_NOT_INDEPENDENT.
  absl::Status CheckApproved(const StoredPlan& plan, absl::string_view applier) const;
  // Whether `approver` may approve it: APPROVER_NOT_INDEPENDENT.
  static absl::Status CheckApprover(const StoredPlan& plan, absl::string_view approver);
  // The plan as approved, to be kept in place of what was read.
  state::ResourceEdit Approval(const StoredPlan& plan, const std::string& approver) const;

  // Marks the first edit of `proposal` as made by the plan, and deletes the plan with it.
  static void Use(const StoredPlan& plan, const std::string& applier, state::Proposal* proposal);

  // With what can be said without the log: no counts and samples.
  admin::v1::Plan Describe(const StoredPlan& plan) const;

 private:
  state::Store& store_;
  const base::Clock& clock_;
  const PlanSettings settings_;
};

// Proposes to delete the plans that are stale, at most 256 at once; the next call finds what is
// left. The composition root calls it now and then. Errors of Store::Propose; does not block.
absl::Status RemoveStalePlans(state::Store& store, const PlanBook& book);

}  // namespace cdgate::api
