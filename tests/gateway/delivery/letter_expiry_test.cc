#include "gateway/delivery/letter_expiry.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/delivery/subscriptions.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::delivery {
namespace {

class LetterExpiryTest : public testing::Test {
 protected:
  LetterExpiryTest() {
    world_.Open();
    expiry_ = std::make_unique<LetterExpiry>(*world_.store, world_.clock, world_.metrics);
  }

  void Make(const std::string& name, absl::Duration retention = absl::ZeroDuration()) {
    admin::v1::Subscription subscription;
    subscription.set_name(name);
    subscription.set_mode(admin::v1::SUBSCRIPTION_MODE_SHARED);
    if (retention > absl::ZeroDuration()) {
      subscription.mutable_shared()->mutable_dead_letter_retention()->set_seconds(
          absl::ToInt64Seconds(retention));
    }
    CDGATE_ASSERT_OK(world_.Apply(
        test::Resource(state::kSubscriptionKind, name, subscription.SerializeAsString())));
  }
  void GiveUp(const std::string& reader, size_t count = 1) {
    state::Proposal proposal;
    for (size_t i = 0; i < count; ++i) {
      storage::v1::DeadLetter& letter = proposal.dead_letters.emplace_back();
      letter.set_reader(reader);
      letter.set_sequence(i + 1);
      letter.set_reason("delivery_failed");
    }
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  size_t Left(const std::string& reader) {
    return world_.store->DeadLetters(reader, nullptr, 100'000)->size();
  }
  // One step, and what it proposed is on disk.
  void Tick() {
    expiry_->Tick();
    CDGATE_ASSERT_OK(world_.Apply(test::Resource("group", absl::StrCat("turn-", ++turns_), "x")));
  }
  double Expired() {
    return world_.metrics.AddCounter("cdgate_subscription_dead_letters_expired_total", "").Value();
  }

  test::StoreWorld world_;
  std::unique_ptr<LetterExpiry> expiry_;
  int turns_ = 0;
};

TEST_F(LetterExpiryTest, ForgetsWhatIsAsOldAsItIsKept) {
  Make("long");
  Make("short", absl::Hours(2));
  for (const char* const name : {"long", "short"}) GiveUp(ReaderOf(name));
  GiveUp("peer/beta.example");
  world_.clock.Advance(absl::Hours(1));
  GiveUp(ReaderOf("short"));
  Tick();
  EXPECT_EQ(Left(ReaderOf("short")), 2u);
  world_.clock.Advance(absl::Hours(1));
  Tick();
  EXPECT_EQ(Left(ReaderOf("short")), 1u) << "the other is an hour younger";
  EXPECT_EQ(Left(ReaderOf("long")), 1u);
  EXPECT_EQ(Expired(), 1);
  world_.clock.Advance(absl::Hours(24 * 30));
  Tick();
  EXPECT_EQ(Left(ReaderOf("short")), 0u);
  EXPECT_EQ(Left(ReaderOf("long")), 0u);
  EXPECT_EQ(Left("peer/beta.example"), 1u) << "of a peer, not of a subscription";
  EXPECT_EQ(Expired(), 3);
}

TEST_F(LetterExpiryTest, LooksOnceAMinute) {
  Make("s", absl::Hours(1));
  Tick();
  GiveUp(ReaderOf("s"));
  world_.clock.Advance(absl::Hours(1) - absl::Seconds(1));
  Tick();  // a round, and the letter is a second too young
  world_.clock.Advance(absl::Seconds(30));
  Tick();
  EXPECT_EQ(Left(ReaderOf("s")), 1u);
  world_.clock.Advance(absl::Seconds(30));
  Tick();
  EXPECT_EQ(Left(ReaderOf("s")), 0u);
}

TEST_F(LetterExpiryTest, GoesInBoundedSteps) {
  Make("a", absl::Hours(1));
  Make("b", absl::Hours(1));
  GiveUp(ReaderOf("a"), 1500);
  GiveUp(ReaderOf("b"), 700);
  world_.clock.Advance(absl::Hours(2));
  Tick();
  EXPECT_EQ(Left(ReaderOf("a")), 500u);
  Tick();  // no minute has passed
  EXPECT_EQ(Left(ReaderOf("a")), 0u);
  EXPECT_EQ(Left(ReaderOf("b")), 200u);
  Tick();
  EXPECT_EQ(Left(ReaderOf("b")), 0u);
  EXPECT_EQ(Expired(), 2200);
}

TEST_F(LetterExpiryTest, ManySubscriptionsTakeSeveralSteps) {
  const size_t count = LetterExpiry::kMostSubscriptions + 10;
  for (size_t i = 0; i < count; ++i) Make(absl::StrCat("s", i), absl::Hours(1));
  GiveUp(ReaderOf("s99"));  // the last by name
  world_.clock.Advance(absl::Hours(2));
  Tick();
  EXPECT_EQ(Left(ReaderOf("s99")), 1u);
  Tick();
  EXPECT_EQ(Left(ReaderOf("s99")), 0u);
}

}  // namespace
}  // namespace cdgate::delivery
