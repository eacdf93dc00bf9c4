// Certificates of any shape, also such as no CA of ours would issue.
//
//   const auto leaf = Forge({.uri_names = {"spiffe://beta.example/gateway/gw1"},
//                            .key = "RSA 1024"}, beta.ca);
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "auth/crypto/certificate_authority.h"

namespace cdgate::credentials {

struct Shape {
  std::vector<std::string> uri_names;
  absl::Duration from = -absl::Minutes(5);  // from now
  absl::Duration until = absl::Hours(1);
  std::string key = "P-256";  // or P-224, Ed25519, RSA 1024, RSA 2048
  std::string digest = "SHA256";
  // In OpenSSL's configuration language; empty: without this extension.
  std::string basic_constraints = "critical,CA:FALSE";
  std::string key_usage = "critical,digitalSignature";
  std::string extended_key_usage = "serverAuth,clientAuth";
  bool unknown_critical = false;  // an extension that nobody knows
  bool self_signed = false;
  bool with_issuers = true;  // false: the chain is the leaf alone
};

// By the issuer whose chain and key are given, unless it signs itself.
crypto::IssuedCertificate Forge(const Shape& shape, const std::string& issuer_chain_pem,
                                const std::string& issuer_key_pem);

}  // namespace cdgate::credentials
