#include "tests/federation/link/simulation_side.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "federation/link/blocks.h"
#include "federation/link/codec.h"
#include "tests/federation/link/simulation_checker.h"

namespace cdgate::test {

using base::Position;
using base::Reason;
using base::Sequence;

link::LinkConfig Side::Config() {
  link::LinkConfig config;
  config.domain = name_;
  config.instance = "gw1";
  config.peer = peer_;
  config.agreement_id = "ag";
  if (world_.faults().replays) config.capabilities.push_back(link::kReplayCapability);
  if (world_.faults().statements) {
    config.capabilities.push_back(link::kStatementsCapability);
    config.signer = &signer_;
    config.receipt = disk_.receipt;
    config.receipt_epoch = disk_.receipt_epoch;
  }
  config.log_epoch = base::Epoch(disk_.epoch);
  config.head = Sequence(disk_.log.size());
  config.agreed_sequence = Sequence(1);
  config.horizon = disk_.horizon;
  if (!disk_.sent_by.empty()) {
    const auto& [first, version] = *disk_.sent_by.rbegin();
    config.sent_epoch.emplace().set_policy_version(version.policy);
    config.sent_epoch->set_interest_version(version.interest);
    config.sent_epoch_first = Sequence(first);
  }
  config.acknowledged = disk_.acknowledged;
  if (world_.Broken(Mutant::kForgetLedger)) config.acknowledged = Sequence(0);
  config.replay = disk_.job;
  config.replay_through = disk_.replay_through;
  config.fresh_link_epoch = absl::StrCat("E", world_.next_epoch++);
  config.sealer = &world_.sealer;
  config.policy_epoch.set_policy_version(policy_);
  config.max_unacknowledged = kMaxUnacknowledged;
  config.window_events = kWindowEvents;
  config.window_bytes = world_.faults().large ? 60'000 : 400;
  if (world_.faults().large) config.max_frame_bytes = link::kLeastMaxFrameBytes;
  config.interest = Interest();
  if (!world_.Broken(Mutant::kForgetRate)) config.import_rate = rate_;
  config.paces = &paces_;
  config.exports_held = held_;
  if (!begin_anew_) config.import_cursor = disk_.cursor;
  if (frozen_) config.refuse = link::Refuse{Reason::kFrozen, "frozen", {}};
  return config;
}

federation::v1::Interest Side::Interest() const {
  federation::v1::Interest interest;
  interest.set_version(world_.faults().hidden_rules ? 0 : interest_);
  interest.set_paused(paused_);
  return interest;
}

void Side::Connect(Wire* out) {
  // Whoever drives links begins the next one when everything of the last is on disk.
  link_.reset();
  while (!commits_.empty()) CommitSome();
  link_ = std::make_unique<link::Link>(Config());
  need_.reset();
  replay_.reset();
  check_.reset();
  out_ = out;
  writing_ = left_ = false;
  held_events_ = 0;
  peer_interest_ = 0;
  received_digest_ = begin_anew_ ? "" : disk_.cursor.digest;
  receipt_given_ = base::Position(0);
  world_.checker->Connected(*this);
  signer_.Connect();
  Step(link::StreamOpened{});
}

void Side::FrameLeft() {
  if (!std::exchange(writing_, false) || link_ == nullptr) return;
  left_ = true;
  if (link_->awaits_written()) TellOfFrame();
}

void Side::TellOfFrame() {
  if (std::exchange(left_, false)) StepOnce(link::Written{});
}

void Side::Step(link::Input input) {
  TellOfFrame();
  StepOnce(std::move(input));
}

void Side::StepOnce(link::Input input) {
  if (link_ == nullptr) return;
  if (world_.Broken(world_.options_.mutant)) Break(world_.options_.mutant, &input);
  for (link::Output& output : link_->Step(std::move(input), Now())) {
    world_.Trace(name_, Describe(output));
    const bool broken = world_.Broken(world_.options_.mutant);
    if (broken && Break(world_.options_.mutant, &output)) Do(output);
    Do(std::move(output));
  }
}

void Side::Do(link::Output output) {
  if (auto* send = std::get_if<link::SendFrame>(&output)) {
    AddReceipt(&send->frame);
    OnSend(*send);
  } else if (auto* need = std::get_if<link::NeedEvents>(&output)) {
    need_ = *need;
  } else if (auto* replay = std::get_if<link::NeedReplay>(&output)) {
    replay_ = *replay;
  } else if (auto* check = std::get_if<link::CheckPlace>(&output)) {
    check_ = *check;
  } else if (auto* interest = std::get_if<link::InterestReceived>(&output)) {
    peer_interest_ = interest->interest.version();
  } else if (auto* horizon = std::get_if<link::WriteHorizon>(&output)) {
    OnHorizon(*horizon);
  } else if (auto* ledger = std::get_if<link::RecordLedger>(&output)) {
    OnLedger(std::move(*ledger));
  } else if (auto* record = std::get_if<link::RecordReplay>(&output)) {
    OnReplay(std::move(*record));
  } else if (auto* done = std::get_if<link::ReplayDone>(&output)) {
    commits_.push_back([this, number = done->number] {
      if (!disk_.job || disk_.job->number != number) return;
      disk_.job.reset();
      Step(link::ReplayChanged{});
    });
  } else if (auto* attestors = std::get_if<link::AttestorsReceived>(&output)) {
    for (const auto& one : attestors->attestors.attestors()) keys_.insert(one.certificates(0));
  } else if (auto* receipt = std::get_if<link::ReceiptReceived>(&output)) {
    OnReceipt(*receipt);
  } else if (auto* disputed = std::get_if<link::HistoryDisputed>(&output)) {
    OnDisputed(*disputed);
  } else if (auto* move = std::get_if<link::MoveCursor>(&output)) {
    OnMove(*move);
  } else if (auto* import = std::get_if<link::CommitImport>(&output)) {
    OnImport(*import);
  } else if (auto* state = std::get_if<link::StateChanged>(&output)) {
    if (state->to == link::State::kUp) ++world_.result.links;
  } else if (auto* close = std::get_if<link::CloseStream>(&output)) {
    OnClose(*close);
  }
}

void Side::OnSend(const link::SendFrame& send) {
  if (writing_) world_.Fault("two frames are written at once");
  writing_ = true;
  const std::string bytes = link::EncodeHead(send) + send.events;
  world_.checker->Sent(*this, bytes);
  if (out_ != nullptr) out_->frames.push_back(bytes);
}

void Side::OnHorizon(const link::WriteHorizon& horizon) {
  const Sequence through(horizon.row.last_sequence());
  if (world_.Broken(Mutant::kHorizonEarly)) Step(link::HorizonWritten{through});
  commits_.push_back([this, through, row = horizon.row] {
    disk_.horizon = std::max(disk_.horizon, through);
    if (row.has_policy_epoch()) {
      disk_.sent_by.erase(disk_.sent_by.lower_bound(row.first_sequence()), disk_.sent_by.end());
      disk_.sent_by[row.first_sequence()] = {row.policy_epoch().policy_version(),
                                             row.policy_epoch().interest_version()};
    }
    Step(link::HorizonWritten{through});
  });
}

void Side::OnLedger(link::RecordLedger ledger) {
  commits_.push_back([this, rows = std::move(ledger.rows), through = ledger.acknowledged_sequence] {
    world_.checker->Recorded(*this, rows, through);
    disk_.rows.insert(disk_.rows.end(), rows.begin(), rows.end());
    disk_.acknowledged = through;
  });
}

void Side::OnMove(const link::MoveCursor& move) {
  link::ImportCursor moved = move.cursor;
  moved.digest = received_digest_;
  commits_.push_back([this, cursor = std::move(moved)] {
    world_.checker->CursorMoved(*this, cursor);
    disk_.cursor = cursor;
    begin_anew_ = false;
  });
}

void Side::OnReplay(link::RecordReplay record) {
  commits_.push_back([this, record = std::move(record)] {
    if (!disk_.job || disk_.job->number != record.number) return;
    if (record.through <= disk_.replay_through) world_.Fault("a job goes back");
    disk_.replay_through = record.through;
    const auto& only = disk_.job->sequences;
    for (const auto& row : record.rows) {
      if (row.replay() != record.number) world_.Fault("a row of another job");
      for (uint64_t s = row.first_sequence(); s <= row.last_sequence() && !only.empty(); ++s) {
        if (!std::binary_search(only.begin(), only.end(), Sequence(s))) {
          world_.Fault(absl::StrCat("a row is about ", s, ", which was not offered"));
        }
      }
    }
  });
}

void Side::OnImport(const link::CommitImport& import) {
  held_events_ += static_cast<uint64_t>(import.events.size());
  if (held_events_ > kWindowEvents) world_.Fault("more is held than the window");
  CheckRate(import.events.size());
  std::vector<uint64_t> ids;
  for (const auto& event : import.events.views) {
    ids.push_back(static_cast<uint64_t>(event.accepted_time_nanos()));
  }
  if (!Verify(import, ids)) return;
  link::ImportCursor cursor = import.cursor;
  cursor.digest = received_digest_;
  if (world_.Broken(Mutant::kForgetDigest)) cursor.digest = SimulatedDigest("another");
  const bool replay = import.replay;
  if (world_.Broken(Mutant::kAckEarly)) Step(link::Committed{cursor.position, {}});
  if (world_.Broken(Mutant::kSplitCommit)) OnMove({cursor});
  commits_.push_back([this, ids, replay, cursor] {
    std::vector<federation::v1::Refusal> refused;
    CommitEvents(ids, replay, cursor, &refused);
    held_events_ -= std::min<uint64_t>(held_events_, ids.size());
    Step(link::Committed{cursor.position, std::move(refused)});
  });
}

// Events, refusals and cursor in one.
void Side::CommitEvents(const std::vector<uint64_t>& ids, bool replay,
                        const link::ImportCursor& cursor,
                        std::vector<federation::v1::Refusal>* refused) {
  std::vector<uint64_t> refused_ids;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool here = disk_.known.count(ids[i]) > 0 || Wants(interest_, ids[i]);
    if (here || world_.Broken(Mutant::kTakeUnwanted)) continue;
    refused_ids.push_back(ids[i]);
    refused->emplace_back().set_position(cursor.position.value() - ids.size() + i + 1);
    refused->back().set_reason("denied_by_rule");
  }
  world_.checker->Taken(*this, ids, refused_ids, replay, cursor);
  for (const uint64_t id : ids) {
    if (std::count(refused_ids.begin(), refused_ids.end(), id) > 0) continue;
    const bool fresh = disk_.known.insert(id).second;
    if (replay) {
      ++world_.result.replayed;
    } else if (fresh) {
      disk_.imports.push_back(id);
    } else if (!repeats_allowed_) {
      world_.Fault(absl::StrCat("event ", id, " came twice"));
    }
  }
  disk_.cursor = cursor;
  begin_anew_ = false;
}

