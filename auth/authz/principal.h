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
  };

  // "spiffe://alpha.example/service/jenkins" of the domain alpha.example.
  static Principal Spiffe(const trust::SpiffeId& id);
  // "local:root" of no domain. `user`: the name of the Unix account.
  static Principal Local(absl::string_view user);

  Kind kind = Kind::kSpiffe;
  std::string id;
  std::string domain;
  bool is_gateway = false;  // spiffe://…/gateway/<instance>
};

}  // namespace cdgate::authz
