#include "auth/authz/principal.h"

#include "absl/strings/str_cat.h"

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

}  // namespace cdgate::authz
