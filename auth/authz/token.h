// Access tokens of the HTTP ingress: what a tool without a certificate shows.
//
//   const authz::MintedToken minted = authz::MintToken(random);
//   Print(minted.text);                        // "cdgate_4mN…", once
//   resource.set_secret_digest(minted.digest); // 32 bytes, kept
//   ...
//   CDGATE_ASSIGN_OR_RETURN(authz::Principal principal,
//                           tokens.Authenticate(bearer, clock.Now()));
//
// The text is "cdgate_" and 48 characters of base64url: 32 random bytes, and 4 bytes of a
// digest of them. So scanners for secrets find it by its form
// (cdgate_[A-Za-z0-9_-]{48}), and a text that was cut or mistyped is told from one that
// was revoked. Only SHA-256 of the 32 bytes is kept: they have 256 bits of entropy, so
// the digest can be neither inverted nor guessed, and looking it up in a table tells
// nothing about any other.
//
// A token is a principal of its own, "token:NAME" (principal.h), and may do what the
// grant that it is bound to allows a publisher, as that grant is now, and nothing else.
#pragma once

#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "auth/authz/principal.h"
#include "gateway/base/random.h"

namespace cdgate::admin::v1 {
class Token;
}

namespace cdgate::authz {

inline constexpr absl::Duration kDefaultTokenTtl = absl::Hours(24 * 90);
inline constexpr absl::Duration kLeastTokenTtl = absl::Minutes(1);
inline constexpr absl::Duration kMaxTokenTtl = absl::Hours(24 * 366);

struct MintedToken {
  std::string text;    // sensitive: never logged, never kept
  std::string digest;  // 32 bytes
};
MintedToken MintToken(base::Random& random);

// The digest under which the token is kept. ACCESS_TOKEN_INVALID where the text has not
// the form of one; the message never quotes it.
absl::StatusOr<std::string> DigestOfToken(absl::string_view text);

// INVALID_ARGUMENT, naming the field, for a malformed name or too long a description.
absl::Status CheckToken(const admin::v1::Token& token);

// All tokens of the gateway. Immutable; thread-safe.
class Tokens {
 public:
  // None.
  Tokens() = default;
  // `domain`: ours. Tokens whose digest is malformed are left out.
  Tokens(absl::string_view domain, absl::Span<const admin::v1::Token> tokens);

  // Who shows `bearer`. ACCESS_TOKEN_INVALID, or ACCESS_TOKEN_EXPIRED, which names the
  // token: only who has its secret gets there.
  absl::StatusOr<Principal> Authenticate(absl::string_view bearer, absl::Time now) const;

 private:
  struct Entry {
    Principal principal;
    absl::Time expires;
  };
  absl::flat_hash_map<std::string, Entry> by_digest_;
};

}  // namespace cdgate::authz
