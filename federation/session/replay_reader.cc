#include "federation/session/replay_reader.h"

#include <algorithm>
#include <utility>

#include "federation/session/ledger_writer.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {

using base::Reason;
using base::Sequence;

namespace {

// One read of the log. It is shared with newer events, so it is a small one.
constexpr eventlog::ReadLimits kReadLimits = {.max_events = 512, .max_bytes = 256 << 10};
// Between looks at what the ledger has on disk.
constexpr absl::Duration kRowsWait = absl::Milliseconds(50);

}  // namespace

ReplayReader::ReplayReader(const SessionDeps& deps, std::string peer, ExportSigner& signer,
                           Calls calls, Poster post, Failed failed)
    : deps_(deps),
      peer_(std::move(peer)),
      signer_(signer),
      calls_(std::move(calls)),
      post_(std::move(post)),
      failed_(std::move(failed)),
      relay_(deps.domain, deps.sign_origin),
      turn_(deps.catchup, deps.clock, deps.timers, post_) {}

ReplayReader::~ReplayReader() { Stop(); }

void ReplayReader::Stop() {
  need_.reset();
  deps_.timers.Cancel(std::exchange(timer_, 0));
  turn_.Cancel();
  if (ticket_ != 0) deps_.feed.Cancel(std::exchange(ticket_, 0));
}

// Always answers later: the link asks while it is stepped, and a long range of what is not
// sent would be decided in one go.
void ReplayReader::Ask(const link::NeedReplay& need) {
  Stop();
  need_ = need;
  if (given_ != nullptr) given_->Drop(need.from);
  Begin();
}

void ReplayReader::Begin() {
  if (RecordedThrough(deps_.store, peer_) < need_->through) return BeginLater();
  if (!HasCommitWith(need_->from)) return Read(need_->from);
  post_([this, request = need_->request] {
    if (need_ && need_->request == request) DecideInTurn();
  });
}

void ReplayReader::BeginLater() {
  calls_.flush();
  timer_ = deps_.timers.At(deps_.clock.Monotonic() + kRowsWait, [this, post = post_] {
    post([this] {
      timer_ = 0;
      if (need_) Begin();
    });
  });
}

bool ReplayReader::HasCommitWith(Sequence sequence) const {
  return std::any_of(commits_.begin(), commits_.end(), [&](const event::CommitPtr& c) {
    return c->first_sequence <= sequence && sequence <= c->last_sequence;
  });
}

void ReplayReader::Read(Sequence from) {
  commits_.clear();
  ticket_ = deps_.feed.Next(
      from, kReadLimits,
      [this, request = need_->request, post = post_](eventlog::Feed::Commits commits) {
        post([this, request, commits = std::move(commits)]() mutable {
          OnCommits(request, std::move(commits));
        });
      });
}

void ReplayReader::OnCommits(uint64_t request, eventlog::Feed::Commits commits) {
  if (!need_ || need_->request != request) return;  // superseded meanwhile
  ticket_ = 0;
  if (commits.ok()) {
    commits_ = *std::move(commits);
    return DecideInTurn();
  }
  if (base::ReasonOf(commits.status()) != Reason::kTrimmed) return failed_(commits.status());
  const Sequence first = std::max(deps_.store.first().sequence, need_->from);
  if (first <= need_->through) return Read(first);
  ExportBlock gone = NewBlock();
  gone.set_first(first);
  Finish(std::move(gone));
}

ExportBlock ReplayReader::NewBlock() {
  return ExportBlock(need_->request, calls_.policy_epoch(),
                     {.max_events = turn_.AtOnce(need_->max_events),
                      .max_bytes = need_->max_bytes,
                      .max_event_bytes = need_->max_event_bytes},
                     signer_.NewSeed());
}

void ReplayReader::DecideInTurn() {
  if (turn_.BeginBacklog([this] { DecideInTurn(); })) Decide();
}

void ReplayReader::Decide() {
  if (calls_.take_policy()) return;  // and is asked again, by what is in force now
  ExportBlock block = NewBlock();
  const absl::Status filled = Fill(&block);
  if (!filled.ok()) return failed_(filled);
  Finish(std::move(block));
}

absl::Status ReplayReader::Fill(ExportBlock* block) {
  for (const event::CommitPtr& commit : commits_) {
    relay_.SetCommit(*commit);
    for (const event::Record& record : commit->events) {
      if (record.sequence() < need_->from) continue;
      if (record.sequence() > need_->through) return absl::OkStatus();
      CDGATE_RETURN_IF_ERROR(Take(record, block));
      if (block->full()) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status ReplayReader::Take(const event::Record& record, ExportBlock* block) {
  CDGATE_ASSIGN_OR_RETURN(const ReplayVerdict verdict, calls_.decide(record));
  if (verdict.send) relay_.Set(record, verdict.decision);
  if (verdict.send && block->HasRoomEver(relay_)) {
    block->Send(relay_, record);
    signer_.Note(relay_.statements());
    if (given_ != nullptr) given_->Note(record);
    if (block->last() != record.sequence()) return absl::OkStatus();  // the next one begins with it
    block->Revise(verdict.state_before, verdict.reason_before);
    return absl::OkStatus();
  }
  if (verdict.send) {
    block->Except(peer_, MakeException(record, "dead_lettered", Reason::kTooLarge));
    block->Revise(verdict.state_before, verdict.reason_before);
  }
  block->Pass(record);
  return absl::OkStatus();
}

void ReplayReader::Finish(ExportBlock block) {
  need_.reset();
  turn_.End();
  calls_.answer({block.TakeDecided()}, block.TakeDeadLetters());
}

}  // namespace cdgate::session
