// Which peers a principal's grants reach.
//
//   const PeerScope scope = grants.ScopeOf(principal, row);
//   CDGATE_RETURN_IF_ERROR(scope.Check(principal.id, row.method, request.domain()));
//   if (!scope.Covers(peer)) continue;   // of a list
//
// A grant without peers reaches all of them and the gateway as a whole: its own grants,
// groups, schemas and tokens, which concern every peer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "auth/authz/pattern.h"

namespace cdgate::authz {

// Immutable; thread-safe.
class PeerScope {
 public:
  // Everything.
  PeerScope() = default;
  // The peers that one of the patterns matches; of an empty list, none.
  static PeerScope Of(std::vector<Pattern> peers) {
    PeerScope scope;
    scope.all_ = false;
    scope.peers_ = std::move(peers);
    return scope;
  }

  // Whether it is everything, the gateway as a whole included.
  bool all() const { return all_; }
  bool Covers(absl::string_view peer) const;

  // SCOPE_NOT_GRANTED where the peer is not covered; an empty `peer` is the gateway as a
  // whole. `method`: "/package.Service/Method", for the message.
  absl::Status Check(absl::string_view principal, absl::string_view method,
                     absl::string_view peer) const;

 private:
  bool all_ = true;
  std::vector<Pattern> peers_;
};

}  // namespace cdgate::authz
