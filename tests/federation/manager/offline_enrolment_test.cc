// Enrolment by two codes that people carry: nothing is dialled.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "federation/manager/enrolment.h"
#include "tests/federation/manager/test_domain.h"
#include "tests/support/status_matchers.h"

namespace cdgate::manager {
namespace {

using admin::v1::Peer;
using base::Reason;
using test::Answer;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::AllOf;
using testing::HasSubstr;

// alpha invites and has no enrolment listener.
class OfflineEnrolmentTest : public test::ThreeDomains {
 protected:
  OfflineEnrolmentTest() { alpha_.set_enrolment_endpoint(""); }
  ~OfflineEnrolmentTest() override { EXPECT_EQ(network_.dials(), 0U); }

  std::string Token() {
    const auto invite = alpha_.InviteOffline();
    CDGATE_EXPECT_OK(invite);
    return invite->token();
  }
  // beta's reply to the token, which beta has then accepted.
  std::string CodeFor(const std::string& token) {
    const auto accepted = beta_.Accept(token, true);
    CDGATE_EXPECT_OK(accepted);
    return accepted->reply_code();
  }
  static std::string Changed(const std::string& code,
                             const std::function<void(invite::Reply&)>& change) {
    invite::Reply reply = invite::DecodeReply(code).value();
    change(reply);
    return invite::EncodeReply(reply).value();
  }
};

TEST_F(OfflineEnrolmentTest, TwoCodesMakeOneAgreement) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto accepted, beta_.Accept(Token(), true));
  EXPECT_EQ(accepted.peer_fingerprint(), alpha_.fingerprint());
  EXPECT_EQ(accepted.our_fingerprint(), beta_.fingerprint());
  const Peer at_beta = beta_.PeerOf(alpha_).value();
  EXPECT_EQ(at_beta.state(), admin::v1::PEER_STATE_PENDING);
  EXPECT_FALSE(alpha_.PeerOf(beta_).has_value());

  clock_.Advance(absl::Hours(3));
  CDGATE_ASSERT_OK(alpha_.ApproveReply(accepted.reply_code(), beta_.fingerprint()));
  const Peer at_alpha = alpha_.PeerOf(beta_).value();
  EXPECT_EQ(at_alpha.state(), admin::v1::PEER_STATE_APPROVED);
  EXPECT_EQ(at_alpha.agreement_id(), at_beta.agreement_id());
  EXPECT_EQ(at_alpha.expire_time().seconds(), at_beta.expire_time().seconds());
  EXPECT_EQ(at_alpha.bundle_pem(), beta_.ca().bundle_pem());
  EXPECT_EQ(at_alpha.purpose(), "the same, in our words");
  EXPECT_EQ(at_beta.bundle_pem(), alpha_.ca().bundle_pem());
  EXPECT_EQ(at_beta.purpose(), "shared releases");
}

TEST_F(OfflineEnrolmentTest, TheTokenStatesTheAgreementForBothSides) {
  admin::v1::CreateInviteRequest request;
  request.set_offline(true);
  request.set_purpose("joint releases");
  request.add_contacts("ops@alpha.example");
  request.mutable_agreement_lifetime()->set_seconds(30 * 86400);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto invite, alpha_.Invite(request));
  const int64_t end = invite.expire_time().seconds() + 30 * 86400;
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto accepted, beta_.Accept(invite.token(), true));
  EXPECT_EQ(accepted.peer().purpose(), "joint releases");
  EXPECT_EQ(accepted.peer().contacts(0), "ops@alpha.example");
  EXPECT_EQ(accepted.peer().expire_time().seconds(), end);
  clock_.Advance(absl::Hours(3));
  CDGATE_ASSERT_OK(alpha_.ApproveReply(accepted.reply_code(), beta_.fingerprint()));
  EXPECT_EQ(alpha_.PeerOf(beta_)->expire_time().seconds(), end);
}

// Which of the two can be reached nobody knows yet, so each dials what it knows.
TEST_F(OfflineEnrolmentTest, EachSideDialsTheOther) {
  CDGATE_ASSERT_OK(alpha_.ApproveReply(CodeFor(Token())));
  EXPECT_EQ(alpha_.PeerOf(beta_)->endpoint(), "gw.beta.example:7442");
  EXPECT_TRUE(alpha_.PeerOf(beta_)->dial());
  EXPECT_EQ(beta_.PeerOf(alpha_)->endpoint(), "gw.alpha.example:7442");
  EXPECT_TRUE(beta_.PeerOf(alpha_)->dial());
}

TEST_F(OfflineEnrolmentTest, OneSideThatCanBeDialledIsEnough) {
  alpha_.set_peers_endpoint("");
  CDGATE_ASSERT_OK(alpha_.ApproveReply(CodeFor(Token())));
  EXPECT_TRUE(alpha_.PeerOf(beta_)->dial());
  EXPECT_FALSE(beta_.PeerOf(alpha_)->dial());
}

