#include "federation/manager/invite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/trust/trust_registry.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::invite {
namespace {

using admin::v1::Invite;
using base::Reason;
using federation::v1::Party;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

// alpha.example invites, beta.example accepts.
class InviteTest : public testing::Test {
 protected:
  InviteRequest Request() const {
    InviteRequest request;
    request.inviter_domain = "alpha.example";
    request.endpoint = "gw.alpha.example:7443";
    request.bundle_pem = alpha_.bundle_pem();
    request.id_bytes = std::string(kIdBytes, 'i');
    request.secret = "0123456789abcdef";
    request.purpose = "shared releases";
    request.author = "spiffe://alpha.example/user/ann";
    return request;
  }
  NewInvite Make() const { return MakeInvite(Request(), sealer_, kNow).value(); }
  Party PartyOf(const test::TestCa& ca) const {
    Party party;
    party.set_domain(ca.domain());
    party.set_bundle_pem(ca.bundle_pem());
    party.set_endpoint("gw.beta.example:7442");
    party.set_purpose("the same");
    party.add_contacts("ops@beta.example");
    return party;
  }
  // The inviter as it answers.
  Party Alpha() const {
    Party party = PartyOf(alpha_);
    party.set_purpose(Request().purpose);
    party.clear_contacts();
    return party;
  }
  // What beta sends for `token`.
  std::string ProofOf(const Token& token, const Party& party) const {
    return AccepterProof(token.secret, BindingOf(token), party).value();
  }
  Redemption Try(const Invite& invite, const Token& token, const Party& party,
                 const std::string& proof, absl::Time now = kNow) const {
    return Redeem(&invite, BindingOf(token), party, proof, sealer_, now);
  }

  const test::TestCa alpha_{"alpha.example", kNow};
  const test::TestCa beta_{"beta.example", kNow};
  const crypto::SivSealer sealer_ = crypto::SivSealer::Create(std::string(64, 'k')).value();
};

TEST_F(InviteTest, StoresNoSecretInTheClear) {
  const NewInvite made = Make();
  EXPECT_FALSE(absl::StrContains(made.invite.SerializeAsString(), Request().secret));
  EXPECT_EQ(made.invite.secret_digest(), crypto::Sha256(Request().secret));
  EXPECT_EQ(made.invite.expire_time().seconds(), absl::ToUnixSeconds(kNow + absl::Hours(24)));
  EXPECT_EQ(OpenSecret(made.invite, sealer_).value(), Request().secret);
}

TEST_F(InviteTest, BothSidesProveTheSecret) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const Party beta = PartyOf(beta_);
  const std::string proof = ProofOf(token, beta);
  const Redemption redemption = Try(made.invite, token, beta, proof);
  CDGATE_ASSERT_OK(redemption.status);
  ASSERT_TRUE(redemption.changed.has_value());
  EXPECT_EQ(redemption.changed->redeemed_by(), "beta.example");
  EXPECT_TRUE(redemption.changed->sealed_secret().empty());

  const Party alpha = Alpha();
  const Agreement agreement{"agreement-1", kNow + absl::Hours(1000)};
  const std::string answer = InviterProof(OpenSecret(made.invite, sealer_).value(),
                                          BindingOf(token), proof, alpha, agreement)
                                 .value();
  CDGATE_EXPECT_OK(CheckInviterProof(token, proof, alpha, agreement, answer, kNow));
}

TEST_F(InviteTest, IsForOneUse) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const std::string proof = ProofOf(token, PartyOf(beta_));
  const Invite used = *Try(made.invite, token, PartyOf(beta_), proof).changed;
  const Redemption replayed = Try(used, token, PartyOf(beta_), proof);
  EXPECT_THAT(replayed.status, test::HasReason(Reason::kInviteInvalid));
  EXPECT_THAT(replayed.detail, HasSubstr("used by beta.example"));
  EXPECT_FALSE(replayed.changed.has_value());
}

