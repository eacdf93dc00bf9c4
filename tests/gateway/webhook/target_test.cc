#include "gateway/webhook/target.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/errors.h"

namespace cdgate::webhook {
namespace {

using base::MakeError;
using base::Reason;

Answer Status(int status) {
  Answer answer;
  answer.status = status;
  return answer;
}
Answer Wait(int status, absl::Duration retry_after) {
  Answer answer = Status(status);
  answer.retry_after = retry_after;
  return answer;
}
Answer Unreachable() {
  Answer answer;
  answer.failure = MakeError(Reason::kWebhookUnreachable, "no answer");
  return answer;
}
Answer Grant(const std::string& origin, const std::string& rate = "") {
  Answer answer = Status(200);
  answer.allowed_origin = origin;
  answer.allowed_rate = rate;
  return answer;
}

class TargetTest : public testing::Test {
 protected:
  static Target Granted(const std::string& rate = "*") {
    Target target({.origin = "alpha.example"});
    target.OnAsked();
    EXPECT_TRUE(target.OnGrantAnswer(Grant("alpha.example", rate), absl::ZeroDuration()));
    return target;
  }
  Ruling Send(Target& target, const Answer& answer) {
    EXPECT_TRUE(target.MaySend(now_));
    const bool probe = target.OnSent(now_);
    return target.OnAnswer(answer, probe, now_);
  }
  // Until the breaker has just opened.
  void Break(Target& target) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(Send(target, Unreachable()).kind, Ruling::Kind::kFailed);
    }
    EXPECT_EQ(target.breaker(), Target::Breaker::kOpen);
  }

  absl::Duration now_ = absl::Seconds(1000);
};

// --- permission

TEST_F(TargetTest, NothingIsSentBeforeItIsGranted) {
  Target target({.origin = "alpha.example"});
  EXPECT_TRUE(target.MayAsk(now_));
  EXPECT_FALSE(target.MaySend(now_));
  target.OnAsked();
  EXPECT_FALSE(target.MayAsk(now_));
  EXPECT_EQ(target.NextTry(now_), absl::InfiniteDuration());
  EXPECT_TRUE(target.OnGrantAnswer(Grant("Alpha.Example", "*"), now_));
  EXPECT_EQ(target.handshake(), Target::Handshake::kGranted);
  EXPECT_TRUE(target.MaySend(now_));
  EXPECT_FALSE(target.MayAsk(now_));
}

TEST_F(TargetTest, AnyOriginWillDoAndNoOtherWill) {
  Target any({.origin = "alpha.example"});
  any.OnAsked();
  EXPECT_TRUE(any.OnGrantAnswer(Grant("*"), now_));
  for (const Answer& answer : {Status(200), Status(405), Grant("beta.example"), Grant("*", "many"),
                               Grant("*", "0"), Grant("*", "-1")}) {
    Target target({.origin = "alpha.example"});
    target.OnAsked();
    EXPECT_FALSE(target.OnGrantAnswer(answer, now_));
    EXPECT_EQ(target.handshake(), Target::Handshake::kRefused);
    EXPECT_FALSE(target.MaySend(now_));
  }
}

TEST_F(TargetTest, ItIsAskedAgainMoreAndMoreSeldom) {
  Target target({.origin = "alpha.example"});
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(target.MayAsk(now_));
    target.OnAsked();
    EXPECT_FALSE(target.OnGrantAnswer(Unreachable(), now_));
    EXPECT_EQ(target.handshake(), Target::Handshake::kPending);
    EXPECT_FALSE(target.MayAsk(now_));
    waits.push_back(target.NextTry(now_) - now_);
    now_ = target.NextTry(now_);
  }
  EXPECT_EQ(waits.front(), absl::Seconds(1));
  EXPECT_EQ(waits[3], absl::Seconds(8));
  EXPECT_EQ(waits.back(), absl::Minutes(5));
}

TEST_F(TargetTest, ACallOfOursGrantsAsWell) {
  Target target({.origin = "alpha.example"});
  target.OnAsked();
  target.OnGranted(60);
  EXPECT_EQ(target.allowed_rate(), 60u);
  // The answer that comes later, without a grant, takes nothing away.
  EXPECT_TRUE(target.OnGrantAnswer(Status(202), now_));
  EXPECT_TRUE(target.MaySend(now_));
}

TEST_F(TargetTest, WithoutHandshakeItIsNotAsked) {
  Target target({.origin = "alpha.example", .handshake = false});
  EXPECT_FALSE(target.MayAsk(now_));
  EXPECT_TRUE(target.MaySend(now_));
}

