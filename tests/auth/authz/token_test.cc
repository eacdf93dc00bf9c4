#include "auth/authz/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/authz/grants.h"
#include "auth/crypto/digest.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::authz {
namespace {

using base::Reason;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

admin::v1::Token Resource(const std::string& name, const std::string& grant,
                          const std::string& digest, absl::Time expires) {
  admin::v1::Token token;
  token.set_name(name);
  token.set_grant(grant);
  token.set_secret_digest(digest);
  token.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(expires));
  return token;
}

admin::v1::Grant Publisher(const std::string& name, const std::string& source) {
  admin::v1::Grant grant;
  grant.set_name(name);
  grant.set_principal("spiffe://alpha.example/service/jenkins");
  grant.set_role(admin::v1::ROLE_PUBLISHER);
  grant.add_sources(source);
  return grant;
}

TEST(TokenTest, MintedTokensHaveTheFormThatScannersLookFor) {
  const MintedToken a = MintToken(base::SystemRandom());
  const MintedToken b = MintToken(base::SystemRandom());
  EXPECT_THAT(a.text, MatchesRegex("cdgate_[A-Za-z0-9_-]+"));
  EXPECT_EQ(a.text.size(), 55u);
  EXPECT_NE(a.text, b.text);
  EXPECT_NE(a.digest, b.digest);
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string digest, DigestOfToken(a.text));
  EXPECT_EQ(digest, a.digest);
  EXPECT_EQ(digest.size(), 32u);
}

TEST(TokenTest, TheDigestIsOfTheSecretAlone) {
  const MintedToken minted = MintToken(base::SystemRandom());
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string bytes,
                              base::Base64UrlDecode(minted.text.substr(7)));
  EXPECT_EQ(minted.digest, crypto::Sha256(bytes.substr(0, 32)));
}

TEST(TokenTest, EveryTypoIsFoundWithoutTheTable) {
  const std::string text = MintToken(base::SystemRandom()).text;
  for (size_t at = 0; at < text.size(); ++at) {
    std::string wrong = text;
    wrong[at] = wrong[at] == 'A' ? 'B' : 'A';
    EXPECT_THAT(DigestOfToken(wrong), test::HasReason(Reason::kAccessTokenInvalid)) << at;
  }
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_THAT(DigestOfToken(text.substr(0, size)), test::HasReason(Reason::kAccessTokenInvalid));
  }
  EXPECT_THAT(DigestOfToken(text + "A"), test::HasReason(Reason::kAccessTokenInvalid));
}

TEST(TokenTest, RefusalsNeverQuoteTheSecret) {
  const std::string text = MintToken(base::SystemRandom()).text;
  const Tokens none;
  const auto unknown = none.Authenticate(text, kNow);
  EXPECT_THAT(unknown, test::HasReason(Reason::kAccessTokenInvalid));
  EXPECT_THAT(std::string(unknown.status().message()), Not(HasSubstr(text.substr(7, 8))));
}

TEST(TokenTest, ATokenWorksUntilItExpires) {
  const MintedToken minted = MintToken(base::SystemRandom());
  const std::vector<admin::v1::Token> resources = {
      Resource("ci", "jenkins", minted.digest, kNow + absl::Seconds(1))};
  const Tokens tokens("alpha.example", resources);
  CDGATE_ASSERT_OK_AND_ASSIGN(const Principal principal, tokens.Authenticate(minted.text, kNow));
  EXPECT_EQ(principal.id, "token:ci");
  EXPECT_EQ(principal.domain, "alpha.example");
  EXPECT_EQ(principal.grant, "jenkins");
  EXPECT_EQ(principal.kind, Principal::Kind::kToken);
  EXPECT_THAT(tokens.Authenticate(minted.text, kNow + absl::Seconds(1)),
              test::HasReasonAndMessage(Reason::kAccessTokenExpired, HasSubstr("token:ci")));
}

