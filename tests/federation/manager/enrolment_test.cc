// Enrolment by dialling: two and three domains, their stores and one clock.
#include "federation/manager/enrolment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/federation/manager/test_domain.h"
#include "tests/support/status_matchers.h"

namespace cdgate::manager {
namespace {

using admin::v1::Peer;
using base::Reason;
using federation::v1::EnrolRequest;
using federation::v1::EnrolResponse;
using test::Answer;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

// alpha invites.
class EnrolmentTest : public test::ThreeDomains {
 protected:
  std::string Token(const admin::v1::CreateInviteRequest& request = {}) {
    const auto invite = alpha_.Invite(request);
    CDGATE_EXPECT_OK(invite);
    return invite->token();
  }
  static EnrolRequest WithWrongProof(EnrolRequest request) {
    request.set_proof(std::string(32, 'x'));
    return request;
  }
};

TEST_F(EnrolmentTest, LeavesThePendingAgreementOnBothSides) {
  admin::v1::CreateInviteRequest request;
  request.set_purpose("shared releases");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto invite, alpha_.Invite(request));
  EXPECT_EQ(invite.fingerprint(), alpha_.fingerprint());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto accepted, beta_.Accept(invite.token()));
  EXPECT_EQ(accepted.peer_fingerprint(), alpha_.fingerprint());
  EXPECT_EQ(accepted.our_fingerprint(), beta_.fingerprint());
  EXPECT_EQ(accepted.reply_code(), "");

  const Peer at_beta = beta_.PeerOf(alpha_).value();
  EXPECT_EQ(at_beta.state(), admin::v1::PEER_STATE_PENDING);
  EXPECT_EQ(at_beta.bundle_pem(), alpha_.ca().bundle_pem());
  EXPECT_EQ(at_beta.endpoint(), "gw.alpha.example:7442");
  EXPECT_EQ(at_beta.purpose(), "shared releases");
  EXPECT_TRUE(at_beta.dial());
  const Peer at_alpha = alpha_.PeerOf(beta_).value();
  EXPECT_EQ(at_alpha.state(), admin::v1::PEER_STATE_PENDING);
  EXPECT_EQ(at_alpha.bundle_pem(), beta_.ca().bundle_pem());
  EXPECT_EQ(at_alpha.contacts(0), "ops@beta.example");
  EXPECT_FALSE(at_alpha.dial());
  EXPECT_EQ(at_alpha.agreement_id(), at_beta.agreement_id());
  EXPECT_EQ(at_alpha.expire_time().seconds(), at_beta.expire_time().seconds());
}

TEST_F(EnrolmentTest, TheInviterStatesTheAgreementAndTheAccepterSeesIt) {
  admin::v1::CreateInviteRequest request;
  request.set_purpose("joint releases");
  request.add_contacts("ops@alpha.example");
  request.mutable_agreement_lifetime()->set_seconds(90 * 86400);
  request.set_domain("beta.example");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto invite, alpha_.Invite(request));
  EXPECT_EQ(invite.agreement_lifetime().seconds(), 90 * 86400);
  admin::v1::CheckInviteRequest check;
  check.set_token(invite.token());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto seen, beta_.enrolment().CheckInvite(check));
  EXPECT_EQ(seen.domain(), "alpha.example");
  EXPECT_EQ(seen.fingerprint(), alpha_.fingerprint());
  EXPECT_EQ(seen.purpose(), "joint releases");
  EXPECT_EQ(seen.contacts(0), "ops@alpha.example");
  EXPECT_EQ(seen.agreement_lifetime().seconds(), 90 * 86400);
  EXPECT_EQ(seen.expire_time().seconds(), invite.expire_time().seconds());
  EXPECT_EQ(seen.accepter_domain(), "beta.example");
  EXPECT_FALSE(seen.offline());
  EXPECT_EQ(seen.reason(), "");
  EXPECT_EQ(network_.dials(), 0u) << "to look is not to accept";

  CDGATE_ASSERT_OK_AND_ASSIGN(const auto accepted, beta_.Accept(invite.token()));
  EXPECT_EQ(accepted.peer().purpose(), "joint releases");
  EXPECT_EQ(accepted.peer().contacts(0), "ops@alpha.example");
  const int64_t end = absl::ToUnixSeconds(clock_.Now()) + 90 * 86400;
  EXPECT_EQ(beta_.PeerOf(alpha_)->expire_time().seconds(), end);
  EXPECT_EQ(alpha_.PeerOf(beta_)->expire_time().seconds(), end);
}

