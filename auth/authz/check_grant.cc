// What a grant must be to be compiled.
#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "auth/authz/grants.h"
#include "auth/trust/spiffe_id.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::authz {
namespace {

constexpr size_t kMaxDomainBytes = 255;
constexpr size_t kMaxPatternBytes = 1024;
constexpr int kMaxPatterns = 1000;
constexpr absl::string_view kPlanes[] = {"developer-control", "integration-delivery", "resource",
                                         "observability", "security"};
constexpr absl::string_view kScheme = "spiffe://";
constexpr absl::string_view kOidc = "oidc:";

absl::Status Invalid(const admin::v1::Grant& grant, absl::string_view field,
                     absl::string_view fault) {
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("grant \"", base::Shorten(grant.name()), "\": ", field, " ", fault),
      {{"field", std::string(field)}});
}

// A SPIFFE ID with a path, '%' standing for anything in the path. The trust domain has no
// wildcard: whoever speaks for it is decided by its bundle, one by one.
bool ValidSpiffePattern(absl::string_view pattern) {
  if (!absl::StartsWith(pattern, kScheme)) return false;
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

// The provider has no wildcard either; each vouches for subjects of its own.
bool ValidOidcPattern(absl::string_view pattern) {
  if (!absl::ConsumePrefix(&pattern, kOidc)) return false;
  const size_t colon = pattern.find(':');
  return colon != absl::string_view::npos && ValidResourceName(pattern.substr(0, colon)) &&
         ValidOidcSubject(absl::StrReplaceAll(pattern.substr(colon + 1), {{"%", "x"}}));
}

bool ValidPrincipalPattern(absl::string_view pattern) {
  return pattern.size() <= kMaxPatternBytes &&
         (ValidSpiffePattern(pattern) || ValidOidcPattern(pattern));
}

bool ValidPeerPattern(absl::string_view pattern) {
  return pattern.size() <= kMaxDomainBytes &&
         trust::ValidTrustDomain(absl::StrReplaceAll(pattern, {{"%", "x"}}));
}

absl::Status CheckPeers(const admin::v1::Grant& grant) {
  if (grant.peers().empty()) return absl::OkStatus();
  if (grant.role() == admin::v1::ROLE_PUBLISHER || grant.role() == admin::v1::ROLE_SUBSCRIBER) {
    return Invalid(grant, "peers",
                   "are not for the roles publisher, which has sources, and subscriber, which "
                   "has a filter");
  }
  if (grant.peers_size() > kMaxPatterns) return Invalid(grant, "peers", "are more than 1,000");
  for (const std::string& pattern : grant.peers()) {
    if (ValidPeerPattern(pattern)) continue;
    return Invalid(grant, "peers",
                   absl::StrCat("have \"", base::Shorten(pattern),
                                "\", which is not a domain, in which '%' may stand for any "
                                "characters: beta.example"));
  }
  return absl::OkStatus();
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
  if (!ValidResourceName(grant.name())) {
    return Invalid(grant, "name", "has 1 to 63 characters of a-z 0-9 and '-'");
  }
  if (!ValidPrincipalPattern(grant.principal())) {
    return Invalid(grant, "principal",
                   absl::StrCat("\"", base::Shorten(grant.principal()),
                                "\" is neither a SPIFFE ID nor oidc:PROVIDER:SUBJECT, in whose "
                                "path or subject '%' may stand for any characters: "
                                "spiffe://alpha.example/service/%"));
  }
  if (!KnownRole(grant.role())) return Invalid(grant, "role", "is missing or not known");
  CDGATE_RETURN_IF_ERROR(CheckPatterns(grant, "sources", grant.sources()));
  CDGATE_RETURN_IF_ERROR(CheckPatterns(grant, "types", grant.types()));
  CDGATE_RETURN_IF_ERROR(CheckPeers(grant));
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
