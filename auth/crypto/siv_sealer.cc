#include "auth/crypto/siv_sealer.h"

#include <openssl/crypto.h>

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

const EVP_CIPHER* SivAlgorithm() {
  static const EVP_CIPHER* const algorithm = [] {
    EVP_CIPHER* fetched = EVP_CIPHER_fetch(nullptr, "AES-256-SIV", nullptr);
    CheckOpenSsl(fetched != nullptr, "EVP_CIPHER_fetch");
    return fetched;
  }();
  return algorithm;
}

const uint8_t* Bytes(absl::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

absl::Status NotSealedHere() {
  return base::MakeError(base::Reason::kTokenInvalid,
                         "the token was not made here, or was made for something else");
}

// SIV takes its associated data as an update without output.
bool AddAssociatedData(EVP_CIPHER_CTX* context, absl::string_view aad) {
  int size = 0;
  return EVP_CipherUpdate(context, nullptr, &size, Bytes(aad), static_cast<int>(aad.size())) == 1;
}

}  // namespace

absl::StatusOr<SivSealer> SivSealer::Create(absl::string_view key) {
  if (key.size() != kKeyBytes) {
    return base::MakeError(
        base::Reason::kInvalidArgument,
        absl::StrCat("a sealing key has ", kKeyBytes, " bytes, not ", key.size()));
  }
  return SivSealer(std::string(key));
}

SivSealer::~SivSealer() { OPENSSL_cleanse(key_.data(), key_.size()); }
SivSealer::SivSealer(SivSealer&& other) noexcept : key_(other.key_) {}
SivSealer& SivSealer::operator=(SivSealer&& other) noexcept {
  if (this != &other) {
    OPENSSL_cleanse(key_.data(), key_.size());
    key_ = other.key_;
  }
  return *this;
}

std::string SivSealer::Seal(absl::string_view plaintext, absl::string_view aad) const {
  const CipherContextPtr context(EVP_CIPHER_CTX_new());
  std::string out(kOverhead + plaintext.size(), '\0');
  uint8_t* const bytes = reinterpret_cast<uint8_t*>(out.data());
  int size = 0;
  CheckOpenSsl(
      context != nullptr && !plaintext.empty() &&
          EVP_EncryptInit_ex2(context.get(), SivAlgorithm(), Bytes(key_), nullptr, nullptr) == 1 &&
          AddAssociatedData(context.get(), aad) &&
          EVP_EncryptUpdate(context.get(), bytes + kOverhead, &size, Bytes(plaintext),
                            static_cast<int>(plaintext.size())) == 1 &&
          EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kOverhead, bytes) == 1,
      "AES-256-SIV encryption");
  return out;
}

absl::StatusOr<std::string> SivSealer::Open(absl::string_view sealed, absl::string_view aad) const {
  if (sealed.size() <= kOverhead || sealed.size() > INT_MAX) return NotSealedHere();
  const absl::string_view ciphertext = sealed.substr(kOverhead);
  std::string tag(sealed.substr(0, kOverhead));
  std::string out(ciphertext.size(), '\0');
  int size = 0;
  const ErrorScope errors;
  const CipherContextPtr context(EVP_CIPHER_CTX_new());
  CheckOpenSsl(
      context != nullptr &&
          EVP_DecryptInit_ex2(context.get(), SivAlgorithm(), Bytes(key_), nullptr, nullptr) == 1 &&
          EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kOverhead, tag.data()) == 1 &&
          AddAssociatedData(context.get(), aad),
      "AES-256-SIV decryption");
  const bool authentic =
      EVP_DecryptUpdate(context.get(), reinterpret_cast<uint8_t*>(out.data()), &size,
                        Bytes(ciphertext), static_cast<int>(ciphertext.size())) == 1;
  if (!authentic) {
    OPENSSL_cleanse(out.data(), out.size());
    return NotSealedHere();
  }
  return out;
}

}  // namespace cdgate::crypto
