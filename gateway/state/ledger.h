// What crossed with each peer: acknowledged ranges of our log, outcomes within them that
// are not what the policy decides, how far anything can have been sent, and counters.
//
// Rows of a replay job lie beside those of the live lane, by the number of the job: what it did
// with an event is told besides what became of the event before, never instead. A job has no
// horizon of its own; a row that says so changes nothing. A horizon row with a policy epoch says
// what decides from its first sequence on, and is on disk before anything that was decided so
// leaves: acks that are lost are accounted for by it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/state.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/state/cursor_table.h"
#include "gateway/state/kv_store.h"
#include "gateway/state/views.h"

namespace cdgate::state {

// Where an exception is.
struct ExceptionPlace {
  std::string peer;
  base::Sequence sequence;
  std::string key;  // its row's
};

// Reads are thread-safe; Apply by one thread at a time.
class Ledger {
 public:
  // Both outlive the ledger.
  Ledger(const KvStore& kv, const CursorTable& cursors) : kv_(kv), cursors_(cursors) {}

  absl::Status Load();
  // Before the cursors of the same commit are applied: what a peer was given is the
  // difference.
  absl::Status Apply(const event::Commit& commit, KvBatch* batch);

  absl::StatusOr<LedgerFacts> Facts(absl::string_view peer, base::Sequence sequence) const;
  absl::StatusOr<std::vector<storage::v1::LedgerRow>> Rows(absl::string_view peer,
                                                           base::Sequence from, size_t limit) const;
  PeerCounters Counters(absl::string_view peer) const;
  // By peer, of all that there ever were.
  std::map<std::string, PeerCounters> AllCounters() const;

  // The exceptions of all peers, the live lane's and the jobs', with from <= sequence < end.
  absl::StatusOr<std::vector<ExceptionPlace>> Exceptions(base::Sequence from,
                                                         base::Sequence end) const;

  // Forgets what was said about `next` and later sequences. What was counted stays counted: it
  // did cross.
  absl::Status RollBack(base::Sequence next, KvBatch* batch);

 private:
  absl::Status ApplyRow(const storage::v1::LedgerRow& row, KvBatch* batch);
  absl::Status ApplyRange(const storage::v1::LedgerRow& row, KvBatch* batch);
  absl::Status ApplySentEpoch(const storage::v1::LedgerRow& row, KvBatch* batch);
  absl::Status AddSentEpoch(absl::string_view peer, base::Sequence sequence,
                            LedgerFacts* facts) const;
  absl::StatusOr<storage::v1::LedgerRow*> NewestRange(const std::string& prefix);
  absl::StatusOr<std::optional<storage::v1::LedgerRow>> RangeOf(absl::string_view prefix,
                                                                base::Sequence sequence) const;
  absl::StatusOr<std::optional<storage::v1::LedgerException>> ExceptionAt(
      absl::string_view key) const;
  absl::StatusOr<std::vector<ReplayFacts>> Replays(absl::string_view peer,
                                                   base::Sequence sequence) const;
  absl::StatusOr<std::vector<storage::v1::LedgerRow>> ReadRanges(absl::string_view begin,
                                                                 absl::string_view end,
                                                                 size_t limit) const;
  absl::Status AddExceptions(const std::string& peer, const std::string& prefix,
                             base::Sequence from, base::Sequence end,
                             std::vector<ExceptionPlace>* out) const;
  void Count(const event::Commit& commit, KvBatch* batch);

  const KvStore& kv_;
  const CursorTable& cursors_;
  // By prefix of their keys (a peer's live lane, a job), the ranges that the next ack may
  // extend; the applying thread's.
  absl::flat_hash_map<std::string, storage::v1::LedgerRow> newest_;
  mutable base::Mutex mu_;
  absl::flat_hash_map<std::string, storage::v1::PeerCounterRow> counters_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::state
