#include "auth/trust/bundle_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_ca.h"

namespace cdgate::trust {
namespace {

using base::Reason;
using testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1767225600);  // 2026-01-01

crypto::Certificate RootOf(crypto::KeyType type) {
  crypto::RootOptions options;
  options.key_type = type;
  const auto made = crypto::CertificateAuthority::InitRoot("alpha.example", options, kNow);
  return crypto::Certificate::FromPem(made->certificate_pem).value();
}

class BundleDocumentTest : public testing::Test {
 protected:
  // The base64 of the P-256 root's DER.
  std::string X5c() const { return absl::Base64Escape(p256_.ToDer()); }
  std::string Key(const std::string& members) const {
    return absl::StrCat(R"({"keys":[{)", members, R"(,"x5c":[")", X5c(), R"("]}]})");
  }

  const crypto::Certificate p256_ = RootOf(crypto::KeyType::kP256);
  const crypto::Certificate ed25519_ = RootOf(crypto::KeyType::kEd25519);
};

TEST_F(BundleDocumentTest, GoesThroughJson) {
  BundleDocument document;
  document.roots = {p256_, ed25519_};
  document.sequence = 18446744073709551615ULL;
  document.refresh_hint = absl::Hours(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string json, document.ToJson());
  EXPECT_THAT(json, HasSubstr("\"spiffe_refresh_hint\": 3600"));
  EXPECT_THAT(json, HasSubstr("\"crv\": \"P-256\""));
  EXPECT_THAT(json, HasSubstr("\"kty\": \"OKP\""));
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleDocument read, BundleDocument::Parse(json));
  EXPECT_EQ(crypto::ToPem(read.roots), crypto::ToPem(document.roots));
  EXPECT_EQ(read.sequence, document.sequence);
  EXPECT_EQ(read.refresh_hint, document.refresh_hint);
  EXPECT_EQ(*read.ToJson(), json);
}

TEST_F(BundleDocumentTest, IsTheSameBundleInEitherForm) {
  BundleDocument document;
  document.roots = {p256_};
  const std::string pem = crypto::ToPem(document.roots);
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string json, document.ToJson());
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string back, BundlePemOf(absl::StrCat("\n ", json)));
  EXPECT_EQ(back, pem);
  EXPECT_EQ(*BundlePemOf(pem), pem);
  EXPECT_EQ(*BundleDigest(back), *BundleDigest(pem));
}

// Made by openssl and a few lines of Python.
TEST_F(BundleDocumentTest, ReadsWhatOthersWrite) {
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const std::string json,
      base::ReadFile("tests/auth/trust/corpus/bundle_document/three_kinds"));
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleDocument read, BundleDocument::Parse(json));
  ASSERT_EQ(read.roots.size(), 3U);
  EXPECT_EQ(read.roots[0].key_description(), "P-256");
  EXPECT_EQ(read.roots[1].key_description(), "Ed25519");
  EXPECT_EQ(read.roots[2].key_description(), "RSA 2048");
  EXPECT_EQ(read.sequence, 2U);
  EXPECT_EQ(read.refresh_hint, absl::Hours(24));
  // And writes the same public members again: they are compared as it is read.
  CDGATE_EXPECT_OK(BundleDocument::Parse(*read.ToJson()));
}

TEST_F(BundleDocumentTest, PassesOverWhatItDoesNotKnow) {
  const std::string json = absl::StrCat(
      R"({"spiffe_sequence":3,"made_by":{"keys":[1,2]},"keys":[)",
      R"({"kty":"EC","use":"jwt-svid","kid":"a","crv":"P-256","x":"AA","y":"AA"},)",
      R"({"kty":"AKP","use":"x509-svid","x5c":["not even base64"]},)",
      R"({"kty":"EC","use":"X509-SVID","x5c":["case counts"]},)",
      R"({"kty":"EC","x5c":["no use"]},)", R"({"use":"x509-svid","x5c":["no type"]},)",
      R"({"kty":"EC","use":"x509-svid"},)", R"({"kty":"EC","use":"x509-svid","x5c":[]},)",
      R"({"kty":"EC","use":"x509-svid","kid":"z","alg":7,"x5c":[")", X5c(),
      R"(","what is behind the first"]}]})");
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleDocument read, BundleDocument::Parse(json));
  ASSERT_EQ(read.roots.size(), 1U);
  EXPECT_EQ(read.roots.front().serial(), p256_.serial());
  EXPECT_EQ(read.sequence, 3U);
  EXPECT_FALSE(read.refresh_hint.has_value());
}

