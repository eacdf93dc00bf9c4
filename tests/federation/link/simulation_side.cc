#include "tests/federation/link/simulation_side.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "federation/link/blocks.h"
#include "federation/link/codec.h"

namespace cdgate::test {

using base::Position;
using base::Reason;
using base::Sequence;

void Side::Connect(Wire* out) {
  // Whoever drives links begins the next one when everything of the last is on disk.
  link_.reset();
  while (!commits_.empty()) CommitSome();
  link::LinkConfig config;
  config.domain = name_;
  config.instance = "gw1";
  config.peer = peer_;
  config.agreement_id = "ag";
  if (world_.replays()) config.capabilities.push_back(link::kReplayCapability);
  config.log_epoch = base::Epoch(disk_.epoch);
  config.head = Sequence(disk_.log.size());
  config.agreed_sequence = Sequence(1);
  config.horizon = disk_.horizon;
  if (!disk_.sent_by.empty()) {
    config.sent_epoch.emplace().set_policy_version(disk_.sent_by.rbegin()->second);
    config.sent_epoch_first = Sequence(disk_.sent_by.rbegin()->first);
  }
  config.acknowledged = disk_.acknowledged;
  config.replay = disk_.job;
  config.replay_through = disk_.replay_through;
  config.fresh_link_epoch = absl::StrCat("E", world_.next_epoch++);
  config.sealer = &world_.sealer;
  config.policy_epoch.set_policy_version(policy_);
  config.max_unacknowledged = kMaxUnacknowledged;
  config.window_events = kWindowEvents;
  config.window_bytes = 400;
  if (!begin_anew_) config.import_cursor = disk_.cursor;
  if (frozen_) config.refuse = link::Refuse{Reason::kFrozen, "frozen", {}};
  link_ = std::make_unique<link::Link>(std::move(config));
  need_.reset();
  replay_.reset();
  check_.reset();
  out_ = out;
  writing_ = false;
  held_events_ = 0;
  Step(link::StreamOpened{});
}

void Side::Step(link::Input input) {
  if (link_ == nullptr) return;
  for (link::Output& output : link_->Step(std::move(input), world_.now)) {
    world_.Trace(name_, Describe(output));
    Do(std::move(output));
  }
}

void Side::Do(link::Output output) {
  if (auto* send = std::get_if<link::SendFrame>(&output)) {
    OnSend(*send);
  } else if (auto* need = std::get_if<link::NeedEvents>(&output)) {
    need_ = *need;
  } else if (auto* replay = std::get_if<link::NeedReplay>(&output)) {
    replay_ = *replay;
  } else if (auto* check = std::get_if<link::CheckPlace>(&output)) {
    check_ = *check;
  } else if (auto* horizon = std::get_if<link::WriteHorizon>(&output)) {
    const Sequence through(horizon->row.last_sequence());
    commits_.push_back([this, through, row = horizon->row] {
      disk_.horizon = std::max(disk_.horizon, through);
      if (row.has_policy_epoch()) {
        disk_.sent_by.erase(disk_.sent_by.lower_bound(row.first_sequence()), disk_.sent_by.end());
        disk_.sent_by[row.first_sequence()] = row.policy_epoch().policy_version();
      }
      Step(link::HorizonWritten{through});
    });
  } else if (auto* ledger = std::get_if<link::RecordLedger>(&output)) {
    commits_.push_back([this, rows = ledger->rows, through = ledger->acknowledged_sequence] {
      disk_.rows.insert(disk_.rows.end(), rows.begin(), rows.end());
      if (through < disk_.acknowledged) world_.Fault("the ledger goes back");
      disk_.acknowledged = through;
    });
  } else if (auto* record = std::get_if<link::RecordReplay>(&output)) {
    OnReplay(std::move(*record));
  } else if (auto* done = std::get_if<link::ReplayDone>(&output)) {
    commits_.push_back([this, number = done->number] {
      if (!disk_.job || disk_.job->number != number) return;
      disk_.job.reset();
      Step(link::ReplayChanged{});
    });
  } else if (auto* move = std::get_if<link::MoveCursor>(&output)) {
    commits_.push_back([this, cursor = move->cursor] {
      if (!repeats_allowed_ && disk_.cursor.position > cursor.position) {
        world_.Fault("the cursor goes back");
      }
      disk_.cursor = cursor;
      begin_anew_ = false;
    });
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
  if (send.frame.has_ack() && send.frame.ack().position() > disk_.cursor.position.value()) {
    world_.Fault("an Ack is ahead of the disk");
  }
  federation::v1::Frame frame;
  const std::string bytes = link::EncodeHead(send) + send.events;
  if (!frame.ParseFromString(bytes)) world_.Fault("a frame does not parse");
  if (frame.has_heartbeat() && bytes.size() != link::kHeartbeatFrameBytes) {
    world_.Fault("a heartbeat of another size");
  }
  if (frame.has_batch()) CheckBatch(frame.batch());
  if (link_->exporter().unacknowledged() > kMaxUnacknowledged) world_.Fault("too much in flight");
  if (out_ != nullptr) out_->frames.push_back(bytes);
}

void Side::CheckBatch(const federation::v1::Batch& batch) {
  if (batch.replay() && !disk_.job) world_.Fault("past events leave without a job");
  for (const auto& event : batch.events()) {
    const uint64_t id = event.accepted_time_nanos();
    const auto at = std::find(disk_.log.begin(), disk_.log.end(), id);
    if (!Allows(policy_, id)) world_.Fault(absl::StrCat("event ", id, " is not allowed"));
    if (frozen_) world_.Fault("an event leaves while frozen");
    if (at == disk_.log.end() ||
        static_cast<uint64_t>(at - disk_.log.begin()) + 1 > disk_.horizon.value()) {
      world_.Fault("an event leaves beyond the horizon on disk");
      continue;
    }
    if (batch.replay()) continue;
    const auto next = disk_.sent_by.upper_bound(static_cast<uint64_t>(at - disk_.log.begin()) + 1);
    if (next == disk_.sent_by.begin() || std::prev(next)->second != policy_) {
      world_.Fault("an event leaves by decisions that the disk does not name");
    }
  }
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
  std::vector<uint64_t> ids;
  for (const auto& event : import.events.views) {
    ids.push_back(static_cast<uint64_t>(event.accepted_time_nanos()));
  }
  commits_.push_back([this, ids, replay = import.replay, cursor = import.cursor] {
    for (const uint64_t id : ids) {
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
    held_events_ -= std::min<uint64_t>(held_events_, ids.size());
    Step(link::Committed{cursor.position, {}});
  });
}

void Side::OnClose(const link::CloseStream& close) {
  need_.reset();
  replay_.reset();
  check_.reset();
  // Only after a rollback does either happen; then this is what heals it.
  if (close.reason == Reason::kTokenInvalid && close.by_peer) {
    begin_anew_ = true;
    repeats_allowed_ = true;
  }
  if (close.reason == Reason::kEpochRegressed && !close.by_peer) {
    disk_.epoch = absl::StrCat("L", world_.next_epoch++);
  }
  if (!world_.options_.rollbacks &&
      (close.reason == Reason::kTokenInvalid || close.reason == Reason::kEpochRegressed ||
       close.reason == Reason::kPositionGap || close.reason == Reason::kProtocolError ||
       close.reason == Reason::kCreditExceeded)) {
    world_.Fault(absl::StrCat(name_, " ended: ", close.message));
  }
  out_ = nullptr;
}

void Side::Publish() {
  disk_.log.push_back(world_.next_id++);
  Step(link::HeadMoved{Sequence(disk_.log.size()), world_.now});
}

void Side::CommitSome() {
  for (uint64_t n = 1 + world_.Below(4); n > 0 && !commits_.empty(); --n) {
    const auto commit = std::move(commits_.front());
    commits_.pop_front();
    commit();
  }
}

// False where it has no room any more.
bool Side::DecideOne(uint64_t sequence, size_t max_events, bool account_only,
                     link::Decided* decided) const {
  const uint64_t id = disk_.log[sequence - 1];
  if (!Allows(policy_, id)) {
    link::AddCount("denied", "no_rule", 1, &decided->counts);
  } else if (account_only) {
    link::AddCount("acknowledged_undisclosed", "", 1, &decided->counts);
  } else {
    if (decided->sequences.size() == max_events) return false;
    federation::v1::RelayedEvent rest;
    rest.set_accepted_time_nanos(static_cast<int64_t>(id));
    link::AppendRelayedEvent(absl::StrCat("e", id), rest.SerializeAsString(), &decided->events);
    decided->sequences.push_back(Sequence(sequence));
  }
  decided->last = Sequence(sequence);
  decided->last_mark = id + 1;
  return true;
}

link::Decided Side::DecideSome(uint64_t request, Sequence from, uint64_t end, size_t max_events,
                               bool account_only) {
  link::Decided decided;
  decided.request = request;
  decided.first = from;
  decided.policy_epoch.set_policy_version(policy_);
  end = std::min<uint64_t>({disk_.log.size(), end, from.value() + world_.Below(8)});
  for (uint64_t s = from.value(); s <= end; ++s) {
    if (!DecideOne(s, max_events, account_only, &decided)) break;
  }
  if (decided.last < decided.first) world_.Fault("no room in a request");
  return decided;
}

void Side::Decide() {
  if (!CanDecide()) return;
  const link::NeedEvents need = *std::exchange(need_, std::nullopt);
  const uint64_t end = need.through == Sequence(0) ? UINT64_MAX : need.through.value();
  Step(DecideSome(need.request, need.from, end, need.max_events, need.account_only));
}

void Side::DecideReplay() {
  if (!replay_) return;
  const link::NeedReplay need = *std::exchange(replay_, std::nullopt);
  if (need.through.value() > disk_.log.size() || need.through < need.from) {
    return world_.Fault("a job asks for what is not in the log");
  }
  Step(link::ReplayDecided{
      DecideSome(need.request, need.from, need.through.value(), need.max_events, false)});
}

void Side::StartJob(uint64_t first, uint64_t last, std::vector<Sequence> only) {
  if (disk_.job || last == 0) return;
  disk_.job = link::ReplayJob{++disk_.jobs, Sequence(first), Sequence(last), std::move(only)};
  disk_.replay_through = Sequence(0);
  Step(link::ReplayChanged{disk_.job, Sequence(0)});
}

void Side::StartSomeJob() {
  const uint64_t last = disk_.log.size();
  if (last == 0) return;
  const uint64_t first = 1 + world_.Below(last);
  std::vector<Sequence> only;
  for (uint64_t s = first; s <= last; ++s) {
    if (world_.Chance(40)) only.push_back(Sequence(s));
  }
  if (world_.Chance(50)) only.clear();
  StartJob(first, last, std::move(only));
}

void Side::AnswerCheck() {
  if (!check_) return;
  const link::CheckPlace check = *std::exchange(check_, std::nullopt);
  const uint64_t s = check.sequence.value();
  Step(link::PlaceChecked{s == 0 || (s <= disk_.log.size() && disk_.log[s - 1] + 1 == check.mark)});
}

void Side::Crash() {
  world_.Trace(name_, "*** crash");
  commits_.clear();
  link_.reset();
  out_ = nullptr;
  need_.reset();
  replay_.reset();
  check_.reset();
  begin_anew_ = false;
}

// An old copy of the disk is put back: what was published since is gone for good.
void Side::RollBack() {
  if (copies_.empty()) return;
  Crash();
  world_.Trace(name_, "*** rolled back");
  copies_.resize(1 + world_.Below(copies_.size()));  // later ones are of a life that is over
  disk_ = copies_.back();
}

void Side::ChangePolicy() {
  ++policy_;
  storage::v1::PolicyEpoch epoch;
  epoch.set_policy_version(policy_);
  Step(link::PolicyChanged{epoch, {}});
}

}  // namespace cdgate::test
