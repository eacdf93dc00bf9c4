#include "federation/manager/trust_exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/manager/trust_update.h"
#include "tests/federation/manager/group_testing.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using storage::v1::PeerTrust;
using test::HasReason;

constexpr char kAlpha[] = "alpha.example";

// beta's gateway, to which alpha's says how to trust it.
class TrustExchangeTest : public testing::Test {
 protected:
  TrustExchangeTest() { beta_.PeerWith(alpha_); }

  federation::v1::TrustUpdate Update(const std::string& bundle_pem,
                                     std::vector<std::string> lists = {}) {
    credentials::Material own = alpha_.material();
    own.info.bundle_pem = bundle_pem;
    own.crl_pems = std::move(lists);
    int left_out = 0;
    return MakeTrustUpdate(own, clock_.Now(), &left_out).value();
  }
  void Receive(const federation::v1::TrustUpdate& update, const test::Answer<bool>& answer) {
    exchange_.OnReceived(kAlpha, update, [taker = answer.Taker()](const absl::Status& status) {
      taker(status.ok() ? absl::StatusOr<bool>(true) : status);
    });
  }
  absl::Status Receive(const federation::v1::TrustUpdate& update) {
    const test::Answer<bool> answer;
    Receive(update, answer);
    return answer.Wait().status();
  }
  // As SetPeerBundle leaves it.
  static state::ResourceEdit ByHand() {
    PeerTrust trust;
    trust.set_bundle_sequence(7);
    trust.set_times_set(1);
    trust.set_set_by("ann");
    trust.set_set_time_nanos(1);
    return {.kind = state::kPeerTrustKind, .name = kAlpha, .value = trust.SerializeAsString()};
  }
  void Propose(state::ResourceEdit edit, state::Done done) {
    state::Proposal proposal;
    proposal.resources.push_back(std::move(edit));
    CDGATE_EXPECT_OK(beta_.store().Propose(std::move(proposal), std::move(done)));
  }
  void SetByHand() {
    const test::Answer<state::Outcome> answer;
    Propose(ByHand(), answer.Taker());
    CDGATE_ASSERT_OK(answer.Wait()->status);
  }
  PeerTrust Held() {
    const auto stored = beta_.store().Resources()->Find(state::kPeerTrustKind, kAlpha);
    return stored == nullptr ? PeerTrust() : stored->As<PeerTrust>().value();
  }
  std::string Bundle() {
    return beta_.store()
        .Resources()
        ->Find(state::kPeerKind, kAlpha)
        ->As<admin::v1::Peer>()
        ->bundle_pem();
  }

  test::FakeClock clock_;
  test::GroupNode alpha_{kAlpha, clock_};
  test::GroupNode beta_{"beta.example", clock_};
  const test::TestCa next_{kAlpha, clock_.Now()};
  TrustExchange exchange_{{.store = beta_.store(),
                           .identity = beta_.identity(),
                           .trust = beta_.trust(),
                           .clock = clock_,
                           .crl_grace = absl::ZeroDuration()}};
};

TEST_F(TrustExchangeTest, ABundleAndListsAreTakenOver) {
  const std::string both = absl::StrCat(alpha_.ca().bundle_pem(), next_.bundle_pem());
  CDGATE_ASSERT_OK(Receive(Update(both, {alpha_.ca().EmptyCrl()})));
  EXPECT_EQ(Bundle(), both);
  EXPECT_EQ(Held().revocation_lists_size(), 1);
  EXPECT_EQ(Held().issue_time_nanos(), absl::ToUnixNanos(clock_.Now()));
  EXPECT_THAT(Receive(Update("garbage")), HasReason(Reason::kBundleInvalid));
  EXPECT_EQ(Bundle(), both);
}

TEST_F(TrustExchangeTest, ListsAloneLeaveABundleThatWasSetByHand) {
  SetByHand();
  CDGATE_ASSERT_OK(Receive(Update(alpha_.ca().bundle_pem(), {alpha_.ca().EmptyCrl()})));
  EXPECT_EQ(Held().set_by(), "ann");
  EXPECT_EQ(Held().bundle_sequence(), 7u);
  EXPECT_EQ(Held().times_set(), 1u);
  EXPECT_EQ(Held().revocation_lists_size(), 1);
}

TEST_F(TrustExchangeTest, ABundleOverTheLinkIsNoneThatWasSetByHand) {
  SetByHand();
  CDGATE_ASSERT_OK(Receive(Update(absl::StrCat(alpha_.ca().bundle_pem(), next_.bundle_pem()))));
  EXPECT_EQ(Held().set_by(), "");
  EXPECT_EQ(Held().set_time_nanos(), 0);
  EXPECT_EQ(Held().bundle_sequence(), 7u) << "an older one is still older";
  EXPECT_EQ(Held().times_set(), 1u) << "or what left before would be dropped again";
}

TEST_F(TrustExchangeTest, WhatAnOperatorSetsMeanwhileIsNotOverwritten) {
  const auto reached = std::make_shared<test::Answer<bool>>();
  const auto open = std::make_shared<test::Answer<bool>>();
  // Nothing is committed while the store's thread tells of this.
  Propose({.kind = "test", .name = "gate", .value = "x"}, [reached, open](const state::Outcome&) {
    reached->Taker()(true);
    EXPECT_TRUE(open->Wait().ok());
  });
  ASSERT_TRUE(reached->Wait().ok());
  Propose(ByHand(), [](const state::Outcome&) {});
  const test::Answer<bool> answer;
  Receive(Update(alpha_.ca().bundle_pem(), {alpha_.ca().EmptyCrl()}), answer);
  open->Taker()(true);
  CDGATE_ASSERT_OK(answer.Wait().status());
  EXPECT_EQ(Held().set_by(), "ann");
  EXPECT_EQ(Held().revocation_lists_size(), 1);
}

}  // namespace
}  // namespace cdgate::manager
