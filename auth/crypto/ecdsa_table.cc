// SHA256_Init() and the others are deprecated in OpenSSL 3.0; digest.h says why they are used.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/crypto/ecdsa_table.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <utility>

#include "auth/crypto/signature.h"

namespace cdgate::crypto {
namespace {

constexpr size_t kMaxPointBytes = 65;  // uncompressed

using ContextPtr = std::unique_ptr<BN_CTX, FreeWith<BN_CTX_free>>;
using PointPtr = std::unique_ptr<EC_POINT, FreeWith<EC_POINT_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;

// Null where the key is not a point of `curve`.
PointPtr PointOf(const EVP_PKEY* key, const EC_GROUP* curve) {
  std::array<unsigned char, kMaxPointBytes> bytes;
  size_t size = 0;
  PointPtr point(EC_POINT_new(curve));
  const bool read = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes.data(),
                                                    bytes.size(), &size) == 1 &&
                    EC_POINT_oct2point(curve, point.get(), bytes.data(), size, nullptr) == 1;
  return read ? std::move(point) : nullptr;
}

// Null where it is not in DER, which has one form of each signature.
SignaturePtr ReadDer(absl::string_view der) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* at = bytes;
  if (der.size() > kMaxSignatureBytes) return nullptr;
  SignaturePtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (signature == nullptr || at != bytes + der.size()) return nullptr;
  std::array<unsigned char, kMaxSignatureBytes> again;
  unsigned char* end = again.data();
  const int size = i2d_ECDSA_SIG(signature.get(), nullptr);
  if (size != static_cast<int>(der.size()) || i2d_ECDSA_SIG(signature.get(), &end) != size) {
    return nullptr;
  }
  return std::equal(bytes, at, again.data()) ? std::move(signature) : nullptr;
}

bool IsScalar(const BIGNUM* number, const BIGNUM* order) {
  return BN_is_negative(number) == 0 && BN_is_zero(number) == 0 && BN_cmp(number, order) < 0;
}

// SHA-256 of `bytes`; the order of P-256 has as many bits.
bool ReadDigest(absl::string_view bytes, BIGNUM* out) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256_CTX context;
  return SHA256_Init(&context) == 1 && SHA256_Update(&context, bytes.data(), bytes.size()) == 1 &&
         SHA256_Final(digest.data(), &context) == 1 &&
         BN_bin2bn(digest.data(), digest.size(), out) != nullptr;
}

constexpr int kNumberBytes = 32;

// Of at most 256 bits.
Number256 NumberOf(const BIGNUM* number) {
  Number256 out;
  CheckOpenSsl(ReadNumber(number, &out), "ECDSA");
  return out;
}

bool SetNumber(const Number256& number, BIGNUM* out) {
  std::array<unsigned char, kNumberBytes> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<unsigned char>(number[i / 8] >> (i % 8 * 8));
  }
  return BN_lebin2bn(bytes.data(), kNumberBytes, out) != nullptr;
}

BignumPtr FieldOf(const EC_GROUP* curve) {
  BignumPtr field(BN_new());
  CheckOpenSsl(EC_GROUP_get_curve(curve, field.get(), nullptr, nullptr, nullptr) == 1,
               "EC_GROUP_get_curve");
  return field;
}

// Those of the curve's base, once for all keys, from the first one on. Null where that failed.
const P256Multiples* MultiplesOfBase(const EC_GROUP* curve) {
  static const P256Multiples* const multiples =
      P256Multiples::Of(curve, EC_GROUP_get0_generator(curve)).release();
  return multiples;
}

}  // namespace

std::unique_ptr<const EcdsaTable> EcdsaTable::Of(const EVP_PKEY* key) {
  const ErrorScope errors;
  GroupPtr curve(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  CheckOpenSsl(curve != nullptr, "EC_GROUP_new_by_curve_name");
  const PointPtr point = PointOf(key, curve.get());
  if (point == nullptr) return nullptr;
  auto of_key = P256Multiples::Of(curve.get(), point.get());
  const P256Multiples* const of_base = MultiplesOfBase(curve.get());
  if (of_key == nullptr || of_base == nullptr) return nullptr;
  return std::unique_ptr<const EcdsaTable>(
      new EcdsaTable(std::move(curve), std::move(of_key), of_base));
}

EcdsaTable::EcdsaTable(GroupPtr curve, std::unique_ptr<const P256Multiples> of_key,
                       const P256Multiples* of_base)
    : curve_(std::move(curve)),
      of_key_(std::move(of_key)),
      of_base_(of_base),
      field_(FieldOf(curve_.get())),
      order_number_(NumberOf(order())) {}

const BIGNUM* EcdsaTable::order() const { return EC_GROUP_get0_order(curve_.get()); }

// `inverse` = 1 / s modulo the order, whoever works it out.
bool EcdsaTable::Invert(const BIGNUM* s, BIGNUM* inverse, BN_CTX* context) const {
  const BignumPtr product(BN_new());
  const bool inverted = SetNumber(InverseModulo(NumberOf(s), order_number_), inverse) &&
                        BN_mod_mul(product.get(), s, inverse, order(), context) == 1 &&
                        BN_is_one(product.get()) == 1;
  return inverted || BN_mod_inverse(inverse, s, order(), context) != nullptr;
}

// Whether the x coordinate of `sum`, modulo the order, is `x`. Not where it is at infinity.
bool EcdsaTable::HasX(const P256Sum& sum, const BIGNUM* x) const {
  const BignumPtr candidate(BN_dup(x));
  // The field is larger than the order, but not twice: there may be two.
  while (candidate != nullptr && BN_cmp(candidate.get(), field_.get()) < 0) {
    if (sum.HasX(FieldElement::Of(NumberOf(candidate.get())))) return true;
    if (BN_add(candidate.get(), candidate.get(), order()) != 1) return false;
  }
  return false;
}

bool EcdsaTable::Fits(absl::string_view bytes, absl::string_view signature) const {
  const ErrorScope errors;
  const SignaturePtr read = ReadDer(signature);
  if (read == nullptr) return false;
  const BIGNUM* r = ECDSA_SIG_get0_r(read.get());
  const BIGNUM* s = ECDSA_SIG_get0_s(read.get());
  if (!IsScalar(r, order()) || !IsScalar(s, order())) return false;
  const ContextPtr context(BN_CTX_new());
  const BignumPtr z(BN_new());
  const BignumPtr inverse(BN_new());
  const BignumPtr by_base(BN_new());
  const BignumPtr by_key(BN_new());
  CheckOpenSsl(context != nullptr && z != nullptr && inverse != nullptr && by_base != nullptr &&
                   by_key != nullptr,
               "ECDSA");
  const bool worked_out =
      ReadDigest(bytes, z.get()) && Invert(s, inverse.get(), context.get()) &&
      BN_mod_mul(by_base.get(), z.get(), inverse.get(), order(), context.get()) == 1 &&
      BN_mod_mul(by_key.get(), r, inverse.get(), order(), context.get()) == 1;
  if (!worked_out) return false;
  P256Sum sum;
  of_base_->Add(NumberOf(by_base.get()), &sum);
  of_key_->Add(NumberOf(by_key.get()), &sum);
  return HasX(sum, r);
}

}  // namespace cdgate::crypto
