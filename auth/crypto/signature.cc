// The functions that sign by an EC key itself are deprecated in OpenSSL 3.0.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/crypto/signature.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "auth/crypto/public_key.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;

const unsigned char* Data(absl::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

bool IsP256(const EVP_PKEY* key) {
  char name[32];
  size_t size = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, name, sizeof name, &size) == 1 &&
         absl::string_view(name, size) == "prime256v1";
}

// How `key` signs: with a digest, or (*digest null) by itself. False: not at all.
bool DigestFor(const EVP_PKEY* key, const EVP_MD** digest) {
  *digest = IsP256(key) ? EVP_sha256() : nullptr;
  return *digest != nullptr || EVP_PKEY_is_a(key, "ED25519") == 1;
}

bool Fits(EVP_PKEY* key, absl::string_view bytes, absl::string_view signature) {
  const EVP_MD* digest = nullptr;
  if (key == nullptr || signature.size() > kMaxSignatureBytes || !DigestFor(key, &digest)) {
    return false;
  }
  const DigestContextPtr context(EVP_MD_CTX_new());
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), Data(signature), signature.size(), Data(bytes),
                          bytes.size()) == 1;
}

// Null where it is another one.
EC_KEY* P256KeyOf(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return nullptr;
  const EC_KEY* const ec_key = EVP_PKEY_get0_EC_KEY(key);
  const bool fits = ec_key != nullptr &&
                    EC_GROUP_get_curve_name(EC_KEY_get0_group(ec_key)) == NID_X9_62_prime256v1;
  return fits ? const_cast<EC_KEY*>(ec_key) : nullptr;  // ECDSA_sign does not change it
}

// By the key itself: what EVP_DigestSign looks up for each signature is a quarter of the time where
// nothing of it is in a cache. Empty where the key is another one.
std::string SignByP256(const EVP_PKEY* key, absl::string_view bytes) {
  EC_KEY* const ec_key = P256KeyOf(key);
  if (ec_key == nullptr) return "";
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256_CTX context;
  std::string signature(kMaxSignatureBytes, '\0');
  unsigned int size = 0;
  const bool done =
      SHA256_Init(&context) == 1 && SHA256_Update(&context, bytes.data(), bytes.size()) == 1 &&
      SHA256_Final(digest.data(), &context) == 1 &&
      ECDSA_sign(0, digest.data(), digest.size(),
                 reinterpret_cast<unsigned char*>(signature.data()), &size, ec_key) == 1;
  signature.resize(done ? size : 0);
  return signature;
}

}  // namespace

absl::StatusOr<std::string> SignBytes(const PrivateKey& key, absl::string_view bytes) {
  const ErrorScope errors;
  if (std::string signature = SignByP256(key.handle(), bytes); !signature.empty()) {
    return signature;
  }
  const EVP_MD* digest = nullptr;
  if (!DigestFor(key.handle(), &digest)) {
    return base::MakeError(
        base::Reason::kCredentialsInvalid,
        "the key is neither of P-256 nor of Ed25519 and cannot sign; have a certificate issued "
        "for such a key");
  }
  const DigestContextPtr context(EVP_MD_CTX_new());
  std::string signature(kMaxSignatureBytes, '\0');
  size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key.handle()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     Data(bytes), bytes.size()) != 1) {
    return base::MakeError(base::Reason::kInternal,
                           absl::StrCat("cannot sign: ", TakeOpenSslError()));
  }
  signature.resize(size);
  return signature;
}

bool SignatureFits(const Certificate& certificate, absl::string_view bytes,
                   absl::string_view signature) {
  const ErrorScope errors;
  return Fits(X509_get0_pubkey(certificate.handle()), bytes, signature);
}

absl::StatusOr<PublicKey> PublicKey::FromPem(absl::string_view pem) {
  const ErrorScope errors;
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CheckOpenSsl(bio != nullptr, "BIO_new_mem_buf");
  return FromHandle(std::shared_ptr<EVP_PKEY>(
      PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free));
}

absl::StatusOr<PublicKey> PublicKey::Of(const PrivateKey& key) {
  CheckOpenSsl(EVP_PKEY_up_ref(key.handle()) == 1, "EVP_PKEY_up_ref");
  return FromHandle(std::shared_ptr<EVP_PKEY>(key.handle(), EVP_PKEY_free));
}

absl::StatusOr<PublicKey> PublicKey::FromHandle(std::shared_ptr<EVP_PKEY> key) {
  const EVP_MD* digest = nullptr;
  if (key != nullptr && DigestFor(key.get(), &digest)) return PublicKey(std::move(key));
  return base::MakeError(
      base::Reason::kCredentialsInvalid,
      "not a public key of P-256 or Ed25519 in PEM; openssl pkey -pubout writes one");
}

bool PublicKey::SignatureFits(absl::string_view bytes, absl::string_view signature) const {
  const ErrorScope errors;
  return Fits(key_.get(), bytes, signature);
}

}  // namespace cdgate::crypto
