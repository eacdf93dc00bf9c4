#include "auth/crypto/private_key.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace cdgate::crypto {
namespace {

TEST(PrivateKeyTest, GoesThroughPem) {
  for (const KeyType type : {KeyType::kP256, KeyType::kEd25519}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const PrivateKey key, PrivateKey::Generate(type));
    const std::string pem = key.ToPem();
    EXPECT_EQ(pem.substr(0, 27), "-----BEGIN PRIVATE KEY-----");
    CDGATE_ASSERT_OK_AND_ASSIGN(const PrivateKey read, PrivateKey::FromPem(pem));
    EXPECT_EQ(read.ToPem(), pem);
  }
}

TEST(PrivateKeyTest, RefusesWhatIsNoKeyWithoutQuotingIt) {
  const auto refused = PrivateKey::FromPem("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n");
  EXPECT_THAT(refused, test::HasReason(base::Reason::kCredentialsInvalid));
  EXPECT_EQ(refused.status().message().find("c2VjcmV0"), absl::string_view::npos);
  EXPECT_THAT(PrivateKey::FromPem(""), test::HasReason(base::Reason::kCredentialsInvalid));
}

TEST(PrivateKeyTest, RefusesAnEncryptedKeyWithoutAsking) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  BIO* bio = BIO_new(BIO_s_mem());
  char pass[] = "pass";
  ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_256_cbc(), pass, 4, nullptr, nullptr),
            1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  EXPECT_THAT(PrivateKey::FromPem(absl::string_view(data, static_cast<size_t>(size))),
              test::HasReason(base::Reason::kCredentialsInvalid));
  BIO_free(bio);
  EVP_PKEY_free(key);
}

}  // namespace
}  // namespace cdgate::crypto
