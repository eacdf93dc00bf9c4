#include "auth/crypto/public_jwk.h"

#include <openssl/core_names.h>

#include <algorithm>

#include "auth/crypto/openssl.h"
#include "gateway/base/encoding.h"

namespace cdgate::crypto {
namespace {

using Members = std::map<std::string, std::string>;

// Big-endian in at least `bytes`, base64url. Empty where the key has no such number.
std::string Number(const EVP_PKEY* key, const char* name, int bytes) {
  BIGNUM* found = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &found) != 1) return "";
  const BignumPtr number(found);
  std::string out(static_cast<size_t>(std::max(bytes, BN_num_bytes(number.get()))), '\0');
  CheckOpenSsl(BN_bn2binpad(number.get(), reinterpret_cast<uint8_t*>(out.data()),
                            static_cast<int>(out.size())) >= 0,
               "BN_bn2binpad");
  return base::Base64UrlEncode(out);
}

Members OfEc(const EVP_PKEY* key) {
  std::string curve = KeyDescription(key);
  if (curve == "secp384r1") curve = "P-384";
  if (curve == "secp521r1") curve = "P-521";
  if (curve != "P-256" && curve != "P-384" && curve != "P-521") return {};
  const int bytes = (EVP_PKEY_get_bits(key) + 7) / 8;
  return {{"kty", "EC"},
          {"crv", curve},
          {"x", Number(key, OSSL_PKEY_PARAM_EC_PUB_X, bytes)},
          {"y", Number(key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes)}};
}

Members OfEd25519(const EVP_PKEY* key) {
  uint8_t raw[32];
  size_t size = sizeof raw;
  if (EVP_PKEY_get_raw_public_key(key, raw, &size) != 1) return {};
  return {
      {"kty", "OKP"},
      {"crv", "Ed25519"},
      {"x", base::Base64UrlEncode(absl::string_view(reinterpret_cast<const char*>(raw), size))}};
}

}  // namespace

Members PublicJwk(const Certificate& certificate) {
  const ErrorScope errors;
  const EVP_PKEY* const key = X509_get0_pubkey(certificate.handle());
  if (key == nullptr) return {};
  if (EVP_PKEY_is_a(key, "EC") == 1) return OfEc(key);
  if (EVP_PKEY_is_a(key, "ED25519") == 1) return OfEd25519(key);
  if (EVP_PKEY_is_a(key, "RSA") != 1) return {};
  return {{"kty", "RSA"},
          {"n", Number(key, OSSL_PKEY_PARAM_RSA_N, 0)},
          {"e", Number(key, OSSL_PKEY_PARAM_RSA_E, 0)}};
}

}  // namespace cdgate::crypto
