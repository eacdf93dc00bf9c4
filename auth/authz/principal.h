// Whoever calls, as authorisation sees them.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "auth/trust/spiffe_id.h"

namespace cdgate::authz {

struct Principal {
  enum class Kind {
    kSpiffe,  // a verified certificate
    kLocal,   // root or the service user, on the local socket
    kToken,   // an access token, on the HTTP ingress (token.h)
  };

  // "spiffe://alpha.example/service/jenkins" of the domain alpha.example.
  static Principal Spiffe(const trust::SpiffeId& id);
  // "local:root" of no domain. `user`: the name of the Unix account.
  static Principal Local(absl::string_view user);
  // "token:ci" of our own domain, bound to a grant. No certificate can carry such an id and
  // no grant's pattern can match it, so neither can stand in for the other.
  static Principal Token(absl::string_view domain, absl::string_view name, absl::string_view grant);

  Kind kind = Kind::kSpiffe;
  std::string id;
  std::string domain;
  bool is_gateway = false;  // spiffe://…/gateway/<instance>
  std::string grant = {};   // kToken: the name of the one grant it has; else empty
};

}  // namespace cdgate::authz
