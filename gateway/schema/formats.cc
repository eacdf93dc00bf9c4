#include "gateway/schema/formats.h"

#include <arpa/inet.h>
#include <re2/re2.h>

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/formats.h"

namespace cdgate::schema {
namespace {

using base::IsDateTime;
using base::IsUri;
using base::IsUriReference;

bool Matches(absl::string_view text, const re2::RE2& pattern) {
  return re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), pattern);
}

bool IsDate(absl::string_view text) {
  return text.size() == 10 && IsDateTime(absl::StrCat(text, "T00:00:00Z"));
}

bool IsTime(absl::string_view text) { return IsDateTime(absl::StrCat("2020-01-01T", text)); }

bool IsUuid(absl::string_view text) {
  static const re2::RE2 pattern(
      "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}");
  return Matches(text, pattern);
}

bool IsAddress(int family, absl::string_view text) {
  std::array<unsigned char, 16> address;
  return text.size() < 64 && text.find('\0') == absl::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), address.data()) == 1;
}

bool IsIpv4(absl::string_view text) { return IsAddress(AF_INET, text); }
bool IsIpv6(absl::string_view text) { return IsAddress(AF_INET6, text); }

bool IsHostname(absl::string_view text) {
  static const re2::RE2 pattern(
      R"([A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*)");
  return text.size() <= 253 && Matches(text, pattern);
}

bool IsEmail(absl::string_view text) {
  static const re2::RE2 local(
      R"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)");
  const size_t at = text.rfind('@');
  return at != absl::string_view::npos && at <= 64 && Matches(text.substr(0, at), local) &&
         IsHostname(text.substr(at + 1));
}

constexpr std::pair<absl::string_view, CheckFormat> kFormats[] = {
    {"date", IsDate},
    {"date-time", IsDateTime},
    {"email", IsEmail},
    {"hostname", IsHostname},
    {"ipv4", IsIpv4},
    {"ipv6", IsIpv6},
    {"time", IsTime},
    {"uri", IsUri},
    {"uri-reference", IsUriReference},
    {"uuid", IsUuid},
};

}  // namespace

const CheckFormat* FindFormat(absl::string_view name) {
  for (const auto& [known, check] : kFormats) {
    if (known == name) return &check;
  }
  return nullptr;
}

std::vector<std::string> FormatNames() {
  std::vector<std::string> names;
  for (const auto& [name, check] : kFormats) names.emplace_back(name);
  return names;
}

}  // namespace cdgate::schema
