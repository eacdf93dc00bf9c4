// The keys of an identity provider: a JSON Web Key Set (RFC 7517), public keys alone.
//
//   CDGATE_ASSIGN_OR_RETURN(JwkSetPtr keys, JwkSet::Parse(text));
//   const Jwk* key = keys->Find(kid);
//   if (key == nullptr || !key->Fits("ES256") || !key->Verifies(token)) return Refuse();
//
// cjose does the cryptography (docs/adr/0020-identity-tokens.md); nothing else sees it.
#pragma once

#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct _cjose_jwk_int;  // NOLINT: cjose's name

namespace cdgate::oidc {

inline constexpr size_t kMaxJwkSetBytes = 256 << 10;
inline constexpr size_t kMaxKeys = 100;
inline constexpr size_t kMaxKeyIdBytes = 256;

// RS256 to RS512, PS256 to PS512, ES256 to ES512: all with a public key. There is neither
// "none" nor one with a shared secret.
bool KnownAlgorithm(absl::string_view algorithm);

// One key that verifies signatures. Immutable; thread-safe.
class Jwk {
 public:
  const std::string& id() const { return id_; }
  // SHA-256 of the key itself: whether the same id still is the same key.
  const std::string& thumbprint() const { return thumbprint_; }
  // Whether it is a key of that algorithm, and not said to be of another one.
  bool Fits(absl::string_view algorithm) const;
  // Whether the signature of `token`, in the compact form, is of this key by the algorithm in
  // its header, which Fits() has accepted. Some 50 to 150 microseconds.
  bool Verifies(absl::string_view token) const;

 private:
  friend class JwkSet;
  std::string id_;
  std::string kind_;       // "RSA", "P-256", "P-384", "P-521"
  std::string algorithm_;  // empty: any of its kind
  std::string thumbprint_;
  std::shared_ptr<_cjose_jwk_int> key_;
};

// Immutable; thread-safe.
class JwkSet {
 public:
  // IDENTITY_TOKEN_INVALID, saying why, for what is no key set; for two keys with one id, of
  // which nobody could say which is meant; for a private key, which is nobody's secret any
  // more; and where no key is left. Keys for other uses, of other kinds and without an id are
  // left out. RSA keys have 2,048 to 8,192 bits.
  static absl::StatusOr<std::shared_ptr<const JwkSet>> Parse(absl::string_view text);

  // Null where there is none.
  const Jwk* Find(absl::string_view id) const;
  size_t size() const { return keys_.size(); }

 private:
  absl::flat_hash_map<std::string, Jwk> keys_;
};
using JwkSetPtr = std::shared_ptr<const JwkSet>;

}  // namespace cdgate::oidc