TEST_F(OfflineEnrolmentTest, WhereNeitherCanBeDialledThatIsSaid) {
  alpha_.set_peers_endpoint("");
  beta_.set_peers_endpoint("");
  EXPECT_THAT(beta_.Accept(Token(), true),
              HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("listeners.peers")));
  EXPECT_FALSE(beta_.PeerOf(alpha_).has_value());
}

TEST_F(OfflineEnrolmentTest, TheAccepterStillHasToConsent) {
  CDGATE_ASSERT_OK(alpha_.ApproveReply(CodeFor(Token())));
  EXPECT_EQ(beta_.PeerOf(alpha_)->state(), admin::v1::PEER_STATE_PENDING);
  CDGATE_ASSERT_OK(beta_.Approve("alpha.example", alpha_.fingerprint()));
  EXPECT_EQ(beta_.PeerOf(alpha_)->state(), admin::v1::PEER_STATE_APPROVED);
}

TEST_F(OfflineEnrolmentTest, AnotherFingerprintTakesNothingIn) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  EXPECT_THAT(alpha_.ApproveReply(code, gamma_.fingerprint()),
              HasReasonAndMessage(Reason::kFingerprintDiffers, HasSubstr(beta_.fingerprint())));
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->redeemed_by(), "");
  CDGATE_EXPECT_OK(alpha_.ApproveReply(code, beta_.fingerprint()));
}

TEST_F(OfflineEnrolmentTest, AnOnlineInviteGivesNoReply) {
  alpha_.set_enrolment_endpoint("gw.alpha.example:7443");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto invite, alpha_.Invite({}));
  EXPECT_THAT(beta_.Accept(invite.token(), true),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("peer invite --offline")));
}

TEST_F(OfflineEnrolmentTest, ATokenWithoutAnAddressNeedsNoFlag) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto accepted, beta_.Accept(Token()));
  EXPECT_NE(accepted.reply_code(), "");
}

TEST_F(OfflineEnrolmentTest, BothCodesExpireWithTheInvite) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  clock_.Advance(absl::Hours(24));
  EXPECT_THAT(
      gamma_.Accept(token, true),
      HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("expired at 2026-01-02T00:00")));
  EXPECT_THAT(
      alpha_.ApproveReply(code),
      HasReasonAndMessage(Reason::kInviteInvalid, AllOf(HasSubstr("expired at 2026-01-02T00:00"),
                                                        HasSubstr("peer invite --offline"))));
  EXPECT_FALSE(alpha_.PeerOf(beta_).has_value());
}

TEST_F(OfflineEnrolmentTest, AReplyWorksOnce) {
  const std::string code = CodeFor(Token());
  CDGATE_ASSERT_OK(alpha_.ApproveReply(code));
  const auto used = HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("used by beta.example"));
  EXPECT_THAT(alpha_.ApproveReply(code), used);
  alpha_.RemovePeer(beta_);
  EXPECT_THAT(alpha_.ApproveReply(code), used);
}

TEST_F(OfflineEnrolmentTest, OneInviteIsForOneOfThoseWhoReply) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto other, gamma_.Accept(token, true));
  CDGATE_ASSERT_OK(alpha_.ApproveReply(code));
  EXPECT_THAT(alpha_.ApproveReply(other.reply_code()),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("used by beta.example")));
  EXPECT_FALSE(alpha_.PeerOf(gamma_).has_value());
}

TEST_F(OfflineEnrolmentTest, AReplyIsForTheInviterAlone) {
  const std::string code = CodeFor(Token());
  EXPECT_THAT(gamma_.ApproveReply(code),
              HasReasonAndMessage(Reason::kInviteInvalid,
                                  AllOf(HasSubstr("alpha.example"), HasSubstr("gamma.example"))));
  // And in gamma's name it is no good either.
  EXPECT_THAT(gamma_.ApproveReply(
                  Changed(code, [](invite::Reply& r) { r.inviter_domain = "gamma.example"; })),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("no such invite")));
}

TEST_F(OfflineEnrolmentTest, AMistypedOrCutCodeIsToldFromAWrongOne) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  std::string mistyped = code;
  mistyped[40] = mistyped[40] == 'A' ? 'B' : 'A';
  for (const std::string& bad : {mistyped, code.substr(0, code.size() - 1), code.substr(1)}) {
    EXPECT_THAT(alpha_.ApproveReply(bad), HasReason(Reason::kInviteMalformed));
  }
  EXPECT_THAT(alpha_.ApproveReply(token),
              HasReasonAndMessage(Reason::kInviteMalformed, HasSubstr("cdgate peer accept")));
  EXPECT_THAT(gamma_.Accept(code, true),
              HasReasonAndMessage(Reason::kInviteMalformed, HasSubstr("cdgate peer approve")));
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->failures(), 0U);
  CDGATE_EXPECT_OK(alpha_.ApproveReply(code));
}

