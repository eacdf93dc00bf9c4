// Two gateways and a bad network, in one thread and under one seed.
//
// Each side is a real Link with a model of everything around it: a log, a disk that
// commits later, policies that change, a transport that delays, cuts and lies dead. Any
// side may crash and lose what was not committed, be restored from an old copy of its
// disk, be frozen or drained. The same seed plays the same story.
//
//   SimulationResult r = Simulate({.seed = 7});
//   EXPECT_TRUE(r.fault.empty()) << r.fault;
#pragma once

#include <cstdint>
#include <string>

namespace cdgate::test {

struct SimulationOptions {
  uint64_t seed = 1;
  int steps = 600;         // of the story; then the network heals and everything ends
  bool rollbacks = false;  // disks are restored from old copies, too
  bool trace = false;      // to standard output
};

struct SimulationResult {
  std::string fault;  // the first claim that did not hold; empty: all did
  int events = 0;     // that arrived, both ways
  int links = 0;      // that were established
  int replayed = 0;   // events that were offered again and arrived
};

SimulationResult Simulate(const SimulationOptions& options);

}  // namespace cdgate::test
