// Signatures over bytes, by the key of a certificate.
//
//   CDGATE_ASSIGN_OR_RETURN(std::string signature, crypto::SignBytes(key, bytes));
//   ...elsewhere, with the certificate of that key:
//   if (!crypto::SignatureFits(certificate, bytes, signature)) return Refuse();
//
// Two kinds of keys sign, and each in one way, so that no algorithm is ever negotiated or
// named by whoever sends: P-256 by ECDSA with SHA-256, in DER (RFC 3279, 2.2.3), and Ed25519
// as it is (RFC 8032). What is signed should begin with a label that says what it is, so that
// a signature of one thing is never one of another.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"

namespace cdgate::crypto {

// No signature of either kind is longer.
inline constexpr size_t kMaxSignatureBytes = 72;

// CREDENTIALS_INVALID where the key is of another kind. Thread-safe; some 30 microseconds.
absl::StatusOr<std::string> SignBytes(const PrivateKey& key, absl::string_view bytes);

// Whether `signature` is one of `bytes` by the private key of `certificate`; false also where
// that key is of another kind. Says nothing of the certificate: verify it (verify.h), and see
// that may_sign_data(). Thread-safe; some 100 microseconds.
[[nodiscard]] bool SignatureFits(const Certificate& certificate, absl::string_view bytes,
                                 absl::string_view signature);

}  // namespace cdgate::crypto