TEST_F(EnrolmentTest, WhoLooksAtAnInviteIsToldWhetherItCouldBeAccepted) {
  admin::v1::CreateInviteRequest request;
  request.set_domain("beta.example");
  admin::v1::CheckInviteRequest check;
  check.set_token(Token(request));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto for_another, gamma_.enrolment().CheckInvite(check));
  EXPECT_EQ(for_another.reason(), "INVITE_INVALID");
  EXPECT_THAT(for_another.message(), HasSubstr("for beta.example"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto our_own, alpha_.enrolment().CheckInvite(check));
  EXPECT_EQ(our_own.reason(), "INVALID_ARGUMENT");
  CDGATE_ASSERT_OK(beta_.Accept(check.token()));
  EXPECT_EQ(beta_.enrolment().CheckInvite(check)->reason(), "ALREADY_EXISTS");
  clock_.Advance(absl::Hours(25));
  EXPECT_EQ(gamma_.enrolment().CheckInvite(check)->reason(), "INVITE_INVALID");
  check.set_token("cdgate-invite-xyz");
  EXPECT_THAT(beta_.enrolment().CheckInvite(check), HasReason(Reason::kInviteMalformed));
}

// The inviter of another release, or a broken one: what was shown is what counts.
TEST_F(EnrolmentTest, AnAnswerWithOtherTermsThanTheInviteIsRefused) {
  admin::v1::CreateInviteRequest request;
  request.set_purpose("joint releases");
  const std::string token = Token(request);
  network_.set_tamper(
      [](EnrolResponse& response) { response.mutable_party()->set_purpose("everything"); });
  EXPECT_THAT(beta_.Accept(token), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(beta_.PeerOf(alpha_).has_value());
}

TEST_F(EnrolmentTest, EachSideApprovesForItselfAndMayDoSoTwice) {
  CDGATE_ASSERT_OK(beta_.Accept(Token()));
  for (int i = 0; i < 2; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const Peer peer, beta_.Approve("alpha.example"));
    EXPECT_EQ(peer.state(), admin::v1::PEER_STATE_APPROVED);
    EXPECT_THAT(peer.approved_by(), StartsWith("spiffe://"));
  }
  EXPECT_EQ(alpha_.PeerOf(beta_)->state(), admin::v1::PEER_STATE_PENDING);
  CDGATE_ASSERT_OK(alpha_.Approve("beta.example", beta_.fingerprint()));
  EXPECT_EQ(alpha_.PeerOf(beta_)->state(), admin::v1::PEER_STATE_APPROVED);
}

TEST_F(EnrolmentTest, AnotherFingerprintApprovesNothing) {
  CDGATE_ASSERT_OK(beta_.Accept(Token()));
  EXPECT_THAT(beta_.Approve("alpha.example", gamma_.fingerprint()),
              HasReasonAndMessage(Reason::kFingerprintDiffers, HasSubstr(alpha_.fingerprint())));
  EXPECT_EQ(beta_.PeerOf(alpha_)->state(), admin::v1::PEER_STATE_PENDING);
}

TEST_F(EnrolmentTest, WithoutAnAgreementThereIsNothingToApprove) {
  EXPECT_THAT(beta_.Approve("alpha.example"), HasReason(Reason::kNoAgreement));
}

TEST_F(EnrolmentTest, NeedsAListenerToInvite) {
  alpha_.set_enrolment_endpoint("");
  EXPECT_THAT(alpha_.Invite({}),
              HasReasonAndMessage(Reason::kInvalidConfig,
                                  AllOf(HasSubstr("listeners.enrolment"), HasSubstr("--offline"))));
}

