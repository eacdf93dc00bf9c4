// The jobs that offer past events to one peer again, as the store has them: resource
// "replay"/PEER (storage.v1.ReplayJobs), done up to the cursor "link/PEER/replay".
//
//   if (queue.Refresh()) Step(queue.current());
//   queue.NoteRecorded(record.number, record.through);   // with each link::RecordReplay
//   queue.Finish(done.number);                           // with link::ReplayDone
//
// A job that is over leaves the resource, once what it did is on disk; where somebody else
// changes the resource at the same time, that is seen by the next Refresh(), and it is tried
// again. Jobs run in the order of their numbers.
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/link/messages.h"
#include "federation/session/session_types.h"

namespace cdgate::session {

class ReplayQueue {
 public:
  ReplayQueue(const SessionDeps& deps, std::string peer, Poster post);
  ~ReplayQueue();

  // Looks at the store; true where the jobs are others now. Costs next to nothing where no
  // resource changed.
  bool Refresh();
  // The job to run, and how far it is accounted for on disk.
  link::ReplayChanged current() const;

  // The ledger was given what job `number` did through `through`.
  void NoteRecorded(uint64_t number, base::Sequence through);
  void Finish(uint64_t number);

 private:
  bool OnDisk() const;
  void TryRemove();
  void Propose(const state::StoredResource& resource, storage::v1::ReplayJobs left);
  void OnOutcome(const absl::Status& status);
  void RetryAfter(absl::Duration delay);

  const SessionDeps& deps_;
  const std::string peer_;
  const Poster post_;

  storage::v1::ReplayJobs jobs_;
  uint64_t version_ = 0;      // of jobs_; 0: none
  uint64_t seen_commit_ = 0;  // of the snapshot looked at last
  uint64_t finished_ = 0;     // jobs up to this number are over
  // Given to the ledger last; 0: nothing since the beginning.
  uint64_t recorded_number_ = 0;
  base::Sequence recorded_through_;
  bool proposed_ = false;
  base::TimerQueue::Id timer_ = 0;
};

}  // namespace cdgate::session
