// The thread that turns proposals into commits, one commit at a time: what is proposed
// while one is on its way to the disk becomes the next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/mutex.h"
#include "gateway/base/parker.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/applier.h"
#include "gateway/state/commit_pace.h"
#include "gateway/state/options.h"
#include "gateway/state/pending.h"
#include "gateway/state/resolver.h"
#include "gateway/state/space.h"
#include "gateway/state/store_metrics.h"
#include "gateway/state/task_gate.h"

namespace cdgate::state {

class Committer {
 public:
  // Everything outlives the committer.
  Committer(const StoreOptions& options, const StoreDeps& deps, const Fold& fold, Applier& applier,
            SpaceGuard& space, StoreMetrics& metrics);
  ~Committer();  // Shutdown()

  void Start();
  // As Store::Propose.
  absl::Status Propose(Proposal proposal, Done done);
  // As Store::Shutdown, without the fold.
  void Shutdown();
  // Nothing can be written any more: refuses what waits and what comes, and says so
  // upwards, once. Thread-safe.
  void Fail(const absl::Status& status);

 private:
  using Batch = std::vector<PendingPtr>;

  absl::Status Admit(const Pending& pending) CDGATE_REQUIRES(mu_);
  void Run();
  bool AwaitProposals();
  void AwaitMore(bool crowded);
  Batch TakeBatch();
  void CommitBatch(Batch batch);
  // Where the batch is to be refused as a whole, why.
  absl::Status TryCommit(const Batch& batch);
  event::CommitPtr MakeCommit(const eventlog::Head& head);
  absl::Status Append(const event::CommitPtr& commit);

  void Answer(Batch batch);
  void Settle(const Batch& batch);
  void CountEvents(const Pending& pending);

  void Park(Batch* batch);
  void Compare(uint64_t parked);
  PendingPtr Unpark(uint64_t parked);
  void Requeue(PendingPtr pending);
  // Wakes the thread, where it sleeps, for what changed under the lock.
  void Wake();
  bool SameContent(base::Sequence first, const event::StoredView& other) const;
  bool SameContent(const event::StoredView& first, const event::StoredView& other) const;

  const StoreOptions options_;
  eventlog::EventLog& log_;
  base::Clock& clock_;
  base::Executor& background_;
  const CanonicalDigest canonical_digest_;
  const std::function<void(absl::Status)> on_fatal_;
  const SignOrigin sign_origin_;
  absl::Duration (*const run_delay_)();
  Applier& applier_;
  SpaceGuard& space_;
  StoreMetrics& metrics_;
  Resolver resolver_;                              // the thread's
  CommitPace pace_;                                // likewise
  const std::shared_ptr<base::Strand> callbacks_;  // null: on the thread
  const std::shared_ptr<TaskGate> comparisons_;

  base::Mutex mu_;
  base::Parker parker_;                         // the thread's
  bool asleep_ CDGATE_GUARDED_BY(mu_) = false;  // and nobody wakes it yet
  std::deque<PendingPtr> queue_ CDGATE_GUARDED_BY(mu_);
  std::map<uint64_t, PendingPtr> parked_ CDGATE_GUARDED_BY(mu_);  // being compared
  uint64_t last_parked_ CDGATE_GUARDED_BY(mu_) = 0;
  size_t pending_events_ CDGATE_GUARDED_BY(mu_) = 0;  // not answered
  size_t pending_bytes_ CDGATE_GUARDED_BY(mu_) = 0;
  absl::Status closed_ CDGATE_GUARDED_BY(mu_);  // why nothing is taken any more
  bool stopping_ CDGATE_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace cdgate::state
