#include "auth/crypto/private_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <string>

#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

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

TEST(PrivateKeyTest, IsReadBackWithItsPassphraseAlone) {
  const Passphrase right = Passphrase::FromText("correct horse").value();
  const Passphrase wrong = Passphrase::FromText("correct horses").value();
  for (const KeyType type : {KeyType::kP256, KeyType::kEd25519}) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const PrivateKey key, PrivateKey::Generate(type));
    const std::string pem = key.ToPem(right);
    EXPECT_EQ(pem.substr(0, 37), "-----BEGIN ENCRYPTED PRIVATE KEY-----");
    EXPECT_TRUE(PrivateKey::IsEncrypted(pem));
    EXPECT_FALSE(PrivateKey::IsEncrypted(key.ToPem()));
    CDGATE_ASSERT_OK_AND_ASSIGN(const PrivateKey read, PrivateKey::FromPem(pem, right));
    EXPECT_EQ(read.ToPem(), key.ToPem());
    EXPECT_THAT(PrivateKey::FromPem(pem, wrong),
                test::HasReasonAndMessage(base::Reason::kCredentialsInvalid,
                                          testing::HasSubstr("does not open the private key")));
    EXPECT_THAT(PrivateKey::FromPem(pem),
                test::HasReasonAndMessage(base::Reason::kCredentialsInvalid,
                                          testing::HasSubstr("no passphrase is given")));
    // One that is not needed does no harm.
    CDGATE_EXPECT_OK(PrivateKey::FromPem(key.ToPem(), wrong));
  }
}

// PBES2 with AES-256 and scrypt, as others read it.
TEST(PrivateKeyTest, IsEncryptedByScryptAndAes) {
  const Passphrase passphrase = Passphrase::FromText("p").value();
  const std::string pem = PrivateKey::Generate(KeyType::kP256).value().ToPem(passphrase);
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509_SIG* sealed = PEM_read_bio_PKCS8(bio, nullptr, nullptr, nullptr);
  ASSERT_NE(sealed, nullptr);
  const X509_ALGOR* algorithm = nullptr;
  X509_SIG_get0(sealed, &algorithm, nullptr);
  const void* parameter = nullptr;
  int type = 0;
  X509_ALGOR_get0(nullptr, &type, &parameter, algorithm);
  ASSERT_EQ(type, V_ASN1_SEQUENCE);
  const auto* text = static_cast<const ASN1_STRING*>(parameter);
  const std::string der(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                        static_cast<size_t>(ASN1_STRING_length(text)));
  const auto oid = [](int nid) {
    const ASN1_OBJECT* object = OBJ_nid2obj(nid);
    return std::string(reinterpret_cast<const char*>(OBJ_get0_data(object)), OBJ_length(object));
  };
  EXPECT_NE(der.find(oid(NID_id_scrypt)), std::string::npos);
  EXPECT_NE(der.find(oid(NID_aes_256_cbc)), std::string::npos);
  X509_SIG_free(sealed);
  BIO_free(bio);
}

TEST(PrivateKeyTest, DescribesItself) {
  EXPECT_EQ(PrivateKey::Generate(KeyType::kP256).value().description(), "P-256");
  EXPECT_EQ(PrivateKey::Generate(KeyType::kEd25519).value().description(), "Ed25519");
}

TEST(PassphraseTest, IsTheFirstLineOfAFileThatIsPrivate) {
  const test::TempDir dir;
  const std::string path = dir.File("passphrase");
  const PrivateKey key = PrivateKey::Generate(KeyType::kP256).value();
  const std::string pem = key.ToPem(Passphrase::FromText("two words").value());
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, "two words\r\nsecond line\n", 0600));
  CDGATE_ASSERT_OK_AND_ASSIGN(const Passphrase read, Passphrase::FromFile(path));
  CDGATE_EXPECT_OK(PrivateKey::FromPem(pem, read));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, "two words\n", 0644));
  EXPECT_THAT(Passphrase::FromFile(path),
              test::HasReasonAndMessage(base::Reason::kCredentialsInvalid,
                                        testing::HasSubstr("chmod 600")));
  EXPECT_THAT(Passphrase::FromFile(dir.File("none")),
              test::HasReason(base::Reason::kFileUnreadable));
  CDGATE_ASSERT_OK(base::WriteFileAtomically(path, "\n", 0600));
  EXPECT_THAT(Passphrase::FromFile(path), test::HasReason(base::Reason::kCredentialsInvalid));
  EXPECT_THAT(Passphrase::FromText(std::string(Passphrase::kMaxBytes + 1, 'x')),
              test::HasReason(base::Reason::kCredentialsInvalid));
}

TEST(PassphraseTest, ComesFromADescriptorToo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(write(ends[1], "from a pipe\n", 12), 12);
  close(ends[1]);
  const auto read = Passphrase::FromDescriptor(ends[0]);
  close(ends[0]);
  CDGATE_ASSERT_OK(read);
  const PrivateKey key = PrivateKey::Generate(KeyType::kP256).value();
  CDGATE_EXPECT_OK(
      PrivateKey::FromPem(key.ToPem(Passphrase::FromText("from a pipe").value()), *read));
  EXPECT_THAT(Passphrase::FromDescriptor(ends[0]), test::HasReason(base::Reason::kFileUnreadable));
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
