#include "gateway/api/peer_bundle_api.h"

#include "absl/strings/escaping.h"
#include "auth/trust/bundle_document.h"
#include "gateway/api/trust_api.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "tests/gateway/api/trust_test.h"

namespace cdgate::api {
namespace {

using admin::v1::CheckPeerBundleRequest;
using admin::v1::PeerBundleChange;
using admin::v1::SetPeerBundleRequest;
using base::Reason;
using storage::v1::PeerTrust;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kBeta[] = "beta.example";

class PeerBundleApiTest : public TrustTest {
 protected:
  explicit PeerBundleApiTest(PlanSettings settings = {.domain = "alpha.example"})
      : TrustTest(std::move(settings)) {
    CDGATE_EXPECT_OK(bundles_.Register(router_));
    CDGATE_EXPECT_OK(trust_api_.Register(router_));
    CDGATE_EXPECT_OK(trust_.Replace("alpha.example", alpha_.ca().bundle_pem(), {}));
    CDGATE_EXPECT_OK(trust_.Replace(kBeta, beta_.ca().bundle_pem(), {}));
    PutPeer(admin::v1::PEER_STATE_APPROVED);
  }

  void PutPeer(admin::v1::PeerState state) {
    admin::v1::Peer peer;
    peer.set_domain(kBeta);
    peer.set_bundle_pem(beta_.ca().bundle_pem());
    peer.set_state(state);
    Put({.kind = state::kPeerKind, .name = kBeta, .value = peer.SerializeAsString()});
  }
  void Put(state::ResourceEdit edit) {
    const test::Answer<state::Outcome> answer;
    state::Proposal proposal;
    proposal.resources.push_back(std::move(edit));
    CDGATE_ASSERT_OK(alpha_.store().Propose(std::move(proposal), answer.Taker()));
    CDGATE_ASSERT_OK(answer.Wait()->status);
  }

  static SetPeerBundleRequest To(const std::string& bundle, const std::string& peer = kBeta) {
    SetPeerBundleRequest request;
    request.set_peer(peer);
    request.mutable_candidate()->set_bundle(bundle);
    return request;
  }
  absl::StatusOr<PeerBundleChange> Set(const SetPeerBundleRequest& request) {
    CDGATE_ASSIGN_OR_RETURN(const auto response,
                            Trust<admin::v1::SetPeerBundleResponse>("SetPeerBundle", request));
    return response.change();
  }
  absl::StatusOr<PeerBundleChange> Check(const SetPeerBundleRequest& request) {
    CheckPeerBundleRequest check;
    check.set_peer(request.peer());
    *check.mutable_candidate() = request.candidate();
    CDGATE_ASSIGN_OR_RETURN(const auto response,
                            Trust<admin::v1::CheckPeerBundleResponse>("CheckPeerBundle", check));
    return response.change();
  }
  admin::v1::Peer Peer() {
    return alpha_.store().Resources()->Find(state::kPeerKind, kBeta)->As<admin::v1::Peer>().value();
  }
  PeerTrust Held() {
    const auto stored = alpha_.store().Resources()->Find(state::kPeerTrustKind, kBeta);
    return stored == nullptr ? PeerTrust() : stored->As<PeerTrust>().value();
  }
  static std::string FingerprintOf(const std::string& pem) {
    return base::Fingerprint(trust::BundleDigest(pem).value());
  }

