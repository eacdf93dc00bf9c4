// What crossed with each peer: acknowledged ranges of our log, outcomes within them that
// are not what the policy decides, how far anything can have been sent, and counters.
#pragma once

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

  // Forgets what was said about `next` and later sequences.
  absl::Status RollBack(base::Sequence next, KvBatch* batch);

 private:
  absl::Status ApplyRow(const storage::v1::LedgerRow& row, KvBatch* batch);
  absl::Status ApplyRange(const storage::v1::LedgerRow& row, KvBatch* batch);
  absl::StatusOr<storage::v1::LedgerRow*> NewestRange(const std::string& peer);
  absl::StatusOr<std::vector<storage::v1::LedgerRow>> ReadRanges(absl::string_view begin,
                                                                 absl::string_view end,
                                                                 size_t limit) const;
  void Count(const event::Commit& commit, KvBatch* batch);

  const KvStore& kv_;
  const CursorTable& cursors_;
  // Of each peer, the range that its next ack may extend; the applying thread's.
  absl::flat_hash_map<std::string, storage::v1::LedgerRow> newest_;
  mutable base::Mutex mu_;
  absl::flat_hash_map<std::string, storage::v1::PeerCounterRow> counters_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::state
