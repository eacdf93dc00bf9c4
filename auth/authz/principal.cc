#include "auth/authz/principal.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::authz {

Principal Principal::Spiffe(const trust::SpiffeId& id) {
  return {Kind::kSpiffe, id.text(), std::string(id.trust_domain()), id.is_gateway(), ""};
}

Principal Principal::Local(absl::string_view user) {
  return {Kind::kLocal, absl::StrCat("local:", user), "", false, ""};
}

Principal Principal::Token(absl::string_view domain, absl::string_view name,
                           absl::string_view grant) {
  return {Kind::kToken, absl::StrCat("token:", name), std::string(domain), false,
          std::string(grant)};
}

Principal Principal::Oidc(absl::string_view domain, absl::string_view provider,
                          absl::string_view subject) {
  return {Kind::kOidc, absl::StrCat("oidc:", provider, ":", subject), std::string(domain), false,
          ""};
}

absl::StatusOr<Principal> Principal::Parse(absl::string_view id, absl::string_view domain) {
  absl::string_view rest = id;
  if (absl::ConsumePrefix(&rest, "local:") && !rest.empty()) return Local(rest);
  if (absl::ConsumePrefix(&rest, "token:") && ValidResourceName(rest)) {
    return Token(domain, rest, "");
  }
  if (absl::ConsumePrefix(&rest, "oidc:")) {
    const size_t colon = rest.find(':');
    if (colon != absl::string_view::npos && ValidResourceName(rest.substr(0, colon)) &&
        ValidOidcSubject(rest.substr(colon + 1))) {
      return Oidc(domain, rest.substr(0, colon), rest.substr(colon + 1));
    }
  }
  if (const auto spiffe = trust::SpiffeId::Parse(id); spiffe.ok()) return Spiffe(*spiffe);
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("\"", base::Shorten(id),
                                      "\" is no principal; they are spiffe://DOMAIN/service/NAME, "
                                      "oidc:PROVIDER:SUBJECT, token:NAME and local:USER"),
                         {{"field", "principal"}});
}

bool ValidResourceName(absl::string_view name) {
  constexpr size_t kMaxNameBytes = 63;
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

bool ValidOidcSubject(absl::string_view subject) {
  constexpr size_t kMaxSubjectBytes = 255;
  return !subject.empty() && subject.size() <= kMaxSubjectBytes &&
         std::all_of(subject.begin(), subject.end(), [](char c) {
           return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '%';
         });
}

}  // namespace cdgate::authz
