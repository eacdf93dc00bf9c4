// Whatever comes as a token or as a key set: refused with a registered reason, and never taken,
// as nobody who writes the input has a key; a key set that is taken has keys.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "auth/oidc/identity_providers.h"
#include "auth/oidc/jwk_set.h"
#include "gateway/base/clock.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace {

using cdgate::oidc::IdentityProviders;
using cdgate::oidc::JwkSet;

constexpr char kKeys[] =
    R"({"keys":[{"kty":"EC","kid":"ec","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";

IdentityProviders& Providers() {
  static IdentityProviders* const providers = [] {
    auto* const made =
        new IdentityProviders({.domain = "alpha.example", .clock = cdgate::base::SystemClock()},
                              {{.name = "corp", .issuer = "joe", .audiences = {"cdgate"}}});
    IdentityProviders::SetKeys(made->Find("corp"), JwkSet::Parse(kKeys).value(),
                               absl::InfiniteFuture());
    return made;
  }();
  return *providers;
}

void MustRefuse(absl::string_view token) {
  const auto verified = Providers().Verify(token);
  if (verified.ok() || !cdgate::base::ReasonOf(verified.status())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  MustRefuse(text);
  // The input as claims, and as header, of a token that is well formed otherwise.
  const std::string encoded = cdgate::base::Base64UrlEncode(text);
  MustRefuse(absl::StrCat("eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.", encoded, ".AAAA"));
  MustRefuse(absl::StrCat(encoded, ".eyJpc3MiOiJqb2UifQ.AAAA"));
  const auto keys = JwkSet::Parse(text);
  if (keys.ok() ? (*keys)->size() == 0 : !cdgate::base::ReasonOf(keys.status())) std::abort();
  return 0;
}
