// ECDSA over P-256 with SHA-256 by one public key, in half of OpenSSL's time, for whoever verifies
// many signatures of it. For the .cc files of this library: verifying_key.h is what others use.
//
// A signature (r, s) of a digest z fits where the x coordinate of z/s * G + r/s * Q is r (FIPS
// 186-4, 6.4; SEC 1, 4.1.4). G is the same for all, Q is the key, whose multiples OpenSSL works
// out for each signature, which is two thirds of its work. Here those of both are in tables, and of
// each table only what is needed is read (p256_multiples.h), as nothing in them is secret; OpenSSL
// reads all of its own, so that the time tells nothing, and whatever else was in the caches is
// gone. 1/s is worked out by modular_inverse.h and checked, and the sum is not divided by its Z.
#pragma once

#include <openssl/ec.h>

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "auth/crypto/modular_inverse.h"
#include "auth/crypto/openssl.h"
#include "auth/crypto/p256_multiples.h"

namespace cdgate::crypto {

// Immutable; thread-safe. 150 KiB, and as much for all of them together.
class EcdsaTable {
 public:
  // Takes some two milliseconds, the first time twice that. Null where `key` is not of P-256, or
  // OpenSSL makes no table here.
  static std::unique_ptr<const EcdsaTable> Of(const EVP_PKEY* key);

  // Exactly what EVP_DigestVerify says of it; some 20 microseconds. `signature`: DER.
  [[nodiscard]] bool Fits(absl::string_view bytes, absl::string_view signature) const;

 private:
  using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;

  EcdsaTable(GroupPtr curve, std::unique_ptr<const P256Multiples> of_key,
             const P256Multiples* of_base);
  const BIGNUM* order() const;
  bool Invert(const BIGNUM* s, BIGNUM* inverse, BN_CTX* context) const;
  bool HasX(const P256Sum& sum, const BIGNUM* x) const;

  const GroupPtr curve_;
  const std::unique_ptr<const P256Multiples> of_key_;
  const P256Multiples* const of_base_;
  const BignumPtr field_;  // what coordinates are modulo
  const Number256 order_number_;
};

}  // namespace cdgate::crypto
