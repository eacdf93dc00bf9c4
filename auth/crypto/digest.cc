#include "auth/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "auth/crypto/openssl.h"

namespace cdgate::crypto {
namespace {

// Fetched once: a fetch per use costs more than hashing a kilobyte.
const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const algorithm = [] {
    EVP_MD* fetched = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    CheckOpenSsl(fetched != nullptr, "EVP_MD_fetch");
    return fetched;
  }();
  return algorithm;
}

}  // namespace

std::string Sha256(absl::string_view bytes) {
  std::string out(kSha256Bytes, '\0');
  CheckOpenSsl(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<uint8_t*>(out.data()),
                          nullptr, Sha256Algorithm(), nullptr) == 1,
               "EVP_Digest");
  return out;
}

std::string HmacSha256(absl::string_view key, absl::string_view bytes) {
  // A null key means "the key before" to OpenSSL; an empty one is a key.
  const char* key_data = key.empty() ? "" : key.data();
  std::string out(kSha256Bytes, '\0');
  unsigned size = 0;
  CheckOpenSsl(HMAC(Sha256Algorithm(), key_data, static_cast<int>(key.size()),
                    reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(),
                    reinterpret_cast<uint8_t*>(out.data()), &size) != nullptr,
               "HMAC");
  return out;
}

bool ConstantTimeEquals(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void Sha256Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256Hasher::Sha256Hasher() : context_(EVP_MD_CTX_new()) {
  CheckOpenSsl(context_ != nullptr, "EVP_MD_CTX_new");
  Reset();
}
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

void Sha256Hasher::Reset() {
  CheckOpenSsl(EVP_DigestInit_ex2(context_.get(), Sha256Algorithm(), nullptr) == 1,
               "EVP_DigestInit_ex2");
}

void Sha256Hasher::Update(absl::string_view bytes) {
  CheckOpenSsl(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1,
               "EVP_DigestUpdate");
}

Sha256Digest Sha256Hasher::FinalTo() {
  Sha256Digest digest;
  CheckOpenSsl(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1,
               "EVP_DigestFinal_ex");
  return digest;
}

std::string Sha256Hasher::Final() {
  const Sha256Digest digest = FinalTo();
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

}  // namespace cdgate::crypto
