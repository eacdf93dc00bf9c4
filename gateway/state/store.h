// The one writer in front of the event log, and the fold over it: what the log's commits
// add up to (identities, cursors, resources, ledger, refusals, dead letters).
//
//   CDGATE_ASSIGN_OR_RETURN(auto store, state::Store::Open(options, deps));
//   absl::Status queued = store->Propose(std::move(proposal), [](state::Outcome o) { ... });
//   if (!queued.ok()) Refuse(queued);                  // `done` will not run
//
// Group commit: one thread takes what was proposed while the last write was on its way
// to the disk and makes it the next commit; a proposal alone goes straight through.
// There it is resolved against the fold: a duplicate is answered with the first
// sequence, a conflict is refused, preconditions of resources and cursors are checked,
// also against what is before it in the same commit.
//
// What a read returns is committed. A proposal's effects can be read when its `done`
// runs, and those of a commit when a reader of the log gets it, as long as the reader's
// Feed is made after the store. All functions are thread-safe; reads marked (disk) may
// block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/storage/v1/state.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/identity.h"
#include "gateway/state/kv_store.h"
#include "gateway/state/options.h"
#include "gateway/state/proposal.h"
#include "gateway/state/resources.h"
#include "gateway/state/views.h"

namespace cdgate::state {

class Store {
 public:
  // Reads the fold in `kv` and applies what the log has after it. LOG_CORRUPT where the
  // log no longer has what the fold lacks; errors of the log and of `kv`.
  static absl::StatusOr<std::unique_ptr<Store>> Open(StoreOptions options, StoreDeps deps,
                                                     std::unique_ptr<KvStore> kv);
  ~Store();  // Shutdown()
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Queues `proposal`; `done` runs once when it is on disk or refused. Not OK: `done`
  // is dropped unrun; OVERLOADED, LOG_WRITE_FAILED after a failed write, DRAINING after
  // Shutdown. Outcomes come in the order of the proposals, except that a proposal with
  // an event whose content has to be compared is decided later.
  [[nodiscard]] absl::Status Propose(Proposal proposal, Done done);

  // Commits what was proposed, refuses what comes, flushes the fold. Idempotent.
  void Shutdown();

  const IdentityHasher& identities() const;

  // --- the log
  eventlog::Head head() const;
  eventlog::First first() const;
  // (disk) TRIMMED, NOT_FOUND beyond the head, LOG_CORRUPT.
  absl::StatusOr<EventRef> ReadEvent(base::Sequence sequence) const;
  // (disk) Sequences of the events with this id, ascending; those that retention removed
  // are among them.
  absl::StatusOr<std::vector<base::Sequence>> FindById(absl::string_view id) const;
  // (disk) First event committed at or after `time`.
  absl::StatusOr<base::Sequence> SequenceAt(absl::Time time) const;
  // Is (epoch, sequence) a place in this log, to resume after? WRONG_EPOCH where the
  // epoch is of another log, EPOCH_REGRESSED where the epoch did not get that far.
  absl::Status CheckPosition(const base::Epoch& epoch, base::Sequence sequence) const;

  // The lives of the log, oldest first.
  std::vector<storage::v1::EpochStart> Epochs() const;

  // --- cursors
  std::optional<storage::v1::CursorMove> Cursor(absl::string_view reader) const;
  // By reader, those that begin with `prefix`.
  std::vector<storage::v1::CursorMove> Cursors(absl::string_view prefix) const;

  // --- resources
  ResourceSnapshotPtr Resources() const;
  // (disk) All versions kept, newest first: of policies, grants, groups and the environment
  // every one ever made, of other kinds the last.
  absl::StatusOr<std::vector<ResourcePtr>> History(absl::string_view kind,
                                                   absl::string_view name) const;
  // Calls `watcher` after commits that change resources, with the newest snapshot: one
  // call at a time, several changes maybe in one, also once right away.
  using Watcher = std::function<void(ResourceSnapshotPtr)>;
  [[nodiscard]] uint64_t Watch(Watcher watcher);
  // No call of the watcher begins after this; one may still run.
  void Unwatch(uint64_t id);

  // --- ledger, refusals, dead letters
  // (disk) What we know of `sequence` and `peer`.
  absl::StatusOr<LedgerFacts> Ledger(absl::string_view peer, base::Sequence sequence) const;
  // (disk) Acknowledged ranges of the live lane that end at or after `from`, ascending, at most
  // `limit`.
  absl::StatusOr<std::vector<storage::v1::LedgerRow>> LedgerRows(absl::string_view peer,
                                                                 base::Sequence from,
                                                                 size_t limit) const;
  // (disk) Refusals of events with this id, as long as the audit retention; empty source or
  // origin match any.
  absl::StatusOr<std::vector<storage::v1::RefusalRow>> Refusals(absl::string_view id,
                                                                absl::string_view source,
                                                                absl::string_view origin) const;
  // (disk) Of one reader, oldest first, those after `after` (null: from the first).
  absl::StatusOr<std::vector<storage::v1::DeadLetterRow>> DeadLetters(
      absl::string_view reader, const storage::v1::DeadLetterKey* after, size_t limit) const;
  PeerCounters Counters(absl::string_view peer) const;
  // By peer, of all that there ever were.
  std::map<std::string, PeerCounters> AllCounters() const;

  // --- events that retention removed
  // (disk) What became of those with this id, ascending by sequence, as long as the audit
  // retention; empty source or origin match any. Whoever looks for an event asks the log first:
  // here is only what the log no longer has.
  absl::StatusOr<std::vector<storage::v1::OutcomeRow>> Outcomes(absl::string_view id,
                                                                absl::string_view source,
                                                                absl::string_view origin) const;
  // (disk) The same of one; none where nothing is known of it.
  absl::StatusOr<std::optional<storage::v1::OutcomeRow>> OutcomeAt(base::Sequence sequence) const;

  // (disk) Removes from the log what retention does not keep, after a row of what became of it
  // is durable. One call at a time; the composition root calls it on `background`, every minute
  // or so. After an error nothing without such a row was removed, and the next call tries again.
  absl::Status ApplyRetention();
  // (disk) Writes the fold to disk, so that the next start applies nothing again.
  absl::Status Flush();

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdgate::state
