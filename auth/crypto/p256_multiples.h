// Multiples of one point of P-256 (FIPS 186-4, D.1.2.3), kept, for whoever needs many of them.
//
//   const auto multiples = P256Multiples::Of(curve, point);  // null where that cannot be done
//   P256Sum sum;
//   multiples->Add(scalar, &sum);                            // sum += scalar * point
//   other->Add(other_scalar, &sum);
//   sum.HasX(x);
//
// A scalar has 37 digits of seven bits, each from -64 to 64, and what each of them stands for is in
// a table: a multiple is 37 additions, without doubling (E. Brickell and others, Fast
// Exponentiation with Precomputation, 1992). Only what is asked for is read, 64 bytes for a digit:
// which, and how long it takes, tells the scalar. FOR NUMBERS THAT ARE NO SECRET, which are those
// of who verifies. For the .cc files of this library.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "auth/crypto/modular_inverse.h"
#include "auth/crypto/p256_field.h"

namespace cdgate::crypto {

// False where `number` has more than 256 bits.
bool ReadNumber(const BIGNUM* number, Number256* out);

// A point that is not at infinity.
struct P256Point {
  FieldElement x;
  FieldElement y;
};

// A sum of points; of none, which is the point at infinity, at first.
class P256Sum {
 public:
  // Whatever `point` is: also what the sum is already, or the opposite of it.
  void Add(const P256Point& point);

  bool at_infinity() const { return z_.IsZero(); }
  // Whether its x coordinate is `x`. Not at infinity.
  bool HasX(const FieldElement& x) const { return !at_infinity() && x * Square(z_) == x_; }
  // Likewise y.
  bool HasY(const FieldElement& y) const { return !at_infinity() && y * Square(z_) * z_ == y_; }

  // It as a point, for who knows what 1 / z() is. Not at infinity.
  const FieldElement& z() const { return z_; }
  P256Point ByInverse(const FieldElement& inverse) const;

 private:
  void SetDouble(const P256Point& point);

  // X / Z^2 and Y / Z^3 are its coordinates; at infinity Z is 0.
  FieldElement x_ = FieldElement::One();
  FieldElement y_ = FieldElement::One();
  FieldElement z_;
};

// Immutable; thread-safe. 150 KiB.
class P256Multiples {
 public:
  // Takes some two milliseconds. `curve` is P-256; null where `point` is at infinity, or OpenSSL
  // does not say the same of the last multiple, on which all others are on the way.
  static std::unique_ptr<const P256Multiples> Of(const EC_GROUP* curve, const EC_POINT* point);

  // Any scalar of 256 bits.
  void Add(const Number256& scalar, P256Sum* sum) const;

 private:
  static constexpr size_t kDigitBits = 7;
  static constexpr size_t kDigits = 37;  // 259 bits
  static constexpr size_t kMultiples = size_t{1} << (kDigitBits - 1);

  using Sums = std::array<P256Sum, kMultiples>;
  // Its multiples from 1 on.
  static Sums MultiplesOf(const P256Point& unit);

  using Digits = std::array<int, kDigits>;
  static Digits DigitsOf(const Number256& scalar);

  P256Multiples() = default;
  // Keeps them, by one inverse for all (P. Montgomery, Speeding the Pollard and elliptic curve
  // methods of factorization, 1987, 10.3.1).
  void Keep(const Sums& sums);
  bool EndsAsOpenSslSays(const EC_GROUP* curve, const EC_POINT* point, BN_CTX* context) const;

  struct alignas(64) Kept : P256Point {};  // a line of the cache
  std::vector<Kept> points_;               // that of a digit's place and its value from 1 on
};

}  // namespace cdgate::crypto
