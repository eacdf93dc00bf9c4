#include "tests/federation/link/simulation.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/link/link.h"
#include "tests/federation/link/describe.h"
#include "tests/federation/link/fake_sealer.h"

namespace cdgate::test {
namespace {

using base::Position;
using base::Reason;
using base::Sequence;

constexpr uint64_t kWindowEvents = 12;
constexpr uint64_t kMaxUnacknowledged = 20;

// Whether event `id` may cross under policy `version`: most are the same under every
// version, some are allowed by every other one.
enum class Fate { kAlways, kNever, kDepends };
Fate FateOf(uint64_t id) {
  const uint64_t h = id * 2654435761u % 10;
  return h < 5 ? Fate::kAlways : h < 8 ? Fate::kNever : Fate::kDepends;
}
bool Allows(uint64_t version, uint64_t id) {
  const Fate fate = FateOf(id);
  return fate == Fate::kAlways || (fate == Fate::kDepends && (id + version) % 2 == 0);
}

struct RowRange {
  uint64_t first, last;
};

// What survives a crash.
struct Disk {
  std::string epoch = "L0";
  std::vector<uint64_t> log;      // ids; the sequence is the index + 1
  std::vector<uint64_t> imports;  // ids from the other side, in order
  std::set<uint64_t> known;       // the same
  link::ImportCursor cursor;
  Sequence horizon, acknowledged;
  std::vector<RowRange> rows;
};

struct Wire {
  std::deque<std::string> frames;
};

class World;

class Side {
 public:
  Side(World& world, std::string name, std::string peer)
      : world_(world), name_(std::move(name)), peer_(std::move(peer)) {}

  void Connect(Wire* out);
  void Step(link::Input input);
  void Do(link::Output output);

  void Publish();
  void CommitSome();
  void Decide();
  void Crash();
  void RollBack();
  void ChangePolicy();
  bool HasWork() const { return !commits_.empty() || check_ || (need_ && CanDecide()); }
  bool CanDecide() const { return need_ && need_->from.value() <= disk_.log.size(); }
  void AnswerCheck();

  World& world_;
  const std::string name_, peer_;
  Disk disk_;
  std::vector<Disk> copies_;
  uint64_t policy_ = 1;
  bool begin_anew_ = false;
  bool frozen_ = false;
  bool repeats_allowed_ = false;
  std::unique_ptr<link::Link> link_;
  std::optional<link::NeedEvents> need_;
  std::optional<link::CheckPlace> check_;
  std::deque<std::function<void()>> commits_;  // what the disk has not done yet
  Wire* out_ = nullptr;                        // where frames go; null: nowhere
  bool writing_ = false;
  uint64_t sent_events_ = 0;  // on this link, to check bounds
  uint64_t held_events_ = 0;  // received, not committed
};

class World {
 public:
  explicit World(const SimulationOptions& options)
      : options_(options), random_(options.seed), a(*this, "a", "b"), b(*this, "b", "a") {}

  SimulationResult Run();
  void Fault(const std::string& what) {
    if (result.fault.empty()) result.fault = absl::StrCat("step ", step_, ": ", what);
  }
  void Trace(const Side& side, const std::string& what) const {
    if (options_.trace) std::printf("%5d %s %s\n", step_, side.name_.c_str(), what.c_str());
  }
  uint64_t Below(uint64_t n) { return random_() % n; }
  bool Chance(uint64_t percent) { return Below(100) < percent; }
  void Cut();
  void Open();

  const SimulationOptions& options_;
  std::mt19937_64 random_;
  FakeSealer sealer;
  absl::Time now = ScriptEpoch();
  uint64_t next_id = 1, next_epoch = 1;
  int step_ = 0;
  SimulationResult result;
  Wire a_to_b, b_to_a;
  Side a, b;

