#include "federation/session/import_writer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "gateway/base/encoding.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/cloud_event_view.h"
#include "gateway/event/record.h"

namespace cdgate::session {
namespace {

using base::Position;
using base::Reason;

// What a refusal keeps of texts that may be anything.
constexpr size_t kMaxQuotedBytes = 512;

// Of what was admitted, in order.
std::vector<event::Record> Read(const std::vector<admission::Imported>& imported) {
  std::vector<event::Record> records;
  records.reserve(imported.size());
  for (const admission::Imported& in : imported) {
    if (in.status.ok()) records.emplace_back(base::Sequence(0), in.event.stored);
  }
  return records;
}

storage::v1::CursorMove ToMove(const std::string& peer, const link::ImportCursor& cursor) {
  storage::v1::CursorMove move;
  move.set_reader(ImportCursorName(peer));
  move.set_position(cursor.position.value());
  move.set_token(cursor.token);
  move.set_epoch(cursor.link_epoch);
  move.set_digest(cursor.digest);
  return move;
}

}  // namespace

ImportWriter::ImportWriter(const SessionDeps& deps, std::string peer, std::string agreement,
                           const link::ImportCursor& on_disk, const PolicyWatch& policy,
                           const PeerMetrics::Direction& metrics, std::function<bool()> take_policy,
                           LedgerWriter& ledger, Poster post, OnCommitted committed, Failed failed)
    : deps_(deps),
      peer_(std::move(peer)),
      policy_(policy),
      metrics_(metrics),
      take_policy_(std::move(take_policy)),
      ledger_(ledger),
      post_(std::move(post)),
      committed_(std::move(committed)),
      failed_(std::move(failed)),
      sources_(deps.store),
      on_disk_{on_disk.position, on_disk.link_epoch, on_disk.digest},
      next_expected_(on_disk.position),
      turn_(deps.catchup, deps.clock, deps.timers, post_) {
  if (deps.attestors != nullptr) {
    verifier_.emplace(deps, peer_, std::move(agreement), on_disk.digest);
  }
}

ImportWriter::~ImportWriter() { deps_.timers.Cancel(timer_); }

void ImportWriter::Import(link::CommitImport import) {
  Pending pending;
  pending.expected = std::exchange(next_expected_, import.cursor.position);
  pending.import = std::move(import);
  pending_.push_back(std::move(pending));
  ProposeWaiting();
}

void ImportWriter::MoveCursor(link::ImportCursor cursor) {
  Pending pending;
  pending.expected = std::exchange(next_expected_, cursor.position);
  pending.import.cursor = std::move(cursor);
  pending.answer = false;
  pending_.push_back(std::move(pending));
  ProposeWaiting();
}

void ImportWriter::ProposeWaiting() {
  if (!stall_.ok()) return;
  const uint64_t end = first_number_ + pending_.size();
  for (uint64_t number = first_number_; number < end && stall_.ok() && !stopped_; ++number) {
    // A proposal may end at once, and with it what was before it.
    if (number < first_number_ || At(number).proposed) continue;
    if (!IsItsTurn(At(number))) return;
    Propose(number);
    turn_.End();
  }
}

bool ImportWriter::IsItsTurn(const Pending& pending) {
  const std::vector<event::RelayedView>& events = pending.import.events.views;
  return events.empty() ||
         turn_.Begin(events.front().accepted_time_nanos(), [this] { ProposeWaiting(); });
}

// Once for each, in order: the digest goes on with every batch.
absl::Status ImportWriter::Verify(Pending* pending,
                                  const std::vector<admission::Imported>& imported,
                                  const std::vector<event::Record>& records) {
  if (pending->signed_by) return absl::OkStatus();
  pending->signed_by.emplace();
  if (!verifier_) {
    if (!pending->import.statement) return absl::OkStatus();
    return base::MakeError(Reason::kProtocolError, "a signed batch without the capability");
  }
  CDGATE_ASSIGN_OR_RETURN(*pending->signed_by, verifier_->Take(pending->import, imported, records));
  pending->import.cursor.digest = verifier_->digest();
  return absl::OkStatus();
}

absl::Status ImportWriter::CheckReceipt(const link::ReceiptReceived& received) {
  if (verifier_) return verifier_->CheckReceipt(received);
  return base::MakeError(Reason::kAttestationUnproven, "no keys of attestors are known here");
}

void ImportWriter::Propose(uint64_t number) {
  Pending& pending = At(number);
  const std::vector<event::RelayedView>& events = pending.import.events.views;
  std::vector<admission::Imported> imported =
      deps_.admission.Import(peer_, events, pending.import.replay);
  state::Proposal proposal;
  proposal.records = Read(imported);
  const absl::Status verified = Verify(&pending, imported, proposal.records);
  if (!verified.ok()) {
    stopped_ = true;
    pending_.resize(number - first_number_);  // neither it nor what came behind it
    return failed_(verified);
  }
  Decide(std::move(imported), &pending, &proposal);
  proposal.cursors.push_back({.move = ToMove(peer_, pending.import.cursor),
                              .expected_position = pending.expected.value()});
  pending.slip = ledger_.Take();
  pending.slip.AddTo(&proposal);
  pending.proposed = true;
  pending.first = number == first_number_;
  ++proposed_;
  auto done = [this, number, post = post_](state::Outcome outcome) {
    post([this, number, outcome = std::move(outcome)]() mutable {
      OnOutcome(number, std::move(outcome));
    });
  };
  const absl::Status queued = deps_.store.Propose(std::move(proposal), std::move(done));
  if (queued.ok()) return;
  state::Outcome outcome;
  outcome.status = queued;
  OnOutcome(number, std::move(outcome));
}

void ImportWriter::Decide(std::vector<admission::Imported> imported, Pending* pending,
                          state::Proposal* proposal) {
  take_policy_();
  sources_.Refresh();
  pending->refused.clear();
  pending->positions.clear();
  const std::vector<event::RelayedView>& events = pending->import.events.views;
  proposal->events.reserve(imported.size());
  std::vector<event::Record>& records = proposal->records;
  size_t next = 0;
  size_t taken = 0;
  Position position = pending->import.first_position;
  for (size_t i = 0; i < events.size(); ++i, position = position.Next()) {
    admission::Imported& in = imported[i];
    if (!in.status.ok()) {
      const Reason reason = base::ReasonOf(in.status).value_or(Reason::kInternal);
      Refuse(events[i], position, reason, "", pending, proposal);
      continue;
    }
    const event::Record& record = records[next++];
    const policy::Decision decision = DecideOne(events[i], record);
    if (!decision.allow) {
      Refuse(events[i], position, decision.reason, decision.rule, pending, proposal);
      if (decision.keep) Keep(record, decision.reason, proposal);
      continue;
    }
    tally_.Add(decision.reason);
    event::AppendImport(decision.rule, pending->signed_by->Leaf(i), &in.event.stored);
    proposal->events.push_back(std::move(in.event));
    pending->positions.push_back(position);
    if (++taken != next) records[taken - 1] = record;
  }
  records.erase(records.begin() + static_cast<ptrdiff_t>(taken), records.end());
  tally_.Flush(metrics_);
  if (pending->signed_by->root.empty()) return;
  proposal->import_statements.push_back(pending->signed_by->statement);
}

// What the policy lets in, of whom it says to be.
policy::Decision ImportWriter::DecideOne(const event::RelayedView& event,
                                         const event::Record& record) {
  context_.Reset(record);
  const PeerPolicy& policy = policy_.current();
  policy::Decision decision = policy::DecideImport(policy.compiled.get(), context_,
                                                   {.peer = peer_,
                                                    .own_domain = deps_.domain,
                                                    .environment = policy.environment.get(),
                                                    .memo = &memo_});
  if (!decision.allow) return decision;
  std::optional<Reason> refused;
  if (!sources_.May(record.origin(), record.source())) {
    refused = Reason::kSourceNotOwned;
  } else if (event.path().size() > 1) {
    const absl::Status shown = verifier_ ? verifier_->CheckChain(event, *policy.environment)
                                         : absl::PermissionDeniedError("");
    if (!shown.ok()) refused = base::ReasonOf(shown).value_or(Reason::kAttestationUnproven);
  }
  if (!refused) return decision;
  policy::Decision denied;
  denied.reason = *refused;
  denied.rule = decision.rule;
  return denied;
}

void ImportWriter::Keep(const event::Record& record, Reason reason,
                        state::Proposal* proposal) const {
  const absl::string_view stored = record.stored().bytes();
  storage::v1::DeadLetter letter;
  letter.set_reader(ImportCursorName(peer_));
  letter.set_reason(base::ReasonLabel(reason));
  letter.set_message("refused by an import rule that says keep");
  letter.mutable_event()->ParseFromArray(stored.data(), static_cast<int>(stored.size()));
  proposal->dead_letters.push_back(std::move(letter));
}

void ImportWriter::Refuse(const event::RelayedView& event, Position position, Reason reason,
                          absl::string_view rule, Pending* pending, state::Proposal* proposal) {
  tally_.Add(reason);
  storage::v1::ImportRefusal refusal;
  refusal.set_peer(peer_);
  refusal.set_origin(base::Shorten(event.origin(), kMaxQuotedBytes));
  event::CloudEventView view;
  if (view.Assign(event.cloud_event())) {
    refusal.set_source(base::Shorten(view.source(), kMaxQuotedBytes));
    refusal.set_id(base::Shorten(view.id(), kMaxQuotedBytes));
    refusal.set_type(base::Shorten(view.type(), kMaxQuotedBytes));
  }
  if (event.commitment().size() == 32) refusal.set_commitment(std::string(event.commitment()));
  refusal.set_reason(base::ReasonLabel(reason));
  refusal.set_rule(std::string(rule));
  proposal->refusals.push_back(std::move(refusal));
  Tell(position, reason, rule, pending);
}

// What the peer may know is what our policy for it says. That an identity names two events it is
// told in any case: it can only be mended there.
void ImportWriter::Tell(Position position, Reason reason, absl::string_view rule,
                        Pending* pending) const {
  federation::v1::Refusal refusal;
  refusal.set_position(position.value());
  const PolicyPtr& policy = policy_.current().compiled;
  const auto told = policy == nullptr ? admin::v1::REASONS_TO_PEER_NONE : policy->reasons_to_peer();
  if (told == admin::v1::REASONS_TO_PEER_CODE || told == admin::v1::REASONS_TO_PEER_FULL ||
      reason == Reason::kIdentityConflict) {
    refusal.set_reason(base::ReasonLabel(reason));
  }
  if (told == admin::v1::REASONS_TO_PEER_FULL) refusal.set_rule(std::string(rule));
  pending->refused.push_back(std::move(refusal));
}

void ImportWriter::OnOutcome(uint64_t number, state::Outcome outcome) {
  --proposed_;
  Pending& pending = At(number);
  pending.outcome = std::move(outcome);
  Settle();
}

// Takes what is decided from the front.
void ImportWriter::Settle() {
  link::Committed committed;
  bool any = false;
  while (!pending_.empty() && pending_.front().outcome && pending_.front().outcome->status.ok()) {
    any = SettleFront(&committed) || any;
    pending_.pop_front();
    ++first_number_;
  }
  if (any) committed_(std::move(committed));
  if (pending_.empty() || !pending_.front().outcome) return;
  Stall(pending_.front().outcome->status);
}

bool ImportWriter::SettleFront(link::Committed* committed) {
  Pending& front = pending_.front();
  const auto& results = front.outcome->events;
  for (size_t i = 0; i < results.size() && i < front.positions.size(); ++i) {
    if (results[i].status.ok()) continue;
    const Reason reason = base::ReasonOf(results[i].status).value_or(Reason::kInternal);
    Tell(front.positions[i], reason, "", &front);
  }
  std::sort(front.refused.begin(), front.refused.end(),
            [](const auto& a, const auto& b) { return a.position() < b.position(); });
  metrics_.events->Add(static_cast<double>(front.import.events.size()));
  metrics_.refusals->Add(static_cast<double>(front.refused.size()));
  const link::ImportCursor& cursor = front.import.cursor;
  on_disk_ = {cursor.position, cursor.link_epoch, cursor.digest};
  if (!front.answer) return false;
  committed->position = front.import.cursor.position;
  std::move(front.refused.begin(), front.refused.end(), std::back_inserter(committed->refused));
  return true;
}

// The front was refused, and so is or will be what came behind it. When all of it is
// back, everything is proposed again, or the session ends.
void ImportWriter::Stall(const absl::Status& why) {
  if (stall_.ok()) stall_ = why;
  if (proposed_ > 0) return;
  const Pending& front = pending_.front();
  const bool overtaken =
      base::ReasonOf(why) == Reason::kEtagMismatch && !front.first;  // behind one that was late
  for (auto pending = pending_.rbegin(); pending != pending_.rend(); ++pending) {
    ledger_.Restore(std::exchange(pending->slip, {}));
    pending->proposed = false;
    pending->outcome.reset();
  }
  if (!overtaken && !IsRetryable(why)) return failed_(why);
  const absl::Duration delay = overtaken ? absl::ZeroDuration() : RetryDelay(why);
  if (!overtaken) {
    base::LogError(base::LogLevel::kWarning, "import waits", why, {{"peer", peer_}});
  }
  timer_ = deps_.timers.At(deps_.clock.Monotonic() + delay, [this, post = post_] {
    post([this] {
      timer_ = 0;
      stall_ = absl::OkStatus();
      ProposeWaiting();
    });
  });
}

}  // namespace cdgate::session
