// Reads our log for one peer and decides what it gets: answers the link's NeedEvents.
//
// Commits come from the Feed, a piece at a time, and are kept until they are used up, so
// that a backlog is read once however small the peer's credit is. An event is decided,
// counted and written into the block in one pass; nothing is kept per event.
//
// Events that come alone are decided, and signed, while they are on their way to the disk. The
// answer waits until they are there, and what did not get there is never known.
//
// Not thread-safe: everything runs on the session's strand.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "federation/link/messages.h"
#include "federation/session/catchup_turn.h"
#include "federation/session/earlier_decisions.h"
#include "federation/session/export_block.h"
#include "federation/session/export_signer.h"
#include "federation/session/given_notes.h"
#include "federation/session/peer_metrics.h"
#include "federation/session/policy_watch.h"
#include "federation/session/relay.h"
#include "federation/session/session_types.h"
#include "gateway/event/record.h"
#include "gateway/filter/event_context.h"

namespace cdgate::session {

class ExportReader {
 public:
  // `dead_letters`: the events among the exceptions that are lost to the peer. Called from
  // Ask() where the events are in memory, else on the strand.
  using Answer =
      std::function<void(link::Decided decided, std::vector<storage::v1::DeadLetter> dead_letters)>;

  // `policy` outlives the reader; `take_policy` refreshes it and says whether it is another
  // now: then the link, which it told, will ask again.
  // `signer` outlives the reader.
  ExportReader(const SessionDeps& deps, std::string peer, const PolicyWatch& policy,
               ExportSigner& signer, const PeerMetrics::Direction& metrics,
               std::function<bool()> take_policy, Poster post, Answer answer, Failed failed);
  ~ExportReader();

  // Null: the peer showed nothing.
  void SetInterest(InterestPtr interest) {
    ForgetAhead();
    interest_ = std::move(interest);
  }
  storage::v1::PolicyEpoch policy_epoch() const;

  const InterestPtr& interest() const { return interest_; }
  // Told what is sent; outlives the reader. Before the first Ask().
  void SetGiven(GivenNotes* given) { given_ = given; }
  // Called with the tree over so many events that the next answer is about, if nothing comes
  // between: they can be signed. Before the first Ask().
  using SignAhead = std::function<void(const link::BatchTree& tree, size_t events)>;
  void SetSignAhead(SignAhead sign_ahead) { sign_ahead_ = std::move(sign_ahead); }

  // Supersedes what was asked for before.
  void Ask(const link::NeedEvents& need);
  // Forgets what was asked for. No Answer comes after this.
  void Stop();

 private:
  void Read(base::Sequence from);
  void OnCommits(uint64_t request, eventlog::Feed::Commits commits);
  // What was decided of a commit before it was on disk.
  struct Ahead {
    event::CommitPtr commit;
    ExportBlock block;
  };
  void DecideAhead(uint64_t request, const event::CommitPtr& commit);
  std::optional<ExportBlock> TakeAhead();
  void ForgetAhead();
  const event::CommitPtr* CommitWith(base::Sequence sequence) const;
  // Where it is the turn of what is at hand.
  void DecideInTurn();
  void Decide();
  ExportBlock NewBlock();
  absl::Status Fill(absl::Span<const event::CommitPtr> commits, ExportBlock* block);
  absl::Status Take(const event::Record& record, absl::Time commit_time, ExportBlock* block);
  absl::Status TakeAllowed(const event::Record& record, const policy::Decision& decision,
                           absl::Time commit_time, ExportBlock* block);
  // Why an event that the policy allows does not leave; none: it does.
  absl::StatusOr<std::optional<storage::v1::LedgerException>> ExceptionFor(
      const event::Record& record, absl::Time commit_time);
  void FinishBlock(ExportBlock block);
  absl::Status FindWhatDecided();
  policy::ExportContext Context(const event::Record& record);
  const policy::CompiledPolicy* policy_at_hand() const {
    return accounting_ ? accounting_->policy.get() : policy_.current().compiled.get();
  }

  const SessionDeps& deps_;
  const std::string peer_;
  const PolicyWatch& policy_;
  ExportSigner& signer_;
  const PeerMetrics::Direction metrics_;
  const std::function<bool()> take_policy_;
  const Poster post_;
  const Answer answer_;
  const Failed failed_;

  InterestPtr interest_;
  GivenNotes* given_ = nullptr;  // null: nobody wants to know
  EarlierDecisions earlier_;
  BasisSource source_;
  // While what the peer has is accounted for: what decided that when it left.
  std::optional<DecisionBasis> accounting_;
  filter::EventContext context_;
  policy::DecisionMemo memo_;
  policy::RuleOutcomesPtr rules_;  // of the commit at hand; null: they are tried
  policy::EventTransformer transformer_;
  RelayWriter relay_;
  DecisionTally tally_;
  // Of the block that is being made: events that are not allowed, by reason.
  std::vector<uint64_t> withheld_ = std::vector<uint64_t>(base::AllReasons().size());

  std::optional<link::NeedEvents> need_;
  eventlog::Feed::Ticket ticket_ = 0;
  CatchupTurn turn_;
  std::vector<event::CommitPtr> commits_;
  SignAhead sign_ahead_;
  std::optional<Ahead> ahead_;
};

}  // namespace cdgate::session
