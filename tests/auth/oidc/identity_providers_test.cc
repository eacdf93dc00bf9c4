#include "auth/oidc/identity_providers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "tests/auth/oidc/test_issuer.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace cdgate::oidc {
namespace {

using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kIssuer[] = "https://id.alpha.example";

class IdentityProvidersTest : public testing::Test {
 protected:
  IdentityProvidersTest() {
    issuer_.AddKey("k1", "ES256");
    Publish();
  }

  void Publish() {
    providers_.SetKeys(providers_.Find("corp"), JwkSet::Parse(issuer_.KeySet()).value(),
                       absl::InfiniteFuture());
  }

  using Claims = std::map<std::string, std::string>;  // values as JSON
  // Good claims: issued now, for an hour.
  Claims Good() const {
    const int64_t now = absl::ToUnixSeconds(clock_.Now());
    return {{"iss", absl::StrCat("\"", kIssuer, "\"")},
            {"sub", R"("ada")"},
            {"aud", R"("cdgate")"},
            {"iat", absl::StrCat(now)},
            {"exp", absl::StrCat(now + 3600)}};
  }
  Claims With(const std::string& name, const std::string& value) const {
    Claims claims = Good();
    claims[name] = value;
    return claims;
  }
  Claims Without(const std::string& name) const {
    Claims claims = Good();
    claims.erase(name);
    return claims;
  }
  std::string In(absl::Duration later) const {
    return absl::StrCat(absl::ToUnixSeconds(clock_.Now() + later));
  }
  static std::string Json(const Claims& claims) {
    return absl::StrCat("{",
                        absl::StrJoin(claims, ",",
                                      [](std::string* out, const auto& claim) {
                                        absl::StrAppend(out, "\"", claim.first,
                                                        "\":", claim.second);
                                      }),
                        "}");
  }
  std::string Token(const Claims& claims) const { return issuer_.Sign("k1", Json(claims)); }

  test::FakeClock clock_;
  test::TestIssuer issuer_;
  std::map<std::string, int> unknown_keys_;
  const std::vector<ProviderOptions> options_ = {
      {.name = "corp", .issuer = kIssuer, .audiences = {"cdgate", "https://gw.alpha.example"}},
      {.name = "mail",
       .issuer = "https://mail.example",
       .audiences = {"cdgate"},
       .claim = "email"}};
  IdentityProviders providers_{
      {.domain = "alpha.example",
       .clock = clock_,
       .on_unknown_key = [this](const std::string& provider) { ++unknown_keys_[provider]; }},
      options_};
};

TEST_F(IdentityProvidersTest, AGoodTokenIsItsSubject) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const IdentityTokenPtr token, providers_.Verify(Token(Good())));
  EXPECT_EQ(token->principal.id, "oidc:corp:ada");
  EXPECT_EQ(token->principal.domain, "alpha.example");
  EXPECT_EQ(token->principal.kind, authz::Principal::Kind::kOidc);
  EXPECT_FALSE(token->principal.is_gateway);
  EXPECT_EQ(token->expires, clock_.Now() + absl::Hours(1) + absl::Seconds(30));
  CDGATE_EXPECT_OK(providers_.StillGood(*token));
}

