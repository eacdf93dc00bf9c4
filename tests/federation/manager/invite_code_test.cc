#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/trust/trust_registry.h"
#include "federation/manager/invite.h"
#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::invite {
namespace {

using base::Reason;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

class InviteCodeTest : public testing::Test {
 protected:
  Token MakeToken() const {
    Token token;
    token.inviter_domain = "alpha.example";
    token.endpoint = "gw.alpha.example:7443";
    token.bundle_digest = trust::BundleDigest(alpha_.bundle_pem()).value();
    token.invite_id = base::Base32Encode(std::string(kIdBytes, 'i'));
    token.secret = "0123456789abcdef";
    token.expires = kNow;
    return token;
  }
  Reply MakeReply() const {
    Reply reply;
    reply.invite_id = MakeToken().invite_id;
    reply.inviter_domain = "alpha.example";
    reply.party.set_domain("beta.example");
    reply.party.set_bundle_pem(beta_.bundle_pem());
    reply.party.set_endpoint("gw.beta.example:7442");
    reply.party.set_purpose("shared releases");
    reply.party.add_contacts("ops@beta.example");
    reply.proof = std::string(32, 'p');
    return reply;
  }
  const test::TestCa alpha_{"alpha.example", kNow};
  const test::TestCa beta_{"beta.example", kNow};
};

// A code around bytes that no encoder would make; with its checksum, so that it is looked at.
std::string CodeOf(absl::string_view prefix, absl::string_view version,
                   const google::protobuf::Message& message) {
  std::string bytes = absl::StrCat(version, message.SerializeAsString());
  absl::StrAppend(&bytes, crypto::Sha256(bytes).substr(0, 4));
  return absl::StrCat(prefix, base::Base64UrlEncode(bytes));
}

TEST_F(InviteCodeTest, TokenGoesThroughItsText) {
  const Token token = MakeToken();
  const std::string text = EncodeToken(token).value();
  EXPECT_TRUE(absl::StartsWith(text, "cdgate-invite-"));
  EXPECT_LT(text.size(), 250U);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Token read, DecodeToken(text));
  EXPECT_EQ(read.inviter_domain, token.inviter_domain);
  EXPECT_EQ(read.endpoint, token.endpoint);
  EXPECT_EQ(read.bundle_digest, token.bundle_digest);
  EXPECT_EQ(read.invite_id, token.invite_id);
  EXPECT_EQ(read.secret, token.secret);
  EXPECT_EQ(read.expires, token.expires);
  EXPECT_EQ(read.bundle_pem, "");
  EXPECT_EQ(read.only_domain, "");
  EXPECT_EQ(read.digest, TokenDigest(text));
}

TEST_F(InviteCodeTest, TokenMayCarryTheBundleInPlaceOfAnAddress) {
  Token token = MakeToken();
  token.endpoint.clear();
  token.bundle_pem = alpha_.bundle_pem();
  token.peers_endpoint = "gw.alpha.example:7442";
  token.purpose = "shared releases";
  token.only_domain = "beta.example";
  const std::string text = EncodeToken(token).value();
  EXPECT_LT(text.size(), 1100U);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Token read, DecodeToken(text));
  EXPECT_EQ(read.bundle_pem, alpha_.bundle_pem());
  EXPECT_EQ(read.only_domain, "beta.example");
  const federation::v1::Party inviter = InviterOf(read);
  EXPECT_EQ(inviter.domain(), "alpha.example");
  EXPECT_EQ(inviter.bundle_pem(), alpha_.bundle_pem());
  EXPECT_EQ(inviter.endpoint(), "gw.alpha.example:7442");
  EXPECT_EQ(inviter.purpose(), "shared releases");
}

TEST_F(InviteCodeTest, WhatIsStatedOfTheAgreementGoesThroughTheText) {
  for (const bool offline : {false, true}) {
    Token token = MakeToken();
    if (offline) token.bundle_pem = alpha_.bundle_pem();
    token.purpose = "shared releases";
    token.contacts = {"ops@alpha.example", "+49 1"};
    token.lifetime = absl::Hours(24 * 90);
    CDGATE_ASSERT_OK_AND_ASSIGN(const Token read, DecodeToken(EncodeToken(token).value()));
    EXPECT_EQ(read.purpose, token.purpose);
    EXPECT_EQ(read.contacts, token.contacts);
    EXPECT_EQ(read.lifetime, token.lifetime);
    EXPECT_EQ(InviterOf(read).contacts_size(), 2);
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const Token usual, DecodeToken(EncodeToken(MakeToken()).value()));
  EXPECT_EQ(usual.lifetime, kDefaultLifetime);
  EXPECT_EQ(usual.purpose, "");
}

