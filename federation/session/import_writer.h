// Takes what a peer relayed: admits, decides, proposes, and says what is on disk.
//
// Each batch becomes one proposal: its events, its refusals, the cursor behind it and
// whatever ledger rows wait. Proposals overlap; the cursor's expected position chains
// them, so that none is taken where the one before it was not. Where the store cannot
// take more just now (overloaded, disk full), everything not on disk is proposed again
// later, in order; the link's credit holds the peer back meanwhile.
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "federation/link/messages.h"
#include "federation/session/batch_verifier.h"
#include "federation/session/catchup_turn.h"
#include "federation/session/ledger_writer.h"
#include "federation/session/peer_metrics.h"
#include "federation/session/policy_watch.h"
#include "federation/session/session_types.h"
#include "federation/session/source_rights.h"
#include "gateway/filter/event_context.h"

namespace cdgate::session {

class ImportWriter {
 public:
  using OnCommitted = std::function<void(link::Committed)>;

  // `on_disk`: the import cursor as it is on disk. `agreement`: its id.
  // `policy` outlives the writer; `take_policy` refreshes it.
  ImportWriter(const SessionDeps& deps, std::string peer, std::string agreement,
               const link::ImportCursor& on_disk, const PolicyWatch& policy,
               const PeerMetrics::Direction& metrics, std::function<bool()> take_policy,
               LedgerWriter& ledger, Poster post, OnCommitted committed, Failed failed);
  ~ImportWriter();

  void Import(link::CommitImport import);
  void MoveCursor(link::ImportCursor cursor);
  // Proposes nothing more; what is proposed still ends.
  void Stop() { stopped_ = true; }

  // Whether the peer signed it. As BatchVerifier::CheckReceipt.
  absl::Status CheckReceipt(const link::ReceiptReceived& received);
  // What is on disk, where the peer signs what it sends.
  struct OnDisk {
    base::Position position;
    std::string link_epoch;
    std::string digest;  // rolling; empty: nothing was signed
  };
  const OnDisk& on_disk() const { return on_disk_; }

  // Nothing is on its way to disk.
  bool idle() const { return proposed_ == 0 && (stopped_ || pending_.empty()); }
  // Why imports wait; OK: they do not.
  const absl::Status& stall() const { return stall_; }

 private:
  // One batch, until it is on disk.
  struct Pending {
    link::CommitImport import;
    base::Position expected{};  // of the cursor before it
    bool answer = true;         // the link waits for Committed
    bool proposed = false;
    bool first = false;  // nothing was before it when it was proposed
    LedgerWriter::Slip slip;
    std::vector<federation::v1::Refusal> refused;
    std::vector<base::Position> positions;  // of the proposed events
    // What the peer signed of it; none: not looked at yet.
    std::optional<BatchVerifier::Signed> signed_by;
    std::optional<state::Outcome> outcome;
  };

  void ProposeWaiting();
  bool IsItsTurn(const Pending& pending);
  void Propose(uint64_t number);
  absl::Status Verify(Pending* pending, const std::vector<admission::Imported>& imported,
                      const std::vector<event::Record>& records);
  // The proposal has the records of what was admitted; of what is refused they go.
  void Decide(std::vector<admission::Imported> imported, Pending* pending,
              state::Proposal* proposal);
  policy::Decision DecideOne(const event::RelayedView& event, const event::Record& record);
  void Keep(const event::Record& record, base::Reason reason, state::Proposal* proposal) const;
  void Refuse(const event::RelayedView& event, base::Position position, base::Reason reason,
              absl::string_view rule, Pending* pending, state::Proposal* proposal);
  void Tell(base::Position position, base::Reason reason, absl::string_view rule,
            Pending* pending) const;
  void OnOutcome(uint64_t number, state::Outcome outcome);
  void Settle();
  bool SettleFront(link::Committed* committed);
  void Stall(const absl::Status& why);
  Pending& At(uint64_t number) { return pending_[number - first_number_]; }

  const SessionDeps& deps_;
  const std::string peer_;
  const PolicyWatch& policy_;
  const PeerMetrics::Direction metrics_;
  const std::function<bool()> take_policy_;
  LedgerWriter& ledger_;
  const Poster post_;
  const OnCommitted committed_;
  const Failed failed_;

  filter::EventContext context_;
  policy::DecisionMemo memo_;
  DecisionTally tally_;
  SourceRights sources_;
  std::optional<BatchVerifier> verifier_;  // none: we know no keys

  OnDisk on_disk_;
  std::deque<Pending> pending_;  // in order; numbered from first_number_
  uint64_t first_number_ = 1;
  size_t proposed_ = 0;           // of them, with the store
  base::Position next_expected_;  // of the cursor, behind the last pending one
  absl::Status stall_;
  bool stopped_ = false;
  base::TimerQueue::Id timer_ = 0;
  CatchupTurn turn_;
};

}  // namespace cdgate::session
