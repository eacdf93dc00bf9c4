// Tokens of OpenID Connect, and whom they stand for.
//
//   IdentityProviders providers({.domain = "alpha.example", .clock = clock},
//                               {{.name = "corp", .issuer = "https://id.alpha.example",
//                                 .audiences = {"cdgate"}}});
//   providers.SetKeys(providers.Find("corp"), keys, absl::InfiniteFuture());
//   CDGATE_ASSIGN_OR_RETURN(IdentityTokenPtr token, providers.Verify(text));
//   token->principal.id;                       // "oidc:corp:ada"
//   ...
//   if (!providers.StillGood(*token).ok()) EndItsStreams();
//   ...
//   providers.Replace(from_the_changed_configuration);
//
// A token is a signed JWT (RFC 7519) in the compact form, taken where all of this holds, in
// this order: it has at most 8 KiB and three parts; header and claims are JSON objects without
// duplicate members; `iss` is exactly the issuer of one provider; `alg` is one that the provider
// is allowed; `typ` is absent, JWT or at+jwt; nothing is critical (`crit`); `kid` names one of
// the provider's keys, whose kind fits `alg`; the signature verifies; `aud` has one of our
// audiences; `exp` and `iat` are there, `exp` is not past, `iat` and `nbf` are not ahead, each
// by more than the skew; it is not valid for longer than allowed; and the claim that names the
// subject is there (email: with email_verified true). Nothing is ever fetched because a token
// names it (jku, x5u, jwk and x5c are ignored).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/authz/principal.h"
#include "auth/oidc/jwk_set.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::oidc {

inline constexpr size_t kMaxTokenBytes = 8 << 10;

struct ProviderOptions {
  std::string name;
  std::string issuer;
  std::vector<std::string> audiences;
  std::string claim = "sub";
  absl::flat_hash_set<std::string> algorithms = {"RS256", "PS256", "ES256"};
  absl::Duration max_lifetime = absl::Hours(24);
  absl::Duration clock_skew = absl::Seconds(30);
  // Where its keys come from, in words of who reads them. With other keys it is another provider.
  std::string key_source = "";

  bool operator==(const ProviderOptions&) const = default;
};

// One provider as it is configured: what tokens that were verified refer to.
class Provider;
using ProviderPtr = std::shared_ptr<Provider>;

// A token that was verified. Immutable.
struct IdentityToken {
  authz::Principal principal;
  std::shared_ptr<const Provider> provider;
  std::string key_id;
  std::string thumbprint;  // of the key
  absl::Time expires;      // when it is refused, the skew included
};
using IdentityTokenPtr = std::shared_ptr<const IdentityToken>;

// Thread-safe; nothing blocks.
class IdentityProviders {
 public:
  struct Deps {
    std::string domain;        // our own, which the principals are of
    const base::Clock& clock;  // outlives it
    // Optional. A token names a key that the provider of this name does not have: its keys may
    // have changed. Called on the thread that verifies; must be fast.
    std::function<void(const std::string& provider)> on_unknown_key = nullptr;
  };
  // Names and issuers differ from each other; config::ParseGatewayConfig has seen to that.
  IdentityProviders(Deps deps, std::vector<ProviderOptions> providers);

  // From now on these are the providers. One whose options are as before keeps its keys and its
  // tokens. Tokens of any other one that there was are good no more.
  void Replace(std::vector<ProviderOptions> providers);

  // Null where there is none.
  ProviderPtr Find(absl::string_view name) const;
  // From now on these are the keys of the provider, until `good_until`; null: it has none. Tokens
  // of a key that is not among them are good no more. Of one that was replaced it means nothing.
  static void SetKeys(const ProviderPtr& provider, JwkSetPtr keys, absl::Time good_until);

  // IDENTITY_TOKEN_INVALID and IDENTITY_TOKEN_EXPIRED; the message never quotes the token. What
  // was verified is remembered (4,096 tokens by their digests), so that the next call with it
  // costs no signature.
  absl::StatusOr<IdentityTokenPtr> Verify(absl::string_view text) const;

  // OK while the token is not expired and its key is the provider's still; otherwise why.
  absl::Status StillGood(const IdentityToken& token) const;

 private:
  // Immutable, but for the keys of each.
  struct Set {
    std::vector<ProviderPtr> providers;
    absl::flat_hash_map<std::string, ProviderPtr> by_issuer;
  };
  struct Parts;

  std::shared_ptr<const Set> Current() const;
  absl::StatusOr<ProviderPtr> ProviderOf(const Parts& parts) const;
  absl::StatusOr<const Jwk*> KeyOf(const Parts& parts, const Provider& provider,
                                   const JwkSet& keys) const;
  absl::StatusOr<IdentityTokenPtr> VerifyNew(absl::string_view text) const;
  IdentityTokenPtr Remembered(const std::string& digest) const;
  void Remember(const std::string& digest, const IdentityTokenPtr& token) const;

  const Deps deps_;
  mutable base::Mutex mu_;
  std::shared_ptr<const Set> set_ CDGATE_GUARDED_BY(mu_);
  mutable absl::flat_hash_map<std::string, IdentityTokenPtr> remembered_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::oidc
