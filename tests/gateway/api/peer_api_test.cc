#include "gateway/api/peer_api.h"

#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::Peer;
using admin::v1::PeerStatus;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class PeerApiTest : public AdminTest {
 protected:
  PeerApiTest() { Grant(Ann(), admin::v1::ROLE_OPERATOR); }

  template <typename Request>
  static Request Of(const std::string& domain) {
    Request request;
    request.set_domain(domain);
    return request;
  }
  // alpha and beta have an agreement that alpha's operator has not approved.
  void PeerWithBeta() {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto invite, beta_.Invite({}));
    admin::v1::AcceptInviteRequest request;
    request.set_token(invite.token());
    CDGATE_ASSERT_OK(Call<admin::v1::AcceptInviteResponse>(Ann(), "AcceptInvite", request));
  }
  absl::StatusOr<PeerStatus> Get() {
    return Call<PeerStatus>(Ann(), "GetPeer", Of<admin::v1::GetPeerRequest>("beta.example"));
  }
};

TEST_F(PeerApiTest, EnrolsAndApprovesInTheCallersName) {
  PeerWithBeta();
  EXPECT_EQ(AuthorOf(state::kPeerKind, "beta.example"), "spiffe://alpha.example/user/ann");
  EXPECT_EQ(Get()->peer().state(), admin::v1::PEER_STATE_PENDING);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const Peer peer,
      Call<Peer>(Ann(), "ApprovePeer", Of<admin::v1::ApprovePeerRequest>("beta.example")));
  EXPECT_EQ(peer.approved_by(), "spiffe://alpha.example/user/ann");
  EXPECT_EQ(Get()->peer().state(), admin::v1::PEER_STATE_APPROVED);
}

TEST_F(PeerApiTest, TakesInAReplyCode) {
  admin::v1::CreateInviteRequest offline;
  offline.set_offline(true);
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto invite, Call<admin::v1::CreateInviteResponse>(Ann(), "CreateInvite", offline));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto accepted, beta_.Accept(invite.token(), true));
  admin::v1::ApprovePeerRequest request;
  request.set_reply_code(accepted.reply_code());
  CDGATE_ASSERT_OK_AND_ASSIGN(const Peer peer, Call<Peer>(Ann(), "ApprovePeer", request));
  EXPECT_EQ(peer.domain(), "beta.example");
  EXPECT_EQ(Get()->fingerprint(), beta_.fingerprint());
}

TEST_F(PeerApiTest, RevokesAnInvite) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto invite,
                              Call<admin::v1::CreateInviteResponse>(Ann(), "CreateInvite"));
  admin::v1::RevokeInviteRequest request;
  request.set_invite_id(invite.invite_id());
  CDGATE_ASSERT_OK(Call<admin::v1::RevokeInviteResponse>(Ann(), "RevokeInvite", request));
  EXPECT_THAT(beta_.Accept(invite.token()), HasReason(Reason::kInviteInvalid));
}

TEST_F(PeerApiTest, EnrolmentNeedsACertificate) {
  EXPECT_THAT(
      CallBytes(authz::Principal::Spiffe(trust::SpiffeId::Gateway("beta.example", "gw1").value()),
                "/cdgate.federation.v1.EnrolmentService/Enrol", federation::v1::EnrolRequest(),
                authz::Listener::kEnrolment),
      HasReason(Reason::kCertificateMissing));
}

TEST_F(PeerApiTest, ShowsAPeerWithItsLinkItsLagAndItsPolicy) {
  PeerWithBeta();
  link_.set_state(admin::v1::LINK_STATE_UP);
  CDGATE_ASSERT_OK_AND_ASSIGN(const PeerStatus status, Get());
  EXPECT_EQ(status.fingerprint(), beta_.fingerprint());
  EXPECT_EQ(status.link().state(), admin::v1::LINK_STATE_UP);
  EXPECT_EQ(status.export_lag_events(), 3U);
  EXPECT_EQ(status.export_lag().seconds(), 7);
  EXPECT_EQ(status.policy_version(), 0U);
}

TEST_F(PeerApiTest, FreezesAndResumesIdempotently) {
  PeerWithBeta();
  for (int i = 0; i < 2; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const Peer frozen,
        Call<Peer>(Ann(), "FreezePeer", Of<admin::v1::FreezePeerRequest>("beta.example")));
    EXPECT_TRUE(frozen.frozen());
  }
  EXPECT_TRUE(Get()->peer().frozen());
  for (int i = 0; i < 2; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const Peer resumed,
        Call<Peer>(Ann(), "ResumePeer", Of<admin::v1::ResumePeerRequest>("beta.example")));
    EXPECT_FALSE(resumed.frozen());
  }
}

TEST_F(PeerApiTest, RemovingForgetsThePeerAndWhereItsLinkStood) {
  PeerWithBeta();
  state::Proposal proposal;
  storage::v1::CursorMove move;
  move.set_reader("link/beta.example/export");
  move.set_position(7);
  proposal.cursors.push_back({.move = move});
  const test::Answer<uint64_t> written;
  CDGATE_ASSERT_OK(alpha_.store().Propose(
      std::move(proposal), [done = written.Taker()](const state::Outcome&) { done(0); }));
  CDGATE_ASSERT_OK(written.Wait());

  const auto request = Of<admin::v1::RemovePeerRequest>("beta.example");
  CDGATE_ASSERT_OK(Call<admin::v1::RemovePeerResponse>(Ann(), "RemovePeer", request));
  EXPECT_THAT(Get(), HasReason(Reason::kNotFound));
  EXPECT_FALSE(alpha_.store().Cursor("link/beta.example/export").has_value());
  EXPECT_THAT(Call<admin::v1::RemovePeerResponse>(Ann(), "RemovePeer", request),
              HasReasonAndMessage(Reason::kNotFound, HasSubstr("cdgate peer list")));
}

TEST_F(PeerApiTest, WhoIsNoPeerCannotBeFrozen) {
  EXPECT_THAT(Call<Peer>(Ann(), "FreezePeer", Of<admin::v1::FreezePeerRequest>("gamma.example")),
              HasReasonAndMessage(Reason::kNotFound, HasSubstr("gamma.example")));
}

TEST_F(PeerApiTest, ListsPeersInPages) {
  PeerWithBeta();
  admin::v1::ListPeersRequest request;
  request.set_page_size(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first,
                              Call<admin::v1::ListPeersResponse>(Ann(), "ListPeers", request));
  ASSERT_EQ(first.peers_size(), 1);
  request.set_page_token(first.next_page_token());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto rest,
                              Call<admin::v1::ListPeersResponse>(Ann(), "ListPeers", request));
  EXPECT_EQ(rest.peers_size(), 0);
  EXPECT_EQ(rest.next_page_token(), "");
  request.set_page_size(-1);
  EXPECT_THAT(Call<admin::v1::ListPeersResponse>(Ann(), "ListPeers", request),
              HasReason(Reason::kInvalidArgument));
}

TEST_F(PeerApiTest, StatusTellsPeersAndProblems) {
  PeerWithBeta();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto status,
                              Call<admin::v1::GetStatusResponse>(Ann(), "GetStatus"));
  EXPECT_EQ(status.domain(), "alpha.example");
  EXPECT_EQ(status.instance(), "gw1");
  EXPECT_EQ(status.epoch(), alpha_.log().head().epoch.value());
  ASSERT_EQ(status.peers_size(), 1);
  EXPECT_THAT(status.problems(), testing::ElementsAre("a problem"));
}

}  // namespace
}  // namespace cdgate::api
