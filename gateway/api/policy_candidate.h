// A policy that somebody wants in force: read, checked, and compared with the one that is.
//
//   CDGATE_ASSIGN_OR_RETURN(const PolicyCandidate candidate,
//                           ReadCandidate(store, CandidateOf(request), context));
//   if (!candidate.widens.empty()) AskForApproval(candidate.widens);
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/policy/policy.h"
#include "gateway/state/store.h"

namespace cdgate::api {

struct PolicyCandidate {
  admin::v1::Policy policy;
  std::string source;             // what its author wrote; may be empty
  uint64_t restored_version = 0;  // the earlier version that it is; 0: it is none
  uint64_t base_version = 0;      // in force now; 0: none is
  std::vector<policy::Finding> findings;
  std::vector<std::string> widens;  // empty: provably narrowing
  // With the version that it will have.
  std::shared_ptr<const policy::CompiledPolicy> compiled;
};

// What is asked for: a policy, or an earlier version of one. All views.
struct CandidateRequest {
  const admin::v1::Policy& policy;
  const std::string& source;
  uint64_t base_version;     // 0: not checked
  uint64_t restore_version;  // 0: `policy` is meant
  const std::string& peer;   // with restore_version
};
// Of PlanPolicyRequest and ApplyPolicyRequest.
template <typename Request>
CandidateRequest CandidateOf(const Request& request) {
  return {request.policy(), request.source(), request.base_version(), request.restore_version(),
          request.peer()};
}

// What else the judgement depends on.
struct CandidateContext {
  absl::string_view own_domain = {};
  absl::Time now = absl::UnixEpoch();
  size_t max_event_bytes = 1'000'000;  // of the largest event that is accepted here
};

// (blocks) INVALID_POLICY naming the first fault by its path, NOT_FOUND for a version that never
// was, ETAG_MISMATCH where another than base_version is in force.
absl::StatusOr<PolicyCandidate> ReadCandidate(const state::Store& store,
                                              const CandidateRequest& request,
                                              const CandidateContext& context);

// Errors of the policy itself, errors first, and what of its surroundings deserves a warning.
std::vector<policy::Finding> FindingsOf(const admin::v1::Policy& policy,
                                        const state::ResourceSnapshot& resources,
                                        const CandidateContext& context);
// INVALID_POLICY for the first of them that is an error.
absl::Status FirstError(const std::vector<policy::Finding>& findings);

// (blocks) A version of a policy, 0: the one in force. NOT_FOUND.
absl::StatusOr<state::ResourcePtr> FindPolicy(const state::Store& store, absl::string_view peer,
                                              uint64_t version);

template <typename Message>
void AddFindings(const std::vector<policy::Finding>& findings, Message* message) {
  for (const policy::Finding& finding : findings) {
    *message->add_findings() = policy::ToProto(finding);
  }
}

}  // namespace cdgate::api