TEST(TokenTest, ADamagedResourceLetsNobodyIn) {
  const std::vector<admin::v1::Token> resources = {Resource("ci", "jenkins", "", kNow)};
  const Tokens tokens("alpha.example", resources);
  EXPECT_THAT(tokens.Authenticate("", kNow), test::HasReason(Reason::kAccessTokenInvalid));
}

TEST(TokenTest, ItMayDoWhatItsGrantAllowsAndNothingElse) {
  const std::vector<admin::v1::Grant> list = {Publisher("jenkins", "/ci/%"),
                                              Publisher("other", "/other/%")};
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto grants, Grants::Compile(list));
  const Principal token = Principal::Token("alpha.example", "ci", "jenkins");
  PublishRight right;
  CDGATE_EXPECT_OK(grants->MayPublish(token, "/ci/1", "dev.cdevents.x", &right));
  EXPECT_THAT(grants->MayPublish(token, "/other/1", "dev.cdevents.x", &right),
              test::HasReasonAndMessage(Reason::kSourceNotGranted, HasSubstr("token:ci")));
  EXPECT_TRUE(grants->RolesOf(token).empty());
  EXPECT_TRUE(grants->SubscriberFilters(token).empty());
  EXPECT_THAT(grants->MayCall(token, "/cdgate.events.v1.EventsService/Publish", Listener::kApi),
              test::HasReason(Reason::kNotGranted));
}

TEST(TokenTest, WithoutItsGrantItIsUselessAndSaysWhy) {
  const Grants none;
  const Principal token = Principal::Token("alpha.example", "ci", "jenkins");
  PublishRight right;
  EXPECT_THAT(
      none.MayPublish(token, "/ci/1", "t", &right),
      test::HasReasonAndMessage(Reason::kNotGranted,
                                HasSubstr("bound to the grant jenkins, which does not exist")));
}

TEST(TokenTest, AGrantOfAnotherRoleIsNone) {
  admin::v1::Grant grant;
  grant.set_name("ops");
  grant.set_principal("spiffe://alpha.example/%");
  for (const admin::v1::Role role : {admin::v1::ROLE_OPERATOR, admin::v1::ROLE_SUBSCRIBER}) {
    grant.set_role(role);
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto grants, Grants::Compile(absl::MakeConstSpan(&grant, 1)));
    const Principal token = Principal::Token("alpha.example", "ci", "ops");
    PublishRight right;
    EXPECT_THAT(grants->MayPublish(token, "/ci/1", "t", &right),
                test::HasReasonAndMessage(Reason::kNotGranted, HasSubstr("role publisher")));
    EXPECT_TRUE(grants->RolesOf(token).empty());
    EXPECT_TRUE(grants->SubscriberFilters(token).empty());
  }
}

TEST(TokenTest, NoPatternOfAGrantMatchesAToken) {
  // Its id is no SPIFFE ID, and a pattern must be one.
  admin::v1::Grant grant = Publisher("all", "%");
  grant.set_principal("token:%");
  EXPECT_THAT(CheckGrant(grant), test::HasReason(Reason::kInvalidArgument));
  grant.set_principal("spiffe://alpha.example/%");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto grants, Grants::Compile(absl::MakeConstSpan(&grant, 1)));
  PublishRight right;
  EXPECT_THAT(
      grants->MayPublish(Principal::Token("alpha.example", "ci", "gone"), "/a", "t", &right),
      test::HasReason(Reason::kNotGranted));
}

TEST(TokenTest, NamesAndDescriptionsAreChecked) {
  admin::v1::Token token = Resource("ci", "jenkins", "", kNow);
  CDGATE_EXPECT_OK(CheckToken(token));
  for (const char* name : {"", "Ci", "a b", "../x"}) {
    token.set_name(name);
    EXPECT_THAT(CheckToken(token), test::HasReason(Reason::kInvalidArgument)) << name;
  }
  token.set_name("ci");
  token.set_description(std::string(1025, 'x'));
  EXPECT_THAT(CheckToken(token), test::HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::authz
