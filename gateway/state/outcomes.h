// What became of events that retention removed from the log: one row each, kept for
// StoreOptions::audit_retention.
//
//   outcomes.BeginPiece();                         // then asks what became of the events
//   outcomes.PutPiece(rows, last_sequence, &batch);  // `batch` is written
//   outcomes.Kept(outcomes.next());                // once that is durable
//   log.Trim(outcomes.kept());
//
// A log removes whole files, so that events have rows some time before they go: lookups ask the
// log first, and the rows only for what it no longer has. Where a row of the ledger comes for
// such an event in between (a late acknowledgement, a replay), next() goes back to it and its
// row is made again. A row that says `open` was made before any row of the ledger accounted for
// the event: what comes later is in the ledger.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/state/identity.h"
#include "gateway/state/kv_store.h"

namespace cdgate::state {

// The row of one event of `commit`, without what became of it for the peers: what
// StoreDeps::fold_outcomes begins with.
storage::v1::OutcomeRow MakeOutcomeRow(const event::Commit& commit, const event::Record& record);

// Reads are thread-safe. Whatever takes a batch is called by one thread at a time, which writes
// the batch before the next call; PutPiece ends what BeginPiece of the same thread began.
class Outcomes {
 public:
  // Both outlive it.
  Outcomes(const KvStore& kv, const IdentityHasher& hasher) : kv_(kv), hasher_(hasher) {}

  absl::Status Load();
  // Goes back to the events that the commit's ledger is about.
  void Apply(const event::Commit& commit, KvBatch* batch);

  // Events before it have rows, as far as the log had them; 0: nothing was ever removed.
  base::Sequence next() const;
  // ...which are durable.
  base::Sequence kept() const;
  void Kept(base::Sequence next);

  void BeginPiece();
  // The rows of consecutive events, the first at or before next(), the last one `last`.
  void PutPiece(absl::Span<const storage::v1::OutcomeRow> rows, base::Sequence last,
                KvBatch* batch);

  // Exceptions in the ledger before it were looked at: those that rows hold are gone.
  base::Sequence tidied() const;
  void Tidied(base::Sequence end, KvBatch* batch);

  // Rows of events with this id, ascending by sequence; empty source or origin match any.
  absl::StatusOr<std::vector<storage::v1::OutcomeRow>> Find(absl::string_view id,
                                                            absl::string_view source,
                                                            absl::string_view origin) const;
  absl::StatusOr<std::optional<storage::v1::OutcomeRow>> At(base::Sequence sequence) const;

  // Forgets `next` and later sequences, which will be given again.
  absl::Status RollBack(base::Sequence next, KvBatch* batch);

 private:
  void PutProgress(KvBatch* batch) const CDGATE_REQUIRES(mu_);

  const KvStore& kv_;
  const IdentityHasher& hasher_;
  mutable base::Mutex mu_;
  base::Sequence next_ CDGATE_GUARDED_BY(mu_);
  base::Sequence kept_ CDGATE_GUARDED_BY(mu_);
  base::Sequence tidied_ CDGATE_GUARDED_BY(mu_);
  // The first event that the ledger got a row about since BeginPiece.
  std::optional<base::Sequence> touched_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::state
