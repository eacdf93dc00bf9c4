// What a grant must be to be compiled.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "auth/authz/grants.h"
#include "auth/trust/spiffe_id.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::authz {
namespace {

constexpr size_t kMaxNameBytes = 63;
constexpr size_t kMaxPatternBytes = 1024;
constexpr int kMaxPatterns = 1000;
constexpr absl::string_view kPlanes[] = {"developer-control", "integration-delivery", "resource",
                                         "observability", "security"};
constexpr absl::string_view kScheme = "spiffe://";

absl::Status Invalid(const admin::v1::Grant& grant, absl::string_view field,
                     absl::string_view fault) {
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("grant \"", base::Shorten(grant.name()), "\": ", field, " ", fault),
      {{"field", std::string(field)}});
}

bool ValidName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// A SPIFFE ID with a path, '%' standing for anything in the path. The trust domain has no
// wildcard: whoever speaks for it is decided by its bundle, one by one.
bool ValidPrincipalPattern(absl::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes || !absl::StartsWith(pattern, kScheme)) return false;
  const absl::string_view rest = pattern.substr(kScheme.size());
  const size_t slash = rest.find('/');
  if (slash == absl::string_view::npos || !trust::ValidTrustDomain(rest.substr(0, slash))) {
    return false;
  }
  if (!absl::StrContains(pattern, "%")) return trust::SpiffeId::Parse(pattern).ok();
  const absl::string_view path = rest.substr(slash);
  return std::all_of(path.begin(), path.end(), [](char c) {
    return c == '%' || c == '/' || trust::ValidPathSegment(absl::string_view(&c, 1)) || c == '.';
  });
}

absl::Status CheckPatterns(const admin::v1::Grant& grant, absl::string_view field,
                           const google::protobuf::RepeatedPtrField<std::string>& patterns) {
  if (patterns.empty()) return absl::OkStatus();
  if (grant.role() != admin::v1::ROLE_PUBLISHER) {
    return Invalid(grant, field, "are for the role publisher only");
  }
  if (patterns.size() > kMaxPatterns) return Invalid(grant, field, "are more than 1,000");
  for (const std::string& pattern : patterns) {
    if (pattern.empty() || pattern.size() > kMaxPatternBytes) {
      return Invalid(grant, field, "have 1 to 1,024 bytes each");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPlane(const admin::v1::Grant& grant) {
  if (grant.plane().empty()) return absl::OkStatus();
  if (grant.role() != admin::v1::ROLE_PUBLISHER) {
    return Invalid(grant, "plane", "is for the role publisher only");
  }
  for (const absl::string_view plane : kPlanes) {
    if (grant.plane() == plane) return absl::OkStatus();
  }
  return Invalid(grant, "plane",
                 absl::StrCat("\"", base::Shorten(grant.plane()), "\" is none of ",
                              absl::StrJoin(kPlanes, ", ")));
}

absl::Status CheckSchemaCheck(const admin::v1::Grant& grant) {
  if (!admin::v1::SchemaCheck_IsValid(grant.schema_check())) {
    return Invalid(grant, "schema_check", "is not known");
  }
  if (grant.schema_check() == admin::v1::SCHEMA_CHECK_UNSPECIFIED ||
      grant.role() == admin::v1::ROLE_PUBLISHER) {
    return absl::OkStatus();
  }
  return Invalid(grant, "schema_check", "is for the role publisher only");
}

bool KnownRole(admin::v1::Role role) {
  return admin::v1::Role_IsValid(role) && role != admin::v1::ROLE_UNSPECIFIED;
}

}  // namespace

absl::Status CheckGrant(const admin::v1::Grant& grant) {
  if (!ValidName(grant.name())) {
    return Invalid(grant, "name", "has 1 to 63 characters of a-z 0-9 and '-'");
  }
  if (!ValidPrincipalPattern(grant.principal())) {
    return Invalid(grant, "principal",
                   absl::StrCat("\"", base::Shorten(grant.principal()),
                                "\" is not a SPIFFE ID, in whose path '%' may stand for any "
                                "characters: spiffe://alpha.example/service/%"));
  }
  if (!KnownRole(grant.role())) return Invalid(grant, "role", "is missing or not known");
  CDGATE_RETURN_IF_ERROR(CheckPatterns(grant, "sources", grant.sources()));
  CDGATE_RETURN_IF_ERROR(CheckPatterns(grant, "types", grant.types()));
  CDGATE_RETURN_IF_ERROR(CheckPlane(grant));
  if (grant.accept_unknown() && grant.role() != admin::v1::ROLE_PUBLISHER) {
    return Invalid(grant, "accept_unknown", "is for the role publisher only");
  }
  CDGATE_RETURN_IF_ERROR(CheckSchemaCheck(grant));
  if (!grant.filter().empty() && grant.role() != admin::v1::ROLE_SUBSCRIBER) {
    return Invalid(grant, "filter", "is for the role subscriber only");
  }
  return absl::OkStatus();
}

}  // namespace cdgate::authz
