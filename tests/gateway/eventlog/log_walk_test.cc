#include "gateway/eventlog/log_walk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "gateway/base/random.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "tests/gateway/eventlog/test_commits.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::eventlog {
namespace {

class LogWalkTest : public testing::TestWithParam<bool> {
 protected:
  void Append(size_t events, size_t data_bytes = 64) {
    CDGATE_ASSERT_OK(test::AppendNow(log_, test::NextEvents(log_.head(), events, data_bytes)));
  }
  // The sequences of [begin, end) in the order of the walk; `most` gets the most of one piece.
  std::vector<uint64_t> Walk(uint64_t begin, uint64_t end, size_t* most = nullptr) {
    LogWalk walk(
        log_,
        {.begin = base::Sequence(begin), .end = base::Sequence(end), .newest_first = GetParam()});
    std::vector<uint64_t> sequences;
    for (;;) {
      const auto piece = walk.Next();
      if (!piece.ok()) {
        ADD_FAILURE() << piece.status();
        return sequences;
      }
      if (piece->empty()) return sequences;
      if (most != nullptr) *most = std::max(*most, piece->size());
      for (const LogWalk::Place& place : *piece) {
        sequences.push_back(place.record->sequence().value());
        EXPECT_GE(place.record->sequence(), place.commit->first_sequence);
        EXPECT_LE(place.record->sequence(), place.commit->last_sequence);
      }
    }
  }
  std::vector<uint64_t> All(uint64_t begin, uint64_t end) const {
    std::vector<uint64_t> sequences(end - begin);
    std::iota(sequences.begin(), sequences.end(), begin);
    if (GetParam()) std::reverse(sequences.begin(), sequences.end());
    return sequences;
  }

  test::FakeClock clock_;
  MemoryLog log_{std::make_shared<MemoryLogStorage>(), clock_, base::SystemRandom()};
};

INSTANTIATE_TEST_SUITE_P(Directions, LogWalkTest, testing::Bool());

TEST_P(LogWalkTest, GivesEachEventOnceInOrder) {
  for (int i = 0; i < 40; ++i) {
    Append(static_cast<size_t>(i % 7));  // some without events
    if (i % 5 == 0) Append(300);
  }
  const uint64_t end = log_.head().sequence.value() + 1;
  size_t most = 0;
  EXPECT_EQ(Walk(1, end, &most), All(1, end));
  EXPECT_LE(most, 1024u);
  EXPECT_EQ(Walk(5, 1000), All(5, 1000)) << "in the middle of commits";
  EXPECT_EQ(Walk(7, 7), All(7, 7));
}

TEST_P(LogWalkTest, LargeEventsAreReadInSmallPieces) {
  for (int i = 0; i < 40; ++i) Append(1, 300 << 10);
  size_t most = 0;
  EXPECT_EQ(Walk(1, 41, &most), All(1, 41));
  EXPECT_LE(most, 8u);
}

TEST_P(LogWalkTest, AnEmptyLogHasNone) { EXPECT_EQ(Walk(1, 1), All(1, 1)); }

TEST_P(LogWalkTest, PassesOverWhatWasTrimmed) {
  for (int i = 0; i < 10; ++i) Append(10);
  CDGATE_ASSERT_OK(log_.Trim(base::Sequence(41)));
  EXPECT_EQ(Walk(1, 101), All(log_.first().sequence.value(), 101));
  EXPECT_GT(log_.first().sequence.value(), 1u);
  EXPECT_EQ(Walk(3, 9), All(9, 9));
}

}  // namespace
}  // namespace cdgate::eventlog