TEST_F(BundleDocumentTest, RefusesWhatTwoReadersCouldTakeDifferently) {
  const struct {
    const char* what;
    std::string json;
    const char* message;
  } cases[] = {
      {"nothing", "", "no JSON object"},
      {"no object", "[]", "no JSON object"},
      {"something behind it", R"({"keys":[]} {})", "no JSON object"},
      {"no keys", R"({"spiffe_sequence":1})", "\"keys\" is missing"},
      {"keys that are none", R"({"keys":{}})", "not a list"},
      {"a key that is none", R"({"keys":[1]})", "not an object"},
      {"keys twice", R"({"keys":[],"keys":[]})", "\"keys\" comes twice"},
      {"a sequence twice", R"({"spiffe_sequence":1,"spiffe_sequence":2,"keys":[]})", "comes twice"},
      {"a sequence below 0", R"({"spiffe_sequence":-1,"keys":[]})", "whole number"},
      {"a sequence with a fraction", R"({"spiffe_sequence":1.5,"keys":[]})", "whole number"},
      {"a sequence as text", R"({"spiffe_sequence":"1","keys":[]})", "whole number"},
      {"a hint of ages", R"({"spiffe_refresh_hint":99999999999,"keys":[]})", "ten years"},
      {"use twice", Key(R"("kty":"EC","use":"jwt-svid","use":"x509-svid")"), "\"use\" comes twice"},
      {"another point", Key(R"("kty":"EC","use":"x509-svid","crv":"P-256","x":"AAAA")"),
       "\"x\" of a key is not that of its certificate"},
      {"another type", Key(R"("kty":"RSA","use":"x509-svid")"), "\"kty\" of a key is not"},
      {"x5c that is a text", R"({"keys":[{"kty":"EC","use":"x509-svid","x5c":"AA"}]})",
       "not a list"},
      {"x5c of numbers", R"({"keys":[{"kty":"EC","use":"x509-svid","x5c":[1]}]})", "not of texts"},
      {"x5c that is no base64", R"({"keys":[{"kty":"EC","use":"x509-svid","x5c":["-_"]}]})",
       "not base64"},
      {"x5c without padding", R"({"keys":[{"kty":"EC","use":"x509-svid","x5c":["QQ"]}]})",
       "not base64"},
      {"x5c that is no certificate", R"({"keys":[{"kty":"EC","use":"x509-svid","x5c":["QUJD"]}]})",
       "no DER certificate"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(BundleDocument::Parse(c.json),
                test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr(c.message)))
        << c.what;
  }
}

TEST_F(BundleDocumentTest, IsBounded) {
  const std::string large =
      absl::StrCat("{\"keys\":[],\"x\":\"", std::string(BundleDocument::kMaxBytes, 'x'), "\"}");
  EXPECT_THAT(BundleDocument::Parse(large), test::HasReason(Reason::kCertificateMalformed));
  BundleDocument many;
  many.roots.assign(crypto::Certificate::kMaxCertificates + 1, p256_);
  EXPECT_THAT(BundleDocument::Parse(many.ToJson().value()),
              test::HasReasonAndMessage(Reason::kCertificateMalformed, HasSubstr("more than 64")));
}

TEST_F(BundleDocumentTest, ADocumentWithoutRootsIsNoBundleToVerifyWith) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const BundleDocument none, BundleDocument::Parse(R"({"keys":[]})"));
  EXPECT_TRUE(none.roots.empty());
  EXPECT_THAT(BundlePemOf(R"({"keys":[]})"), test::HasReason(Reason::kCertificateMalformed));
}

}  // namespace
}  // namespace cdgate::trust