TEST_F(InviteCodeTest, WhatNobodyMayStateIsMalformed) {
  for (const auto& change : std::vector<std::function<void(Token&)>>{
           [](Token& t) { t.lifetime = absl::ZeroDuration(); },
           [](Token& t) { t.lifetime = kGreatestLifetime + absl::Seconds(1); },
           [](Token& t) { t.purpose = std::string(501, 'x'); },
           [](Token& t) { t.purpose = "\x1b[2J"; }, [](Token& t) { t.contacts.assign(11, "x"); },
           [](Token& t) { t.contacts = {"a\nb"}; }}) {
    Token token = MakeToken();
    change(token);
    EXPECT_THAT(DecodeToken(EncodeToken(token).value()), test::HasReason(Reason::kInviteMalformed));
  }
}

TEST_F(InviteCodeTest, ReplyGoesThroughItsText) {
  const Reply reply = MakeReply();
  const std::string text = EncodeReply(reply).value();
  EXPECT_TRUE(absl::StartsWith(text, "cdgate-reply-"));
  EXPECT_LT(text.size(), 1000U);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Reply read, DecodeReply(text));
  EXPECT_EQ(read.invite_id, reply.invite_id);
  EXPECT_EQ(read.inviter_domain, reply.inviter_domain);
  EXPECT_EQ(read.party.SerializeAsString(), reply.party.SerializeAsString());
  EXPECT_EQ(read.proof, reply.proof);
}

TEST_F(InviteCodeTest, ForgivesWhatMailProgramsDo) {
  const std::string text = EncodeToken(MakeToken()).value();
  std::string broken = " \r\n";
  for (size_t i = 0; i < text.size(); i += 60) {
    absl::StrAppend(&broken, text.substr(i, 60), "\r\n\t");
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const Token read, DecodeToken(broken));
  EXPECT_EQ(read.digest, TokenDigest(text));
}

TEST_F(InviteCodeTest, RefusesEveryCutAndEveryChangedCharacter) {
  const std::string text = EncodeToken(MakeToken()).value();
  for (size_t i = 0; i < text.size(); ++i) {
    EXPECT_THAT(DecodeToken(text.substr(0, i)), test::HasReason(Reason::kInviteMalformed)) << i;
    std::string changed = text;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_THAT(DecodeToken(changed), test::HasReason(Reason::kInviteMalformed)) << i;
  }
}

