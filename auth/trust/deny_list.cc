#include "auth/trust/deny_list.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::trust {
namespace {

constexpr size_t kDigestDigits = 64;
constexpr size_t kMaxSerialDigits = 40;  // RFC 5280: at most 20 bytes

std::string Key(DenialKind kind, absl::string_view subject) {
  return absl::StrCat(DenialKindName(kind), " ", subject);
}

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
  });
}

const char* FaultOf(const Denial& denial) {
  const absl::string_view subject = denial.subject;
  switch (denial.kind) {
    case DenialKind::kPrincipal:
      if (subject.empty() || subject.size() > SpiffeId::kMaxBytes) {
        return "is not an id of 1 to 2,048 bytes";
      }
      return nullptr;
    case DenialKind::kDomain: return ValidTrustDomain(subject) ? nullptr : "is not a domain";
    case DenialKind::kAuthority:
      return subject.size() == kDigestDigits && IsHex(subject)
                 ? nullptr
                 : "is not the SHA-256 of a CA certificate, 64 hexadecimal digits";
    case DenialKind::kSerial: break;
  }
  const size_t slash = subject.find('/');
  if (slash == absl::string_view::npos || !ValidTrustDomain(subject.substr(0, slash))) {
    return "does not begin with the domain whose certificate it is";
  }
  const absl::string_view serial = subject.substr(slash + 1);
  const bool whole = !serial.empty() && serial.size() <= kMaxSerialDigits && IsHex(serial);
  return whole ? nullptr : "has no serial of 1 to 40 hexadecimal digits";
}

}  // namespace

absl::string_view DenialKindName(DenialKind kind) {
  switch (kind) {
    case DenialKind::kPrincipal: return "principal";
    case DenialKind::kDomain: return "domain";
    case DenialKind::kSerial: return "serial";
    case DenialKind::kAuthority: return "authority";
  }
  return "unknown";
}

absl::Status CheckDenial(const Denial& denial) {
  const char* const fault = FaultOf(denial);
  if (fault == nullptr) return absl::OkStatus();
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat(DenialKindName(denial.kind), " \"",
                                      base::Shorten(denial.subject), "\" ", fault));
}

absl::StatusOr<std::shared_ptr<const DenyList>> DenyList::Compile(
    const std::vector<Denial>& denials) {
  auto list = std::make_shared<DenyList>();
  for (const Denial& denial : denials) {
    CDGATE_RETURN_IF_ERROR(CheckDenial(denial));
    list->entries_.try_emplace(Key(denial.kind, denial.subject), denial);
  }
  return std::shared_ptr<const DenyList>(std::move(list));
}

absl::Status DenyList::Find(DenialKind kind, absl::string_view subject) const {
  const auto found = entries_.find(Key(kind, subject));
  if (found == entries_.end()) return absl::OkStatus();
  const Denial& denial = found->second;
  return base::MakeError(
      base::Reason::kCertificateDenied,
      absl::StrCat(DenialKindName(kind), " ", base::Shorten(subject), " is denied here by ",
                   denial.name, denial.why.empty() ? "" : ": ", base::Shorten(denial.why)),
      {{"denial", denial.name}});
}

absl::Status DenyList::CheckPrincipal(absl::string_view id, absl::string_view domain) const {
  if (entries_.empty()) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(Find(DenialKind::kPrincipal, id));
  return Find(DenialKind::kDomain, domain);
}

absl::Status DenyList::CheckCertificate(absl::string_view id, absl::string_view domain,
                                        absl::string_view serial,
                                        const std::vector<std::string>& authorities) const {
  if (entries_.empty()) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(CheckPrincipal(id, domain));
  CDGATE_RETURN_IF_ERROR(Find(DenialKind::kSerial, absl::StrCat(domain, "/", serial)));
  for (const std::string& authority : authorities) {
    CDGATE_RETURN_IF_ERROR(Find(DenialKind::kAuthority, base::HexEncode(authority)));
  }
  return absl::OkStatus();
}

}  // namespace cdgate::trust
