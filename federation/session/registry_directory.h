// The registry of attestors as statements are verified by it.
//
//   RegistryDirectory directory(registry);
//   deps.attestors = &directory;
#pragma once

#include <optional>

#include "federation/attestation/attestor_directory.h"
#include "federation/session/attestor_registry.h"
#include "gateway/base/status_macros.h"

namespace cdgate::session {

// Thread-safe.
class RegistryDirectory final : public attestation::AttestorDirectory {
 public:
  // `registry` outlives it.
  explicit RegistryDirectory(AttestorRegistry& registry) : registry_(registry) {}

  absl::StatusOr<attestation::AttestorKey> Find(absl::string_view domain, absl::string_view key_id,
                                                absl::Time sign_time) override {
    CDGATE_ASSIGN_OR_RETURN(auto certificate, registry_.Find(domain, key_id, sign_time));
    return attestation::AttestorKey(std::move(certificate));
  }
  std::optional<federation::v1::AttestorCertificate> ChainOf(absl::string_view key_id) override {
    return registry_.ChainOf(key_id);
  }

 private:
  AttestorRegistry& registry_;
};

}  // namespace cdgate::session
