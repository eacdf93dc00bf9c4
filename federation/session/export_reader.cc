#include "federation/session/export_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "federation/link/blocks.h"
#include "gateway/base/prefetch.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

using base::Reason;
using base::Sequence;

// One read of the log: several frames, so that a backlog is not read frame by frame.
constexpr eventlog::ReadLimits kReadLimits = {.max_events = 2048, .max_bytes = 3 << 19};

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

ExportReader::ExportReader(const SessionDeps& deps, std::string peer, const PolicyWatch& policy,
                           ExportSigner& signer, const PeerMetrics::Direction& metrics,
                           std::function<bool()> take_policy, Poster post, Answer answer,
                           Failed failed)
    : deps_(deps),
      peer_(std::move(peer)),
      policy_(policy),
      signer_(signer),
      metrics_(metrics),
      take_policy_(std::move(take_policy)),
      post_(std::move(post)),
      answer_(std::move(answer)),
      failed_(std::move(failed)),
      earlier_(deps.store, deps.pseudonyms, peer_, deps.domain),
      source_(deps.store, deps.pseudonyms),
      relay_(deps.domain, deps.sign_origin),
      turn_(deps.catchup, deps.clock, deps.timers, post_) {}

ExportReader::~ExportReader() { Stop(); }

storage::v1::PolicyEpoch ExportReader::policy_epoch() const {
  storage::v1::PolicyEpoch epoch;
  const PolicyPtr& policy = policy_.current().compiled;
  epoch.set_policy_version(policy == nullptr ? 0 : policy->version());
  epoch.set_interest_version(interest_ == nullptr ? 0 : interest_->version());
  epoch.set_environment_version(policy_.current().environment->version());
  epoch.set_engine_version(policy::kEngineVersion);
  return epoch;
}

void ExportReader::Stop() {
  ForgetAhead();
  need_.reset();
  turn_.Cancel();
  if (ticket_ != 0) deps_.feed.Cancel(std::exchange(ticket_, 0));
}

void ExportReader::Ask(const link::NeedEvents& need) {
  Stop();
  need_ = need;
  if (given_ != nullptr) given_->Drop(need.from);
  if (CommitWith(need.from) == nullptr) return Read(need.from);
  DecideInTurn();
}

void ExportReader::Read(Sequence from) {
  commits_.clear();
  ticket_ = deps_.feed.Next(
      from, kReadLimits,
      [this, request = need_->request, post = post_](eventlog::Feed::Commits commits) {
        post([this, request, commits = std::move(commits)]() mutable {
          OnCommits(request, std::move(commits));
        });
      },
      [this, request = need_->request, post = post_](const event::CommitPtr& commit) {
        post([this, request, commit] { DecideAhead(request, commit); });
      });
}

// Like Decide(), but that nobody is answered.
void ExportReader::DecideAhead(uint64_t request, const event::CommitPtr& commit) {
  const bool waits = need_ && need_->request == request && ticket_ != 0 && !ahead_;
  if (!waits || commit->first_sequence != need_->from || need_->account_only ||
      need_->through != Sequence(0) || take_policy_()) {
    return;
  }
  accounting_.reset();  // of what was asked for before
  ExportBlock& block = ahead_.emplace(Ahead{commit, NewBlock()}).block;
  if (!Fill({&commit, 1}, &block).ok()) return ForgetAhead();  // and is told of it again
  if (sign_ahead_ && block.sent() > 0) sign_ahead_(block.Tree(), block.sent());
}

// None where the commit at hand is another one, or would be decided otherwise now.
std::optional<ExportBlock> ExportReader::TakeAhead() {
  const event::CommitPtr* const commit = CommitWith(need_->from);
  if (!ahead_ || commit == nullptr || *commit != ahead_->commit || accounting_ ||
      !link::SameEpoch(ahead_->block.policy_epoch(), policy_epoch())) {
    ForgetAhead();
    return std::nullopt;
  }
  std::optional<ExportBlock> block(std::move(ahead_->block));
  ahead_.reset();
  return block;
}