void Side::OnClose(const link::CloseStream& close) {
  need_.reset();
  replay_.reset();
  check_.reset();
  // Only after a rollback or a lie does either happen; then this is what heals it.
  if (close.reason == Reason::kTokenInvalid && close.by_peer) {
    commits_.push_back([this] { begin_anew_ = repeats_allowed_ = true; });
  }
  if (close.reason == Reason::kEpochRegressed && !close.by_peer) {
    disk_.epoch = absl::StrCat("L", world_.next_epoch++);
  }
  const Faults& faults = world_.faults();
  if (!faults.rollbacks && !faults.lossy && !faults.byzantine &&
      (close.reason == Reason::kTokenInvalid || close.reason == Reason::kEpochRegressed ||
       close.reason == Reason::kPositionGap || close.reason == Reason::kProtocolError ||
       close.reason == Reason::kCreditExceeded || close.reason == Reason::kTooLarge)) {
    world_.Fault(absl::StrCat(name_, " ended: ", close.message));
  }
  out_ = nullptr;
}

void Side::Publish() {
  disk_.log.push_back(world_.next_id++);
  // It was accepted when it began to be committed.
  disk_.accepted.push_back(Wall() - absl::Milliseconds(static_cast<int64_t>(world_.Below(450))));
  Step(Head());
}