TEST_F(InviteTest, ExpiresAtItsSecond) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const std::string proof = ProofOf(token, PartyOf(beta_));
  const absl::Time end = kNow + absl::Hours(24);
  EXPECT_THAT(Try(made.invite, token, PartyOf(beta_), proof, end).status,
              test::HasReason(Reason::kInviteInvalid));
  CDGATE_EXPECT_OK(Try(made.invite, token, PartyOf(beta_), proof, end - absl::Seconds(1)).status);
  CDGATE_EXPECT_OK(CheckUsable(token, "beta.example", end - absl::Seconds(1)));
  EXPECT_THAT(
      CheckUsable(token, "beta.example", end),
      test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("2026-01-02T00:00:00+00:00")));
}

TEST_F(InviteTest, FiveWrongProofsKillIt) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  Invite invite = made.invite;
  for (uint32_t i = 1; i <= kMaxFailures; ++i) {
    const Redemption wrong = Try(invite, token, PartyOf(beta_), std::string(32, 'x'));
    EXPECT_THAT(wrong.status, test::HasReason(Reason::kInviteInvalid));
    ASSERT_TRUE(wrong.changed.has_value()) << i;
    invite = *wrong.changed;
    EXPECT_EQ(invite.failures(), i);
  }
  EXPECT_TRUE(invite.sealed_secret().empty());
  const Redemption right = Try(invite, token, PartyOf(beta_), ProofOf(token, PartyOf(beta_)));
  EXPECT_THAT(right.status, test::HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(right.changed.has_value());
}

TEST_F(InviteTest, TheAccepterSeesForWhomItIs) {
  InviteRequest request = Request();
  request.only_domain = "gamma.example";
  const Token token = DecodeToken(MakeInvite(request, sealer_, kNow).value().token).value();
  CDGATE_EXPECT_OK(CheckUsable(token, "gamma.example", kNow));
  EXPECT_THAT(CheckUsable(token, "beta.example", kNow),
              test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("for gamma.example")));
}

TEST_F(InviteTest, AgreementOfAReplyIsTheSameOnBothSidesAndNoOther) {
  const Agreement one = AgreementOfReply("proof", kNow, absl::Hours(1));
  EXPECT_EQ(one.agreement_id, AgreementOfReply("proof", kNow, absl::Hours(2)).agreement_id);
  EXPECT_NE(one.agreement_id, AgreementOfReply("other", kNow, absl::Hours(1)).agreement_id);
  EXPECT_EQ(one.agreement_id.size(), 26U);
  EXPECT_EQ(one.expires, kNow + absl::Hours(1));
}

// Whoever does not have the secret learns nothing about which invites there are.
TEST_F(InviteTest, AllRefusalsLookTheSameFromOutside) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const Party beta = PartyOf(beta_);
  const std::string proof = ProofOf(token, beta);
  Invite used = made.invite;
  used.set_redeemed_by("gamma.example");
  const absl::Status unknown = Redeem(nullptr, BindingOf(token), beta, proof, sealer_, kNow).status;
  for (const absl::Status& other :
       {Try(used, token, beta, proof).status, Try(made.invite, token, beta, "wrong").status,
        Try(made.invite, token, beta, proof, kNow + absl::Hours(25)).status}) {
    EXPECT_EQ(other, unknown);
  }
}

