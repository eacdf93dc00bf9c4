// What a link did, on its way to disk: ledger rows, dead letters, and how far the peer is.
//
// Rows are facts that nothing waits for, so they share commits: what an import proposes
// takes them along (Take), and where nothing does they are proposed kFlushDelay after the
// first of them. A horizon row, which batches wait for, is proposed at once and takes the
// others along.
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "federation/link/messages.h"
#include "federation/session/session_types.h"
#include "gateway/state/proposal.h"

namespace cdgate::session {

inline constexpr absl::Duration kFlushDelay = absl::Milliseconds(200);

// Through which sequence of our log `peer` has everything, as the ledger last recorded it;
// 0: nothing yet.
base::Sequence RecordedThrough(const state::Store& store, absl::string_view peer);

class LedgerWriter {
 public:
  // What one proposal takes along.
  struct Slip {
    std::vector<storage::v1::LedgerRow> rows;
    std::vector<storage::v1::DeadLetter> dead_letters;
    std::optional<storage::v1::CursorMove> cursor;
    std::optional<storage::v1::CursorMove> replay_cursor;
    std::optional<storage::v1::CursorMove> receipt_cursor;

    bool empty() const {
      return rows.empty() && dead_letters.empty() && !cursor && !replay_cursor && !receipt_cursor;
    }
    void AddTo(state::Proposal* proposal) const;
  };

  // `on_horizon`: a horizon row is on disk through this sequence.
  LedgerWriter(const SessionDeps& deps, std::string peer, Poster post,
               std::function<void(base::Sequence)> on_horizon, Failed failed);
  ~LedgerWriter();

  void Record(link::RecordLedger record);
  void Record(link::RecordReplay record);
  // A receipt whose signature was verified.
  void Record(link::ReceiptReceived record);
  void AddDeadLetters(std::vector<storage::v1::DeadLetter> dead_letters);
  void WriteHorizon(storage::v1::LedgerRow row);

  // Everything that waits. It counts as written; Restore() takes it back where the
  // proposal failed.
  Slip Take();
  void Restore(Slip slip);

  // Proposes what waits, now. After this nothing waits longer than it must.
  void Flush();

  // Nothing waits and nothing is on its way.
  bool idle() const { return waiting_.empty() && in_flight_ == 0 && !horizon_; }

 private:
  void AddRows(std::vector<storage::v1::LedgerRow> rows);
  void ProposeSlip(Slip slip, std::optional<base::Sequence> horizon);
  void OnOutcome(Slip slip, std::optional<base::Sequence> horizon, const absl::Status& status);
  void TryHorizon();
  void Arm(absl::Duration delay);

  const SessionDeps& deps_;
  const std::string peer_;
  const Poster post_;
  const std::function<void(base::Sequence)> on_horizon_;
  const Failed failed_;

  Slip waiting_;
  std::optional<storage::v1::LedgerRow> horizon_;  // until it is on disk
  bool horizon_proposed_ = false;
  int in_flight_ = 0;
  base::TimerQueue::Id timer_ = 0;
};

}  // namespace cdgate::session
