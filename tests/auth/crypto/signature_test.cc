#include "auth/crypto/signature.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate_authority.h"
#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::crypto {
namespace {

class SignatureTest : public testing::TestWithParam<KeyType> {
 protected:
  IssuedCertificate Issue() const {
    const auto root = InitRoot();
    const auto ca = CertificateAuthority::Load(root.certificate_pem, root.key_pem);
    LeafRequest request;
    request.uri_names = {"spiffe://alpha.example/gateway/gw1"};
    request.key_type = GetParam();
    return ca->Issue(request, absl::Now()).value();
  }
  static IssuedCertificate InitRoot() {
    return CertificateAuthority::InitRoot("alpha.example", {}, absl::Now()).value();
  }

  const IssuedCertificate issued_ = Issue();
  const Certificate certificate_ = Certificate::FromPem(issued_.certificate_pem).value();
  const PrivateKey key_ = PrivateKey::FromPem(issued_.key_pem).value();
};

TEST_P(SignatureTest, FitsItsBytesAndNoOthers) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string signature, SignBytes(key_, "who is in"));
  EXPECT_LE(signature.size(), kMaxSignatureBytes);
  EXPECT_TRUE(SignatureFits(certificate_, "who is in", signature));
  EXPECT_FALSE(SignatureFits(certificate_, "who is out", signature));
  EXPECT_FALSE(SignatureFits(certificate_, "", signature));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string of_nothing, SignBytes(key_, ""));
  EXPECT_TRUE(SignatureFits(certificate_, "", of_nothing));
}

TEST_P(SignatureTest, FitsItsKeyAndNoOther) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string signature, SignBytes(key_, "list"));
  const auto other = Certificate::FromPem(Issue().certificate_pem).value();
  EXPECT_FALSE(SignatureFits(other, "list", signature));
}

TEST_P(SignatureTest, AChangedSignatureFitsNothing) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string signature, SignBytes(key_, "list"));
  for (size_t i = 0; i < signature.size(); ++i) {
    std::string changed = signature;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(SignatureFits(certificate_, "list", changed)) << i;
    EXPECT_FALSE(SignatureFits(certificate_, "list", signature.substr(0, i))) << i;
  }
  EXPECT_FALSE(SignatureFits(certificate_, "list", absl::StrCat(signature, "x")));
  EXPECT_FALSE(SignatureFits(certificate_, "list", std::string(1 << 20, 'x')));
}

INSTANTIATE_TEST_SUITE_P(Keys, SignatureTest, testing::Values(KeyType::kP256, KeyType::kEd25519),
                         [](const auto& key) {
                           return key.param == KeyType::kP256 ? "P256" : "Ed25519";
                         });

// As a file would have it; takes `raw`.
PrivateKey ThroughPem(EVP_PKEY* raw) {
  BIO* const bio = BIO_new(BIO_s_mem());
  EXPECT_EQ(PEM_write_bio_PKCS8PrivateKey(bio, raw, nullptr, nullptr, 0, nullptr, nullptr), 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  auto key = PrivateKey::FromPem(absl::string_view(data, static_cast<size_t>(size)));
  BIO_free(bio);
  EVP_PKEY_free(raw);
  return *std::move(key);
}

// RFC 8032, 7.1, test 3: that what signs here is Ed25519 and not something like it.
TEST(SignatureVectorTest, Ed25519IsThatOfTheRfc) {
  const std::string seed =
      base::HexDecode("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7").value();
  const PrivateKey key = ThroughPem(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed.data()), seed.size()));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string signature, SignBytes(key, "\xaf\x82"));
  EXPECT_EQ(base::HexEncode(signature),
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

TEST(SignatureVectorTest, KeysOfOtherKindsDoNotSign) {
  for (EVP_PKEY* const raw : {EVP_EC_gen("P-384"), EVP_RSA_gen(2048)}) {
    EXPECT_THAT(SignBytes(ThroughPem(raw), "list"),
                test::HasReason(base::Reason::kCredentialsInvalid));
  }
}

}  // namespace
}  // namespace cdgate::crypto