TEST_F(InviteTest, AProofIsBoundToEverything) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const Party beta = PartyOf(beta_);
  const std::string proof = ProofOf(token, beta);
  const test::TestCa other("beta.example", kNow);
  const struct {
    std::string name;
    std::function<void(Party&)> change;
  } cases[] = {
      {"bundle", [&](Party& p) { p.set_bundle_pem(other.bundle_pem()); }},
      {"domain", [](Party& p) { p.set_domain("gamma.example"); }},
      {"endpoint", [](Party& p) { p.set_endpoint("evil.example:1"); }},
      {"purpose", [](Party& p) { p.set_purpose("other"); }},
      {"contact", [](Party& p) { p.set_contacts(0, "evil@example"); }},
      {"contact added", [](Party& p) { p.add_contacts("evil@example"); }},
      // The same bytes, cut differently between fields.
      {"shifted",
       [](Party& p) {
         p.set_endpoint("gw.beta.example:7442t");
         p.set_purpose("he same");
       }},
  };
  for (const auto& c : cases) {
    Party changed = beta;
    c.change(changed);
    EXPECT_THAT(Try(made.invite, token, changed, proof).status,
                test::HasReason(Reason::kInviteInvalid))
        << c.name;
  }
  for (const auto& spoil : std::vector<std::function<void(Binding&)>>{
           [](Binding& b) { b.invite_id = "aaaaaaaaaaaaaaaa"; },
           [](Binding& b) { b.inviter_domain = "gamma.example"; },
           [](Binding& b) { b.inviter_bundle_digest = std::string(32, 'x'); },
           [](Binding& b) { b.token_digest = std::string(32, 'x'); }}) {
    Binding binding = BindingOf(token);
    spoil(binding);
    EXPECT_THAT(Redeem(&made.invite, binding, beta, proof, sealer_, kNow).status,
                test::HasReason(Reason::kInviteInvalid));
  }
}

TEST_F(InviteTest, AProofDoesNotDependOnHowTheBundleIsWritten) {
  const Token token = DecodeToken(Make().token).value();
  Party beta = PartyOf(beta_);
  const std::string proof = ProofOf(token, beta);
  beta.set_bundle_pem(absl::StrCat("beta's root\n", beta.bundle_pem(), "\n"));
  EXPECT_EQ(ProofOf(token, beta), proof);
}

TEST_F(InviteTest, OneDirectionsProofIsNothingInTheOther) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const Party beta = PartyOf(beta_);
  const std::string proof = ProofOf(token, beta);
  const Agreement agreement{"agreement-1", kNow};
  EXPECT_THAT(CheckInviterProof(token, proof, PartyOf(alpha_), agreement, proof, kNow),
              test::HasReason(Reason::kInviteInvalid));
}

TEST_F(InviteTest, TheInviterCannotBeReplaced) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const std::string proof = ProofOf(token, PartyOf(beta_));
  const Agreement agreement{"agreement-1", kNow};
  // Even with the secret: another CA in alpha's name is not the pinned one.
  const test::TestCa impostor("alpha.example", kNow);
  const Party forged = PartyOf(impostor);
  const std::string answer =
      InviterProof(token.secret, BindingOf(token), proof, forged, agreement).value();
  EXPECT_THAT(
      CheckInviterProof(token, proof, forged, agreement, answer, kNow),
      test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("bundle is not the one")));
  // And without it nothing about the answer can be changed.
  const Party alpha = Alpha();
  const std::string good =
      InviterProof(token.secret, BindingOf(token), proof, alpha, agreement).value();
  CDGATE_EXPECT_OK(CheckInviterProof(token, proof, alpha, agreement, good, kNow));
  EXPECT_THAT(CheckInviterProof(token, proof, alpha, {"agreement-2", kNow}, good, kNow),
              test::HasReason(Reason::kInviteInvalid));
  EXPECT_THAT(
      CheckInviterProof(token, proof, alpha, {"agreement-1", kNow + absl::Seconds(1)}, good, kNow),
      test::HasReason(Reason::kInviteInvalid));
  EXPECT_THAT(CheckInviterProof(token, std::string(32, 'x'), alpha, agreement, good, kNow),
              test::HasReason(Reason::kInviteInvalid));
}

