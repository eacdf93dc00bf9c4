// The keys of pseudonyms, one ring for each peer.
//
//   CDGATE_ASSIGN_OR_RETURN(auto keeper, PseudonymKeeper::Create(secrets.KeyFor("pseudonym"),
//   random)); CDGATE_ASSIGN_OR_RETURN(policy::KeyringPtr keys, keeper.KeysOf(*store.Resources(),
//   "beta.example"));
//
// The first key of a peer is derived from the gateway's own secret, so that there is one from
// the start. A change of keys is an edit of the resource "pseudonym"/PEER: from the commit that
// makes it on, events are pseudonymised with a new random key, sealed in the resource; those
// accepted before keep theirs. Whoever reads the log up to that commit has the new key, so an
// event has one key for ever.
//
// Immutable; thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/siv_sealer.h"
#include "federation/policy/pseudonym.h"
#include "gateway/base/random.h"
#include "gateway/state/proposal.h"
#include "gateway/state/resources.h"

namespace cdgate::session {

class PseudonymKeeper {
 public:
  // `secret` has crypto::SivSealer::kKeyBytes; INVALID_ARGUMENT otherwise. `random` outlives
  // the keeper.
  static absl::StatusOr<PseudonymKeeper> Create(std::string secret, base::Random& random);

  // LOG_CORRUPT where the resource is not one, TOKEN_INVALID where it was sealed with another
  // secret: nothing can be pseudonymised then.
  absl::StatusOr<policy::KeyringPtr> KeysOf(const state::ResourceSnapshot& resources,
                                            absl::string_view peer) const;

  // The edit that gives the peer its next key, on behalf of `author`; `version` is the key's.
  // Errors as KeysOf.
  absl::StatusOr<state::ResourceEdit> Rotate(const state::ResourceSnapshot& resources,
                                             absl::string_view peer, const std::string& author,
                                             uint32_t* version) const;
  // The edit that forgets the keys of events that were all accepted before `oldest`; none
  // where there is nothing to forget.
  std::optional<state::ResourceEdit> Forget(const state::ResourceSnapshot& resources,
                                            absl::string_view peer, absl::Time oldest) const;
  // When the peer's newest key came into use; the distant past for the first one.
  static absl::Time NewestSince(const state::ResourceSnapshot& resources, absl::string_view peer);

 private:
  PseudonymKeeper(std::string secret, crypto::SivSealer sealer, base::Random& random)
      : secret_(std::move(secret)), sealer_(std::move(sealer)), random_(&random) {}

  std::string FirstKey(absl::string_view peer) const;

  std::string secret_;
  crypto::SivSealer sealer_;
  base::Random* random_;
};

}  // namespace cdgate::session
