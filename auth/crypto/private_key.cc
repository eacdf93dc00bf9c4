#include "auth/crypto/private_key.h"

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

// Without it OpenSSL would ask for the pass phrase on the terminal.
int RefusePassPhrase(char*, int, int, void*) { return -1; }

}  // namespace

absl::StatusOr<PrivateKey> PrivateKey::Generate(KeyType type) {
  const ErrorScope errors;
  EVP_PKEY* key =
      type == KeyType::kP256 ? EVP_EC_gen("P-256") : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (key == nullptr) {
    return base::MakeError(base::Reason::kInternal,
                           absl::StrCat("cannot generate a key: ", TakeOpenSslError()));
  }
  return PrivateKey(std::shared_ptr<evp_pkey_st>(key, EVP_PKEY_free));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(absl::string_view pem) {
  const ErrorScope errors;
  const BioPtr bio = ReadOnlyBio(pem);
  EVP_PKEY* key = bio == nullptr
                      ? nullptr
                      : PEM_read_bio_PrivateKey(bio.get(), nullptr, RefusePassPhrase, nullptr);
  if (key == nullptr) {
    return base::MakeError(base::Reason::kCredentialsInvalid,
                           absl::StrCat("no unencrypted PEM private key: ", TakeOpenSslError()));
  }
  return PrivateKey(std::shared_ptr<evp_pkey_st>(key, EVP_PKEY_free));
}

std::string PrivateKey::ToPem() const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  CheckOpenSsl(bio != nullptr && PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr,
                                                               nullptr, 0, nullptr, nullptr) == 1,
               "PEM_write_bio_PKCS8PrivateKey");
  return Contents(bio.get());
}

}  // namespace cdgate::crypto