void ExportReader::ForgetAhead() {
  if (!ahead_) return;
  if (given_ != nullptr) given_->Drop(ahead_->commit->first_sequence);
  ahead_.reset();
  tally_.Clear();
  std::fill(withheld_.begin(), withheld_.end(), 0);
}

void ExportReader::OnCommits(uint64_t request, eventlog::Feed::Commits commits) {
  if (!need_ || need_->request != request) return;  // superseded meanwhile
  ticket_ = 0;
  if (!commits.ok()) {
    if (base::ReasonOf(commits.status()) != Reason::kTrimmed) return failed_(commits.status());
    // What is gone is accounted for by the link: the answer begins later than asked.
    const Sequence first = std::max(deps_.store.first().sequence, need_->from);
    if (need_->through == Sequence(0) || first <= need_->through) return Read(first);
    ExportBlock gone = NewBlock();
    gone.set_first(first);
    return FinishBlock(std::move(gone));
  }
  commits_ = *std::move(commits);
  DecideInTurn();
}

void ExportReader::DecideInTurn() {
  const event::CommitPtr* const commit = CommitWith(need_->from);
  if (commit == nullptr || (*commit)->events.empty() ||
      turn_.Begin((*commit)->events.front().stored().accepted_time_nanos(),
                  [this] { DecideInTurn(); })) {
    Decide();
  }
}

void ExportReader::Decide() {
  if (take_policy_()) return;  // and is asked again, by what is in force now
  if (const absl::Status found = FindWhatDecided(); !found.ok()) return failed_(found);
  if (std::optional<ExportBlock> ahead = TakeAhead()) return FinishBlock(*std::move(ahead));
  ExportBlock block = NewBlock();
  const absl::Status filled = Fill(commits_, &block);
  if (!filled.ok()) return failed_(filled);
  FinishBlock(std::move(block));
}

// The peer has it by decisions of when it left, of which its acks, that are lost, would have told.
absl::Status ExportReader::FindWhatDecided() {
  accounting_.reset();
  if (!need_->account_only) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(const state::LedgerFacts facts, deps_.store.Ledger(peer_, need_->from));
  if (!facts.sent_epoch) return absl::OkStatus();
  CDGATE_ASSIGN_OR_RETURN(accounting_, source_.Of(peer_, *facts.sent_epoch));
  need_->through = std::min(need_->through, facts.sent_epoch_through);
  return absl::OkStatus();
}

policy::ExportContext ExportReader::Context(const event::Record& record) {
  if (accounting_) return accounting_->ForExport(deps_.domain, transformer_);
  const PeerPolicy& policy = policy_.current();
  return {.own_domain = deps_.domain,
          .interest = interest_.get(),
          .environment = policy.environment.get(),
          .keys = policy.keys.get(),
          .transformer = &transformer_,
          .memo = &memo_,
          .rules = policy::OutcomeOf(rules_, record.sequence())};
}

// The commit in memory that holds `sequence`.
const event::CommitPtr* ExportReader::CommitWith(Sequence sequence) const {
  const auto it = std::find_if(commits_.begin(), commits_.end(), [&](const event::CommitPtr& c) {
    return c->last_sequence >= sequence;
  });
  return it == commits_.end() || (*it)->first_sequence > sequence ? nullptr : &*it;
}

ExportBlock ExportReader::NewBlock() {
  return ExportBlock(need_->request, accounting_ ? accounting_->epoch : policy_epoch(),
                     {.max_events = turn_.AtOnce(need_->max_events),
                      .max_bytes = need_->account_only ? 0 : need_->max_bytes,
                      .max_event_bytes = need_->max_event_bytes},
                     need_->account_only ? "" : signer_.NewSeed());
}