TEST_F(TargetTest, OneThatIsGoneIsNotAskedAgain) {
  Target target({.origin = "alpha.example"});
  target.OnAsked();
  EXPECT_FALSE(target.OnGrantAnswer(Status(410), now_));
  EXPECT_TRUE(target.gone());
  EXPECT_FALSE(target.MayAsk(now_ + absl::Hours(100)));
  EXPECT_EQ(target.NextTry(now_), absl::InfiniteDuration());
}

// --- the rate

TEST_F(TargetTest, NeverMoreThanTheRate) {
  Target target = Granted("120");
  int sent = 0;
  for (const absl::Duration end = now_ + absl::Minutes(1); now_ < end;
       now_ += absl::Milliseconds(7)) {
    if (!target.MaySend(now_)) continue;
    EXPECT_EQ(Send(target, Status(204)).kind, Ruling::Kind::kTaken);
    ++sent;
  }
  EXPECT_GE(sent, 118);
  EXPECT_LE(sent, 120);
}

TEST_F(TargetTest, SaysWhenTheRateAllowsTheNext) {
  Target target = Granted("60");
  EXPECT_EQ(Send(target, Status(204)).kind, Ruling::Kind::kTaken);
  EXPECT_FALSE(target.MaySend(now_));
  now_ = target.NextTry(now_);
  EXPECT_TRUE(target.MaySend(now_));
}

// --- what answers mean

TEST_F(TargetTest, EachAnswerHasItsRuling) {
  const std::pair<int, Ruling::Kind> cases[] = {
      {200, Ruling::Kind::kTaken},  {202, Ruling::Kind::kTaken},    {204, Ruling::Kind::kTaken},
      {301, Ruling::Kind::kFailed}, {307, Ruling::Kind::kFailed},   {400, Ruling::Kind::kFailed},
      {401, Ruling::Kind::kFailed}, {404, Ruling::Kind::kFailed},   {408, Ruling::Kind::kFailed},
      {415, Ruling::Kind::kFailed}, {429, Ruling::Kind::kReturned}, {500, Ruling::Kind::kFailed},
      {503, Ruling::Kind::kFailed}, {410, Ruling::Kind::kGone},
  };
  for (const auto& [status, kind] : cases) {
    Target target = Granted();
    EXPECT_EQ(Send(target, Status(status)).kind, kind) << status;
  }
}

TEST_F(TargetTest, GoneMeansThatNothingMoreIsSent) {
  Target target = Granted();
  EXPECT_EQ(Send(target, Status(410)).kind, Ruling::Kind::kGone);
  EXPECT_TRUE(target.gone());
  EXPECT_FALSE(target.MaySend(now_ + absl::Hours(1)));
}

// --- Retry-After

TEST_F(TargetTest, ItIsLeftAloneForAsLongAsItAsks) {
  for (const int status : {429, 503}) {
    Target target = Granted();
    const Ruling ruling = Send(target, Wait(status, absl::Seconds(30)));
    EXPECT_EQ(ruling.kind, Ruling::Kind::kReturned);
    EXPECT_TRUE(target.Pauses(now_));
    EXPECT_FALSE(target.MaySend(now_ + absl::Seconds(29)));
    EXPECT_EQ(target.NextTry(now_), now_ + absl::Seconds(30));
    EXPECT_TRUE(target.MaySend(now_ + absl::Seconds(30)));
    EXPECT_EQ(target.breaker(), Target::Breaker::kClosed);
  }
}

TEST_F(TargetTest, WithoutATimeItIsLeftAloneLongerAndLonger) {
  Target target = Granted();
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(Send(target, i % 2 == 0 ? Status(429) : Wait(429, absl::ZeroDuration())).kind,
              Ruling::Kind::kReturned);
    waits.push_back(target.NextTry(now_) - now_);
    now_ = target.NextTry(now_);
  }
  EXPECT_EQ(waits.front(), absl::Seconds(1));
  EXPECT_EQ(waits[2], absl::Seconds(4));
  EXPECT_EQ(waits.back(), absl::Minutes(1));
  EXPECT_EQ(Send(target, Status(200)).kind, Ruling::Kind::kTaken);
  Send(target, Status(429));
  EXPECT_EQ(target.NextTry(now_) - now_, absl::Seconds(1));
}