 private:
  void RandomStep();
  void RareStep(Side& side);
  void Deliver(Wire& wire, Side& to);
  void Heal();
  void CheckEnd(const Side& from, const Side& to);
};

// -------------------------------------------------------------------- a side

void Side::Connect(Wire* out) {
  // Whoever drives links begins the next one when everything of the last is on disk.
  link_.reset();
  while (!commits_.empty()) CommitSome();
  link::LinkConfig config;
  config.domain = name_;
  config.instance = "gw1";
  config.peer = peer_;
  config.agreement_id = "ag";
  config.log_epoch = base::Epoch(disk_.epoch);
  config.head = Sequence(disk_.log.size());
  config.agreed_sequence = Sequence(1);
  config.horizon = disk_.horizon;
  config.acknowledged = disk_.acknowledged;
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
  check_.reset();
  out_ = out;
  writing_ = false;
  held_events_ = 0;
  Step(link::StreamOpened{});
}

void Side::Step(link::Input input) {
  if (link_ == nullptr) return;
  for (link::Output& output : link_->Step(std::move(input), world_.now)) {
    world_.Trace(*this, Describe(output));
    Do(std::move(output));
  }
}

void Side::Do(link::Output output) {
  if (auto* send = std::get_if<link::SendFrame>(&output)) {
    if (writing_) world_.Fault("two frames are written at once");
    writing_ = true;
    if (send->frame.has_ack() && send->frame.ack().position() > disk_.cursor.position.value()) {
      world_.Fault("an Ack is ahead of the disk");
    }
    federation::v1::Frame frame;
    const std::string bytes = link::EncodeHead(*send) + send->events;
    if (!frame.ParseFromString(bytes)) world_.Fault("a frame does not parse");
    if (frame.has_heartbeat() && bytes.size() != link::kHeartbeatFrameBytes) {
      world_.Fault("a heartbeat of another size");
    }
    for (const auto& event : frame.batch().events()) {
      const uint64_t id = event.accepted_time_nanos();
      const auto at = std::find(disk_.log.begin(), disk_.log.end(), id);
      if (!Allows(policy_, id)) world_.Fault(absl::StrCat("event ", id, " is not allowed"));
      if (frozen_) world_.Fault("an event leaves while frozen");
      if (at == disk_.log.end() ||
          static_cast<uint64_t>(at - disk_.log.begin()) + 1 > disk_.horizon.value()) {
        world_.Fault("an event leaves beyond the horizon on disk");
      }
    }
    if (link_->exporter().unacknowledged() > kMaxUnacknowledged) world_.Fault("too much in flight");
    if (out_ != nullptr) out_->frames.push_back(bytes);
  } else if (auto* need = std::get_if<link::NeedEvents>(&output)) {
    need_ = *need;
  } else if (auto* check = std::get_if<link::CheckPlace>(&output)) {
    check_ = *check;
  } else if (auto* horizon = std::get_if<link::WriteHorizon>(&output)) {
    const Sequence through(horizon->row.last_sequence());
    commits_.push_back([this, through] {
      disk_.horizon = std::max(disk_.horizon, through);
      Step(link::HorizonWritten{through});
    });
  } else if (auto* ledger = std::get_if<link::RecordLedger>(&output)) {
    commits_.push_back([this, rows = ledger->rows, through = ledger->acknowledged_sequence] {
      for (const auto& row : rows) {
        disk_.rows.push_back({row.first_sequence(), row.last_sequence()});
      }
      disk_.acknowledged = through;
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
    held_events_ += static_cast<uint64_t>(import->events.size());
    if (held_events_ > kWindowEvents) world_.Fault("more is held than the window");
    std::vector<uint64_t> ids;
    for (const auto& event : import->events.views)
      ids.push_back(static_cast<uint64_t>(event.accepted_time_nanos()));
    commits_.push_back([this, ids, cursor = import->cursor] {
      for (const uint64_t id : ids) {
        if (disk_.known.insert(id).second) {
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
  } else if (auto* state = std::get_if<link::StateChanged>(&output)) {
    if (state->to == link::State::kUp) ++world_.result.links;
  } else if (auto* close = std::get_if<link::CloseStream>(&output)) {
    need_.reset();
    check_.reset();
    // Only after a rollback does either happen; then this is what heals it.
    if (close->reason == Reason::kTokenInvalid && close->by_peer) {
      begin_anew_ = true;
      repeats_allowed_ = true;
    }
    if (close->reason == Reason::kEpochRegressed && !close->by_peer) {
      disk_.epoch = absl::StrCat("L", world_.next_epoch++);
    }
    if (!world_.options_.rollbacks &&
        (close->reason == Reason::kTokenInvalid || close->reason == Reason::kEpochRegressed ||
         close->reason == Reason::kPositionGap || close->reason == Reason::kProtocolError ||
         close->reason == Reason::kCreditExceeded)) {
      world_.Fault(absl::StrCat(name_, " ended: ", close->message));
    }
    out_ = nullptr;
  }
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

void Side::Decide() {
  if (!CanDecide()) return;
  const link::NeedEvents need = *std::exchange(need_, std::nullopt);
  link::Decided decided{.request = need.request,
                        .first = need.from,
                        .last = {},
                        .last_mark = 0,
                        .events = {},
                        .sequences = {},
                        .policy_epoch = {},
                        .exceptions = {}};
  decided.policy_epoch.set_policy_version(policy_);
  const uint64_t end = std::min<uint64_t>(disk_.log.size(), need.from.value() + world_.Below(8));
  for (uint64_t s = need.from.value(); s <= end; ++s) {
    const uint64_t id = disk_.log[s - 1];
    if (Allows(policy_, id)) {
      if (decided.sequences.size() == need.max_events) break;
      federation::v1::RelayedEvent rest;
      rest.set_accepted_time_nanos(static_cast<int64_t>(id));
      link::AppendRelayedEvent(absl::StrCat("e", id), rest.SerializeAsString(), &decided.events);
      decided.sequences.push_back(Sequence(s));
    }
    decided.last = Sequence(s);
    decided.last_mark = id + 1;
  }
  if (decided.last < decided.first) return world_.Fault("no room in a request");
  Step(std::move(decided));
}

void Side::AnswerCheck() {
  if (!check_) return;
  const link::CheckPlace check = *std::exchange(check_, std::nullopt);
  const uint64_t s = check.sequence.value();
  Step(link::PlaceChecked{s == 0 || (s <= disk_.log.size() && disk_.log[s - 1] + 1 == check.mark)});
}

void Side::Crash() {
  world_.Trace(*this, "*** crash");
  commits_.clear();
  link_.reset();
  out_ = nullptr;
  need_.reset();
  check_.reset();
  begin_anew_ = false;
}

// An old copy of the disk is put back: what was published since is gone for good.
void Side::RollBack() {
  if (copies_.empty()) return;
  Crash();
  world_.Trace(*this, "*** rolled back");
  copies_.resize(1 + world_.Below(copies_.size()));  // later ones are of a life that is over
  disk_ = copies_.back();
}

void Side::ChangePolicy() {
  ++policy_;
  storage::v1::PolicyEpoch epoch;
  epoch.set_policy_version(policy_);
  Step(link::PolicyChanged{epoch, {}});
}

// ----------------------------------------------------------------- the world

void World::Open() {
  a_to_b.frames.clear();
  b_to_a.frames.clear();
  a.Connect(&a_to_b);
  b.Connect(&b_to_a);
}

// The connection is gone. Either side may hear of it at once, or never.
void World::Cut() {
  a_to_b.frames.clear();
  b_to_a.frames.clear();
  for (Side* side : {&a, &b}) {
    side->out_ = nullptr;
    if (Chance(60)) side->Step(link::StreamClosed{absl::OkStatus()});
  }
}

void World::Deliver(Wire& wire, Side& to) {
  if (wire.frames.empty()) return;
  const auto bytes = std::make_shared<std::string>(std::move(wire.frames.front()));
  wire.frames.pop_front();
  link::FrameReceived received;
  if (!link::DecodeFrame(*bytes, bytes, &received)) return Fault("a frame does not parse");
  to.Step(link::HeadMoved{Sequence(to.disk_.log.size()), now});
  to.Step(std::move(received));
}

void World::RareStep(Side& side) {
  switch (Below(8)) {
    case 0: return Cut();
    case 1: side.Crash(); return Cut();
    case 2: return side.ChangePolicy();
    case 3:
      side.frozen_ = !side.frozen_;
      if (side.frozen_) side.Step(link::End{Reason::kFrozen, "frozen", {}});
      return;
    case 4: return side.Step(link::Drain{});
    case 5: {
      link::InterestChanged change;
      change.interest.set_version(side.policy_);
      change.interest.set_paused(Chance(50));
      return side.Step(std::move(change));
    }
    case 6:
      if (options_.rollbacks) side.copies_.push_back(side.disk_);
      return;
    default:
      if (!options_.rollbacks) return;
      side.RollBack();
      (&side == &a ? b : a).repeats_allowed_ = true;
      return Cut();
  }
}

void World::RandomStep() {
  Side& side = Chance(50) ? a : b;
  switch (Below(12)) {
    case 0:
    case 1: return side.Publish();
    case 2:
    case 3: return Deliver(&side == &a ? b_to_a : a_to_b, side);
    case 4:
    case 5:
      if (std::exchange(side.writing_, false)) side.Step(link::Written{});
      return;
    case 6: return side.CommitSome();
    case 7:
    case 8: return side.Decide();
    case 9: return side.AnswerCheck();
    case 10:
      now += absl::Milliseconds(static_cast<int64_t>(Below(3000)));
      side.Step(link::HeadMoved{Sequence(side.disk_.log.size()), now});
      return side.Step(link::Tick{});
    default:
      if (Chance(15)) return RareStep(side);
      if (a.out_ == nullptr || b.out_ == nullptr) Open();
      return;
  }
}

// No more faults: everything that was accepted has to arrive.
void World::Heal() {
  a.frozen_ = b.frozen_ = false;
  for (int round = 0; round < 3000; ++round) {
    ++step_;
    if (a.out_ == nullptr || b.out_ == nullptr) Open();
    for (Side* side : {&a, &b}) {
      Deliver(side == &a ? b_to_a : a_to_b, *side);
      if (std::exchange(side->writing_, false)) side->Step(link::Written{});
      side->CommitSome();
      side->Decide();
      side->AnswerCheck();
      if (round % 10 == 0) side->Step(link::HeadMoved{Sequence(side->disk_.log.size()), now});
      if (round % 10 == 0) side->Step(link::Tick{});
    }
    if (round % 10 == 0) now += absl::Seconds(1);
    if (round == 20) {
      // Whoever had stopped the direction goes on.
      for (Side* side : {&a, &b}) {
        link::InterestChanged change;
        change.interest.set_version(side->policy_);
        side->Step(std::move(change));
      }
    }
    const auto done = [](const Side& side) {
      return side.disk_.acknowledged.value() == side.disk_.log.size();
    };
    if (round > 100 && done(a) && done(b)) return;
  }
  Fault(absl::StrCat("no progress: a acknowledged ", a.disk_.acknowledged.value(), " of ",
                     a.disk_.log.size(), ", b ", b.disk_.acknowledged.value(), " of ",
                     b.disk_.log.size()));
}

void World::CheckEnd(const Side& from, const Side& to) {
  std::vector<uint64_t> imports = to.disk_.imports;
  if (options_.rollbacks) {
    // Whoever begins from nothing gets what a later policy allows behind what it has.
    const auto depends = [](uint64_t id) { return FateOf(id) == Fate::kDepends; };
    imports.erase(std::remove_if(imports.begin(), imports.end(), depends), imports.end());
  }
  if (!std::is_sorted(imports.begin(), imports.end())) Fault("events are out of order");
  for (const uint64_t id : from.disk_.log) {
    const bool arrived = to.disk_.known.count(id) > 0;
    if (FateOf(id) == Fate::kAlways && !arrived) Fault(absl::StrCat("event ", id, " is lost"));
    if (FateOf(id) == Fate::kNever && arrived) Fault(absl::StrCat("event ", id, " leaked"));
  }
  // Every sequence has a row.
  std::vector<bool> covered(from.disk_.log.size() + 1);
  for (const RowRange& row : from.disk_.rows) {
    for (uint64_t s = row.first; s <= row.last && s < covered.size(); ++s) covered[s] = true;
  }
  for (size_t s = 1; s < covered.size(); ++s) {
    if (!covered[s]) return Fault(absl::StrCat("sequence ", s, " has no row"));
  }
}

SimulationResult World::Run() {
  for (step_ = 0; step_ < options_.steps && result.fault.empty(); ++step_) RandomStep();
  if (result.fault.empty()) Heal();
  if (result.fault.empty()) {
    CheckEnd(a, b);
    CheckEnd(b, a);
  }
  result.events = static_cast<int>(a.disk_.imports.size() + b.disk_.imports.size());
  return result;
}

}  // namespace

SimulationResult Simulate(const SimulationOptions& options) { return World(options).Run(); }

}  // namespace cdgate::test
