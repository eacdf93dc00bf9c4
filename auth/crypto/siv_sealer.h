// Encrypts and authenticates short secrets with AES-256-SIV (RFC 5297): resume
// tokens, the secrets of invites.
//
//   CDGATE_ASSIGN_OR_RETURN(crypto::SivSealer sealer, crypto::SivSealer::Create(key));
//   const std::string sealed = sealer.Seal(plaintext, "peer=beta.example;direction=export");
//   auto opened = sealer.Open(sealed, "peer=beta.example;direction=export");
//
// Deterministic: the same plaintext under the same associated data gives the same
// bytes, so no nonce can be reused by mistake, and whoever sees two equal sealed values
// learns that they are equal; put something unique into either where that matters.
// The sealed form is the 16-byte tag followed by as many bytes as the plaintext has.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::crypto {

// Immutable after Create(); thread-safe. The key is wiped at destruction.
class SivSealer {
 public:
  static constexpr size_t kKeyBytes = 64;
  static constexpr size_t kOverhead = 16;

  // INVALID_ARGUMENT where the key does not have kKeyBytes.
  static absl::StatusOr<SivSealer> Create(absl::string_view key);

  ~SivSealer();
  SivSealer(SivSealer&&) noexcept;
  SivSealer& operator=(SivSealer&&) noexcept;

  // `plaintext` of at least one byte. `aad` is not stored: Open() needs the same.
  std::string Seal(absl::string_view plaintext, absl::string_view aad) const;

  // TOKEN_INVALID where the bytes were not sealed with this key and this `aad`; which of
  // the two, or what else, is not told.
  absl::StatusOr<std::string> Open(absl::string_view sealed, absl::string_view aad) const;

 private:
  explicit SivSealer(std::string key) : key_(std::move(key)) {}
  std::string key_;
};

}  // namespace cdgate::crypto
