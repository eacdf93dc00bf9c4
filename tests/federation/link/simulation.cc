#include "tests/federation/link/simulation.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/link/link.h"
#include "tests/federation/link/simulation_side.h"

namespace cdgate::test {
namespace {

using base::Reason;
using base::Sequence;

class World : public Stage {
 public:
  explicit World(const SimulationOptions& options)
      : Stage(options), a(*this, "a", "b"), b(*this, "b", "a") {}

  SimulationResult Run();
  void Cut();
  void Open();

  Wire a_to_b, b_to_a;
  Side a, b;

 private:
  void RandomStep();
  void RareStep(Side& side);
  void Deliver(Wire& wire, Side& to);
  void Heal();
  void CheckEnd(const Side& from, const Side& to);
  void CheckLedger(const Side& side);
};

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
  switch (Below(10)) {
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
    case 7:
    case 8: return side.StartSomeJob();
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
    case 8: return Chance(70) ? side.Decide() : side.DecideReplay();
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
  bool all_again = false;
  for (int round = 0; round < 6000; ++round) {
    ++step_;
    if (a.out_ == nullptr || b.out_ == nullptr) Open();
    for (Side* side : {&a, &b}) {
      Deliver(side == &a ? b_to_a : a_to_b, *side);
      if (std::exchange(side->writing_, false)) side->Step(link::Written{});
      side->CommitSome();
      side->Decide();
      side->DecideReplay();
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
    if (round < 100 || !done(a) || !done(b)) continue;
    if (!replays() || (all_again && !a.disk_.job && !b.disk_.job)) return;
    if (all_again || a.disk_.job || b.disk_.job) continue;
    // At last everything that is allowed now, whatever it was before.
    all_again = true;
    for (Side* side : {&a, &b}) side->StartJob(1, side->disk_.log.size(), {});
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
    if (replays() && Allows(from.policy_, id) && !arrived) {
      Fault(absl::StrCat("event ", id, " did not arrive again"));
    }
    if (FateOf(id) == Fate::kNever && arrived) Fault(absl::StrCat("event ", id, " leaked"));
  }
  CheckLedger(from);
}

// Every sequence is in one row, and counted once.
void World::CheckLedger(const Side& side) {
  uint64_t next = 1;
  for (const storage::v1::LedgerRow& row : side.disk_.rows) {
    if (row.first_sequence() != next) {
      return Fault(absl::StrCat("a row begins at ", row.first_sequence(), ", not at ", next));
    }
    uint64_t given = 0, denied = 0, always = 0, never = 0;
    for (const auto& count : row.counts()) {
      (count.state() == "denied" ? denied : given) += count.count();
    }
    for (; next <= row.last_sequence(); ++next) {
      always += FateOf(side.disk_.log[next - 1]) == Fate::kAlways;
      never += FateOf(side.disk_.log[next - 1]) == Fate::kNever;
    }
    if (given + denied != row.last_sequence() - row.first_sequence() + 1 || given < always ||
        denied < never) {
      return Fault(absl::StrCat("a row miscounts: ", row.ShortDebugString()));
    }
  }
  if (next != side.disk_.log.size() + 1) Fault(absl::StrCat("sequence ", next, " has no row"));
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
