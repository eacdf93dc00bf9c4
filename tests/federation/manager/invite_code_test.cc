#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

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
}

TEST_F(InviteCodeTest, TokenMayCarryTheBundleInPlaceOfAnAddress) {
  Token token = MakeToken();
  token.endpoint.clear();
  token.bundle_pem = alpha_.bundle_pem();
  const std::string text = EncodeToken(token).value();
  EXPECT_LT(text.size(), 1000U);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Token read, DecodeToken(text));
  EXPECT_EQ(read.bundle_pem, alpha_.bundle_pem());
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
  CDGATE_EXPECT_OK(DecodeToken(broken));
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
TEST_F(InviteCodeTest, AReplyRedeemsLikeACall) {
  const auto sealer = crypto::SivSealer::Create(std::string(64, 'k')).value();
  InviteRequest request;
  request.inviter_domain = "alpha.example";
  request.bundle_pem = alpha_.bundle_pem();
  request.include_bundle = true;
  request.id_bytes = std::string(kIdBytes, 'i');
  request.secret = "0123456789abcdef";
  const NewInvite made = MakeInvite(request, sealer, kNow).value();

  const Token token = DecodeToken(made.token).value();
  const Binding theirs{token.invite_id, token.inviter_domain, token.bundle_digest};
  Reply reply = MakeReply();
  reply.invite_id = token.invite_id;
  reply.proof = AccepterProof(token.secret, theirs, reply.party).value();
  const std::string code = EncodeReply(reply).value();

  const Reply read = DecodeReply(code).value();
  const Binding ours{read.invite_id, "alpha.example",
                     trust::BundleDigest(alpha_.bundle_pem()).value()};
  CDGATE_EXPECT_OK(Redeem(&made.invite, ours, read.party, read.proof, sealer, kNow).status);
}

}  // namespace
}  // namespace cdgate::invite
