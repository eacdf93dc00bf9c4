// ECDSA over P-256 with SHA-256 by one public key, in half of OpenSSL's time, for whoever verifies
// many signatures of it. For the .cc files of this library: verifying_key.h is what others use.
//
// A signature (r, s) of a digest z fits where the x coordinate of z/s * G + r/s * Q is r (FIPS
// 186-4, 6.4; SEC 1, 4.1.4). G is the same for all, and OpenSSL has its multiples in a table; Q is
// the key, whose multiples it works out for each signature, which is two thirds of the work. Here
// they are in a table as well: OpenSSL makes and uses it as that of a group with Q for its base.
// 1/s is worked out by modular_inverse.h and checked, and the sum is not made affine: with
// coordinates (X, Y, Z) its x is X / Z^2, which is held against r without a division.
// Nothing here is secret, so that the time it takes tells nothing.
#pragma once

#include <openssl/ec.h>

#include <memory>
#include <utility>

#include "absl/strings/string_view.h"
#include "auth/crypto/modular_inverse.h"
#include "auth/crypto/openssl.h"

namespace cdgate::crypto {

// Immutable; thread-safe. 150 KiB.
class EcdsaTable {
 public:
  // Takes some 25 milliseconds. Null where `key` is not of P-256, or OpenSSL makes no table here.
  static std::unique_ptr<const EcdsaTable> Of(const EVP_PKEY* key);

  // Exactly what EVP_DigestVerify says of it; some 25 microseconds. `signature`: DER.
  [[nodiscard]] bool Fits(absl::string_view bytes, absl::string_view signature) const;

 private:
  using GroupPtr = std::unique_ptr<EC_GROUP, FreeWith<EC_GROUP_free>>;

  EcdsaTable(GroupPtr curve, GroupPtr by_key);
  const BIGNUM* order() const;
  bool Invert(const BIGNUM* s, BIGNUM* inverse, BN_CTX* context) const;
  bool HasX(const EC_POINT* point, const BIGNUM* x, BN_CTX* context) const;

  const GroupPtr curve_;
  const GroupPtr by_key_;  // its base is the key
  const BignumPtr field_;  // what coordinates are modulo
  const Number256 order_number_;
};

}  // namespace cdgate::crypto