TEST_F(InviteCodeTest, SaysWhereACodeBelongs) {
  const std::string token = EncodeToken(MakeToken()).value();
  const std::string reply = EncodeReply(MakeReply()).value();
  EXPECT_THAT(DecodeToken(reply), test::HasReasonAndMessage(Reason::kInviteMalformed,
                                                            HasSubstr("cdgate peer approve")));
  EXPECT_THAT(DecodeReply(token),
              test::HasReasonAndMessage(Reason::kInviteMalformed, HasSubstr("cdgate peer accept")));
  EXPECT_THAT(DecodeToken("hello"),
              test::HasReasonAndMessage(Reason::kInviteMalformed, HasSubstr("cdgate-invite-")));
  EXPECT_THAT(DecodeToken(std::string(40'000, 'x')), test::HasReason(Reason::kInviteMalformed));
}

TEST_F(InviteCodeTest, RefusesANewerVersion) {
  federation::v1::InviteToken message;
  message.set_inviter_domain("alpha.example");
  EXPECT_THAT(DecodeToken(CodeOf(kTokenPrefix, "\x02", message)),
              test::HasReasonAndMessage(Reason::kInviteMalformed, HasSubstr("newer release")));
}

TEST_F(InviteCodeTest, RefusesTokensWhosePartsAreMalformed) {
  const struct {
    std::string name;
    std::function<void(Token&)> spoil;
  } cases[] = {
      {"domain", [](Token& t) { t.inviter_domain = "Alpha"; }},
      {"endpoint", [](Token& t) { t.endpoint = "nowhere"; }},
      {"no endpoint", [](Token& t) { t.endpoint = ""; }},
      {"invited domain", [](Token& t) { t.only_domain = "Beta"; }},
      {"peers endpoint without bundle", [](Token& t) { t.peers_endpoint = "gw.alpha.example:1"; }},
      {"peers endpoint",
       [&](Token& t) {
         t.bundle_pem = alpha_.bundle_pem();
         t.peers_endpoint = "nowhere";
       }},
      {"purpose",
       [&](Token& t) {
         t.bundle_pem = alpha_.bundle_pem();
         t.purpose = "\x1b[2J";
       }},
      {"digest", [](Token& t) { t.bundle_digest = "short"; }},
      {"id", [](Token& t) { t.invite_id = "../../etc"; }},
      {"secret", [](Token& t) { t.secret = "short"; }},
      {"another bundle", [&](Token& t) { t.bundle_pem = beta_.bundle_pem(); }},
      {"another domain's bundle",
       [&](Token& t) {
         t.bundle_pem = beta_.bundle_pem();
         t.bundle_digest = trust::BundleDigest(t.bundle_pem).value();
       }},
  };
  for (const auto& c : cases) {
    Token token = MakeToken();
    c.spoil(token);
    EXPECT_THAT(DecodeToken(EncodeToken(token).value()), test::HasReason(Reason::kInviteMalformed))
        << c.name;
  }
}

TEST_F(InviteCodeTest, RefusesRepliesWhosePartsAreMalformed) {
  const struct {
    std::string name;
    std::function<void(Reply&)> spoil;
  } cases[] = {
      {"id", [](Reply& r) { r.invite_id = "x"; }},
      {"inviter", [](Reply& r) { r.inviter_domain = ""; }},
      {"proof", [](Reply& r) { r.proof = ""; }},
      {"party's domain", [](Reply& r) { r.party.set_domain("gamma.example"); }},
      {"party's endpoint", [](Reply& r) { r.party.set_endpoint("nowhere"); }},
  };
  for (const auto& c : cases) {
    Reply reply = MakeReply();
    c.spoil(reply);
    EXPECT_THAT(DecodeReply(EncodeReply(reply).value()), test::HasReason(Reason::kInviteMalformed))
        << c.name;
  }
  Reply reply = MakeReply();
  reply.party.set_bundle_pem("garbage");
  EXPECT_THAT(EncodeReply(reply), test::HasReason(Reason::kCertificateMalformed));
}

// The way of those who cannot dial: two codes and no connection.
class OfflineInviteTest : public InviteCodeTest {
 protected:
  NewInvite Make() const {
    InviteRequest request;
    request.inviter_domain = "alpha.example";
    request.peers_endpoint = "gw.alpha.example:7442";
    request.bundle_pem = alpha_.bundle_pem();
    request.offline = true;
    request.id_bytes = std::string(kIdBytes, 'i');
    request.secret = "0123456789abcdef";
    return MakeInvite(request, sealer_, kNow).value();
  }
  // beta's reply code for a token.
  std::string CodeFor(const Token& token) const {
    Reply reply = MakeReply();
    reply.invite_id = token.invite_id;
    reply.proof = AccepterProof(token.secret, BindingOf(token), reply.party).value();
    return EncodeReply(reply).value();
  }
  Redemption TakeIn(const NewInvite& made, const std::string& code) const {
    const Reply reply = DecodeReply(code).value();
    const Binding ours{reply.invite_id, "alpha.example",
                       trust::BundleDigest(alpha_.bundle_pem()).value(),
                       made.invite.token_digest()};
    return Redeem(&made.invite, ours, reply.party, reply.proof, sealer_, kNow);
  }
  const crypto::SivSealer sealer_ = crypto::SivSealer::Create(std::string(64, 'k')).value();
};

TEST_F(OfflineInviteTest, AReplyRedeemsLikeACall) {
  const NewInvite made = Make();
  CDGATE_EXPECT_OK(TakeIn(made, CodeFor(DecodeToken(made.token).value())).status);
}

// Whoever alters a token on its way, secret and all in hand, gives the accepter one whose reply
// the inviter refuses.
TEST_F(OfflineInviteTest, NoPartOfATokenCanBeAltered) {
  const NewInvite made = Make();
  const test::TestCa impostor("alpha.example", kNow);
  const struct {
    std::string name;
    std::function<void(Token&)> change;
  } cases[] = {
      {"bundle",
       [&](Token& t) {
         t.bundle_pem = impostor.bundle_pem();
         t.bundle_digest = trust::BundleDigest(t.bundle_pem).value();
       }},
      {"peers endpoint", [](Token& t) { t.peers_endpoint = "evil.example:1"; }},
      {"endpoint", [](Token& t) { t.endpoint = "evil.example:1"; }},
      {"purpose", [](Token& t) { t.purpose = "other"; }},
      {"expiry", [](Token& t) { t.expires += absl::Hours(1); }},
      {"whom it is for", [](Token& t) { t.only_domain = "beta.example"; }},
  };
  for (const auto& c : cases) {
    Token token = DecodeToken(made.token).value();
    c.change(token);
    token = DecodeToken(EncodeToken(token).value()).value();
    EXPECT_THAT(TakeIn(made, CodeFor(token)).status, test::HasReason(Reason::kInviteInvalid))
        << c.name;
  }
}

}  // namespace
}  // namespace cdgate::invite