TEST_F(EnrolmentTest, AnInviteExpiresAtBothEnds) {
  const std::string token = Token();
  clock_.Advance(absl::Hours(24));
  EXPECT_THAT(beta_.Accept(token), HasReasonAndMessage(Reason::kInviteInvalid,
                                                       HasSubstr("expired at 2026-01-02T00:00")));
  EXPECT_EQ(network_.dials(), 0U);
  EXPECT_THAT(alpha_.HandleEnrol(beta_.RequestFor(token)), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(alpha_.PeerOf(beta_).has_value());
}

TEST_F(EnrolmentTest, AnInviteWorksOnce) {
  const std::string token = Token();
  CDGATE_ASSERT_OK(beta_.Accept(token));
  EXPECT_THAT(gamma_.Accept(token), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(alpha_.PeerOf(gamma_).has_value());
  EXPECT_FALSE(gamma_.PeerOf(alpha_).has_value());
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->redeemed_by(), "beta.example");
  // Not even after the agreement has ended.
  alpha_.RemovePeer(beta_);
  EXPECT_THAT(alpha_.HandleEnrol(beta_.RequestFor(token)), HasReason(Reason::kInviteInvalid));
}

TEST_F(EnrolmentTest, AWrongSecretCountsUntilTheInviteIsDead) {
  const std::string token = Token();
  for (uint32_t i = 1; i <= invite::kMaxFailures; ++i) {
    EXPECT_THAT(alpha_.HandleEnrol(WithWrongProof(beta_.RequestFor(token))),
                HasReason(Reason::kInviteInvalid));
    EXPECT_EQ(alpha_.InviteOf(IdOf(token))->failures(), i);
  }
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->sealed_secret(), "");
  EXPECT_THAT(beta_.Accept(token), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(alpha_.PeerOf(beta_).has_value());
}

// What a stranger is told says nothing about which invites there are.
TEST_F(EnrolmentTest, UnknownUsedAndWrongAreOneAnswer) {
  const std::string token = Token();
  const std::string used = Token();
  CDGATE_ASSERT_OK(gamma_.Accept(used));
  EnrolRequest unknown = beta_.RequestFor(token);
  unknown.set_invite_id("aaaaaaaaaaaaaaaa");
  const absl::Status answer = alpha_.HandleEnrol(unknown).status();
  EXPECT_THAT(answer, HasReason(Reason::kInviteInvalid));
  EXPECT_EQ(alpha_.HandleEnrol(WithWrongProof(beta_.RequestFor(token))).status(), answer);
  EXPECT_EQ(alpha_.HandleEnrol(beta_.RequestFor(used)).status(), answer);
}

TEST_F(EnrolmentTest, AnInviteForOneDomainIsForNoOther) {
  admin::v1::CreateInviteRequest request;
  request.set_domain("gamma.example");
  const std::string token = Token(request);
  EXPECT_THAT(beta_.Accept(token),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("for gamma.example")));
  EXPECT_EQ(network_.dials(), 0U);
  EXPECT_THAT(alpha_.HandleEnrol(beta_.RequestFor(token)),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("gamma.example")));
  CDGATE_EXPECT_OK(gamma_.Accept(token));
}

TEST_F(EnrolmentTest, ARevokedInviteIsOfNoUse) {
  const std::string token = Token();
  CDGATE_ASSERT_OK(alpha_.Revoke(IdOf(token)));
  EXPECT_THAT(beta_.Accept(token), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(beta_.PeerOf(alpha_).has_value());
  EXPECT_THAT(alpha_.Revoke(IdOf(token)), HasReason(Reason::kNotFound));
}

TEST_F(EnrolmentTest, AUsedInviteCannotBeRevokedAndSaysWhatCan) {
  const std::string token = Token();
  CDGATE_ASSERT_OK(beta_.Accept(token));
  EXPECT_THAT(
      alpha_.Revoke(IdOf(token)),
      HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("cdgate peer remove beta.example")));
}

TEST_F(EnrolmentTest, WhoCallsHoldsAKeyUnderTheBundle) {
  const std::string token = Token();
  EnrolRequest request = beta_.RequestFor(token);
  const Answer<EnrolResponse> answer;
  alpha_.enrolment().HandleEnrol(gamma_.Certificate(), request, answer.Taker());
  EXPECT_THAT(answer.Wait(), HasReason(Reason::kWrongPeer));
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->failures(), 0U);
}

TEST_F(EnrolmentTest, WhatAnswersMustBeTheInviter) {
  network_.set_tamper(
      [&](EnrolResponse& response) { response.mutable_party()->set_endpoint("evil.example:1"); });
  EXPECT_THAT(beta_.Accept(Token()), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(beta_.PeerOf(alpha_).has_value());
}

TEST_F(EnrolmentTest, AnInviterThatCannotBeReachedLeavesNothingBehind) {
  const std::string token = Token();
  network_.Remove(alpha_);
  EXPECT_THAT(beta_.Accept(token),
              HasReasonAndMessage(Reason::kUnreachable, AllOf(HasSubstr("gw.alpha.example:7443"),
                                                              HasSubstr("--offline"))));
  EXPECT_FALSE(beta_.PeerOf(alpha_).has_value());
  network_.Add(alpha_);
  CDGATE_EXPECT_OK(beta_.Accept(token));
}

TEST_F(EnrolmentTest, APeerThatExistsLeavesTheInviteUnused) {
  CDGATE_ASSERT_OK(beta_.Accept(Token()));
  const std::string second = Token();
  EXPECT_THAT(beta_.Accept(second),
              HasReasonAndMessage(Reason::kAlreadyExists, HasSubstr("cdgate peer remove")));
  beta_.RemovePeer(alpha_);
  EXPECT_THAT(beta_.Accept(second), HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(alpha_.InviteOf(IdOf(second))->redeemed_by(), "");
  alpha_.RemovePeer(beta_);
  CDGATE_EXPECT_OK(beta_.Accept(second));
}

TEST_F(EnrolmentTest, ADomainDoesNotPeerWithItself) {
  EXPECT_THAT(alpha_.Accept(Token()),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("itself")));
}

TEST_F(EnrolmentTest, RefusesHereWhatTheInviterWouldRefuse) {
  beta_.set_peers_endpoint("no port");
  EXPECT_THAT(beta_.Accept(Token()),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("endpoint")));
  EXPECT_EQ(network_.dials(), 0U);
}

