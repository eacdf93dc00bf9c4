// A certificate's public key as the members of a JSON Web Key (RFC 7517, RFC 7518, RFC 8037).
//
//   for (const auto& [name, value] : crypto::PublicJwk(root)) ...   // "kty" "EC", "crv" "P-256", …
#pragma once

#include <map>
#include <string>

#include "auth/crypto/certificate.h"

namespace cdgate::crypto {

// kty and what is public of the key by its kind: crv, x and y of P-256, P-384 and P-521 (EC),
// crv and x of Ed25519 (OKP), n and e of RSA. Empty for keys of any other kind. Thread-safe.
std::map<std::string, std::string> PublicJwk(const Certificate& certificate);

}  // namespace cdgate::crypto
