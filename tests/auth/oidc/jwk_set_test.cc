#include "auth/oidc/jwk_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/auth/oidc/test_issuer.h"
#include "tests/support/status_matchers.h"

namespace cdgate::oidc {
namespace {

using base::Reason;
using testing::HasSubstr;

std::string SetOf(const std::vector<std::string>& keys) {
  return absl::StrCat(R"({"keys":[)", absl::StrJoin(keys, ","), "]}");
}

// RFC 7515, appendix A.2 and A.3: made by somebody else.
constexpr char kRfcRsa[] =
    R"({"kty":"RSA","kid":"rsa","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
constexpr char kRfcEc[] =
    R"({"kty":"EC","kid":"ec","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
constexpr char kRfcPayload[] =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
constexpr char kRfcRsaSignature[] =
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
    "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1"
    "L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYE"
    "UipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
constexpr char kRfcEcSignature[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

TEST(JwkSetTest, VerifiesTheTokensOfTheSpecification) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const JwkSetPtr keys, JwkSet::Parse(SetOf({kRfcRsa, kRfcEc})));
  ASSERT_EQ(keys->size(), 2U);
  const std::string rsa = absl::StrCat("eyJhbGciOiJSUzI1NiJ9.", kRfcPayload, ".", kRfcRsaSignature);
  const std::string ec = absl::StrCat("eyJhbGciOiJFUzI1NiJ9.", kRfcPayload, ".", kRfcEcSignature);
  EXPECT_TRUE(keys->Find("rsa")->Verifies(rsa));
  EXPECT_TRUE(keys->Find("ec")->Verifies(ec));
  EXPECT_FALSE(keys->Find("ec")->Verifies(rsa));
  EXPECT_FALSE(keys->Find("rsa")->Verifies(ec));
  for (size_t at = 0; at < ec.size(); at += 7) {
    std::string altered = ec;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(keys->Find("ec")->Verifies(altered)) << at;
  }
}

TEST(JwkSetTest, EveryAlgorithmFitsItsKindOfKeyAlone) {
  test::TestIssuer issuer;
  const std::vector<std::string> algorithms = {"RS256", "RS384", "RS512", "PS256", "PS384",
                                               "PS512", "ES256", "ES384", "ES512"};
  for (const char* const algorithm : {"RS256", "ES256", "ES384", "ES512"}) {
    issuer.AddKey(algorithm, algorithm);
  }
  CDGATE_ASSERT_OK_AND_ASSIGN(const JwkSetPtr keys, JwkSet::Parse(issuer.KeySet()));
  for (const std::string& algorithm : algorithms) {
    EXPECT_TRUE(KnownAlgorithm(algorithm));
    const std::string mine = algorithm[0] == 'E' ? algorithm : "RS256";
    for (const char* const key : {"RS256", "ES256", "ES384", "ES512"}) {
      EXPECT_EQ(keys->Find(key)->Fits(algorithm), key == mine) << algorithm << " " << key;
    }
    EXPECT_TRUE(keys->Find(mine)->Verifies(issuer.SignAs(mine, algorithm, mine, "{}")))
        << algorithm;
  }
  for (const char* const other : {"none", "HS256", "EdDSA", "es256", ""}) {
    EXPECT_FALSE(KnownAlgorithm(other)) << other;
    for (const char* const key : {"RS256", "ES256", "ES384", "ES512"}) {
      EXPECT_FALSE(keys->Find(key)->Fits(other)) << other;
    }
  }
}

TEST(JwkSetTest, AKeyThatSaysItsAlgorithmIsOfNoOther) {
  test::TestIssuer issuer;
  issuer.AddKey("k", "PS256");
  CDGATE_ASSERT_OK_AND_ASSIGN(const JwkSetPtr keys,
                              JwkSet::Parse(SetOf({issuer.Key("k", R"("alg":"PS256",)")})));
  EXPECT_TRUE(keys->Find("k")->Fits("PS256"));
  EXPECT_FALSE(keys->Find("k")->Fits("RS256"));
}

TEST(JwkSetTest, LeavesOutWhatVerifiesNoTokens) {
  test::TestIssuer issuer;
  issuer.AddKey("k", "ES256");
  const std::string good = issuer.Key("k");
  issuer.AddKey("e", "ES256");
  for (const std::string& other :
       {issuer.Key("e", R"("use":"enc",)"), issuer.Key("e", R"("use":7,)"),
        issuer.Key("e", R"("key_ops":["sign"],)"), issuer.Key("e", R"("key_ops":"verify",)"),
        std::string(R"({"kty":"OKP","kid":"e","crv":"Ed25519","x":"AAAA"})"),
        std::string(R"({"kty":"RSA","kid":"e","n":"AQAB","e":"AQAB"})"),
        std::string(R"({"kty":"EC","kid":"e","crv":"P-256","x":"AAAA","y":"AAAA"})"),
        std::string(R"({"kid":"e"})"), std::string(R"({"kty":"EC"})"), std::string("7")}) {
    const auto keys = JwkSet::Parse(SetOf({good, other}));
    ASSERT_TRUE(keys.ok()) << other << keys.status();
    EXPECT_EQ((*keys)->size(), 1U) << other;
    EXPECT_THAT(JwkSet::Parse(SetOf({other})),
                test::HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr("no key")))
        << other;
  }
  EXPECT_EQ((*JwkSet::Parse(SetOf({good, issuer.Key("e", R"("key_ops":["verify"],)")})))->size(),
            2U);
}

TEST(JwkSetTest, APointThatIsNotOnItsCurveIsNoKey) {
  const std::string off =
      std::string(kRfcEc).replace(std::string(kRfcEc).find("x_FEz"), 5, "A_FEz");
  EXPECT_FALSE(JwkSet::Parse(SetOf({off})).ok());
}

TEST(JwkSetTest, RefusesWhatIsAmbiguousOrNoSecretAnyMore) {
  test::TestIssuer issuer;
  issuer.AddKey("k", "ES256");
  const std::string key = issuer.Key("k");
  const std::pair<std::string, std::string> cases[] = {
      {"", "no JSON"},
      {"{}", "no list"},
      {"[]", "no list"},
      {R"({"keys":{}})", "no list"},
      {R"({"keys":[]})", "no key"},
      {R"({"keys":[],"keys":[]})", "no JSON"},
      {SetOf({key, key}), "two keys with the id k"},
      {SetOf({issuer.Key("k", "", true)}), "secret of its key k"},
      {SetOf({key, R"({"kty":"oct","kid":"o","k":"AAAA"})"}), "secret of its key o"},
      {SetOf(std::vector<std::string>(101, "{}")), "more than 100"},
      {std::string(kMaxJwkSetBytes + 1, ' '), "256 KiB"},
  };
  for (const auto& [text, why] : cases) {
    EXPECT_THAT(JwkSet::Parse(text),
                test::HasReasonAndMessage(Reason::kIdentityTokenInvalid, HasSubstr(why)))
        << text.substr(0, 200);
  }
}

}  // namespace
}  // namespace cdgate::oidc
