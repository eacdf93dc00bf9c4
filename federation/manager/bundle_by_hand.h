// A peer's trust bundle as an operator brings it, got out of band: for a peer that lost all its
// roots, or whose link cannot carry what it says of its trust (trust_update.h).
//
//   CDGATE_ASSIGN_OR_RETURN(const BundleChange change, JudgeBundle({.peer = "beta.example",
//                               .text = file, .revocation_lists = lists}, {...}));
//   Show(base::Fingerprint(change.digest_before), base::Fingerprint(change.digest_after));
//
// Nobody but the operator vouches for it: so it is judged as far as it can be, people compare
// the fingerprints, and a root that comes in is a widening. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/storage/v1/state.pb.h"

namespace cdgate::manager {

// What is brought.
struct BundleByHand {
  absl::string_view peer;
  absl::string_view text;                          // PEM, or a SPIFFE bundle document
  std::vector<std::string> revocation_lists = {};  // PEM texts of one or more lists each
  bool allow_older = false;   // also a sequence or a list that is older than the one held
  bool forget_lists = false;  // the lists that are held count no more
};

// What it is judged by.
struct BundleContext {
  const trust::TrustSnapshot& trust;   // of all domains
  absl::string_view held_pem;          // the peer's bundle
  const storage::v1::PeerTrust& held;  // besides; empty: nothing
  absl::Duration crl_grace;
  absl::Time now;
};

// What it would change. A value.
struct BundleChange {
  struct Root {
    crypto::Certificate certificate;
    std::string fault;  // why nothing is accepted under it; empty: it can be used
  };

  std::string bundle_pem;                   // the roots alone; as held where they are the same
  std::string digest_before, digest_after;  // 32 bytes; before: empty where it does not parse
  std::vector<Root> added, kept, removed;
  std::optional<uint64_t> sequence;           // older ones are refused from then on
  std::vector<std::string> revocation_lists;  // all that are in force from then on, PEM
  bool changes = false;                       // false: everything is held like that
  std::vector<std::string> widens;            // why more get in; empty: fewer do
};

// The change. BUNDLE_REFUSED saying why: it does not parse; a root is no CA, names or is bound to
// another domain, or is held for another one; no root can be used (ended, not valid yet, denied,
// without a revocation list where lists are in force); its sequence is older than one that was
// set, or the same with other roots; a list is older than the one held, or does not parse.
absl::StatusOr<BundleChange> JudgeBundle(const BundleByHand& brought, const BundleContext& context);

}  // namespace cdgate::manager
