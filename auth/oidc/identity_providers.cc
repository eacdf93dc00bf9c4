#include "auth/oidc/identity_providers.h"

#include <cmath>
#include <optional>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/json_parser.h"

namespace cdgate::oidc {
namespace {

using base::MakeError;
using base::Reason;
using simdjson::dom::element;

constexpr size_t kMaxRemembered = 4096;
// The year 9999: what comes later is no time that anybody means.
constexpr double kLastSecond = 253402300799;

absl::Status Invalid(absl::string_view why) {
  return MakeError(Reason::kIdentityTokenInvalid, absl::StrCat("the bearer token ", why));
}

absl::Status Expired(absl::string_view why) {
  return MakeError(Reason::kIdentityTokenExpired, absl::StrCat("the bearer token ", why));
}

std::optional<absl::string_view> Text(const element& object, absl::string_view name) {
  std::string_view text;
  if (object[std::string_view(name.data(), name.size())].get(text) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return event::ToAbsl(text);
}

// A NumericDate; none where the claim is absent or no time.
std::optional<absl::Time> TimeAt(const element& claims, const char* name) {
  double seconds = 0;
  if (claims[name].get(seconds) != simdjson::SUCCESS || !(seconds >= 0) || seconds > kLastSecond) {
    return std::nullopt;
  }
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

bool IsForUs(const element& claims, const std::vector<std::string>& audiences) {
  const auto ours = [&audiences](const element& value) {
    std::string_view text;
    return value.get(text) == simdjson::SUCCESS &&
           absl::c_any_of(audiences, [text](const std::string& one) { return one == text; });
  };
  const auto aud = claims["aud"];
  if (aud.error() != simdjson::SUCCESS) return false;
  simdjson::dom::array list;
  if (aud.get(list) != simdjson::SUCCESS) return ours(aud.value_unsafe());
  return absl::c_any_of(list, ours);
}

absl::Status CheckType(const element& header) {
  if (header["crit"].error() == simdjson::SUCCESS) {
    return Invalid("has a critical header (crit), of which none is known here");
  }
  if (header["typ"].error() != simdjson::SUCCESS) return absl::OkStatus();
  absl::string_view type = Text(header, "typ").value_or("");
  if (absl::StartsWithIgnoreCase(type, "application/")) type.remove_prefix(sizeof("application"));
  if (absl::EqualsIgnoreCase(type, "JWT") || absl::EqualsIgnoreCase(type, "at+jwt")) {
    return absl::OkStatus();
  }
  return Invalid("has a typ that is neither JWT nor at+jwt");
}

// `*expires`: when it is refused.
absl::Status CheckTimes(const element& claims, const ProviderOptions& options, absl::Time now,
                        absl::Time* expires) {
  const auto exp = TimeAt(claims, "exp");
  const auto iat = TimeAt(claims, "iat");
  if (!exp || !iat) return Invalid("does not say when it was issued (iat) and expires (exp)");
  const absl::Duration skew = options.clock_skew;
  *expires = *exp + skew;
  if (now >= *expires) return Expired(absl::StrCat("expired at ", TimeText(*exp)));
  if (*iat > now + skew) {
    return Expired(absl::StrCat("was issued at ", TimeText(*iat), ", which is to come"));
  }
  if (claims["nbf"].error() == simdjson::SUCCESS) {
    const auto nbf = TimeAt(claims, "nbf");
    if (!nbf) return Invalid("has an nbf that is no time");
    if (*nbf > now + skew) {
      return Expired(absl::StrCat("is not valid before ", TimeText(*nbf)));
    }
  }
  if (*exp - *iat <= options.max_lifetime) return absl::OkStatus();
  return Invalid(absl::StrCat("is valid for ", absl::FormatDuration(*exp - *iat),
                              ", longer than the provider ", options.name, " may say (",
                              absl::FormatDuration(options.max_lifetime), ")"));
}

absl::StatusOr<std::string> SubjectOf(const element& claims, const ProviderOptions& options) {
  const auto subject = Text(claims, options.claim);
  if (!subject || !authz::ValidOidcSubject(*subject)) {
    return Invalid(absl::StrCat("has no claim ", options.claim,
                                " of 1 to 255 visible ASCII characters without '%'"));
  }
  bool verified = false;
  if (options.claim == "email" &&
      (claims["email_verified"].get(verified) != simdjson::SUCCESS || !verified)) {
    return Invalid("has an email that is not said to be verified (email_verified)");
  }
  return std::string(*subject);
}

}  // namespace

// Thread-safe.
class Provider {
 public:
  explicit Provider(ProviderOptions options) : options_(std::move(options)) {}

  const ProviderOptions& options() const { return options_; }

  void SetKeys(JwkSetPtr keys, absl::Time good_until) {
    base::MutexLock lock(mu_);
    keys_.swap(keys);  // the old ones die outside the lock
    good_until_ = good_until;
  }
  // The keys in force; null: none.
  JwkSetPtr KeysAt(absl::Time now) const {
    base::MutexLock lock(mu_);
    return now < good_until_ ? keys_ : nullptr;
  }
  // It is not configured like that any more, for ever.
  void Withdraw() {
    base::MutexLock lock(mu_);
    withdrawn_ = true;
  }
  bool withdrawn() const {
    base::MutexLock lock(mu_);
    return withdrawn_;
  }

 private:
  const ProviderOptions options_;
  mutable base::Mutex mu_;
  JwkSetPtr keys_ CDGATE_GUARDED_BY(mu_);
  absl::Time good_until_ CDGATE_GUARDED_BY(mu_) = absl::InfinitePast();
  bool withdrawn_ CDGATE_GUARDED_BY(mu_) = false;
};

// A token taken apart, nothing of it verified.
struct IdentityProviders::Parts {
  event::JsonParser header_parser;
  event::JsonParser claims_parser;
  element header;
  element claims;

  absl::Status Read(absl::string_view text) {
    if (text.size() > kMaxTokenBytes) return Invalid("is longer than 8 KiB");
    const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('.', 3));
    if (parts.size() != 3 || parts[2].empty() || !base::Base64UrlDecode(parts[2]).ok()) {
      return Invalid("is no signed JWT: three parts of base64url, with dots between them");
    }
    CDGATE_RETURN_IF_ERROR(ReadObject(parts[0], "header", header_parser, &header));
    return ReadObject(parts[1], "set of claims", claims_parser, &claims);
  }

 private:
  static absl::Status ReadObject(absl::string_view part, absl::string_view what,
                                 event::JsonParser& parser, element* object) {
    const auto json = base::Base64UrlDecode(part);
    if (!json.ok()) return Invalid(absl::StrCat("has a ", what, " that is not base64url"));
    const auto root = parser.ParseIJson(*json);
    if (!root.ok() || !root->is_object()) {
      return Invalid(
          absl::StrCat("has a ", what, " that is no JSON object, or has a member twice"));
    }
    *object = *root;
    return absl::OkStatus();
  }
};

IdentityProviders::IdentityProviders(Deps deps, std::vector<ProviderOptions> providers)
    : deps_(std::move(deps)), set_(std::make_shared<const Set>()) {
  Replace(std::move(providers));
}

void IdentityProviders::Replace(std::vector<ProviderOptions> providers) {
  auto next = std::make_shared<Set>();
  std::shared_ptr<const Set> before;
  {
    base::MutexLock lock(mu_);
    for (ProviderOptions& options : providers) {
      const auto same = absl::c_find_if(set_->providers, [&options](const ProviderPtr& one) {
        return one->options() == options;
      });
      ProviderPtr provider =
          same != set_->providers.end() ? *same : std::make_shared<Provider>(std::move(options));
      next->by_issuer[provider->options().issuer] = provider;
      next->providers.push_back(std::move(provider));
    }
    before = std::exchange(set_, next);
  }
  for (const ProviderPtr& provider : before->providers) {
    if (!absl::c_linear_search(next->providers, provider)) provider->Withdraw();
  }
}

std::shared_ptr<const IdentityProviders::Set> IdentityProviders::Current() const {
  base::MutexLock lock(mu_);
  return set_;
}

ProviderPtr IdentityProviders::Find(absl::string_view name) const {
  const auto current = Current();
  for (const ProviderPtr& one : current->providers) {
    if (one->options().name == name) return one;
  }
  return nullptr;
}

void IdentityProviders::SetKeys(const ProviderPtr& provider, JwkSetPtr keys,
                                absl::Time good_until) {
  provider->SetKeys(std::move(keys), good_until);
}

absl::StatusOr<ProviderPtr> IdentityProviders::ProviderOf(const Parts& parts) const {
  const auto issuer = Text(parts.claims, "iss");
  if (!issuer) return Invalid("has no issuer (iss)");
  const std::shared_ptr<const Set> current = Current();
  const auto found = current->by_issuer.find(*issuer);
  if (found != current->by_issuer.end()) return found->second;
  return Invalid(absl::StrCat("is of the issuer ", base::Shorten(*issuer),
                              ", which is no identity provider of this gateway"));
}

absl::StatusOr<const Jwk*> IdentityProviders::KeyOf(const Parts& parts, const Provider& provider,
                                                    const JwkSet& keys) const {
  const ProviderOptions& options = provider.options();
  const absl::string_view algorithm = Text(parts.header, "alg").value_or("");
  if (!options.algorithms.contains(algorithm)) {
    return Invalid(absl::StrCat("is signed by ", algorithm.empty() ? "no algorithm" : "",
                                base::Shorten(algorithm, 16), ", which the provider ", options.name,
                                " may not use"));
  }
  CDGATE_RETURN_IF_ERROR(CheckType(parts.header));
  const auto id = Text(parts.header, "kid");
  if (!id) return Invalid("does not say by which key it is signed (kid)");
  const Jwk* const key = keys.Find(*id);
  if (key == nullptr) {
    if (deps_.on_unknown_key) deps_.on_unknown_key(options.name);
    return Invalid(absl::StrCat("is signed by the key ", base::Shorten(*id),
                                ", which is none of the provider ", options.name));
  }
  if (key->Fits(algorithm)) return key;
  return Invalid(absl::StrCat("is signed by ", algorithm, ", for which the key ",
                              base::Shorten(*id), " is not"));
}

absl::StatusOr<IdentityTokenPtr> IdentityProviders::VerifyNew(absl::string_view text) const {
  Parts parts;
  CDGATE_RETURN_IF_ERROR(parts.Read(text));
  CDGATE_ASSIGN_OR_RETURN(const ProviderPtr provider, ProviderOf(parts));
  const ProviderOptions& options = provider->options();
  const JwkSetPtr keys = provider->KeysAt(deps_.clock.Now());
  if (keys == nullptr) {
    return Invalid(absl::StrCat("cannot be verified: the keys of the provider ", options.name,
                                " could not be read, or not for too long"));
  }
  CDGATE_ASSIGN_OR_RETURN(const Jwk* const key, KeyOf(parts, *provider, *keys));
  if (!key->Verifies(text)) return Invalid("has a signature that does not verify");
  if (!IsForUs(parts.claims, options.audiences)) {
    return Invalid(
        absl::StrCat("is not for this gateway: its audience (aud) has none of those "
                     "of the provider ",
                     options.name));
  }
  auto token = std::make_shared<IdentityToken>();
  CDGATE_RETURN_IF_ERROR(CheckTimes(parts.claims, options, deps_.clock.Now(), &token->expires));
  CDGATE_ASSIGN_OR_RETURN(const std::string subject, SubjectOf(parts.claims, options));
  token->principal = authz::Principal::Oidc(deps_.domain, options.name, subject);
  token->provider = provider;
  token->key_id = key->id();
  token->thumbprint = key->thumbprint();
  return IdentityTokenPtr(std::move(token));
}

absl::StatusOr<IdentityTokenPtr> IdentityProviders::Verify(absl::string_view text) const {
  if (text.size() > kMaxTokenBytes) return Invalid("is longer than 8 KiB");
  const std::string digest = crypto::Sha256(text);
  // One that was good once and is no more is judged anew, for what to say.
  if (const IdentityTokenPtr known = Remembered(digest);
      known != nullptr && StillGood(*known).ok()) {
    return known;
  }
  CDGATE_ASSIGN_OR_RETURN(IdentityTokenPtr token, VerifyNew(text));
  Remember(digest, token);
  return token;
}

absl::Status IdentityProviders::StillGood(const IdentityToken& token) const {
  if (deps_.clock.Now() >= token.expires) {
    return Expired(absl::StrCat("of ", token.principal.id, " has expired"));
  }
  const std::string& name = token.provider->options().name;
  if (token.provider->withdrawn()) {
    return Invalid(absl::StrCat("of ", token.principal.id, " is of the provider ", name,
                                ", which is not configured any more as it was"));
  }
  const JwkSetPtr keys = token.provider->KeysAt(deps_.clock.Now());
  const Jwk* const key = keys == nullptr ? nullptr : keys->Find(token.key_id);
  if (key != nullptr && key->thumbprint() == token.thumbprint) return absl::OkStatus();
  return Invalid(absl::StrCat("of ", token.principal.id, " is signed by a key that the provider ",
                              name, " has withdrawn"));
}

IdentityTokenPtr IdentityProviders::Remembered(const std::string& digest) const {
  base::MutexLock lock(mu_);
  const auto found = remembered_.find(digest);
  return found == remembered_.end() ? nullptr : found->second;
}

void IdentityProviders::Remember(const std::string& digest, const IdentityTokenPtr& token) const {
  const absl::Time now = deps_.clock.Now();
  base::MutexLock lock(mu_);
  if (remembered_.size() >= kMaxRemembered) {
    absl::erase_if(remembered_, [now](const auto& one) { return one.second->expires <= now; });
    // They are verified again when they come again.
    if (remembered_.size() >= kMaxRemembered) remembered_.clear();
  }
  remembered_[digest] = token;
}

}  // namespace cdgate::oidc
