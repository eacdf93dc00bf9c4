// What the commits of the log add up to. Rows are in a KvStore; what is read often
// (resources, cursors, counters) is in memory as well.
//
// Apply is called for one commit after the other, by one thread at a time; its parts'
// reads are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/cursor_table.h"
#include "gateway/state/identity_index.h"
#include "gateway/state/kv_store.h"
#include "gateway/state/ledger.h"
#include "gateway/state/letters.h"
#include "gateway/state/outcomes.h"
#include "gateway/state/resource_table.h"

namespace cdgate::state {

// How far the fold has got.
struct FoldPosition {
  uint64_t commit = 0;                // the last one applied
  base::Sequence next_sequence = {};  // that the next event gets
};

class Fold {
 public:
  // Reads what `kv` has. LOG_FORMAT_NEWER, LOG_CORRUPT.
  static absl::StatusOr<std::unique_ptr<Fold>> Open(std::unique_ptr<KvStore> kv,
                                                    base::Random& random);

  // Applies the commit after position(). `identities`: the index entries of its events, where the
  // caller has them at hand; empty otherwise. After an error nothing can be applied or flushed any
  // more: what is on disk stays consistent, and the log has the rest.
  absl::Status Apply(const event::Commit& commit, absl::Span<const IdentityEntry> identities);

  // Forgets what lies behind `head`, which the log has lost: identities and ledger rows
  // of sequences that will be given again, and the cursors of links. Resources stay. Only
  // before the first Apply.
  absl::Status RollBack(const eventlog::Head& head);

  // Forgets identities of events that were never recorded as applied: where the log began
  // a new epoch, they may be of events that it has lost. Only before the first Apply.
  absl::Status ForgetUnapplied();

  // Makes everything applied durable. Blocks; callers wait for each other. The first
  // error is that of every later call, too: a failed write is never tried again.
  absl::Status Flush();

  // Before anything is asked about events whose rows PutOutcomes is to take.
  void BeginOutcomes() { outcomes_->BeginPiece(); }
  // The rows of consecutive events up to `last`; durable once FlushOutcomes is OK.
  absl::Status PutOutcomes(absl::Span<const storage::v1::OutcomeRow> rows, base::Sequence last);
  absl::Status FlushOutcomes();
  // Removes exceptions of the ledger that rows of outcomes hold, of events before `first`, the
  // log's first.
  absl::Status DropFoldedExceptions(base::Sequence first);

  FoldPosition position() const;
  // The last commit that any row is of; after a crash maybe beyond position().
  uint64_t newest_commit() const;
  // Up to where Flush has written; what comes after is applied again after a crash.
  FoldPosition flushed() const;
  // Events and bytes of commits applied since the last Flush began.
  uint64_t unflushed_events() const;
  uint64_t unflushed_bytes() const;

  // Of the last commit applied; empty where there is none.
  base::Epoch epoch() const;
  // As Store::Epochs.
  std::vector<storage::v1::EpochStart> epochs() const;
  // As Store::CheckPosition.
  absl::Status CheckPosition(const base::Epoch& epoch, base::Sequence sequence) const;

  const IdentityIndex& identities() const { return *identities_; }
  // As IdentityIndex::Fill. Not needed for right answers, only for fast ones.
  absl::Status FillIdentities() { return identities_->Fill(); }
  void StopFillingIdentities() { identities_->StopFill(); }
  const CursorTable& cursors() const { return cursors_; }
  const ResourceTable& resources() const { return *resources_; }
  const Ledger& ledger() const { return *ledger_; }
  const Letters& letters() const { return *letters_; }
  const Outcomes& outcomes() const { return *outcomes_; }

 private:
  Fold(std::unique_ptr<KvStore> kv, storage::v1::FoldMeta meta);
  absl::Status Load();
  // Everything but the identities.
  absl::Status ApplyRows(const event::Commit& commit) CDGATE_REQUIRES(write_mu_);
  void Advance(const event::Commit& commit);
  absl::Status WriteMeta() CDGATE_REQUIRES(write_mu_);
  absl::Status FlushTurn();
  // Runs `work` while no other flush runs; not after an error.
  absl::Status InTurn(absl::FunctionRef<absl::Status()> work);
  absl::Status DropFoldedExceptions(base::Sequence from, base::Sequence end);
  // The first error: nothing is written after it.
  absl::Status failure() const;
  // Notes the first error.
  absl::Status Checked(absl::Status status);

  const std::unique_ptr<KvStore> kv_;
  // Held while a batch is written to kv_, which calls nobody. Taken before mu_.
  base::Mutex write_mu_;
  const std::unique_ptr<KvBatch> batch_ CDGATE_PT_GUARDED_BY(write_mu_);
  std::unique_ptr<IdentityIndex> identities_;
  CursorTable cursors_;
  std::unique_ptr<ResourceTable> resources_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Letters> letters_;
  std::unique_ptr<Outcomes> outcomes_;

  mutable base::Mutex mu_;
  base::CondVar flush_done_;
  bool flushing_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Status failed_ CDGATE_GUARDED_BY(mu_);
  storage::v1::FoldMeta meta_ CDGATE_GUARDED_BY(mu_);
  FoldPosition position_ CDGATE_GUARDED_BY(mu_);
  FoldPosition flushed_ CDGATE_GUARDED_BY(mu_);
  // Commits up to this one are in every table but that of the identities, and are not
  // applied there again after a crash.
  uint64_t rows_commit_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t unflushed_events_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t unflushed_bytes_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::state
