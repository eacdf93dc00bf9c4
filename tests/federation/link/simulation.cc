#include "tests/federation/link/simulation.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/link/codec.h"
#include "federation/link/link.h"
#include "tests/federation/link/simulation_checker.h"
#include "tests/federation/link/simulation_network.h"
#include "tests/federation/link/simulation_side.h"

namespace cdgate::test {
namespace {

using base::Sequence;

// Ten minutes: everything is accounted for by then.
constexpr int kHealRounds = 6000;

class World : public Stage {
 public:
  explicit World(const SimulationOptions& options)
      : Stage(options), a(*this, "a", "b"), b(*this, "b", "a"), books_(*this, a, b), net_(*this) {
    checker = &books_;
    a.repeats_allowed_ = faults().byzantine;
    for (Side* side : {&a, &b}) side->interest_ = faults().interests ? 1 : 0;
    if (!faults().clocks) return;
    for (Side* side : {&a, &b}) side->speed_ = 0.9 + 0.1 * static_cast<double>(Below(3));
  }

  SimulationResult Run();

  Side a, b;

 private:
  Side& PeerOf(Side& side) { return &side == &a ? b : a; }
  Wire& WireTo(Side& side) { return &side == &a ? net_.b_to_a : net_.a_to_b; }
  void Open();
  void Cut();
  void RandomStep();
  void RareStep(Side& side);
  void Disaster(Side& side);
  void Disturb(Side& side);
  void PassTime(Side& side);
  void Deliver(Side& to, bool hostile);
  void StopFaults();
  void HealOnce(Side& side, int round);
  bool AllIsAccountedFor();
  void Heal();

