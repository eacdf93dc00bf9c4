// The functions that OpenSSL 3 calls deprecated are used by Sha256Hasher, see there.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "auth/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

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

// Not by EVP_MD_CTX: EVP_DigestInit_ex2() frees the algorithm's context and allocates
// another, each time. Several digests are made of every event.
void Sha256Hasher::Free::operator()(SHA256_CTX* context) const { delete context; }

Sha256Hasher::Sha256Hasher() : context_(new SHA256_CTX) { Reset(); }
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

void Sha256Hasher::Reset() { CheckOpenSsl(SHA256_Init(context_.get()) == 1, "SHA256_Init"); }

void Sha256Hasher::Update(absl::string_view bytes) {
  CheckOpenSsl(SHA256_Update(context_.get(), bytes.data(), bytes.size()) == 1, "SHA256_Update");
}

Sha256Digest Sha256Hasher::FinalTo() {
  Sha256Digest digest;
  CheckOpenSsl(SHA256_Final(digest.data(), context_.get()) == 1, "SHA256_Final");
  return digest;
}

std::string Sha256Hasher::Final() {
  const Sha256Digest digest = FinalTo();
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

}  // namespace cdgate::crypto
