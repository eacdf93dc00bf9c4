#include "auth/crypto/p256_multiples.h"

#include <cstdlib>
#include <optional>
#include <utility>

#include "auth/crypto/openssl.h"

namespace cdgate::crypto {
namespace {

using ContextPtr = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using PointPtr = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;

// None at infinity.
std::optional<P256Point> Read(const EC_GROUP* curve, const EC_POINT* point, BN_CTX* context) {
  const BignumPtr x(BN_new());
  const BignumPtr y(BN_new());
  Number256 x_number;
  Number256 y_number;
  const bool read = EC_POINT_get_affine_coordinates(curve, point, x.get(), y.get(), context) == 1 &&
                    ReadNumber(x.get(), &x_number) && ReadNumber(y.get(), &y_number);
  if (!read) return std::nullopt;
  return P256Point{FieldElement::Of(x_number), FieldElement::Of(y_number)};
}

P256Point Opposite(const P256Point& point) { return {point.x, FieldElement() - point.y}; }

}  // namespace

bool ReadNumber(const BIGNUM* number, Number256* out) {
  std::array<unsigned char, sizeof(Number256)> bytes;
  if (BN_bn2lebinpad(number, bytes.data(), static_cast<int>(bytes.size())) < 0) return false;
  *out = {};
  for (size_t i = 0; i < bytes.size(); ++i) (*out)[i / 8] |= uint64_t{bytes[i]} << (i % 8 * 8);
  return true;
}

// D. Hankerson and others, Guide to Elliptic Curve Cryptography, algorithm 3.22.
void P256Sum::Add(const P256Point& point) {
  if (at_infinity()) {
    x_ = point.x;
    y_ = point.y;
    z_ = FieldElement::One();
    return;
  }
  const FieldElement z_squared = Square(z_);
  const FieldElement x_apart = point.x * z_squared - x_;
  const FieldElement y_apart = point.y * (z_ * z_squared) - y_;
  if (x_apart.IsZero()) {
    if (y_apart.IsZero()) return SetDouble(point);
    z_ = FieldElement();  // a point and its opposite
    return;
  }
  const FieldElement squared = Square(x_apart);
  const FieldElement cubed = squared * x_apart;
  const FieldElement shared = x_ * squared;
  const FieldElement x = Square(y_apart) - cubed - Double(shared);
  y_ = y_apart * (shared - x) - y_ * cubed;
  x_ = x;
  z_ = z_ * x_apart;
}

// The tangent's slope is 3 (x - 1)(x + 1) / 2y, as a is -3. There is no point with a y of zero.
void P256Sum::SetDouble(const P256Point& point) {
  const FieldElement one = FieldElement::One();
  const FieldElement product = (point.x - one) * (point.x + one);
  const FieldElement slope = Double(product) + product;
  const FieldElement y_squared = Square(Double(point.y));  // 4 y^2
  const FieldElement shared = point.x * y_squared;
  x_ = Square(slope) - Double(shared);
  // 8 y^4 are half of the square of 4 y^2: y^2 * 2 * 4 y^2.
  y_ = slope * (shared - x_) - Double(Square(point.y)) * y_squared;
  z_ = Double(point.y);
}

P256Point P256Sum::ByInverse(const FieldElement& inverse) const {
  const FieldElement squared = Square(inverse);
  return {x_ * squared, y_ * squared * inverse};
}

std::unique_ptr<const P256Multiples> P256Multiples::Of(const EC_GROUP* curve,
                                                       const EC_POINT* point) {
  const ContextPtr context(BN_CTX_new());
  CheckOpenSsl(context != nullptr, "P-256");
  std::optional<P256Point> unit = Read(curve, point, context.get());
  if (!unit) return nullptr;
  auto made = std::unique_ptr<P256Multiples>(new P256Multiples);
  made->points_.reserve(kDigits * kMultiples);
  for (size_t digit = 0; digit < kDigits; ++digit) {
    made->Keep(MultiplesOf(*unit));
    // Twice the last one is the first of the next digit.
    P256Sum next;
    next.Add(made->points_.back());
    next.Add(made->points_.back());
    unit = next.ByInverse(Inverse(next.z()));
  }
  return made->EndsAsOpenSslSays(curve, point, context.get()) ? std::move(made) : nullptr;
}

P256Multiples::Sums P256Multiples::MultiplesOf(const P256Point& unit) {
  Sums sums;
  P256Sum sum;
  for (P256Sum& multiple : sums) {
    sum.Add(unit);
    multiple = sum;
  }
  return sums;
}

// None is at infinity: of a prime order neither powers of two nor numbers up to 64 are multiples.
void P256Multiples::Keep(const Sums& sums) {
  std::array<FieldElement, kMultiples> before;  // products of the z before each
  FieldElement product = FieldElement::One();
  for (size_t i = 0; i < kMultiples; ++i) {
    before[i] = product;
    product = product * sums[i].z();
  }
  FieldElement inverse = Inverse(product);
  points_.resize(points_.size() + kMultiples);
  for (size_t i = kMultiples; i-- > 0;) {
    points_[points_.size() - kMultiples + i] = Kept{sums[i].ByInverse(inverse * before[i])};
    inverse = inverse * sums[i].z();
  }
}

bool P256Multiples::EndsAsOpenSslSays(const EC_GROUP* curve, const EC_POINT* point,
                                      BN_CTX* context) const {
  const BignumPtr scalar(BN_new());
  const PointPtr multiple(EC_POINT_new(curve));
  CheckOpenSsl(scalar != nullptr && multiple != nullptr, "P-256");
  constexpr int kLast = kDigitBits * kDigits - 1;  // 64 is the highest bit of a digit
  const bool multiplied =
      BN_set_bit(scalar.get(), kLast) == 1 &&
      BN_nnmod(scalar.get(), scalar.get(), EC_GROUP_get0_order(curve), context) == 1 &&
      EC_POINT_mul(curve, multiple.get(), nullptr, point, scalar.get(), context) == 1;
  if (!multiplied) return false;
  const auto said = Read(curve, multiple.get(), context);
  return said && said->x == points_.back().x && said->y == points_.back().y;
}

// A digit above 64 is taken as negative, and one more is in the next.
P256Multiples::Digits P256Multiples::DigitsOf(const Number256& scalar) {
  constexpr uint64_t kMask = (uint64_t{1} << kDigitBits) - 1;
  Digits digits;
  int carry = 0;
  for (size_t i = 0; i < kDigits; ++i) {
    const size_t word = i * kDigitBits / 64;
    const size_t bit = i * kDigitBits % 64;
    uint64_t bits = scalar[word] >> bit;
    if (bit + kDigitBits > 64 && word + 1 < scalar.size()) bits |= scalar[word + 1] << (64 - bit);
    const int value = static_cast<int>(bits & kMask) + carry;
    carry = value > static_cast<int>(kMultiples) ? 1 : 0;
    digits[i] = value - (carry << kDigitBits);
  }
  return digits;
}

void P256Multiples::Add(const Number256& scalar, P256Sum* sum) const {
  const Digits digits = DigitsOf(scalar);
  const auto at = [&](size_t i) -> const P256Point* {
    return &points_[i * kMultiples + static_cast<size_t>(std::abs(digits[i])) - 1];
  };
  // They are all over the table, and known already.
  for (size_t i = 0; i < kDigits; ++i) {
    if (digits[i] != 0) __builtin_prefetch(at(i));
  }
  for (size_t i = 0; i < kDigits; ++i) {
    if (digits[i] != 0) sum->Add(digits[i] > 0 ? *at(i) : Opposite(*at(i)));
  }
}

}  // namespace cdgate::crypto
