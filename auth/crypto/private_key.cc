#include "auth/crypto/private_key.h"

#include <openssl/pkcs12.h>

#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

// OWASP's parameters for scrypt: 16 MiB, the most that OpenSSL's reader allows without
// being asked.
constexpr uint64_t kScryptN = 1 << 14;
constexpr uint64_t kScryptR = 8;
constexpr uint64_t kScryptP = 5;

struct FreeAlgorithm {
  void operator()(X509_ALGOR* algorithm) const { X509_ALGOR_free(algorithm); }
};
using AlgorithmPtr = std::unique_ptr<X509_ALGOR, FreeAlgorithm>;
using PlainInfoPtr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeWith<PKCS8_PRIV_KEY_INFO_free>>;
using SealedInfoPtr = std::unique_ptr<X509_SIG, FreeWith<X509_SIG_free>>;

struct Asked {
  const Passphrase& passphrase;
  bool asked = false;
};

// Called where the key is encrypted. Without it OpenSSL would ask on the terminal.
int GivePassphrase(char* out, int size, int, void* data) {
  Asked& asked = *static_cast<Asked*>(data);
  asked.asked = true;
  const absl::string_view text = asked.passphrase.text();
  if (text.empty() || text.size() > static_cast<size_t>(size)) return -1;
  std::memcpy(out, text.data(), text.size());
  return static_cast<int>(text.size());
}

absl::Status Unreadable(const Asked& asked) {
  std::string what = absl::StrCat("no PEM private key: ", TakeOpenSslError());
  if (asked.asked && asked.passphrase.empty()) {
    what = "the private key is encrypted, and no passphrase is given for it";
  } else if (asked.asked) {
    what = "the passphrase does not open the private key";
  }
  return base::MakeError(base::Reason::kCredentialsInvalid, what);
}

SealedInfoPtr Seal(const EVP_PKEY* key, absl::string_view passphrase) {
  const PlainInfoPtr plain(EVP_PKEY2PKCS8(key));
  AlgorithmPtr scrypt(
      PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, kScryptN, kScryptR, kScryptP));
  CheckOpenSsl(plain != nullptr && scrypt != nullptr, "PKCS5_pbe2_set_scrypt");
  SealedInfoPtr sealed(PKCS8_set0_pbe(passphrase.data(), static_cast<int>(passphrase.size()),
                                      plain.get(), scrypt.get()));
  CheckOpenSsl(sealed != nullptr, "PKCS8_set0_pbe");
  static_cast<void>(scrypt.release());  // the sealed form's now
  return sealed;
}

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

absl::StatusOr<PrivateKey> PrivateKey::FromPem(absl::string_view pem,
                                               const Passphrase& passphrase) {
  const ErrorScope errors;
  const BioPtr bio = ReadOnlyBio(pem);
  Asked asked{passphrase};
  EVP_PKEY* key = bio == nullptr
                      ? nullptr
                      : PEM_read_bio_PrivateKey(bio.get(), nullptr, GivePassphrase, &asked);
  if (key == nullptr) return Unreadable(asked);
  return PrivateKey(std::shared_ptr<evp_pkey_st>(key, EVP_PKEY_free));
}

bool PrivateKey::IsEncrypted(absl::string_view pem) {
  const size_t begin = pem.find("PRIVATE KEY-----");
  if (begin == absl::string_view::npos) return false;
  // PKCS#8 says so in its first line, older forms in the second.
  const absl::string_view rest = pem.substr(begin, pem.find("-----END", begin) - begin);
  return absl::EndsWith(pem.substr(0, begin), "-----BEGIN ENCRYPTED ") ||
         absl::StrContains(rest, "Proc-Type: 4,ENCRYPTED");
}

std::string PrivateKey::ToPem(const Passphrase& passphrase) const {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  CheckOpenSsl(bio != nullptr, "BIO_new");
  if (passphrase.empty()) {
    CheckOpenSsl(PEM_write_bio_PKCS8PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr,
                                               nullptr) == 1,
                 "PEM_write_bio_PKCS8PrivateKey");
  } else {
    const SealedInfoPtr sealed = Seal(key_.get(), passphrase.text());
    CheckOpenSsl(PEM_write_bio_PKCS8(bio.get(), sealed.get()) == 1, "PEM_write_bio_PKCS8");
  }
  return Contents(bio.get());
}

std::string PrivateKey::description() const { return KeyDescription(key_.get()); }

}  // namespace cdgate::crypto
