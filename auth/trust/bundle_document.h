// Trust bundles in the form that SPIFFE exchanges (SPIFFE Trust Domain and Bundle, section 4):
// a JWK set with the roots as x5c.
//
//   {"spiffe_sequence":2,"spiffe_refresh_hint":86400,
//    "keys":[{"kty":"EC","use":"x509-svid","crv":"P-256","x":"…","y":"…","x5c":["MIIB…"]}]}
//
//   CDGATE_ASSIGN_OR_RETURN(auto document, trust::BundleDocument::Parse(json));
//   registry.Replace("beta.example", crypto::ToPem(document.roots), {});
//
// Whose bundle it is, a document does not say: whoever brings it has to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"

namespace cdgate::trust {

// A value.
struct BundleDocument {
  static constexpr size_t kMaxBytes = 1 << 20;

  std::vector<crypto::Certificate> roots;      // at most Certificate::kMaxCertificates
  std::optional<uint64_t> sequence;            // spiffe_sequence
  std::optional<absl::Duration> refresh_hint;  // spiffe_refresh_hint, whole seconds

  // Reads what a consumer has to: keys of an unknown kty or use, of jwt-svid, and without an x5c
  // are passed over, as are members that are not known and certificates behind the first one of
  // an x5c. Strict in what counts: the text is one JSON object of at most kMaxBytes, no member
  // that is read comes twice in it, `keys` is there, a sequence and a hint are whole numbers
  // from 0, an x5c is base64 of exactly one certificate in DER, and where a key has public
  // members they are those of the certificate. No x509-svid key at all is not an error: such
  // a domain trusts nobody. CERTIFICATE_MALFORMED, saying which key.
  static absl::StatusOr<BundleDocument> Parse(absl::string_view json);

  // In the form above, on several lines. CERTIFICATE_MALFORMED where a root has a key that is
  // neither EC, Ed25519 nor RSA.
  absl::StatusOr<std::string> ToJson() const;
};

// Whether the text begins as a document does, and not as PEM.
bool LooksLikeBundleDocument(absl::string_view text);

// The roots in either form, as PEM: a PEM text as it is, unread. CERTIFICATE_MALFORMED where a
// document does not parse or has no root.
absl::StatusOr<std::string> BundlePemOf(absl::string_view text);

}  // namespace cdgate::trust
