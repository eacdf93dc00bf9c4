// Certificates of attestors, of our own and of other domains', as sessions need them.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "federation/attestation/attestor_keys.h"

namespace cdgate::attestation {

// Thread-safe.
class AttestorDirectory : public AttestorKeys {
 public:
  // What others need of a key to verify what it signed; none: it is not known here.
  virtual std::optional<federation::v1::AttestorCertificate> ChainOf(absl::string_view key_id) = 0;
};

}  // namespace cdgate::attestation