// The accepter's operator was shown the token; the inviter holds to what it says.
TEST_F(InviteTest, TheInviterAnswersAsItsInviteStates) {
  InviteRequest request = Request();
  request.purpose = "joint releases";
  request.contacts = {"ops@alpha.example", "+49 1"};
  request.agreement_lifetime = absl::Hours(24 * 90);
  const NewInvite made = MakeInvite(request, sealer_, kNow).value();
  EXPECT_EQ(made.invite.contacts_size(), 2);
  EXPECT_EQ(LifetimeOf(made.invite), absl::Hours(24 * 90));
  EXPECT_EQ(LifetimeOf(Invite()), kDefaultLifetime);
  const Token token = DecodeToken(made.token).value();
  const std::string proof = ProofOf(token, PartyOf(beta_));
  const auto check = [&](const Party& inviter, absl::Time end) {
    const Agreement agreement{"agreement-1", end};
    const std::string answer =
        InviterProof(token.secret, BindingOf(token), proof, inviter, agreement).value();
    return CheckInviterProof(token, proof, inviter, agreement, answer, kNow);
  };
  Party alpha = PartyOf(alpha_);
  alpha.set_purpose("joint releases");
  *alpha.mutable_contacts() = {request.contacts.begin(), request.contacts.end()};
  const absl::Time end = kNow + absl::Hours(24 * 90);
  CDGATE_EXPECT_OK(check(alpha, end));
  CDGATE_EXPECT_OK(check(alpha, end - absl::Hours(24)));  // sooner than stated
  EXPECT_THAT(check(alpha, end + absl::Hours(2)),
              test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("later end")));
  Party other = alpha;
  other.set_purpose("everything");
  EXPECT_THAT(check(other, end),
              test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("another purpose")));
  other = alpha;
  other.mutable_contacts()->RemoveLast();
  EXPECT_THAT(check(other, end),
              test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("other contacts")));
}

TEST_F(InviteTest, WhatIsStatedOfTheAgreementIsBounded) {
  const auto made = [this](const std::function<void(InviteRequest&)>& change) {
    InviteRequest request = Request();
    change(request);
    return MakeInvite(request, sealer_, kNow);
  };
  for (const absl::Duration good : {kLeastLifetime, kGreatestLifetime}) {
    CDGATE_EXPECT_OK(made([&](InviteRequest& r) { r.agreement_lifetime = good; }).status());
  }
  for (const absl::Duration bad :
       {absl::ZeroDuration(), -absl::Hours(2), kLeastLifetime - absl::Seconds(1),
        kGreatestLifetime + absl::Seconds(1), absl::InfiniteDuration()}) {
    EXPECT_THAT(
        made([&](InviteRequest& r) { r.agreement_lifetime = bad; }),
        test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("agreement_lifetime")));
  }
  EXPECT_THAT(made([](InviteRequest& r) { r.contacts.assign(11, "x"); }),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("contacts")));
  EXPECT_THAT(made([](InviteRequest& r) { r.contacts = {std::string(201, 'x')}; }),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("contacts")));
  EXPECT_THAT(made([](InviteRequest& r) { r.contacts = {"a\x1b[2J"}; }),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("contacts")));
  // What an answer could not carry is not promised.
  EXPECT_THAT(made([](InviteRequest& r) {
                r.bundle_pem = absl::StrCat(std::string(5300, ' '), r.bundle_pem);
                r.contacts.assign(10, std::string(200, 'x'));
              }),
              test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("7 KiB")));
}

TEST_F(InviteTest, MayBeForOneDomainOnly) {
  InviteRequest request = Request();
  request.only_domain = "gamma.example";
  const NewInvite made = MakeInvite(request, sealer_, kNow).value();
  const Token token = DecodeToken(made.token).value();
  const Party beta = PartyOf(beta_);
  const Redemption refused = Try(made.invite, token, beta, ProofOf(token, beta));
  EXPECT_THAT(refused.status,
              test::HasReasonAndMessage(Reason::kInviteInvalid, HasSubstr("gamma.example")));
  EXPECT_EQ(refused.changed->failures(), 1U);
  EXPECT_EQ(refused.changed->redeemed_by(), "");
}

TEST_F(InviteTest, AnotherGatewaysSealIsRefusedWithoutCounting) {
  const NewInvite made = Make();
  const Token token = DecodeToken(made.token).value();
  const auto other = crypto::SivSealer::Create(std::string(64, 'x')).value();
  const Redemption refused = Redeem(&made.invite, BindingOf(token), PartyOf(beta_),
                                    ProofOf(token, PartyOf(beta_)), other, kNow);
  EXPECT_THAT(refused.status, test::HasReason(Reason::kInviteInvalid));
  EXPECT_FALSE(refused.changed.has_value());
}

