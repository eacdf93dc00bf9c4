#include "gateway/api/policy_replay.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

// Jobs that are done are in the list no more; the cursor has the last one that began.
uint64_t NextNumber(const state::Store& store, absl::string_view peer,
                    const storage::v1::ReplayJobs& jobs) {
  uint64_t last = 0;
  for (const storage::v1::ReplayJob& job : jobs.jobs()) last = std::max(last, job.number());
  const auto cursor = store.Cursor(absl::StrCat("link/", peer, "/replay"));
  return std::max(last, cursor ? cursor->position() : 0) + 1;
}

}  // namespace

absl::Status AddReplay(const state::Store& store, const std::string& author,
                       const PolicyCandidate& candidate, const PlanRange& range,
                       state::Proposal* proposal, admin::v1::ApplyPolicyResponse* response) {
  if (range.last < range.first) return absl::OkStatus();
  const std::string& peer = candidate.policy.peer();
  const state::ResourcePtr stored = store.Resources()->Find(state::kReplayKind, peer);
  storage::v1::ReplayJobs jobs;
  if (stored != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(jobs, stored->As<storage::v1::ReplayJobs>());
  }
  const uint64_t number = NextNumber(store, peer, jobs);
  storage::v1::ReplayJob* const job = jobs.add_jobs();
  job->set_number(number);
  job->set_first_sequence(range.first.value());
  job->set_last_sequence(range.last.value());
  job->set_policy_version(candidate.compiled->version());
  job->set_author(author);
  state::ResourceEdit edit;
  edit.kind = state::kReplayKind;
  edit.name = peer;
  edit.value = jobs.SerializeAsString();
  edit.expected_version = stored == nullptr ? 0 : stored->version;
  edit.author = author;
  proposal->resources.push_back(std::move(edit));
  response->set_backfill_first(range.first.value());
  response->set_backfill_last(range.last.value());
  return absl::OkStatus();
}

}  // namespace cdgate::api
