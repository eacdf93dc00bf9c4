#include "auth/trust/spiffe_id.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::trust {
namespace {

constexpr absl::string_view kScheme = "spiffe://";
constexpr size_t kMaxDomainBytes = 255;

// Not absl::ascii_*: no locale, no table, only these.
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsPunctuation(char c) { return c == '.' || c == '-' || c == '_'; }
bool IsDomainCharacter(char c) { return IsLower(c) || IsDigit(c) || IsPunctuation(c); }
bool IsSegmentCharacter(char c) { return IsDomainCharacter(c) || IsUpper(c); }

absl::Status Malformed(absl::string_view text, absl::string_view fault) {
  return base::MakeError(
      base::Reason::kCertificateMalformed,
      absl::StrCat("\"", base::Shorten(text, 120), "\" is not a SPIFFE ID: ", fault),
      {{"id", base::Shorten(text, 120)}});
}

// Null where the path is well-formed.
const char* PathFault(absl::string_view path) {
  for (const absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
    if (segment.empty()) return "its path has an empty segment";
    if (segment == "." || segment == "..") return "its path has a relative segment";
    if (!ValidPathSegment(segment)) return "its path has a character that is not allowed";
  }
  return nullptr;
}

absl::StatusOr<SpiffeId> WithPath(absl::string_view domain, absl::string_view kind,
                                  absl::string_view name) {
  const auto id = SpiffeId::Parse(absl::StrCat(kScheme, domain, "/", kind, "/", name));
  if (id.ok() && ValidPathSegment(name)) return id;
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("\"", base::Shorten(domain), "\" and \"", base::Shorten(name),
                   "\" do not make a SPIFFE ID: a domain has a-z 0-9 . - _, a name also A-Z"));
}

}  // namespace

bool ValidTrustDomain(absl::string_view text) {
  if (text.empty() || text.size() > kMaxDomainBytes) return false;
  if (!std::all_of(text.begin(), text.end(), IsDomainCharacter)) return false;
  return text.front() != '.' && text.back() != '.' && !absl::StrContains(text, "..");
}

bool ValidPathSegment(absl::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), IsSegmentCharacter);
}

absl::StatusOr<SpiffeId> SpiffeId::Parse(absl::string_view text) {
  if (text.size() > kMaxBytes) return Malformed(text, "it is longer than 2,048 bytes");
  if (!absl::StartsWith(text, kScheme)) return Malformed(text, "it does not begin with spiffe://");
  const absl::string_view rest = text.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const absl::string_view domain = rest.substr(0, slash);
  if (!ValidTrustDomain(domain)) {
    return Malformed(text, "its trust domain is not 1 to 255 characters of a-z 0-9 . - _");
  }
  if (slash < rest.size()) {
    const char* fault = PathFault(rest.substr(slash));
    if (fault != nullptr) return Malformed(text, fault);
  }
  return SpiffeId(std::string(text), domain.size());
}

absl::StatusOr<SpiffeId> SpiffeId::Gateway(absl::string_view domain, absl::string_view instance) {
  return WithPath(domain, "gateway", instance);
}
absl::StatusOr<SpiffeId> SpiffeId::Service(absl::string_view domain, absl::string_view name) {
  return WithPath(domain, "service", name);
}
absl::StatusOr<SpiffeId> SpiffeId::User(absl::string_view domain, absl::string_view name) {
  return WithPath(domain, "user", name);
}

absl::StatusOr<SpiffeId> SpiffeId::Attestor(absl::string_view domain, absl::string_view name) {
  return WithPath(domain, "attestor", name);
}

absl::string_view SpiffeId::trust_domain() const {
  return absl::string_view(text_).substr(kScheme.size(), domain_bytes_);
}

absl::string_view SpiffeId::path() const {
  return absl::string_view(text_).substr(kScheme.size() + domain_bytes_);
}

bool SpiffeId::is_gateway() const {
  constexpr absl::string_view kGateway = "/gateway/";
  return absl::StartsWith(path(), kGateway) && ValidPathSegment(path().substr(kGateway.size()));
}

bool SpiffeId::is_attestor() const { return absl::StartsWith(path(), "/attestor/"); }

}  // namespace cdgate::trust
