#include "federation/session/replay_jobs.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
absl::StatusOr<storage::v1::ReplayJobs> ReplayJobsOf(const state::ResourceSnapshot& resources,
                                                     absl::string_view peer) {
  const state::ResourcePtr resource = resources.Find(state::kReplayKind, peer);
  if (resource == nullptr) return storage::v1::ReplayJobs();
  return resource->As<storage::v1::ReplayJobs>();
}

absl::StatusOr<state::ResourceEdit> AddReplayJob(const state::ResourceSnapshot& resources,
                                                 absl::string_view peer,
                                                 storage::v1::ReplayJob job) {
  CDGATE_ASSIGN_OR_RETURN(storage::v1::ReplayJobs jobs, ReplayJobsOf(resources, peer));
  if (jobs.jobs_size() >= kMaxReplayJobs) {
    return base::MakeError(
        base::Reason::kQuota,
        absl::StrCat(kMaxReplayJobs, " backfills and redrives for ", peer,
                     " wait to be offered; try again when the link has worked on some"),
        {{"peer", std::string(peer)}});
  }
  const state::ResourcePtr latest = resources.Latest(state::kReplayKind, peer);
  // Each job is at least one version of the resource, deleted or not: a number never used.
  job.set_number((latest == nullptr ? 0 : latest->version) + 1);
  state::ResourceEdit edit;
  edit.kind = state::kReplayKind;
  edit.name = std::string(peer);
  edit.author = job.author();
  edit.expected_version = latest == nullptr || latest->deleted ? 0 : latest->version;
  *jobs.add_jobs() = std::move(job);
  edit.value = jobs.SerializeAsString();
  return edit;
}

}  // namespace cdgate::session