TEST_F(IdentityProvidersTest, WhatIsGoodInOtherForms) {
  for (const Claims& claims :
       {With("aud", R"(["other", "https://gw.alpha.example"])"), With("nbf", In({})),
        With("exp", absl::StrCat(In(absl::Hours(1)), ".5")), With("exp", In(-absl::Seconds(29))),
        With("iat", In(absl::Seconds(29))), With("nbf", In(absl::Seconds(29))),
        With("sub", R"("repo:alpha/app:ref:refs/heads/main")"), With("exp", In(absl::Hours(24)))}) {
    CDGATE_EXPECT_OK(providers_.Verify(Token(claims)));
  }
  for (const char* const typ : {"", "jwt", "at+jwt", "application/at+JWT"}) {
    CDGATE_EXPECT_OK(providers_.Verify(issuer_.Sign("k1", Json(Good()), typ)));
  }
}

TEST_F(IdentityProvidersTest, RefusesClaimsThatAreNot) {
  const struct {
    Claims claims;
    Reason reason;
    std::string why;
  } cases[] = {
      {Without("iss"), Reason::kIdentityTokenInvalid, "no issuer"},
      {With("iss", "7"), Reason::kIdentityTokenInvalid, "no issuer"},
      {With("iss", R"("https://id.alpha.example/")"), Reason::kIdentityTokenInvalid,
       "is no identity provider"},
      {With("iss", R"("https://ID.alpha.example")"), Reason::kIdentityTokenInvalid,
       "is no identity provider"},
      {Without("aud"), Reason::kIdentityTokenInvalid, "not for this gateway"},
      {With("aud", R"("cdgate2")"), Reason::kIdentityTokenInvalid, "not for this gateway"},
      {With("aud", "[]"), Reason::kIdentityTokenInvalid, "not for this gateway"},
      {With("aud", R"([["cdgate"]])"), Reason::kIdentityTokenInvalid, "not for this gateway"},
      {Without("exp"), Reason::kIdentityTokenInvalid, "does not say when"},
      {With("exp", R"("9999999999")"), Reason::kIdentityTokenInvalid, "does not say when"},
      {With("exp", "1e300"), Reason::kIdentityTokenInvalid, "does not say when"},
      {With("exp", "-1"), Reason::kIdentityTokenInvalid, "does not say when"},
      {Without("iat"), Reason::kIdentityTokenInvalid, "does not say when"},
      {With("nbf", "true"), Reason::kIdentityTokenInvalid, "nbf that is no time"},
      {With("exp", In(-absl::Seconds(30))), Reason::kIdentityTokenExpired, "expired at"},
      {With("iat", In(absl::Seconds(31))), Reason::kIdentityTokenExpired, "to come"},
      {With("nbf", In(absl::Seconds(31))), Reason::kIdentityTokenExpired, "not valid before"},
      {With("exp", In(absl::Hours(24) + absl::Seconds(1))), Reason::kIdentityTokenInvalid,
       "longer than"},
      {Without("sub"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", R"("")"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", "7"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", R"("%")"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", R"("a b")"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", R"("a\nb")"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", R"("ädä")"), Reason::kIdentityTokenInvalid, "no claim sub"},
      {With("sub", absl::StrCat("\"", std::string(256, 'a'), "\"")), Reason::kIdentityTokenInvalid,
       "no claim sub"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(providers_.Verify(Token(one.claims)),
                HasReasonAndMessage(one.reason, HasSubstr(one.why)))
        << Json(one.claims);
  }
}

TEST_F(IdentityProvidersTest, RefusesFormsThatAreNone) {
  const std::string good = Token(Good());
  const std::vector<std::string> parts = absl::StrSplit(good, '.');
  const std::string twice = absl::StrCat(R"({"sub":"eve",)", Json(Good()).substr(1));
  const std::pair<std::string, std::string> cases[] = {
      {"", "three parts"},
      {"..", "three parts"},
      {"cdgate_x", "three parts"},
      {absl::StrCat(parts[0], ".", parts[1]), "three parts"},
      {absl::StrCat(parts[0], ".", parts[1], "."), "three parts"},
      {absl::StrCat(good, ".AAAA"), "three parts"},
      {absl::StrCat(good, "="), "three parts"},
      {absl::StrCat(good, " "), "three parts"},
      {absl::StrCat("!", ".", parts[1], ".", parts[2]), "not base64url"},
      {test::TestIssuer::Unsigned("[]", Json(Good())), "no JSON object"},
      {test::TestIssuer::Unsigned(R"({"alg":"ES256","alg":"none"})", Json(Good())), "twice"},
      {issuer_.Sign("k1", twice), "twice"},
      {issuer_.Sign("k1", "null"), "no JSON object"},
      {issuer_.Sign("k1", absl::StrCat(R"({"x":")", std::string(9000, 'x'), "\"}")), "8 KiB"},
  };
  for (const auto& [token, why] : cases) {
    EXPECT_THAT(providers_.Verify(token),
                HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr(why)))
        << token;
  }
}

TEST_F(IdentityProvidersTest, RefusesSignaturesThatAreNone) {
  issuer_.AddKey("r1", "RS256");
  Publish();
  const std::string claims = Json(Good());
  const std::string good = Token(Good());
  const std::vector<std::string> parts = absl::StrSplit(good, '.');
  const std::string other = Json(With("sub", R"("eve")"));
  test::TestIssuer stranger;
  stranger.AddKey("k1", "ES256");
  const std::pair<std::string, std::string> cases[] = {
      {test::TestIssuer::Unsigned(R"({"alg":"none","kid":"k1"})", claims), "may not use"},
      {test::TestIssuer::Unsigned(R"({"kid":"k1"})", claims), "may not use"},
      {test::TestIssuer::Unsigned(R"({"alg":"HS256","kid":"k1"})", claims), "may not use"},
      {test::TestIssuer::Unsigned(R"({"alg":["ES256"],"kid":"k1"})", claims), "may not use"},
      {test::TestIssuer::Unsigned(R"({"alg":"ES256","kid":"k1"})", claims, parts[2]),
       "does not verify"},
      {absl::StrCat(parts[0], ".", base::Base64UrlEncode(other), ".", parts[2]), "does not verify"},
      {stranger.Sign("k1", claims), "does not verify"},
      {issuer_.SignAs("r1", "RS384", "r1", claims), "may not use"},
      {issuer_.SignAs("r1", "RS256", "k1", claims), "for which the key k1 is not"},
      {issuer_.SignAs("k1", "ES256", "r1", claims), "for which the key r1 is not"},
      {issuer_.SignAs("k1", "ES256", "", claims), "by which key"},
      {issuer_.SignAs("k1", "ES256", "k9", claims), "none of the provider corp"},
      {issuer_.SignAs("k1", "ES256", "k1", claims, "logout+jwt"), "typ"},
      {issuer_.SignAs("k1", "ES256", "k1", claims, "JWT", R"(["b64"])"), "crit"},
  };
  for (const auto& [token, why] : cases) {
    EXPECT_THAT(providers_.Verify(token),
                HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr(why)))
        << token;
  }
  CDGATE_EXPECT_OK(providers_.Verify(good));
}

TEST_F(IdentityProvidersTest, NoErrorQuotesTheToken) {
  const std::string token = Token(With("aud", R"("x")"));
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  const absl::Status refused = providers_.Verify(token).status();
  for (const std::string& part : parts) {
    EXPECT_THAT(std::string(refused.message()), testing::Not(HasSubstr(part)));
  }
}

TEST_F(IdentityProvidersTest, AProviderVouchesForItselfAlone) {
  // Keys of the one, issuer of the other.
  const std::string stolen = issuer_.Sign("k1", Json(With("iss", R"("https://mail.example")")));
  EXPECT_THAT(providers_.Verify(stolen), HasReason(Reason::kIdentityTokenInvalid));
  test::TestIssuer mail;
  mail.AddKey("m1", "ES256");
  providers_.SetKeys(providers_.Find("mail"), JwkSet::Parse(mail.KeySet()).value(),
                     absl::InfiniteFuture());
  EXPECT_THAT(providers_.Verify(stolen),
              HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("provider mail")));
}

TEST_F(IdentityProvidersTest, AnEmailHasToBeVerified) {
  test::TestIssuer mail;
  mail.AddKey("m1", "ES256");
  providers_.SetKeys(providers_.Find("mail"), JwkSet::Parse(mail.KeySet()).value(),
                     absl::InfiniteFuture());
  Claims claims = With("iss", R"("https://mail.example")");
  claims["email"] = R"("ada@alpha.example")";
  for (const char* const verified : {"", "false", R"("true")", "1"}) {
    if (*verified != '\0') claims["email_verified"] = verified;
    EXPECT_THAT(providers_.Verify(mail.Sign("m1", Json(claims))),
                HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("email_verified")));
  }
  claims["email_verified"] = "true";
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto token, providers_.Verify(mail.Sign("m1", Json(claims))));
  EXPECT_EQ(token->principal.id, "oidc:mail:ada@alpha.example");
}

TEST_F(IdentityProvidersTest, ATokenEndsWithItsTime) {
  const std::string text = Token(Good());
  CDGATE_ASSERT_OK_AND_ASSIGN(const IdentityTokenPtr token, providers_.Verify(text));
  clock_.Advance(absl::Hours(1) + absl::Seconds(29));
  CDGATE_EXPECT_OK(providers_.StillGood(*token));
  CDGATE_EXPECT_OK(providers_.Verify(text));
  clock_.Advance(absl::Seconds(1));
  EXPECT_THAT(providers_.StillGood(*token), HasReason(Reason::kIdentityTokenExpired));
  EXPECT_THAT(providers_.Verify(text), HasReason(Reason::kIdentityTokenExpired));
}

TEST_F(IdentityProvidersTest, ATokenEndsWithItsKey) {
  const std::string text = Token(Good());
  CDGATE_ASSERT_OK_AND_ASSIGN(const IdentityTokenPtr token, providers_.Verify(text));
  issuer_.AddKey("k2", "ES256");
  Publish();  // both: nothing ends
  CDGATE_EXPECT_OK(providers_.StillGood(*token));
  issuer_.RemoveKey("k1");
  Publish();
  EXPECT_THAT(providers_.StillGood(*token),
              HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("withdrawn")));
  EXPECT_THAT(providers_.Verify(text), HasReason(Reason::kIdentityTokenInvalid));
  // Another key under the same id is another key.
  issuer_.AddKey("k1", "ES256");
  Publish();
  EXPECT_THAT(providers_.StillGood(*token), HasReason(Reason::kIdentityTokenInvalid));
  EXPECT_THAT(providers_.Verify(text), HasReason(Reason::kIdentityTokenInvalid));
}

TEST_F(IdentityProvidersTest, KeysThatCouldNotBeReadForTooLongAreNotUsed) {
  const std::string text = Token(Good());
  providers_.SetKeys(providers_.Find("corp"), JwkSet::Parse(issuer_.KeySet()).value(),
                     clock_.Now() + absl::Minutes(10));
  CDGATE_ASSERT_OK_AND_ASSIGN(const IdentityTokenPtr token, providers_.Verify(text));
  clock_.Advance(absl::Minutes(10));
  EXPECT_THAT(providers_.Verify(text),
              HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("could not be read")));
  EXPECT_FALSE(providers_.StillGood(*token).ok());
}