  const test::TestCa next_{kBeta, clock_.Now()};
  PeerBundleApi bundles_{Deps()};
  TrustApi trust_api_{Deps()};
};

TEST_F(PeerBundleApiTest, ABundleIsOnDiskAndInForceWhenItIsAnswered) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto change, Set(To(next_.bundle_pem())));
  EXPECT_EQ(applied_, 1);
  EXPECT_TRUE(change.changes());
  EXPECT_EQ(change.fingerprint_before(), FingerprintOf(beta_.ca().bundle_pem()));
  EXPECT_EQ(change.fingerprint_after(), FingerprintOf(next_.bundle_pem()));
  ASSERT_EQ(change.added_size(), 1);
  EXPECT_EQ(change.added(0).fault(), "");
  EXPECT_EQ(change.removed_size(), 1);
  EXPECT_EQ(change.kept_size(), 0);
  EXPECT_EQ(Peer().bundle_pem(), next_.bundle_pem());
  EXPECT_EQ(Held().times_set(), 1u);
  EXPECT_EQ(AuthorOf(state::kPeerKind, kBeta), Ann().id);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto listed, (Trust<admin::v1::ListTrustResponse>(
                                                     "ListTrust", admin::v1::ListTrustRequest())));
  EXPECT_EQ(listed.domains(0).set_by(), "");
  EXPECT_EQ(listed.domains(1).set_by(), Ann().id);
  EXPECT_EQ(listed.domains(1).set_time().seconds(), absl::ToUnixSeconds(clock_.Now()));
}

TEST_F(PeerBundleApiTest, AskingChangesNothing) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto change, Check(To(next_.bundle_pem())));
  EXPECT_TRUE(change.changes());
  EXPECT_EQ(change.fingerprint_after(), FingerprintOf(next_.bundle_pem()));
  EXPECT_EQ(Peer().bundle_pem(), beta_.ca().bundle_pem());
  EXPECT_EQ(applied_, 0);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto same, Set(To(beta_.ca().bundle_pem())));
  EXPECT_FALSE(same.changes());
  EXPECT_EQ(Held().times_set(), 0u);
}

TEST_F(PeerBundleApiTest, OnlyWhatWasComparedIsSet) {
  SetPeerBundleRequest request = To(next_.bundle_pem());
  request.set_fingerprint(FingerprintOf(beta_.ca().bundle_pem()));
  EXPECT_THAT(Set(request), HasReason(Reason::kFingerprintDiffers));
  request.set_fingerprint(absl::AsciiStrToLower(FingerprintOf(next_.bundle_pem())));
  request.set_held_fingerprint(FingerprintOf(next_.bundle_pem()));
  EXPECT_THAT(Set(request), HasReason(Reason::kEtagMismatch));
  request.set_held_fingerprint(FingerprintOf(beta_.ca().bundle_pem()));
  CDGATE_EXPECT_OK(Set(request).status());
}

TEST_F(PeerBundleApiTest, WhoseBundleCannotBeSet) {
  EXPECT_THAT(Set(To(next_.bundle_pem(), "alpha.example")),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("our own")));
  EXPECT_THAT(Set(To(next_.bundle_pem(), "gamma.example")), HasReason(Reason::kBundleRefused));
  EXPECT_THAT(Set(To(next_.bundle_pem(), "Not a domain")), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Set(To(alpha_.ca().bundle_pem())), HasReason(Reason::kBundleRefused));
  PutPeer(admin::v1::PEER_STATE_PENDING);
  EXPECT_THAT(Set(To(next_.bundle_pem())), HasReason(Reason::kAgreementPending));
  who_ = User("bob");
  EXPECT_THAT(Set(To(next_.bundle_pem())), HasReason(Reason::kNotGranted));
  EXPECT_THAT(Check(To(next_.bundle_pem())), HasReason(Reason::kNotGranted));
  EXPECT_EQ(applied_, 0);
}

// Whose statements are to count: it is shown, and may not connect.
TEST_F(PeerBundleApiTest, AnOriginNeedsNoAgreement) {
  const test::TestCa gamma("gamma.example", clock_.Now());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto change, Set(To(gamma.bundle_pem(), "gamma.example")));
  EXPECT_TRUE(change.fingerprint_before().empty());
  EXPECT_EQ(change.fingerprint_after(), FingerprintOf(gamma.bundle_pem()));
  const auto resources = alpha_.store().Resources();
  EXPECT_EQ(resources->Find(state::kPeerKind, "gamma.example"), nullptr);
  const auto origin = resources->Find(state::kOriginKind, "gamma.example");
  ASSERT_NE(origin, nullptr);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto held, origin->As<admin::v1::Peer>());
  EXPECT_EQ(held.bundle_pem(), gamma.bundle_pem());
  EXPECT_EQ(applied_, 1);
}

