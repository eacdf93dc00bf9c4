// Reads past events of our log again for one peer: answers the link's NeedReplay.
//
// As ExportReader, but what becomes of an event is asked of whoever knows what it was given
// before: the ledger, so nothing is decided that has no row on disk yet; it is waited for. One
// read of the log, of bounded size, makes one answer at most; commits are kept
// until they are used up.
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "federation/link/messages.h"
#include "federation/session/catchup_turn.h"
#include "federation/session/export_block.h"
#include "federation/session/export_signer.h"
#include "federation/session/relay.h"
#include "federation/session/session_types.h"
#include "gateway/event/record.h"

namespace cdgate::session {

// What becomes of an event that is offered again.
struct ReplayVerdict {
  // It is sent, as `decision` says (terms, outgoing), which is valid until the next verdict.
  bool send = false;
  policy::Decision decision = {};
  // Sent: the outcome it had, which stands no longer. What is not sent keeps its outcome.
  std::string state_before = {};
  std::string reason_before = {};
};

class ReplayReader {
 public:
  struct Calls {
    // Takes the policy in force; true where it is another now: then the link, which was told,
    // will ask again.
    std::function<bool()> take_policy;
    // What decide() decides under.
    std::function<storage::v1::PolicyEpoch()> policy_epoch;
    // An error ends the session.
    std::function<absl::StatusOr<ReplayVerdict>(const event::Record&)> decide;
    // Gives the store what the ledger has not written yet.
    std::function<void()> flush;
    // `dead_letters`: the events among the exceptions that are lost to the peer.
    std::function<void(link::ReplayDecided, std::vector<storage::v1::DeadLetter> dead_letters)>
        answer;
  };

  // `signer` outlives the reader.
  ReplayReader(const SessionDeps& deps, std::string peer, ExportSigner& signer, Calls calls,
               Poster post, Failed failed);
  ~ReplayReader();

  // Supersedes what was asked for before.
  void Ask(const link::NeedReplay& need);
  // Told what is sent; outlives the reader. Before the first Ask().
  void SetGiven(GivenNotes* given) { given_ = given; }
  // Forgets what was asked for. No answer comes after this.
  void Stop();

 private:
  void Begin();
  void BeginLater();
  bool HasCommitWith(base::Sequence sequence) const;
  void Read(base::Sequence from);
  void OnCommits(uint64_t request, eventlog::Feed::Commits commits);
  ExportBlock NewBlock();
  void DecideInTurn();
  void Decide();
  absl::Status Fill(ExportBlock* block);
  absl::Status Take(const event::Record& record, ExportBlock* block);
  void Finish(ExportBlock block);

  const SessionDeps& deps_;
  const std::string peer_;
  ExportSigner& signer_;
  const Calls calls_;
  const Poster post_;
  const Failed failed_;
  GivenNotes* given_ = nullptr;  // null: nobody wants to know

  RelayWriter relay_;
  std::optional<link::NeedReplay> need_;
  eventlog::Feed::Ticket ticket_ = 0;
  base::TimerQueue::Id timer_ = 0;
  CatchupTurn turn_;
  std::vector<event::CommitPtr> commits_;
};

}  // namespace cdgate::session