absl::Status ExportReader::Fill(absl::Span<const event::CommitPtr> commits, ExportBlock* block) {
  for (const event::CommitPtr& commit : commits) {
    if (commit->last_sequence < need_->from) continue;
    relay_.SetCommit(*commit);
    if (const PolicyPtr& policy = policy_.current().compiled; policy && !accounting_) {
      rules_ = deps_.shared.Of(policy->exports(), *commit, context_, &memo_);
    }
    for (size_t i = 0; i < commit->events.size(); ++i) {
      const event::Record& record = commit->events[i];
      if (record.sequence() < need_->from) continue;
      if (i + 1 < commit->events.size()) {
        base::Prefetch(commit->events[i + 1].stored().bytes());  // the committer wrote it
      }
      if (need_->through != Sequence(0) && record.sequence() > need_->through) {
        return absl::OkStatus();
      }
      CDGATE_RETURN_IF_ERROR(Take(record, commit->commit_time, block));
      if (block->full()) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status ExportReader::Take(const event::Record& record, absl::Time commit_time,
                                ExportBlock* block) {
  context_.Reset(record);
  const policy::Decision decision =
      policy::DecideExport(policy_at_hand(), context_, Context(record));
  if (decision.allow) {
    CDGATE_RETURN_IF_ERROR(TakeAllowed(record, decision, commit_time, block));
    if (block->full() && block->last() != record.sequence()) return absl::OkStatus();
  } else {
    ++withheld_[static_cast<size_t>(decision.reason)];
    block->Pass(record);
  }
  tally_.Add(decision.reason);
  return absl::OkStatus();
}

absl::Status ExportReader::TakeAllowed(const event::Record& record,
                                       const policy::Decision& decision, absl::Time commit_time,
                                       ExportBlock* block) {
  std::optional<storage::v1::LedgerException> exception;
  // What the peer has already was not too old when it left, and nothing was decided before.
  if (!need_->account_only) {
    CDGATE_ASSIGN_OR_RETURN(exception, ExceptionFor(record, commit_time));
  }
  if (!exception) {
    relay_.Set(record, decision);
    if (!block->HasRoomEver(relay_)) {
      exception = MakeException(record, "dead_lettered", Reason::kTooLarge);
    } else if (!need_->account_only) {
      block->Send(relay_, record);
      signer_.Note(relay_.statements());
      if (given_ != nullptr) given_->Note(record);
      return absl::OkStatus();
    } else {
      block->Count("acknowledged_undisclosed", "");
    }
  }
  if (exception) block->Except(peer_, *std::move(exception));
  block->Pass(record);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<storage::v1::LedgerException>> ExportReader::ExceptionFor(
    const event::Record& record, absl::Time commit_time) {
  using Result = std::optional<storage::v1::LedgerException>;
  const admin::v1::Limits& limits = policy_.current().compiled->exports().limits;
  if (limits.has_max_backlog() &&
      commit_time + FromProto(limits.max_backlog()) < deps_.clock.Now()) {
    return Result(MakeException(record, "dead_lettered", Reason::kTooOld));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto before, earlier_.Of(record.sequence(), context_));
  if (!before || before->allow) return Result();
  return Result(MakeException(record, "denied", before->reason, before->rule));
}

void ExportReader::FinishBlock(ExportBlock block) {
  tally_.Flush(metrics_);
  for (const base::ReasonInfo& info : base::AllReasons()) {
    const uint64_t count = std::exchange(withheld_[static_cast<size_t>(info.reason)], 0);
    block.Count(info.reason == Reason::kNotWanted ? "not_wanted" : "denied",
                base::ReasonLabel(info.reason), count);
  }
  const bool known = need_->through != Sequence(0) && !need_->account_only;
  need_.reset();
  turn_.End();
  // Of what the ledger has, the dead letters are there, too.
  answer_(block.TakeDecided(),
          known ? std::vector<storage::v1::DeadLetter>() : block.TakeDeadLetters());
}

}  // namespace cdgate::session
