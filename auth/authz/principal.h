// Whoever calls, as authorisation sees them.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/trust/spiffe_id.h"

namespace cdgate::authz {

struct Principal {
  enum class Kind {
    kSpiffe,  // a verified certificate
    kLocal,   // root or the service user, on the local socket
    kToken,   // an access token, on the HTTP ingress (token.h)
    kOidc,    // a token of an identity provider (auth/oidc)
  };

  // "spiffe://alpha.example/service/jenkins" of the domain alpha.example.
  static Principal Spiffe(const trust::SpiffeId& id);
  // "local:root" of no domain. `user`: the name of the Unix account.
  static Principal Local(absl::string_view user);
  // "token:ci" of our own domain, bound to a grant. No certificate can carry such an id and
  // no grant's pattern can match it, so neither can stand in for the other.
  static Principal Token(absl::string_view domain, absl::string_view name, absl::string_view grant);

  // "oidc:corp:ada@alpha.example" of our own domain: whom the identity provider `provider`
  // calls `subject`, which ValidOidcSubject() has accepted.
  static Principal Oidc(absl::string_view domain, absl::string_view provider,
                        absl::string_view subject);
  // The principal with this id; of a token without its grant. `domain`: ours. INVALID_ARGUMENT.
  static absl::StatusOr<Principal> Parse(absl::string_view id, absl::string_view domain);

  Kind kind = Kind::kSpiffe;
  std::string id;
  std::string domain;
  bool is_gateway = false;  // spiffe://…/gateway/<instance>
  std::string grant = {};   // kToken: the name of the one grant it has; else empty
};

// "a", "jenkins-2": 1 to 63 lower-case letters, digits and '-'.
bool ValidResourceName(absl::string_view name);
// What a principal's id may say of a subject: 1 to 255 visible ASCII characters, none of them
// '%', so that an id is a pattern of itself alone.
bool ValidOidcSubject(absl::string_view subject);

}  // namespace cdgate::authz
