#include "gateway/state/commit_pace.h"

#include <gtest/gtest.h>

namespace cdgate::test {
namespace {

using state::CommitPace;

constexpr bool kCrowded = true;
constexpr bool kAlone = false;

// A committer whose thread is kept from running for a while during each commit.
class CommitPaceTest : public testing::Test {
 protected:
  void Commit(int times, absl::Duration each, absl::Duration delay) {
    for (int i = 0; i < times; ++i) {
      at_.now += each;
      at_.run_delay += delay;
      pace_.Begin(at_);
    }
  }
  absl::Duration Wait(absl::Duration after_begin, bool crowded, size_t events = 3) {
    return pace_.Wait({at_.now + after_begin, at_.run_delay}, crowded, events);
  }

  CommitPace pace_;
  CommitPace::Moment at_{absl::Seconds(100), absl::Seconds(2)};
};

TEST_F(CommitPaceTest, WhereProcessorsAreFreeNothingWaits) {
  Commit(50, absl::Microseconds(300), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Microseconds(300), kCrowded), absl::ZeroDuration());
}

TEST_F(CommitPaceTest, TheBusierTheFurtherApart) {
  Commit(50, absl::Microseconds(300), absl::Microseconds(50));
  const absl::Duration some = Wait(absl::Microseconds(200), kCrowded);
  Commit(50, absl::Microseconds(300), absl::Microseconds(100));
  const absl::Duration more = Wait(absl::Microseconds(200), kCrowded);
  EXPECT_GT(some, absl::Microseconds(100));
  EXPECT_GT(more, 2 * some);
  EXPECT_LE(more, CommitPace::kMostApart);
}

TEST_F(CommitPaceTest, NoFurtherThanItsBound) {
  Commit(50, absl::Milliseconds(30), absl::Milliseconds(20));
  EXPECT_EQ(Wait(absl::ZeroDuration(), kCrowded), CommitPace::kMostApart);
  EXPECT_EQ(Wait(absl::Microseconds(900), kCrowded), absl::Microseconds(100));
  EXPECT_EQ(Wait(CommitPace::kMostApart, kCrowded), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Seconds(5), kCrowded), absl::ZeroDuration());
}

TEST_F(CommitPaceTest, AnEventThatIsAloneNeverWaits) {
  Commit(50, absl::Milliseconds(30), absl::Milliseconds(20));
  EXPECT_EQ(Wait(absl::ZeroDuration(), kAlone, 1), absl::ZeroDuration());
}

TEST_F(CommitPaceTest, EnoughEventsDoNotWait) {
  Commit(50, absl::Milliseconds(30), absl::Milliseconds(20));
  EXPECT_EQ(Wait(absl::ZeroDuration(), kCrowded, CommitPace::kEnoughEvents), absl::ZeroDuration());
  EXPECT_GT(Wait(absl::ZeroDuration(), kCrowded, CommitPace::kEnoughEvents - 1),
            absl::ZeroDuration());
}

TEST_F(CommitPaceTest, ForgetsWhatWas) {
  Commit(50, absl::Milliseconds(1), absl::Milliseconds(1));
  Commit(100, absl::Milliseconds(1), absl::ZeroDuration());
  EXPECT_EQ(Wait(absl::Microseconds(100), kCrowded), absl::ZeroDuration());
}

TEST_F(CommitPaceTest, TheFirstCommitBeginsAtOnce) {
  EXPECT_EQ(Wait(absl::ZeroDuration(), kCrowded), absl::ZeroDuration());
}

}  // namespace
}  // namespace cdgate::test
