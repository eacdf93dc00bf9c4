// What a link promises, over random schedules of two sides, a network and two disks; the claims
// are those of simulation_checker.h. link_schedules plays many more of them.
//
//   CDGATE_SIMULATIONS=1000 link_simulation_test    so many stories, in place of a few hundred
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/numbers.h"
#include "tests/federation/link/simulation.h"

namespace cdgate {
namespace {

uint64_t Stories() {
  const char* text = std::getenv("CDGATE_SIMULATIONS");
  uint64_t value;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : 500;
}

test::SimulationResult Play(uint64_t seed, test::Mutant mutant = test::Mutant::kNone) {
  return test::Simulate(
      {.seed = seed, .steps = 1200, .faults = test::FaultsOf(seed), .mutant = mutant});
}

TEST(LinkSimulationTest, EachAllowedEventArrivesOnceWhateverHappens) {
  int events = 0, links = 0, replayed = 0, crashes = 0, receipts = 0;
  for (uint64_t seed = 1; seed <= Stories(); ++seed) {
    const auto result = Play(seed);
    ASSERT_EQ(result.fault, "") << "look at it with link_schedules --seed " << seed << " --verbose";
    events += result.events;
    links += result.links;
    replayed += result.replayed;
    crashes += result.crashes;
    receipts += result.receipts;
  }
  // The stories have to be about something.
  EXPECT_GT(events, 0);
  EXPECT_GT(links, 0);
  EXPECT_GT(replayed, 0);
  EXPECT_GT(crashes, 0);
  EXPECT_GT(receipts, 0);
}

TEST(LinkSimulationTest, ASeedIsAStory) {
  for (const uint64_t seed : {1, 17, 4711}) {
    const auto first = Play(seed), again = Play(seed);
    EXPECT_EQ(first.events, again.events);
    EXPECT_EQ(first.links, again.links);
    EXPECT_EQ(first.healed_seconds, again.healed_seconds);
  }
}

class LinkMutantTest : public testing::TestWithParam<test::Mutant> {};

// The checks fail where something is wrong, in most stories in which it can happen at all.
TEST_P(LinkMutantTest, IsNoticed) {
  int noticed = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed)
    noticed += Play(seed, GetParam()).fault.empty() ? 0 : 1;
  EXPECT_GE(noticed, 4) << test::MutantName(GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, LinkMutantTest, testing::ValuesIn(test::AllMutants()),
                         [](const auto& test) { return std::string(MutantName(test.param)); });

}  // namespace
}  // namespace cdgate
