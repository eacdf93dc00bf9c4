// The keys of attestors whose certificates came in a file, under bundles that its reader has.
//
//   trust::TrustRegistry trusted;
//   CDGATE_RETURN_IF_ERROR(trusted.Replace("alpha.example", bundle_pem, crl_pems));
//   FileKeys keys(*trusted.Current(), absl::Now());
//   for (const std::string& pem : file.attestors()) CDGATE_RETURN_IF_ERROR(keys.Add(pem));
//   ChainVerifier verifier(keys);
//
// Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/trust/trust_registry.h"
#include "federation/attestation/attestor_keys.h"

namespace cdgate::attestation {

class FileKeys : public AttestorKeys {
 public:
  // `trusted` outlives it. `now` is for revocation lists alone.
  FileKeys(const trust::TrustSnapshot& trusted, absl::Time now) : trusted_(trusted), now_(now) {}

  // A certificate with what is between it and the root, PEM. CERTIFICATE_MALFORMED.
  absl::Status Add(absl::string_view chain_pem);

  absl::StatusOr<AttestorKey> Find(absl::string_view domain, absl::string_view key_id,
                                   absl::Time sign_time) override;

  // What the certificate calls itself, which is nothing to go by where Find() refused it: its
  // SPIFFE ID; empty where it did not come.
  std::string NameOf(absl::string_view key_id) const;

 private:
  const trust::TrustSnapshot& trusted_;
  const absl::Time now_;
  std::map<std::string, std::vector<crypto::Certificate>, std::less<>> chains_;  // by key id
};

}  // namespace cdgate::attestation