void Side::CommitSome() {
  for (uint64_t n = 1 + world_.Below(4); n > 0 && !commits_.empty(); --n) {
    const auto commit = std::move(commits_.front());
    commits_.pop_front();
    commit();
  }
}

void Side::AnswerCheck() {
  if (!check_) return;
  const link::CheckPlace check = *std::exchange(check_, std::nullopt);
  const uint64_t s = check.sequence.value();
  const bool unknown = s < disk_.first;
  Step(
      link::PlaceChecked{unknown || (s <= disk_.log.size() && disk_.log[s - 1] + 1 == check.mark)});
}

void Side::Crash() {
  world_.Trace(name_, "*** crash");
  ++world_.result.crashes;
  commits_.clear();
  link_.reset();
  out_ = nullptr;
  need_.reset();
  replay_.reset();
  check_.reset();
  begin_anew_ = false;
  paces_ = {};
  BeginRate();
}

// An old copy of the disk is put back: what was published since is gone for good.
void Side::RollBack() {
  if (copies_.empty()) return;
  Crash();
  world_.Trace(name_, "*** rolled back");
  copies_.resize(1 + world_.Below(copies_.size()));  // later ones are of a life that is over
  disk_ = copies_.back();
}

void Side::Trim() {
  if (disk_.first >= disk_.log.size()) return;
  const uint64_t first = disk_.first + 1 + world_.Below(disk_.log.size() - disk_.first);
  world_.Trace(name_, absl::StrCat("*** trimmed before ", first));
  world_.checker->Trimmed(*this, first);
  disk_.first = first;
}