TEST_F(TargetTest, ADayIsTheLongestWait) {
  Target target = Granted();
  Send(target, Wait(503, absl::Hours(24 * 365)));
  EXPECT_EQ(target.NextTry(now_), now_ + absl::Hours(24));
}

// --- the breaker

TEST_F(TargetTest, TheBreakerOpensAfterFailuresInARow) {
  Target target = Granted();
  for (int i = 0; i < 4; ++i) Send(target, Status(500));
  Send(target, Status(200));  // begins anew
  for (int i = 0; i < 4; ++i) Send(target, Status(404));
  EXPECT_EQ(target.breaker(), Target::Breaker::kClosed);
  Send(target, Unreachable());
  EXPECT_EQ(target.breaker(), Target::Breaker::kOpen);
  EXPECT_FALSE(target.MaySend(now_));
  EXPECT_EQ(target.NextTry(now_), now_ + absl::Seconds(1));
}

TEST_F(TargetTest, OneIsTriedAtATimeAndLosesNoAttempt) {
  Target target = Granted();
  Break(target);
  std::vector<absl::Duration> waits;
  for (int i = 0; i < 8; ++i) {
    waits.push_back(target.NextTry(now_) - now_);
    now_ = target.NextTry(now_);
    ASSERT_TRUE(target.MaySend(now_));
    const bool probe = target.OnSent(now_);
    EXPECT_TRUE(probe);
    EXPECT_EQ(target.breaker(), Target::Breaker::kHalfOpen);
    EXPECT_FALSE(target.MaySend(now_));
    EXPECT_EQ(target.NextTry(now_), absl::InfiniteDuration());
    const Ruling ruling = target.OnAnswer(Unreachable(), probe, now_);
    EXPECT_EQ(ruling.kind, Ruling::Kind::kReturned);
    // Another is tried next, where there is one.
    EXPECT_GT(ruling.delay, target.NextTry(now_) - now_);
  }
  EXPECT_EQ(waits.front(), absl::Seconds(1));
  EXPECT_EQ(waits[3], absl::Seconds(8));
  EXPECT_EQ(waits.back(), absl::Minutes(1));
}

TEST_F(TargetTest, OneThatIsTakenClosesIt) {
  Target target = Granted();
  Break(target);
  now_ = target.NextTry(now_);
  EXPECT_EQ(Send(target, Status(200)).kind, Ruling::Kind::kTaken);
  EXPECT_EQ(target.breaker(), Target::Breaker::kClosed);
  Break(target);  // with all failures anew, and the shortest while
  EXPECT_EQ(target.NextTry(now_), now_ + absl::Seconds(1));
}

TEST_F(TargetTest, AnAnswerOfOneThatLeftBeforeItOpenedSaysNothingNew) {
  Target target = Granted();
  const bool early = target.OnSent(now_);
  Break(target);
  const absl::Duration next = target.NextTry(now_);
  EXPECT_EQ(target.OnAnswer(Unreachable(), early, now_).kind, Ruling::Kind::kReturned);
  EXPECT_EQ(target.NextTry(now_), next);
  // Also while another is tried.
  const bool second = early;
  now_ = next;
  const bool probe = target.OnSent(now_);
  target.OnAnswer(Unreachable(), second, now_);
  EXPECT_EQ(target.breaker(), Target::Breaker::kHalfOpen);
  EXPECT_FALSE(target.MaySend(now_));
  target.OnAnswer(Status(204), probe, now_);
  EXPECT_TRUE(target.MaySend(now_));
}

TEST_F(TargetTest, AnswersAboutTheEventDoNotOpenIt) {
  Target target = Granted();
  for (const int status : {400, 409, 413, 415, 422, 400, 409, 413, 415, 422}) {
    EXPECT_EQ(Send(target, Status(status)).kind, Ruling::Kind::kFailed);
  }
  EXPECT_EQ(target.breaker(), Target::Breaker::kClosed);
  Break(target);
  now_ = target.NextTry(now_);
  EXPECT_EQ(Send(target, Status(422)).kind, Ruling::Kind::kFailed);
  EXPECT_EQ(target.breaker(), Target::Breaker::kClosed);
}

TEST_F(TargetTest, OneThatIsAbandonedMakesRoomForAnother) {
  Target target = Granted();
  Break(target);
  now_ = target.NextTry(now_);
  const bool probe = target.OnSent(now_);
  EXPECT_FALSE(target.MaySend(now_));
  target.OnAbandoned(probe);
  EXPECT_TRUE(target.MaySend(now_));
}

}  // namespace
}  // namespace cdgate::webhook