  Checker books_;
  Network net_;
  bool all_again_ = false;
};

void World::Open() {
  net_.Open();
  a.Connect(&net_.a_to_b);
  b.Connect(&net_.b_to_a);
}

// The connection is gone. Either side may hear of it at once, or never.
void World::Cut() {
  net_.Cut();
  for (Side* side : {&a, &b}) {
    side->out_ = nullptr;
    if (Chance(60)) side->Step(link::StreamClosed{absl::OkStatus()});
  }
}

void World::Deliver(Side& to, bool hostile) {
  const auto next = net_.Next(WireTo(to), hostile, to);
  if (!next) return;
  const auto bytes = std::make_shared<std::string>(*next);
  link::FrameReceived received;
  to.Step(to.Head());
  if (!link::DecodeFrame(*bytes, bytes, &received)) {
    if (!faults().lossy && !faults().byzantine) Fault("a frame does not parse");
    return to.Step(link::FrameMalformed{});
  }
  books_.Delivered(to, received.frame);
  to.Step(std::move(received));
}

// What the seed does not have happens to be a cut.
void World::Disaster(Side& side) {
  switch (Below(3)) {
    case 0: return Cut();
    case 1: side.Crash(); return Cut();
    default:
      if (!faults().rollbacks) return;
      if (Chance(50)) return side.copies_.push_back(side.disk_);
      side.RollBack();
      PeerOf(side).repeats_allowed_ = true;
      return Cut();
  }
}

// Things of the machine, not of the protocol.
void World::Disturb(Side& side) {
  switch (Below(4)) {
    case 0:
      if (faults().partitions) net_.Partition();
      return;
    case 1:
      if (faults().pauses) side.stands_until_ = step_ + 10 + static_cast<int>(Below(150));
      return;
    case 2:
      if (faults().slow_disks) side.slow_until_ = step_ + 50 + static_cast<int>(Below(200));
      return;
    default:
      if (!faults().clocks) return;
      side.wall_jumped_ = true;
      side.wall_offset_ += absl::Seconds(static_cast<int64_t>(Below(7200)) - 3600);
      return;
  }
}

void World::RareStep(Side& side) {
  switch (Below(17)) {
    case 0:
    case 1: return Disaster(side);
    case 2:
    case 3: return Disturb(side);
    case 4:
    case 12: return side.ChangePolicy();
    case 5: return side.SetFrozen(!side.frozen_);
    case 6: return side.Step(link::Drain{});
    case 7: return side.ChangeInterest(Chance(40));
    case 8: return side.SetHeld(Chance(50));
    case 13: return side.RenewKey();
    case 14:
    case 15:
    case 16:
      if (faults().rates) side.ChangeRate(Chance(70));
      return;
    case 9:
      if (faults().trims && Chance(30)) side.Trim();
      return;
    default: return side.StartSomeJob();
  }
}

void World::PassTime(Side& side) {
  now += absl::Milliseconds(static_cast<int64_t>(Below(3000)));
  side.Step(side.Head());
  side.Step(link::Tick{});
}

void World::RandomStep() {
  Side& side = Chance(50) ? a : b;
  if (step_ < side.stands_until_) {
    now += absl::Milliseconds(static_cast<int64_t>(Below(500)));
    return;
  }
  switch (Below(12)) {
    case 0:
    case 1: return side.Publish();
    case 2:
    case 3: return Deliver(side, true);
    case 4:
    case 5: return side.FrameLeft();
    case 6:
      if (step_ >= side.slow_until_ || Chance(8)) side.CommitSome();
      return;
    case 7:
    case 8: return Chance(70) ? side.Decide() : side.DecideReplay();
    case 9: return side.AnswerCheck();
    case 10: return PassTime(side);
    default:
      if (Chance(35)) return RareStep(side);
      if (a.out_ == nullptr || b.out_ == nullptr) Open();
      return;
  }
}

void World::StopFaults() {
  net_.Heal();
  if (faults().lossy || faults().byzantine) Cut();
  for (Side* side : {&a, &b}) {
    side->frozen_ = false;
    side->stands_until_ = side->slow_until_ = 0;
    side->SetHeld(false);
    side->ChangeRate(false);
  }
}

void World::HealOnce(Side& side, int round) {
  Deliver(side, false);
  side.FrameLeft();
  side.CommitSome();
  side.Decide();
  side.DecideReplay();
  side.AnswerCheck();
  if (round == 20) side.ChangeInterest(false);  // whoever had stopped the direction goes on
  if (round % 10 != 0) return;
  side.Step(side.Head());
  side.Step(link::Tick{});
}

bool World::AllIsAccountedFor() {
  const auto done = [](const Side& side) {
    return side.disk_.acknowledged.value() == side.disk_.log.size() && !side.disk_.job;
  };
  if (!faults().replays) a.disk_.job = b.disk_.job = std::nullopt;  // nobody runs them
  if (!done(a) || !done(b)) return false;
  if (all_again_ || !faults().replays) return true;
  // At last everything that is allowed now, whatever it was before.
  all_again_ = true;
  for (Side* side : {&a, &b}) side->StartJob(1, side->disk_.log.size(), {});
  return false;
}

// No more faults: everything that was accepted has to arrive.
void World::Heal() {
  const absl::Time from = now;
  StopFaults();
  for (int round = 0; round < kHealRounds && result.fault.empty(); ++round) {
    ++step_;
    if (a.out_ == nullptr || b.out_ == nullptr) Open();
    for (Side* side : {&a, &b}) HealOnce(*side, round);
    if (round % 10 == 0) now += absl::Seconds(1);
    result.healed_seconds = absl::ToDoubleSeconds(now - from);
    if (round >= 100 && AllIsAccountedFor()) return;
  }
  Fault(absl::StrCat("no progress: a acknowledged ", a.disk_.acknowledged.value(), " of ",
                     a.disk_.log.size(), ", b ", b.disk_.acknowledged.value(), " of ",
                     b.disk_.log.size()));
}

SimulationResult World::Run() {
  Trace("-", faults().Names());
  for (step_ = 0; step_ < options_.steps && result.fault.empty(); ++step_) RandomStep();
  if (result.fault.empty()) Heal();
  if (result.fault.empty()) books_.AtEnd();
  result.events = static_cast<int>(a.disk_.imports.size() + b.disk_.imports.size());
  return result;
}

}  // namespace

std::string Faults::Names() const {
  std::string names;
  const auto add = [&](bool has, const char* name) {
    if (has) absl::StrAppend(&names, names.empty() ? "" : " ", name);
  };
  add(rollbacks, "rollbacks");
  add(replays, "replays");
  add(partitions, "partitions");
  add(pauses, "pauses");
  add(slow_disks, "slow_disks");
  add(clocks, "clocks");
  add(interests, "interests");
  add(hidden_rules, "hidden_rules");
  add(trims, "trims");
  add(large, "large");
  add(statements, "statements");
  add(rates, "rates");
  add(lossy, "lossy");
  add(byzantine, "byzantine");
  return names;
}

Faults FaultsOf(uint64_t seed) {
  std::mt19937_64 random(seed ^ 0x5eedfa0175ULL);
  const auto chance = [&](uint64_t percent) { return random() % 100 < percent; };
  // One of these at most, so that the others' claims stay strong.
  const uint64_t kind = random() % 8;
  Faults faults;
  faults.rollbacks = kind < 2;
  faults.lossy = kind == 2;
  faults.byzantine = kind == 3;
  faults.replays = chance(85);
  faults.partitions = chance(50);
  faults.pauses = chance(50);
  faults.slow_disks = chance(50);
  faults.clocks = chance(50);
  faults.interests = chance(60);
  faults.hidden_rules = faults.interests && chance(40);
  faults.trims = chance(30);
  faults.large = chance(15);
  faults.statements = chance(75);
  faults.rates = chance(40);
  return faults;
}

SimulationResult Simulate(const SimulationOptions& options) { return World(options).Run(); }

}  // namespace cdgate::test