void Side::ChangePolicy() {
  ++policy_;
  world_.Trace(name_, absl::StrCat("*** policy ", policy_));
  if (world_.Broken(Mutant::kStalePolicy)) return;
  storage::v1::PolicyEpoch epoch;
  epoch.set_policy_version(policy_);
  Step(link::PolicyChanged{epoch, {}});
}

void Side::ChangeInterest(bool paused) {
  if (world_.faults().interests && world_.Chance(60)) ++interest_;
  paused_ = paused;
  Step(link::InterestChanged{Interest(), rate_});
}

void Side::ChangeRate(bool limited) {
  rate_ = {};
  if (limited) {
    // Less than is published.
    rate_ = {.events_per_second = 1, .burst = 1 + static_cast<uint32_t>(world_.Below(3))};
  }
  BeginRate();
  if (world_.Broken(Mutant::kForgetRate)) return;
  Step(link::InterestChanged{Interest(), rate_});
}

void Side::BeginRate() {
  rate_seen_ = Now();
  rate_left_ = 2.0 * rate_.burst;
}

// Between any two moments no more comes than a full bucket, what was credited from another, and
// what came to it meanwhile.
void Side::CheckRate(size_t events) {
  if (rate_.events_per_second == 0) return;
  const double seconds = absl::ToDoubleSeconds(Now() - std::exchange(rate_seen_, Now()));
  rate_left_ = std::min(2.0 * rate_.burst, rate_left_ + seconds * rate_.events_per_second);
  rate_left_ -= static_cast<double>(events);
  if (rate_left_ < -1) world_.Fault(absl::StrCat(events, " events came too soon for their rate"));
}

void Side::SetFrozen(bool frozen) {
  frozen_ = frozen;
  if (frozen && !world_.Broken(Mutant::kSendFrozen)) Step(link::End{Reason::kFrozen, "frozen", {}});
}

void Side::SetHeld(bool held) {
  held_ = held;
  Step(link::ExportsHeld{held});
}

}  // namespace cdgate::test