TEST_F(OfflineEnrolmentTest, WhatWasAlteredOnItsWayCountsAndIsRefused) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  const std::function<void(invite::Reply&)> changes[] = {
      [](invite::Reply& r) { r.party.set_endpoint("evil.example:1"); },
      [](invite::Reply& r) { r.party.set_purpose("other"); },
      [](invite::Reply& r) { r.proof = std::string(32, 'x'); },
      [&](invite::Reply& r) {
        r.party.set_domain("gamma.example");
        r.party.set_bundle_pem(gamma_.ca().bundle_pem());
      }};
  for (const auto& change : changes) {
    EXPECT_THAT(alpha_.ApproveReply(Changed(code, change)),
                HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("altered on its way")));
  }
  EXPECT_EQ(alpha_.InviteOf(IdOf(token))->failures(), std::size(changes));
  EXPECT_FALSE(alpha_.PeerOf(gamma_).has_value());
  CDGATE_EXPECT_OK(alpha_.ApproveReply(code));
}

// With the token in hand, all of it: another bundle in alpha's name gets beta's reply refused.
TEST_F(OfflineEnrolmentTest, AnAlteredTokenIsFoundOutByTheInviter) {
  const test::TestCa impostor("alpha.example", clock_.Now());
  invite::Token token = invite::DecodeToken(Token()).value();
  token.bundle_pem = impostor.bundle_pem();
  token.bundle_digest = trust::BundleDigest(token.bundle_pem).value();
  const std::string code = CodeFor(invite::EncodeToken(token).value());
  EXPECT_THAT(alpha_.ApproveReply(code), HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(alpha_.PeerOf(beta_).has_value());
}

TEST_F(OfflineEnrolmentTest, OurBundleMayNotChangeInBetween) {
  const std::string code = CodeFor(Token());
  alpha_.AddRoot();
  EXPECT_THAT(alpha_.ApproveReply(code),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("our bundle")));
}

TEST_F(OfflineEnrolmentTest, ARevokedInviteTakesItsReplyWithIt) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  CDGATE_ASSERT_OK(alpha_.Revoke(IdOf(token)));
  EXPECT_THAT(alpha_.ApproveReply(code),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("no such invite")));
}

TEST_F(OfflineEnrolmentTest, ALostReplyCanBeMadeAgain) {
  const std::string token = Token();
  const std::string code = CodeFor(token);
  EXPECT_THAT(beta_.Accept(token, true), HasReason(Reason::kAlreadyExists));
  beta_.RemovePeer(alpha_);
  EXPECT_EQ(CodeFor(token), code);
  CDGATE_EXPECT_OK(alpha_.ApproveReply(code));
}

TEST_F(OfflineEnrolmentTest, GoesOnAfterARestartAtEveryStep) {
  const std::string token = Token();
  alpha_.Restart();
  beta_.Restart();
  const std::string code = CodeFor(token);
  alpha_.Restart();
  beta_.Restart();
  CDGATE_ASSERT_OK(beta_.Approve("alpha.example"));
  CDGATE_ASSERT_OK(alpha_.ApproveReply(code));
  alpha_.Restart();
  EXPECT_EQ(alpha_.PeerOf(beta_)->state(), admin::v1::PEER_STATE_APPROVED);
  EXPECT_EQ(alpha_.PeerOf(beta_)->agreement_id(), beta_.PeerOf(alpha_)->agreement_id());
  EXPECT_THAT(alpha_.ApproveReply(code), HasReason(Reason::kInviteInvalid));
}

// --- at once

TEST_F(OfflineEnrolmentTest, OneReplyTakenInTwiceAtOnceIsTakenInOnce) {
  admin::v1::ApprovePeerRequest request;
  request.set_reply_code(CodeFor(Token()));
  const Answer<Peer> first;
  const Answer<Peer> second;
  {
    const auto held = alpha_.HoldCommits();
    alpha_.enrolment().Approve("ann", request, first.Taker());
    alpha_.enrolment().Approve("bob", request, second.Taker());
  }
  CDGATE_EXPECT_OK(first.Wait());
  EXPECT_THAT(second.Wait(),
              HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("used by beta.example")));
  EXPECT_EQ(alpha_.PeerOf(beta_)->approved_by(), "ann");
}

TEST_F(OfflineEnrolmentTest, OneTokenAcceptedTwiceAtOnceIsAcceptedOnce) {
  admin::v1::AcceptInviteRequest request;
  request.set_token(Token());
  const Answer<admin::v1::AcceptInviteResponse> first;
  const Answer<admin::v1::AcceptInviteResponse> second;
  {
    const auto held = beta_.HoldCommits();
    beta_.enrolment().Accept("ann", request, first.Taker());
    beta_.enrolment().Accept("bob", request, second.Taker());
  }
  CDGATE_EXPECT_OK(first.Wait());
  EXPECT_THAT(second.Wait(),
              HasReasonAndMessage(Reason::kAlreadyExists, HasSubstr("cdgate peer remove")));
}

}  // namespace
}  // namespace cdgate::manager
