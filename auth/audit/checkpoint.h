// Checkpoints: entries that the gateway signs with the key of its own certificate. Since each
// entry holds the hash of the one before, a signature over one stands for all before it.
//
// Signed is kCheckpointLabel followed by the bytes of the line before `,"signature":"`, by
// crypto::SignBytes; the line carries the certificate chain, so that it can be verified years
// later with nothing but the domain's bundle of that time. Pure; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::audit {

inline constexpr absl::string_view kCheckpointLabel = "cdgate audit checkpoint 1\n";

// At most so many entries go without a checkpoint; more without one mean that checkpoints
// were taken out.
inline constexpr uint64_t kEntriesPerCheckpoint = 256;

// The key that signs, and what shows whose it is. Thread-safe functions.
struct Signer {
  std::string id;                         // SPIFFE ID of the gateway
  std::vector<std::string> certificates;  // DER, leaf first
  std::function<absl::StatusOr<std::string>(absl::string_view bytes)> sign;
};

// The signer in use: another one after the gateway's certificate was renewed.
using SignerSource = std::function<absl::StatusOr<Signer>()>;

// Of a PEM chain and its PEM key. CREDENTIALS_INVALID, CERTIFICATE_MALFORMED.
absl::StatusOr<Signer> MakeSigner(absl::string_view chain_pem, absl::string_view key_pem);

// What a checkpoint says besides.
struct Checkpoint {
  absl::string_view reason;  // "file", "interval", "entries", "stop"
  uint64_t state_commit = 0;
  std::string domain = {};
  std::string instance = {};
};

// The whole line of a checkpoint. Where `signer` is an error the line says so instead of
// carrying a signature.
std::string MakeCheckpoint(uint64_t number, absl::Time time, absl::string_view previous,
                           const Checkpoint& checkpoint, const absl::StatusOr<Signer>& signer);

// Whether a line of the kind checkpoint, read before, carries a signature at all.
bool IsSigned(absl::string_view line);

// The SPIFFE ID whose key signed `line`: by the certificate that it carries, and, where
// `bundle_pem` is not empty, only where that certificate verifies against this bundle at the
// time of the checkpoint and is the gateway's that the line names. AUDIT_DAMAGED saying what
// is wrong.
absl::StatusOr<std::string> VerifyCheckpoint(absl::string_view line, absl::string_view bundle_pem);

}  // namespace cdgate::audit