TEST_F(InviteTest, MakeInviteRefusesNamingTheField) {
  const struct {
    std::string field;
    std::function<void(InviteRequest&)> spoil;
  } cases[] = {
      {"domain", [](InviteRequest& r) { r.inviter_domain = "Alpha"; }},
      {"endpoint", [](InviteRequest& r) { r.endpoint = ""; }},
      {"endpoint", [](InviteRequest& r) { r.endpoint = "gw.alpha.example"; }},
      {"endpoint", [](InviteRequest& r) { r.peers_endpoint = "gw.alpha.example"; }},
      {"bundle", [](InviteRequest& r) { r.bundle_pem = std::string(kMaxBundleBytes + 1, 'x'); }},
      {"ttl", [](InviteRequest& r) { r.ttl = absl::Seconds(59); }},
      {"ttl", [](InviteRequest& r) { r.ttl = kMaxTtl + absl::Seconds(1); }},
      {"domain", [](InviteRequest& r) { r.only_domain = "Beta"; }},
      {"domain", [](InviteRequest& r) { r.only_domain = "alpha.example"; }},
      {"purpose", [](InviteRequest& r) { r.purpose = "\x1b[2J"; }},
  };
  for (const auto& c : cases) {
    InviteRequest request = Request();
    c.spoil(request);
    EXPECT_THAT(MakeInvite(request, sealer_, kNow),
                test::HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr(c.field)));
  }
}

TEST_F(InviteTest, CheckPartyRefusesNamingTheField) {
  CDGATE_EXPECT_OK(CheckParty(PartyOf(beta_)));
  const struct {
    std::string field;
    Reason reason;
    std::function<void(Party&)> spoil;
  } cases[] = {
      {"domain", Reason::kInvalidArgument, [](Party& p) { p.set_domain("Beta"); }},
      {"bundle", Reason::kCertificateMalformed, [](Party& p) { p.clear_bundle_pem(); }},
      {"bundle", Reason::kCertificateMalformed, [](Party& p) { p.set_domain("gamma.example"); }},
      {"bundle", Reason::kInvalidArgument,
       [](Party& p) { p.set_bundle_pem(std::string(kMaxBundleBytes + 1, 'x')); }},
      {"endpoint", Reason::kInvalidArgument, [](Party& p) { p.set_endpoint("beta"); }},
      {"purpose", Reason::kInvalidArgument, [](Party& p) { p.set_purpose(std::string(501, 'x')); }},
      {"purpose", Reason::kInvalidArgument, [](Party& p) { p.set_purpose("a\nb"); }},
      {"contacts", Reason::kInvalidArgument,
       [](Party& p) {
         p.add_contacts(
             "\xC2\x9B"
             "31m");
       }},
      {"contacts", Reason::kInvalidArgument,
       [](Party& p) {
         for (int i = 0; i < 10; ++i) p.add_contacts("x");
       }},
  };
  for (const auto& c : cases) {
    Party party = PartyOf(beta_);
    c.spoil(party);
    EXPECT_THAT(CheckParty(party), test::HasReasonAndMessage(c.reason, HasSubstr(c.field)));
  }
}

TEST(ValidEndpointTest, TakesHostAndPort) {
  for (const char* good : {"a:1", "gw.alpha.example:7443", "192.0.2.1:65535", "[2001:db8::1]:443",
                           "[::]:1", "under_score:80"}) {
    EXPECT_TRUE(ValidEndpoint(good)) << good;
  }
  for (const char* bad :
       {"", "a", ":1", "a:", "a:0", "a:65536", "a:+1", "a:-1", "a: 1", "a:1 ", "a b:1",
        "2001:db8::1:443", "[]:1", "[x]:1", "dns:///a:1", "a/b:1", "a:01", "unix:/tmp/x:1"}) {
    EXPECT_FALSE(ValidEndpoint(bad)) << bad;
  }
  EXPECT_FALSE(ValidEndpoint(absl::StrCat(std::string(260, 'a'), ":1")));
}

}  // namespace
}  // namespace cdgate::invite
