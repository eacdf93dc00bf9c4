#include "federation/session/export_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {
namespace {

using base::Reason;
using base::Sequence;

// One read of the log: several frames, so that a backlog is not read frame by frame.
constexpr eventlog::ReadLimits kReadLimits = {.max_events = 1024, .max_bytes = 512 << 10};

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

storage::v1::LedgerException MakeException(const event::Record& record, absl::string_view state,
                                           Reason reason, absl::string_view rule = "") {
  storage::v1::LedgerException exception;
  exception.set_sequence(record.sequence().value());
  exception.set_state(std::string(state));
  exception.set_reason(base::ReasonLabel(reason));
  exception.set_rule(std::string(rule));
  return exception;
}

}  // namespace

ExportReader::ExportReader(const SessionDeps& deps, std::string peer, const PolicyWatch& policy,
                           const PeerMetrics::Direction& metrics, std::function<bool()> take_policy,
                           Poster post, Answer answer, Failed failed)
    : deps_(deps),
      peer_(std::move(peer)),
      policy_(policy),
      metrics_(metrics),
      take_policy_(std::move(take_policy)),
      post_(std::move(post)),
      answer_(std::move(answer)),
      failed_(std::move(failed)),
      earlier_(deps.store, deps.pseudonyms, peer_, deps.domain),
      relay_(deps.domain) {}

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
  need_.reset();
  if (ticket_ != 0) deps_.feed.Cancel(std::exchange(ticket_, 0));
}

void ExportReader::Ask(const link::NeedEvents& need) {
  Stop();
  need_ = need;
  if (CommitWith(need.from) == nullptr) return Read(need.from);
  Decide();
}

void ExportReader::Read(Sequence from) {
  commits_.clear();
  ticket_ = deps_.feed.Next(
      from, kReadLimits,
      [this, request = need_->request, post = post_](eventlog::Feed::Commits commits) {
        post([this, request, commits = std::move(commits)]() mutable {
          OnCommits(request, std::move(commits));
        });
      });
}

void ExportReader::OnCommits(uint64_t request, eventlog::Feed::Commits commits) {
  if (!need_ || need_->request != request) return;  // superseded meanwhile
  ticket_ = 0;
  if (!commits.ok()) {
    if (base::ReasonOf(commits.status()) != Reason::kTrimmed) return failed_(commits.status());
    // What is gone is accounted for by the link: the answer begins later than asked.
    return Read(std::max(deps_.store.first().sequence, need_->from));
  }
  commits_ = *std::move(commits);
  Decide();
}

void ExportReader::Decide() {
  if (take_policy_()) return;  // and is asked again, by what is in force now
  Block block;
  const absl::Status filled = Fill(&block);
  if (!filled.ok()) return failed_(filled);
  FinishBlock(std::move(block));
}

// The commit in memory that holds `sequence`.
const event::CommitPtr* ExportReader::CommitWith(Sequence sequence) const {
  const auto it = std::find_if(commits_.begin(), commits_.end(), [&](const event::CommitPtr& c) {
    return c->last_sequence >= sequence;
  });
  return it == commits_.end() || (*it)->first_sequence > sequence ? nullptr : &*it;
}

absl::Status ExportReader::Fill(Block* block) {
  block->decided.request = need_->request;
  block->decided.policy_epoch = policy_epoch();
  block->decided.events.reserve(need_->max_bytes);
  for (const event::CommitPtr& commit : commits_) {
    for (const event::Record& record : commit->events) {
      if (record.sequence() < need_->from) continue;
      CDGATE_RETURN_IF_ERROR(Take(record, commit->commit_time, block));
      if (block->full) return absl::OkStatus();
    }
  }
  return absl::OkStatus();
}

absl::Status ExportReader::Take(const event::Record& record, absl::Time commit_time, Block* block) {
  link::Decided& decided = block->decided;
  context_.Reset(record);
  const PeerPolicy& policy = policy_.current();
  const policy::Decision decision = policy::DecideExport(policy.compiled.get(), context_,
                                                         {.own_domain = deps_.domain,
                                                          .interest = interest_.get(),
                                                          .environment = policy.environment.get(),
                                                          .keys = policy.keys.get(),
                                                          .transformer = &transformer_,
                                                          .memo = &memo_});
  if (decision.allow) {
    CDGATE_ASSIGN_OR_RETURN(auto exception, ExceptionFor(record, commit_time));
    if (!exception) {
      relay_.Set(record, decision);
      if (relay_.size() > need_->max_event_bytes) {
        exception = MakeException(record, "dead_lettered", Reason::kTooLarge);
      } else if (!decided.sequences.empty() &&
                 decided.events.size() + relay_.size() > need_->max_bytes) {
        block->full = true;  // it begins the next one, and is decided there
        return absl::OkStatus();
      } else {
        relay_.Append(&decided.events);
        decided.sequences.push_back(record.sequence());
        block->full = decided.sequences.size() >= need_->max_events;
      }
    }
    if (exception) {
      const auto reason = base::ReasonFromText(exception->reason());
      if (exception->state() == "dead_lettered") {
        AddDeadLetter(record, reason.value_or(Reason::kInternal), block);
      }
      decided.exceptions.push_back(*std::move(exception));
    }
  }
  tally_.Add(decision.reason);
  if (decided.first == Sequence(0)) decided.first = record.sequence();
  decided.last = record.sequence();
  decided.last_mark = MarkOf(record);
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

void ExportReader::AddDeadLetter(const event::Record& record, Reason reason, Block* block) const {
  storage::v1::DeadLetter letter;
  letter.set_reader(ExportCursorName(peer_));
  letter.set_sequence(record.sequence().value());
  letter.set_reason(base::ReasonLabel(reason));
  letter.set_message(std::string(base::InfoOf(reason).meaning));
  block->dead_letters.push_back(std::move(letter));
}

void ExportReader::FinishBlock(Block block) {
  tally_.Flush(metrics_);
  need_.reset();
  answer_(std::move(block.decided), std::move(block.dead_letters));
}

}  // namespace cdgate::session
