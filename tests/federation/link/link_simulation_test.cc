// What a link promises, over random schedules of two sides, a network and two disks:
// each allowed event arrives exactly once and in order, none that is not allowed, acks
// are never ahead of the disk, memory is bounded, every sequence is in one ledger row and
// counted once, what a job offers again arrives, and everything goes on once the network
// heals.
//
//   CDGATE_SEED=4711 link_simulation_test       one story, with its trace
//   CDGATE_SIMULATIONS=100000 …                 as many as there is time for
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "tests/federation/link/simulation.h"

namespace cdgate {
namespace {

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

void PlayAll(bool rollbacks) {
  const uint64_t only = Setting("CDGATE_SEED", 0);
  const uint64_t first = only > 0 ? only : Setting("CDGATE_FIRST_SEED", 1);
  const uint64_t last = only > 0 ? only : first + Setting("CDGATE_SIMULATIONS", 1500) - 1;
  int events = 0, links = 0, replayed = 0;
  for (uint64_t seed = first; seed <= last; ++seed) {
    const auto result =
        test::Simulate({.seed = seed, .steps = 800, .rollbacks = rollbacks, .trace = only > 0});
    ASSERT_EQ(result.fault, "") << "replay with CDGATE_SEED=" << seed;
    events += result.events;
    links += result.links;
    replayed += result.replayed;
  }
  // The stories have to be about something.
  EXPECT_GT(events, 0);
  EXPECT_GT(links, 0);
  EXPECT_TRUE(only > 0 || replayed > 0);
}

TEST(LinkSimulationTest, EachAllowedEventArrivesOnceInOrder) { PlayAll(/*rollbacks=*/false); }

TEST(LinkSimulationTest, NothingIsLostWhenADiskIsRolledBack) { PlayAll(/*rollbacks=*/true); }

}  // namespace
}  // namespace cdgate