TEST_F(IdentityProvidersTest, AnUnknownKeyIsAskedForOnlyByWhoNamesTheIssuer) {
  EXPECT_FALSE(providers_.Verify(issuer_.SignAs("k1", "ES256", "k9", Json(Good()))).ok());
  EXPECT_EQ(unknown_keys_, (std::map<std::string, int>{{"corp", 1}}));
  EXPECT_FALSE(
      providers_.Verify(issuer_.SignAs("k1", "ES256", "k9", Json(With("iss", "\"x\"")))).ok());
  EXPECT_EQ(unknown_keys_, (std::map<std::string, int>{{"corp", 1}}));
}

TEST_F(IdentityProvidersTest, RemembersManyTokensAndMixesUpNone) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 20; ++i) {
    tokens.push_back(Token(With("sub", absl::StrCat("\"user-", i, "\""))));
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, &tokens, t] {
      for (size_t i = 0; i < 5 * tokens.size(); ++i) {
        const size_t which = (i * 7 + static_cast<size_t>(t)) % tokens.size();
        const auto token = providers_.Verify(tokens[which]);
        ASSERT_TRUE(token.ok()) << token.status();
        EXPECT_EQ((*token)->principal.id, absl::StrCat("oidc:corp:user-", which));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(IdentityProvidersTest, TokensOfAProviderThatIsGoneOrChangedAreGoodNoMore) {
  const std::string text = Token(Good());
  CDGATE_ASSERT_OK_AND_ASSIGN(const IdentityTokenPtr token, providers_.Verify(text));
  // The same again, in another order, and another one beside it.
  std::vector<ProviderOptions> next = {options_[1], options_[0]};
  next.push_back({.name = "new", .issuer = "https://new.example", .audiences = {"cdgate"}});
  providers_.Replace(next);
  CDGATE_EXPECT_OK(providers_.StillGood(*token));
  EXPECT_EQ(providers_.Verify(text).value(), token) << "it is remembered";
  providers_.Replace({options_[1]});
  EXPECT_THAT(providers_.StillGood(*token),
              HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("corp")));
  EXPECT_THAT(
      providers_.Verify(Token(Good())),
      HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("no identity provider")));
  // For ever: one that comes back is another.
  providers_.Replace(options_);
  EXPECT_FALSE(providers_.StillGood(*token).ok());
  EXPECT_FALSE(providers_.Verify(Token(Good())).ok()) << "its keys were not read yet";
  providers_.SetKeys(providers_.Find("corp"), JwkSet::Parse(issuer_.KeySet()).value(),
                     absl::InfiniteFuture());
  CDGATE_EXPECT_OK(providers_.Verify(Token(Good())).status());
}