TEST_F(EnrolmentTest, GoesOnAfterARestartAtEveryStep) {
  const std::string token = Token();
  alpha_.Restart();
  beta_.Restart();
  CDGATE_ASSERT_OK(beta_.Accept(token));
  alpha_.Restart();
  beta_.Restart();
  CDGATE_ASSERT_OK(alpha_.Approve("beta.example"));
  CDGATE_ASSERT_OK(beta_.Approve("alpha.example"));
  alpha_.Restart();
  EXPECT_EQ(alpha_.PeerOf(beta_)->state(), admin::v1::PEER_STATE_APPROVED);
  EXPECT_THAT(alpha_.HandleEnrol(gamma_.RequestFor(token)), HasReason(Reason::kInviteInvalid));
}

// --- at once

TEST_F(EnrolmentTest, OfTwoWhoAcceptAtOnceOneGetsIt) {
  const std::string token = Token();
  const Answer<EnrolResponse> first;
  const Answer<EnrolResponse> second;
  {
    const auto held = alpha_.HoldCommits();
    network_.Enrol("", "alpha.example", beta_.RequestFor(token), first.Taker());
    network_.Enrol("", "alpha.example", gamma_.RequestFor(token), second.Taker());
  }
  CDGATE_EXPECT_OK(first.Wait());
  EXPECT_THAT(second.Wait(), HasReason(Reason::kInviteInvalid));
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->redeemed_by(), "beta.example");
  EXPECT_FALSE(alpha_.PeerOf(gamma_).has_value());
}

TEST_F(EnrolmentTest, WrongProofsAtOnceAllCount) {
  const std::string token = Token();
  std::vector<Answer<EnrolResponse>> answers(invite::kMaxFailures + 3);
  {
    const auto held = alpha_.HoldCommits();
    for (const auto& answer : answers) {
      network_.Enrol("", "alpha.example", WithWrongProof(beta_.RequestFor(token)), answer.Taker());
    }
  }
  for (const auto& answer : answers) {
    EXPECT_THAT(answer.Wait(), HasReason(Reason::kInviteInvalid));
  }
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->failures(), invite::kMaxFailures);
}

TEST_F(EnrolmentTest, TwoInvitesTakenByOneDomainAtOnceMakeOnePeer) {
  const std::string one = Token();
  const std::string two = Token();
  const Answer<EnrolResponse> first;
  const Answer<EnrolResponse> second;
  {
    const auto held = alpha_.HoldCommits();
    network_.Enrol("", "alpha.example", beta_.RequestFor(one), first.Taker());
    network_.Enrol("", "alpha.example", beta_.RequestFor(two), second.Taker());
  }
  CDGATE_EXPECT_OK(first.Wait());
  EXPECT_THAT(second.Wait(), HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(alpha_.InviteOf(IdOf(two))->redeemed_by(), "");
}

TEST_F(EnrolmentTest, RevokedWhileItIsUsedItIsEitherOr) {
  const std::string token = Token();
  const Answer<EnrolResponse> used;
  const Answer<admin::v1::RevokeInviteResponse> revoked;
  {
    const auto held = alpha_.HoldCommits();
    network_.Enrol("", "alpha.example", beta_.RequestFor(token), used.Taker());
    admin::v1::RevokeInviteRequest request;
    request.set_invite_id(IdOf(token));
    alpha_.enrolment().RevokeInvite("ann", request, revoked.Taker());
  }
  CDGATE_EXPECT_OK(used.Wait());
  EXPECT_THAT(revoked.Wait(),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("used by beta.example")));
}

TEST_F(EnrolmentTest, ApprovedTwiceAtOnceIsApproved) {
  CDGATE_ASSERT_OK(beta_.Accept(Token()));
  admin::v1::ApprovePeerRequest request;
  request.set_domain("beta.example");
  const Answer<Peer> ann;
  const Answer<Peer> bob;
  {
    const auto held = alpha_.HoldCommits();
    alpha_.enrolment().Approve("ann", request, ann.Taker());
    alpha_.enrolment().Approve("bob", request, bob.Taker());
  }
  CDGATE_EXPECT_OK(ann.Wait());
  CDGATE_ASSERT_OK_AND_ASSIGN(const Peer second, bob.Wait());
  EXPECT_EQ(second.approved_by(), "ann");
}

}  // namespace
}  // namespace cdgate::manager