TEST_F(PeerBundleApiTest, SequencesAndListsAreKept) {
  trust::BundleDocument document;
  document.roots = crypto::Certificate::ParsePemChain(next_.bundle_pem()).value();
  document.sequence = 4;
  SetPeerBundleRequest request = To(document.ToJson().value());
  request.mutable_candidate()->add_revocation_lists(next_.EmptyCrl());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto change, Set(request));
  EXPECT_EQ(change.sequence(), 4u);
  EXPECT_EQ(change.revocation_lists_size(), 1);
  EXPECT_EQ(Held().bundle_sequence(), 4u);
  EXPECT_EQ(Held().revocation_lists_size(), 1);
  document.roots = crypto::Certificate::ParsePemChain(beta_.ca().bundle_pem()).value();
  document.sequence = 3;
  EXPECT_THAT(Set(To(document.ToJson().value())), HasReason(Reason::kBundleRefused));
}

class ApprovedPeerBundleApiTest : public PeerBundleApiTest {
 protected:
  ApprovedPeerBundleApiTest()
      : PeerBundleApiTest({.domain = "alpha.example", .approve_widening = true}) {}
  void SetUp() override {
    Grant(User("paula"), admin::v1::ROLE_POLICY_APPROVER);
    who_ = Root();
  }
  void ApprovePlanOf(const absl::Status& refused) {
    admin::v1::ApprovePlanRequest approve;
    for (const auto& [key, value] : base::MetadataOf(refused)) {
      if (key == "plan") approve.set_hash(absl::HexStringToBytes(value));
    }
    CDGATE_ASSERT_OK(Call<admin::v1::Plan>(User("paula"), "ApprovePlan", approve).status());
  }
};

TEST_F(ApprovedPeerBundleApiTest, ARootThatComesInNeedsASecondPerson) {
  const absl::Status alone = Set(To(next_.bundle_pem())).status();
  ASSERT_THAT(alone, HasReason(Reason::kApprovalRequired));
  EXPECT_EQ(Peer().bundle_pem(), beta_.ca().bundle_pem());
  ApprovePlanOf(alone);
  CDGATE_ASSERT_OK(Set(To(next_.bundle_pem())).status());
  EXPECT_EQ(Peer().bundle_pem(), next_.bundle_pem());
}

// What was approved with lists is not what would be set without them.
TEST_F(ApprovedPeerBundleApiTest, AnApprovalIsForTheListsAsWell) {
  PeerTrust trust;
  trust.add_revocation_lists(beta_.ca().EmptyCrl());
  Put({.kind = state::kPeerTrustKind, .name = kBeta, .value = trust.SerializeAsString()});
  SetPeerBundleRequest with = To(next_.bundle_pem());
  with.mutable_candidate()->add_revocation_lists(next_.EmptyCrl());
  const absl::Status alone = Set(with).status();
  ASSERT_THAT(alone, HasReason(Reason::kApprovalRequired));
  ApprovePlanOf(alone);
  SetPeerBundleRequest without = To(next_.bundle_pem());
  without.mutable_candidate()->set_forget_revocation_lists(true);
  EXPECT_THAT(Set(without), HasReason(Reason::kApprovalRequired));
  CDGATE_EXPECT_OK(Set(with).status());
}

TEST_F(ApprovedPeerBundleApiTest, OneAloneDropsARoot) {
  admin::v1::Peer peer = Peer();
  peer.set_bundle_pem(absl::StrCat(beta_.ca().bundle_pem(), next_.bundle_pem()));
  Put({.kind = state::kPeerKind, .name = kBeta, .value = peer.SerializeAsString()});
  CDGATE_ASSERT_OK(Set(To(next_.bundle_pem())).status());
  EXPECT_EQ(Peer().bundle_pem(), next_.bundle_pem());
}

}  // namespace
}  // namespace cdgate::api
