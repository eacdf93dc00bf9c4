#include "gateway/rpc/principal_rates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/errors.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr absl::Duration kStart = absl::Hours(1);

authz::Principal Service(const std::string& name) {
  return authz::Principal::Spiffe(trust::SpiffeId::Service("alpha.example", name).value());
}

TEST(RateBucketTest, ABurstAtOnceAndThenTheRate) {
  const RateBound bound{.per_second = 10, .burst = 3};
  RateBucket bucket;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.Take(bound, 1, kStart), absl::ZeroDuration());
  const absl::Duration wait = bucket.Take(bound, 1, kStart);
  EXPECT_GT(wait, absl::ZeroDuration());
  EXPECT_LE(wait, absl::Milliseconds(101));
  EXPECT_EQ(bucket.Take(bound, 1, kStart + wait), absl::ZeroDuration());
  EXPECT_GT(bucket.Take(bound, 1, kStart + wait), absl::ZeroDuration());
}

TEST(RateBucketTest, HoldsTheRateHoweverOftenItIsAsked) {
  const RateBound bound{.per_second = 100, .burst = 50};
  RateBucket bucket;
  int taken = 0;
  for (int millis = 0; millis <= 10'000; ++millis) {
    for (int tries = 0; tries < 3; ++tries) {
      taken += bucket.Take(bound, 1, kStart + absl::Milliseconds(millis)) == absl::ZeroDuration();
    }
  }
  EXPECT_NEAR(taken, 50 + 1000, 1);
}

TEST(RateBucketTest, WhatIsMoreThanTheBurstGoesThroughAndIsOwed) {
  const RateBound bound{.per_second = 10, .burst = 10};
  RateBucket bucket;
  EXPECT_EQ(bucket.Take(bound, 1000, kStart), absl::ZeroDuration());
  const absl::Duration wait = bucket.Take(bound, 1, kStart);
  EXPECT_NEAR(absl::ToDoubleSeconds(wait), 99, 0.1);
  EXPECT_FALSE(bucket.IsFull(kStart + wait));
  EXPECT_TRUE(bucket.IsFull(kStart + wait + absl::Seconds(1)));
}

TEST(RateBucketTest, WhatIsChargedIsTakenInAnyCase) {
  const RateBound bound{.per_second = 10, .burst = 10};
  RateBucket bucket;
  EXPECT_EQ(bucket.Charge(bound, 9, kStart), absl::ZeroDuration());
  EXPECT_EQ(bucket.Wait(bound, kStart), absl::ZeroDuration());
  EXPECT_NEAR(absl::ToDoubleSeconds(bucket.Charge(bound, 11, kStart)), 1, 0.01);
  EXPECT_NEAR(absl::ToDoubleSeconds(bucket.Charge(bound, 10, kStart)), 2, 0.01);
  EXPECT_NEAR(absl::ToDoubleSeconds(bucket.Wait(bound, kStart)), 2, 0.01);
  // A debt has an end, whatever was charged.
  EXPECT_LT(bucket.Charge(bound, ~uint64_t{0}, kStart), absl::Hours(2));
  EXPECT_LT(bucket.Charge(bound, ~uint64_t{0}, kStart), absl::Hours(2));
}

