#include "gateway/eventlog/commit_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/gateway/delivery/sample_commits.h"

namespace cdgate::eventlog {
namespace {

using base::Sequence;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr ReadLimits kPlenty = {.max_events = 1000, .max_bytes = 1 << 20};

class CommitCacheTest : public testing::Test {
 protected:
  void Put(uint64_t first, uint64_t last) {
    cache_.Put({test::SampleCommit(first, last, "build", 10'000)}, &evicted_);
  }
  std::vector<uint64_t> Get(uint64_t from, ReadLimits limits = kPlenty) {
    std::vector<uint64_t> firsts;
    for (const auto& commit : cache_.Get(Sequence(from), limits)) {
      firsts.push_back(commit->first_sequence.value());
    }
    return firsts;
  }

  CommitCache cache_{45'000};  // four events
  std::vector<event::CommitPtr> evicted_;
};

TEST_F(CommitCacheTest, GivesWhatFollowsWithoutAGap) {
  EXPECT_THAT(Get(1), IsEmpty());
  Put(5, 6);
  Put(3, 4);
  EXPECT_THAT(Get(2), IsEmpty());
  EXPECT_THAT(Get(3), ElementsAre(3, 5));
  EXPECT_THAT(Get(4), ElementsAre(3, 5));
  EXPECT_THAT(Get(6), ElementsAre(5));
  EXPECT_THAT(Get(7), IsEmpty());
}

TEST_F(CommitCacheTest, AGapEndsTheAnswer) {
  Put(1, 1);
  Put(3, 3);
  EXPECT_THAT(Get(1), ElementsAre(1));
  EXPECT_THAT(Get(2), IsEmpty());
}

TEST_F(CommitCacheTest, HoldsTheLimitsOfTheReader) {
  Put(1, 2);
  Put(3, 4);
  EXPECT_THAT(Get(1, {.max_events = 3, .max_bytes = 1 << 20}), ElementsAre(1));
  EXPECT_THAT(Get(1, {.max_events = 1, .max_bytes = 1}), ElementsAre(1));  // always one
}

TEST_F(CommitCacheTest, ForgetsWhatWasNotUsedForTheLongest) {
  Put(1, 2);
  Put(3, 4);
  EXPECT_THAT(Get(1, {.max_events = 2, .max_bytes = 1 << 20}), ElementsAre(1));
  Put(5, 6);
  EXPECT_THAT(Get(3), IsEmpty());
  EXPECT_THAT(Get(1), ElementsAre(1));
  ASSERT_EQ(evicted_.size(), 1u);
  EXPECT_EQ(evicted_[0]->first_sequence, Sequence(3));
}

TEST_F(CommitCacheTest, KeepsOneHoweverLarge) {
  Put(1, 20);
  EXPECT_THAT(Get(7), ElementsAre(1));
  Put(21, 21);
  EXPECT_THAT(Get(7), IsEmpty());
  EXPECT_THAT(Get(21), ElementsAre(21));
  EXPECT_LT(cache_.bytes(), 20'000u);
}

TEST_F(CommitCacheTest, TheSameCommitCountsOnce) {
  Put(1, 2);
  const size_t bytes = cache_.bytes();
  Put(1, 2);
  EXPECT_EQ(cache_.bytes(), bytes);
  EXPECT_THAT(evicted_, IsEmpty());
}

}  // namespace
}  // namespace cdgate::eventlog
