// Resume tokens sealed with AES-256-SIV under a key that never leaves this gateway.
//
//   CDGATE_ASSIGN_OR_RETURN(auto sealer, SivTokenSealer::Create(key, base::SystemRandom()));
//
// A token has kTokenBytes: a tag and the encrypted sequence, position, mark and 8 random
// bytes, which keep two tokens of one place from being equal: a peer would learn from
// equal ones that nothing was withheld in between. Peer, agreement, both epochs,
// direction and lane are authenticated with it.
//
// Where the key is lost, tokens open no more and receivers begin from nothing; events
// they have are duplicates by identity.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/crypto/siv_sealer.h"
#include "federation/link/token.h"
#include "gateway/base/random.h"

namespace cdgate::session {

// Thread-safe.
class SivTokenSealer final : public link::TokenSealer {
 public:
  static constexpr size_t kTokenBytes = 48;

  // `key` has crypto::SivSealer::kKeyBytes; INVALID_ARGUMENT otherwise. `random` outlives
  // the sealer.
  static absl::StatusOr<SivTokenSealer> Create(absl::string_view key, base::Random& random);

  std::string Seal(const link::Place& place, const link::TokenScope& scope) const override;
  absl::StatusOr<link::Place> Open(absl::string_view token,
                                   const link::TokenScope& scope) const override;

 private:
  SivTokenSealer(crypto::SivSealer sealer, base::Random& random)
      : sealer_(std::move(sealer)), random_(&random) {}

  crypto::SivSealer sealer_;
  base::Random* random_;
};

}  // namespace cdgate::session