TEST(RateBucketTest, ThreadsTogetherGetNoMore) {
  const RateBound bound{.per_second = 1, .burst = 1000};
  RateBucket bucket;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) {
        taken += bucket.Take(bound, 1, kStart) == absl::ZeroDuration() ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

class PrincipalRatesTest : public testing::Test {
 protected:
  PrincipalRatesTest() { clock_.Advance(kStart); }
  void Make(RateBound calls, RateBound events = {}, size_t max_principals = 16384) {
    rates_ =
        std::make_unique<PrincipalRates>(PrincipalRates::Options{.calls = calls,
                                                                 .events = events,
                                                                 .max_principals = max_principals,
                                                                 .clock = clock_,
                                                                 .metrics = metrics_});
  }

  test::FakeClock clock_;
  base::Metrics metrics_;
  std::unique_ptr<PrincipalRates> rates_;
};

TEST_F(PrincipalRatesTest, EachPrincipalHasItsOwn) {
  Make({.per_second = 1, .burst = 2});
  for (const char* name : {"a", "b"}) {
    CDGATE_EXPECT_OK(rates_->TakeCall(Service(name)));
    CDGATE_EXPECT_OK(rates_->TakeCall(Service(name)));
    const absl::Status refused = rates_->TakeCall(Service(name));
    EXPECT_THAT(refused, HasReasonAndMessage(Reason::kRateExceeded, HasSubstr(Service(name).id)));
    ASSERT_TRUE(base::RetryAfterOf(refused).has_value());
    clock_.Advance(*base::RetryAfterOf(refused));
    CDGATE_EXPECT_OK(rates_->TakeCall(Service(name)));
  }
  EXPECT_THAT(metrics_.Text(), HasSubstr("cdgate_principal_rate_refusals_total{of=\"calls\"} 2"));
  EXPECT_THAT(metrics_.Text(), HasSubstr("cdgate_principal_rate_principals 2"));
}

TEST_F(PrincipalRatesTest, CallsAndEventsAreCountedApart) {
  Make({.per_second = 1, .burst = 1}, {.per_second = 1, .burst = 1});
  CDGATE_EXPECT_OK(rates_->TakeCall(Service("a")));
  CDGATE_EXPECT_OK(rates_->TakeEvents(Service("a"), 1));
  EXPECT_THAT(rates_->TakeEvents(Service("a"), 1),
              HasReasonAndMessage(Reason::kRateExceeded, HasSubstr("events")));
  CDGATE_EXPECT_OK(rates_->TakeEvents(Service("a"), 0));
}

TEST_F(PrincipalRatesTest, WithoutABoundNothingIsRemembered) {
  Make({});
  for (int i = 0; i < 1000; ++i) CDGATE_EXPECT_OK(rates_->TakeCall(Service("a")));
  CDGATE_EXPECT_OK(rates_->TakeEvents(Service("a"), 1'000'000));
  EXPECT_EQ(rates_->AccountOf(Service("a")), nullptr);
  EXPECT_EQ(rates_->Charge(nullptr, 1000), absl::ZeroDuration());
  EXPECT_EQ(rates_->size(), 0u);
}

TEST_F(PrincipalRatesTest, LocalUsersAreNotBounded) {
  Make({.per_second = 1, .burst = 1}, {.per_second = 1, .burst = 1});
  const authz::Principal root = authz::Principal::Local("root");
  for (int i = 0; i < 10; ++i) CDGATE_EXPECT_OK(rates_->TakeCall(root));
  EXPECT_EQ(rates_->AccountOf(root), nullptr);
}

TEST_F(PrincipalRatesTest, AStreamIsToldHowLongToWait) {
  Make({}, {.per_second = 100, .burst = 100});
  const RateAccountPtr account = rates_->AccountOf(Service("a"));
  EXPECT_EQ(rates_->Charge(account, 50), absl::ZeroDuration());
  const absl::Duration wait = rates_->Charge(account, 150);
  EXPECT_NEAR(absl::ToDoubleSeconds(wait), 1, 0.01);
  // Another stream of it, and calls, have the same account.
  EXPECT_EQ(rates_->AccountOf(Service("a")), account);
  EXPECT_THAT(rates_->TakeEvents(Service("a"), 1), HasReason(Reason::kRateExceeded));
  clock_.Advance(wait);
  EXPECT_EQ(rates_->Wait(account), absl::ZeroDuration());
  EXPECT_THAT(metrics_.Text(), HasSubstr("cdgate_principal_rate_pauses_total 1"));
}

TEST_F(PrincipalRatesTest, RemembersABoundedNumberOfPrincipals) {
  constexpr size_t kMost = 1024;
  Make({.per_second = 1, .burst = 1}, {}, kMost);
  for (size_t i = 0; i < 4 * kMost; ++i) {
    rates_->TakeCall(Service(absl::StrCat("s", i))).IgnoreError();
  }
  EXPECT_LE(rates_->size(), kMost);
  // Those that did not fit share a rate: they get less than one of their own, never more.
  int refused = 0;
  for (size_t i = 0; i < 100; ++i) {
    refused += rates_->TakeCall(Service(absl::StrCat("late", i))).ok() ? 0 : 1;
  }
  EXPECT_GE(refused, 99);
  // The idle ones are forgotten when others come.
  clock_.Advance(absl::Seconds(10));
  for (size_t i = 0; i < kMost / 2; ++i) {
    CDGATE_EXPECT_OK(rates_->TakeCall(Service(absl::StrCat("new", i))));
  }
  EXPECT_LE(rates_->size(), kMost);
}

// Or a principal whose streams go on would have a second account beside theirs.
TEST_F(PrincipalRatesTest, WhoHasAStreamIsNotForgotten) {
  Make({}, {.per_second = 100, .burst = 100}, 1024);
  const RateAccountPtr account = rates_->AccountOf(Service("a"));
  for (int round = 0; round < 3; ++round) {
    clock_.Advance(absl::Seconds(10));
    for (int i = 0; i < 4096; ++i) {
      rates_->AccountOf(Service(absl::StrCat("s", round, "-", i)));
    }
  }
  EXPECT_EQ(rates_->AccountOf(Service("a")), account);
}

}  // namespace
}  // namespace cdgate::rpc
