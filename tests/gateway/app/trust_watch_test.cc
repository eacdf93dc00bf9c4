#include "gateway/app/trust_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/trust/verify.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "tests/gateway/state/store_fixture.h"
#include "tests/support/test_ca.h"

namespace cdgate::app {
namespace {

using base::Reason;
using test::HasReason;
using testing::ElementsAre;

constexpr char kBeta[] = "beta.example";

class TrustWatchTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.Open();
    Put(one_, 0);
  }

  // The peer with a bundle that was set by hand so often.
  void Put(const test::TestCa& ca, uint64_t times_set, bool frozen = false) {
    admin::v1::Peer peer;
    peer.set_domain(kBeta);
    peer.set_bundle_pem(ca.bundle_pem());
    peer.set_frozen(frozen);
    storage::v1::PeerTrust trust;
    trust.set_times_set(times_set);
    CDGATE_ASSERT_OK(
        world_.Apply(test::Resource(state::kPeerKind, kBeta, peer.SerializeAsString())));
    CDGATE_ASSERT_OK(
        world_.Apply(test::Resource(state::kPeerTrustKind, kBeta, trust.SerializeAsString())));
    watch_.Apply(*world_.store->Resources());
  }
  // Of who is connected under a root.
  absl::Status Established(const test::TestCa& ca) {
    return trust::VerifyEstablished(*trust_.Current(), ca.Gateway("gw1").certificate_pem, "",
                                    crypto::Purpose::kClient, world_.clock.Now())
        .status();
  }

  test::StoreWorld world_;
  const test::TestCa one_{kBeta, world_.clock.Now()};
  const test::TestCa two_{kBeta, world_.clock.Now()};
  const test::TestCa three_{kBeta, world_.clock.Now()};
  trust::TrustRegistry trust_;
  trust::TrustRegistry origins_;
  authz::GrantRegistry grants_;
  schema::SchemaRegistry schemas_;
  std::vector<std::string> cut_;
  TrustWatch watch_{{.domain = "alpha.example",
                     .trust = trust_,
                     .origins = origins_,
                     .grants = grants_,
                     .schemas = schemas_,
                     .cut = [this](const std::string& domain) { cut_.push_back(domain); }}};
};

TEST_F(TrustWatchTest, ARootThatLeavesOverTheLinkServesWhoIsConnected) {
  Put(two_, 0);
  CDGATE_EXPECT_OK(Established(one_));
  CDGATE_EXPECT_OK(Established(two_));
}

TEST_F(TrustWatchTest, ARootThatLeavesByHandServesNobody) {
  Put(two_, 0);
  Put(three_, 1);
  EXPECT_THAT(Established(one_), HasReason(Reason::kCertificateUntrusted));
  EXPECT_THAT(Established(two_), HasReason(Reason::kCertificateUntrusted));
  CDGATE_EXPECT_OK(Established(three_));
  // What comes over the link afterwards is a rotation again.
  Put(two_, 1);
  CDGATE_EXPECT_OK(Established(three_));
}

TEST_F(TrustWatchTest, WhoIsFrozenOrGoneIsCut) {
  EXPECT_THAT(cut_, ElementsAre());
  Put(one_, 0, /*frozen=*/true);
  EXPECT_THAT(cut_, testing::Each(kBeta));
  EXPECT_FALSE(cut_.empty());
  EXPECT_THAT(
      watch_.Denied(authz::Principal::Spiffe(trust::SpiffeId::Gateway(kBeta, "gw1").value())),
      HasReason(Reason::kFrozen));
  cut_.clear();
  CDGATE_ASSERT_OK(
      world_.Apply({.kind = state::kPeerKind, .name = kBeta, .deleted = true, .author = "ann"}));
  watch_.Apply(*world_.store->Resources());
  EXPECT_THAT(cut_, ElementsAre(kBeta));
  EXPECT_THAT(Established(one_), HasReason(Reason::kUnknownTrustDomain));
}

// Whose statements count is none of those who may connect.
TEST_F(TrustWatchTest, AnOriginIsApart) {
  constexpr char kGamma[] = "gamma.example";
  const test::TestCa gamma(kGamma, world_.clock.Now());
  admin::v1::Peer origin;
  origin.set_domain(kGamma);
  origin.set_bundle_pem(gamma.bundle_pem());
  CDGATE_ASSERT_OK(
      world_.Apply(test::Resource(state::kOriginKind, kGamma, origin.SerializeAsString())));
  watch_.Apply(*world_.store->Resources());
  EXPECT_NE(origins_.Current()->Find(kGamma), nullptr);
  EXPECT_EQ(trust_.Current()->Find(kGamma), nullptr);
  EXPECT_THAT(Established(gamma), HasReason(Reason::kUnknownTrustDomain));
  CDGATE_ASSERT_OK(
      world_.Apply({.kind = state::kOriginKind, .name = kGamma, .deleted = true, .author = "ann"}));
  watch_.Apply(*world_.store->Resources());
  EXPECT_EQ(origins_.Current()->Find(kGamma), nullptr);
}

}  // namespace
}  // namespace cdgate::app
