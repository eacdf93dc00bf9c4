#include "federation/session/replay_queue.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "federation/session/ledger_writer.h"
#include "gateway/base/logging.h"

namespace cdgate::session {
namespace {

using base::Sequence;
using storage::v1::ReplayJobs;

struct Place {
  uint64_t number = 0;
  Sequence through;
};

Place PlaceOnDisk(const state::Store& store, const std::string& peer) {
  const auto move = store.Cursor(ReplayCursorName(peer));
  uint64_t through = 0;
  if (!move || !absl::SimpleAtoi(move->token(), &through)) return {};
  return {move->position(), Sequence(through)};
}

link::ReplayJob ToJob(const storage::v1::ReplayJob& job) {
  link::ReplayJob out;
  out.number = job.number();
  out.first = Sequence(job.first_sequence());
  out.last = Sequence(job.last_sequence());
  for (const uint64_t sequence : job.sequences()) out.sequences.push_back(Sequence(sequence));
  return out;
}

}  // namespace

ReplayQueue::ReplayQueue(const SessionDeps& deps, std::string peer, Poster post)
    : deps_(deps), peer_(std::move(peer)), post_(std::move(post)) {}

ReplayQueue::~ReplayQueue() { deps_.timers.Cancel(timer_); }

bool ReplayQueue::Refresh() {
  const state::ResourceSnapshotPtr resources = deps_.store.Resources();
  if (resources->commit() == seen_commit_) return false;
  seen_commit_ = resources->commit();
  const state::ResourcePtr resource = resources->Find(state::kReplayKind, peer_);
  const uint64_t version = resource == nullptr ? 0 : resource->version;
  if (version == version_) return false;
  version_ = version;
  jobs_.Clear();
  if (resource != nullptr) {
    auto jobs = resource->As<ReplayJobs>();
    if (!jobs.ok()) {
      base::LogError(base::LogLevel::kError, "replay jobs not taken", jobs.status(),
                     {{"peer", peer_}});
    } else {
      jobs_ = *std::move(jobs);
    }
  }
  // Whatever is before the one that the cursor is about is over.
  const Place place = PlaceOnDisk(deps_.store, peer_);
  finished_ = std::max(finished_, place.number == 0 ? 0 : place.number - 1);
  TryRemove();
  return true;
}

link::ReplayChanged ReplayQueue::current() const {
  link::ReplayChanged out;
  for (const storage::v1::ReplayJob& job : jobs_.jobs()) {
    if (job.number() <= finished_ || (out.job && out.job->number < job.number())) continue;
    out.job = ToJob(job);
  }
  const Place place = PlaceOnDisk(deps_.store, peer_);
  if (out.job && out.job->number == place.number) out.through = place.through;
  return out;
}

void ReplayQueue::NoteRecorded(uint64_t number, Sequence through) {
  recorded_number_ = number;
  recorded_through_ = through;
}

void ReplayQueue::Finish(uint64_t number) {
  finished_ = std::max(finished_, number);
  TryRemove();
}

// Removed before that, the job's rows could be lost with a crash.
bool ReplayQueue::OnDisk() const {
  const Place place = PlaceOnDisk(deps_.store, peer_);
  return recorded_number_ == 0 || place.number > recorded_number_ ||
         (place.number == recorded_number_ && place.through >= recorded_through_);
}

void ReplayQueue::TryRemove() {
  const state::ResourcePtr resource = deps_.store.Resources()->Find(state::kReplayKind, peer_);
  if (proposed_ || resource == nullptr) return;
  auto jobs = resource->As<ReplayJobs>();
  if (!jobs.ok()) return;
  auto& list = *jobs->mutable_jobs();
  const auto over = [this](const storage::v1::ReplayJob& j) { return j.number() <= finished_; };
  const auto end = std::remove_if(list.begin(), list.end(), over);
  if (end == list.end()) return;
  if (!OnDisk()) return RetryAfter(kFlushDelay);
  list.erase(end, list.end());
  Propose(*resource, *std::move(jobs));
}

void ReplayQueue::Propose(const state::StoredResource& resource, ReplayJobs left) {
  state::ResourceEdit edit;
  edit.kind = state::kReplayKind;
  edit.name = peer_;
  edit.deleted = left.jobs().empty();
  if (!edit.deleted) edit.value = left.SerializeAsString();
  edit.expected_version = resource.version;
  edit.author = deps_.domain;
  state::Proposal proposal;
  proposal.resources.push_back(std::move(edit));
  proposed_ = true;
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [this, post = post_](state::Outcome outcome) {
        post([this, status = outcome.status] { OnOutcome(status); });
      });
  if (!queued.ok()) OnOutcome(queued);
}

void ReplayQueue::OnOutcome(const absl::Status& status) {
  proposed_ = false;
  const auto reason = base::ReasonOf(status);
  // Another change was first: there it is.
  if (reason == base::Reason::kEtagMismatch) return TryRemove();
  if (status.ok() || reason == base::Reason::kNotFound) return;
  if (IsRetryable(status)) return RetryAfter(RetryDelay(status));
  base::LogError(base::LogLevel::kWarning, "a replay job that is over is kept", status,
                 {{"peer", peer_}});
}

void ReplayQueue::RetryAfter(absl::Duration delay) {
  if (timer_ != 0) return;
  timer_ = deps_.timers.At(deps_.clock.Monotonic() + delay, [this, post = post_] {
    post([this] {
      timer_ = 0;
      TryRemove();
    });
  });
}

}  // namespace cdgate::session
