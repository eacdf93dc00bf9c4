#include "federation/session/replay_jobs.h"

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {


state::ResourceEdit EditOf(const storage::v1::ReplayJobs& jobs, const state::ResourcePtr& before,
                           absl::string_view peer, const std::string& author) {
  state::ResourceEdit edit;
  edit.kind = state::kReplayKind;
  edit.name = std::string(peer);
  edit.value = jobs.SerializeAsString();
  edit.expected_version = before == nullptr ? 0 : before->version;
  edit.author = author;
  return edit;
}

}  // namespace

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
  const state::ResourcePtr before = resources.Find(state::kReplayKind, peer);
  // Each job is at least one version of the resource, so the version is a number never used.
  job.set_number((before == nullptr ? 0 : before->version) + 1);
  const std::string author = job.author();
  *jobs.add_jobs() = std::move(job);
  return EditOf(jobs, before, peer, author);
}

absl::StatusOr<state::ResourceEdit> RemoveReplayJob(const state::ResourceSnapshot& resources,
                                                    absl::string_view peer, uint64_t number) {
  CDGATE_ASSIGN_OR_RETURN(storage::v1::ReplayJobs jobs, ReplayJobsOf(resources, peer));
  auto& kept = *jobs.mutable_jobs();
  kept.erase(std::remove_if(kept.begin(), kept.end(),
                            [&](const storage::v1::ReplayJob& j) { return j.number() <= number; }),
             kept.end());
  return EditOf(jobs, resources.Find(state::kReplayKind, peer), peer, "cdgate");
}

}  // namespace cdgate::session
