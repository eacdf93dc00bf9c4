// Two gateways and a bad network, in one thread and under one seed.
//
// Each side is a real Link with a model of everything around it: a log that is trimmed, a disk
// that commits later, policies and rules that change, clocks that differ, a transport that
// delays, cuts and lies dead. Any side may crash and lose what was not committed, stand still,
// be restored from an old copy of its disk, be frozen or drained; and one may be hostile. An
// independent Checker watches both. The same seed plays the same story.
//
//   SimulationResult r = Simulate({.seed = 7, .faults = FaultsOf(7)});
//   EXPECT_TRUE(r.fault.empty()) << r.fault;
#pragma once

#include <cstdint>
#include <string>

#include "tests/federation/link/simulation_mutants.h"

namespace cdgate::test {

// What may happen in a story, beside cuts, crashes, changes of policy, freezes and drains.
struct Faults {
  bool rollbacks = false;     // disks are restored from old copies
  bool replays = true;        // both know of past events; else one is of an older release
  bool partitions = false;    // frames stand still on their way, one way or both
  bool pauses = false;        // a side does nothing for a while
  bool slow_disks = false;    // commits take long, so that a crash loses more
  bool clocks = false;        // they go at different speeds, and the wall's jumps
  bool interests = false;     // the receiver's rules change, and it refuses what they do not let in
  bool hidden_rules = false;  // which are not shown to the other side
  bool trims = false;         // the log loses its beginning
  bool large = false;         // events of tens of kilobytes, some too large for a frame
  bool lossy = false;         // frames are lost, repeated, exchanged or cut short
  bool statements = false;    // both sign what they send, and for what they have
  bool rates = false;         // a side limits how many events it takes, and changes that
  bool byzantine = false;     // what "b" sends is partly made up
  std::string Names() const;
};

// Those of the story `seed`.
Faults FaultsOf(uint64_t seed);

struct SimulationOptions {
  uint64_t seed = 1;
  int steps = 600;  // of the story; then the network heals and everything ends
  Faults faults;
  bool trace = false;             // to standard output
  Mutant mutant = Mutant::kNone;  // what is broken on purpose
};

struct SimulationResult {
  std::string fault;  // the first claim that did not hold; empty: all did
  int events = 0;     // that arrived, both ways
  int links = 0;      // that were established
  int replayed = 0;   // events that were offered again and arrived
  int crashes = 0;
  int receipts = 0;           // that are on disk
  int disputes = 0;           // of what was sent
  double healed_seconds = 0;  // simulated time from the last fault until all was accounted for
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace cdgate::test
