// The functions that OpenSSL 3 calls deprecated are used by Sha256Hasher, see there.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "auth/crypto/digest.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <utility>

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

// Pads by itself (FIPS 180-4, 5.1.1), so that all there is goes through in whole blocks: what a
// digest of a hundred bytes costs besides is mostly copies into the context's own block.
Sha256Digest Sha256Hasher::Hash(absl::string_view bytes) {
  constexpr size_t kLengthBytes = 8;
  const size_t whole = bytes.size() / SHA256_CBLOCK * SHA256_CBLOCK;
  const size_t rest = bytes.size() - whole;
  uint8_t last[2 * SHA256_CBLOCK] = {};
  if (rest > 0) std::memcpy(last, bytes.data() + whole, rest);
  last[rest] = 0x80;
  const size_t size = rest + 1 + kLengthBytes <= SHA256_CBLOCK ? SHA256_CBLOCK : sizeof last;
  const uint64_t bits = uint64_t{bytes.size()} * 8;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    last[size - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  }
  Reset();
  if (whole > 0) Update(bytes.substr(0, whole));
  Update({reinterpret_cast<const char*>(last), size});
  Sha256Digest digest;
  for (size_t i = 0; i < kSha256Bytes; ++i) {
    digest[i] = static_cast<uint8_t>(context_->h[i / 4] >> (24 - 8 * (i % 4)));
  }
  return digest;
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

// RFC 2104: H(K xor opad, H(K xor ipad, text)). The hash is where it is after the first block.
struct HmacSha256Key::States {
  States() = default;
  States(const States&) = delete;
  States& operator=(const States&) = delete;
  ~States() {
    OPENSSL_cleanse(&inner, sizeof inner);
    OPENSSL_cleanse(&outer, sizeof outer);
  }

  SHA256_CTX inner;
  SHA256_CTX outer;
};

namespace {

void StartWith(const std::array<uint8_t, SHA256_CBLOCK>& key, uint8_t pad, SHA256_CTX* context) {
  std::array<uint8_t, SHA256_CBLOCK> block;
  for (size_t i = 0; i < block.size(); ++i) block[i] = key[i] ^ pad;
  CheckOpenSsl(SHA256_Init(context) == 1, "SHA256_Init");
  CheckOpenSsl(SHA256_Update(context, block.data(), block.size()) == 1, "SHA256_Update");
  OPENSSL_cleanse(block.data(), block.size());
}

}  // namespace

HmacSha256Key::HmacSha256Key(absl::string_view key) {
  std::array<uint8_t, SHA256_CBLOCK> block{};
  const std::string hashed = key.size() > block.size() ? Sha256(key) : std::string();
  const absl::string_view used = hashed.empty() ? key : absl::string_view(hashed);
  std::copy(used.begin(), used.end(), block.begin());
  auto states = std::make_shared<States>();
  StartWith(block, 0x36, &states->inner);
  StartWith(block, 0x5c, &states->outer);
  OPENSSL_cleanse(block.data(), block.size());
  states_ = std::move(states);
}

Sha256Digest HmacSha256Key::Tag(std::initializer_list<absl::string_view> parts) const {
  SHA256_CTX context = states_->inner;
  for (const absl::string_view part : parts) {
    CheckOpenSsl(SHA256_Update(&context, part.data(), part.size()) == 1, "SHA256_Update");
  }
  Sha256Digest digest;
  CheckOpenSsl(SHA256_Final(digest.data(), &context) == 1, "SHA256_Final");
  context = states_->outer;
  CheckOpenSsl(SHA256_Update(&context, digest.data(), digest.size()) == 1, "SHA256_Update");
  CheckOpenSsl(SHA256_Final(digest.data(), &context) == 1, "SHA256_Final");
  return digest;
}

}  // namespace cdgate::crypto