TEST_F(IdentityProvidersTest, WhateverIsChangedOfAProviderMakesItAnother) {
  for (const auto& change : std::vector<std::function<void(ProviderOptions&)>>{
           [](ProviderOptions& o) { o.audiences = {"cdgate"}; },
           [](ProviderOptions& o) { o.claim = "name"; },
           [](ProviderOptions& o) { o.algorithms = {"PS256"}; },
           [](ProviderOptions& o) { o.max_lifetime = absl::Hours(2); },
           [](ProviderOptions& o) { o.clock_skew = absl::ZeroDuration(); },
           [](ProviderOptions& o) { o.key_source = "elsewhere"; },
           [](ProviderOptions& o) { o.name = "other"; },
           [](ProviderOptions& o) { o.issuer = "https://other.example"; }}) {
    IdentityProviders providers({.domain = "alpha.example", .clock = clock_}, options_);
    providers.SetKeys(providers.Find("corp"), JwkSet::Parse(issuer_.KeySet()).value(),
                      absl::InfiniteFuture());
    CDGATE_ASSERT_OK_AND_ASSIGN(const IdentityTokenPtr token, providers.Verify(Token(Good())));
    std::vector<ProviderOptions> next = options_;
    change(next[0]);
    const ProviderPtr old = providers.Find("corp");
    providers.Replace(next);
    EXPECT_FALSE(providers.StillGood(*token).ok());
    // Who still reads keys for the old one changes nothing.
    providers.SetKeys(old, JwkSet::Parse(issuer_.KeySet()).value(), absl::InfiniteFuture());
    EXPECT_FALSE(providers.StillGood(*token).ok());
    EXPECT_FALSE(providers.Verify(Token(Good())).ok());
  }
}

}  // namespace
}  // namespace cdgate::oidc
