#include "gateway/base/http_url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/ip_range.h"
#include "gateway/base/status_macros.h"

namespace cdgate::base {
namespace {

constexpr size_t kMaxBytes = 2048;
constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using UrlPtr = std::unique_ptr<CURLU, FreeUrl>;

absl::Status NoUrl(absl::string_view text, absl::string_view why) {
  return MakeError(Reason::kInvalidArgument, absl::StrCat("\"", Shorten(text), "\" ", why,
                                                          "; expected https://host[:port]/path"));
}

// None where the address has no such part.
std::optional<std::string> PartOf(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* found = nullptr;
  if (curl_url_get(url, part, &found, flags) != CURLUE_OK) return std::nullopt;
  std::string out(found);
  curl_free(found);
  return out;
}

bool IsVisibleAscii(char c) { return c > ' ' && c <= '~'; }

bool IsHostCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_';
}

bool IsHost(absl::string_view host) {
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    return ParseIpAddress(host.substr(1, host.size() - 2)).has_value();
  }
  return !host.empty() && host.size() <= 253 && host.back() != '.' && host.front() != '.' &&
         std::all_of(host.begin(), host.end(), IsHostCharacter);
}

// What one server takes for a segment and another for several.
bool HasAmbiguousPath(absl::string_view path) {
  const std::string lower = absl::AsciiStrToLower(path);
  return absl::StrContains(lower, "%2f") || absl::StrContains(lower, "%5c") ||
         absl::StrContains(lower, "%2e") || absl::StrContains(lower, "%00");
}

absl::Status CheckText(absl::string_view text) {
  if (text.size() > kMaxBytes) {
    return NoUrl(text, absl::StrCat("has more than ", kMaxBytes, " bytes"));
  }
  if (!std::all_of(text.begin(), text.end(), IsVisibleAscii)) {
    return NoUrl(text, "has characters that are not visible ASCII");
  }
  if (absl::StrContains(text, '\\')) return NoUrl(text, "has a backslash");
  const std::string lower = absl::AsciiStrToLower(text.substr(0, sizeof("https://") - 1));
  if (!absl::StartsWith(lower, "https://") && !absl::StartsWith(lower, "http://")) {
    return NoUrl(text, "does not begin with https:// or http://");
  }
  // What libcurl would look past.
  if (absl::StrContains(text, ":///")) return NoUrl(text, "has no host");
  return absl::OkStatus();
}

absl::Status CheckParts(absl::string_view text, CURLU* url, const HttpUrl& out) {
  if (PartOf(url, CURLUPART_USER) || PartOf(url, CURLUPART_PASSWORD)) {
    return NoUrl(text, "has a user or password");
  }
  if (PartOf(url, CURLUPART_FRAGMENT) || absl::StrContains(text, '#')) {
    return NoUrl(text, "has a fragment");
  }
  if (PartOf(url, CURLUPART_ZONEID)) return NoUrl(text, "has a zone");
  if (!IsHost(out.host)) return NoUrl(text, "has no host that is a DNS name or numeric address");
  if (out.port == 0) return NoUrl(text, "has port 0");
  if (HasAmbiguousPath(out.path)) return NoUrl(text, "has an encoded '/', '\\', '.' or NUL");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HttpUrl> ParseHttpUrl(absl::string_view text) {
  CDGATE_RETURN_IF_ERROR(CheckText(text));
  const UrlPtr url(curl_url());
  const CURLUcode set = curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0);
  if (set != CURLUE_OK) {
    return NoUrl(text, absl::StrCat("is no address: ", curl_url_strerror(set)));
  }
  HttpUrl out;
  out.tls = PartOf(url.get(), CURLUPART_SCHEME).value_or("") == "https";
  out.host = absl::AsciiStrToLower(PartOf(url.get(), CURLUPART_HOST).value_or(""));
  out.path = PartOf(url.get(), CURLUPART_PATH).value_or("/");
  out.query = PartOf(url.get(), CURLUPART_QUERY).value_or("");
  uint32_t port = out.tls ? kHttpsPort : kHttpPort;
  const auto named = PartOf(url.get(), CURLUPART_PORT);
  if (named && !absl::SimpleAtoi(*named, &port)) return NoUrl(text, "has no port that is a number");
  out.port = static_cast<uint16_t>(port);
  CDGATE_RETURN_IF_ERROR(CheckParts(text, url.get(), out));
  const bool usual = out.port == (out.tls ? kHttpsPort : kHttpPort);
  out.text = absl::StrCat(out.tls ? "https://" : "http://", out.host,
                          usual ? "" : absl::StrCat(":", out.port), out.path,
                          out.query.empty() ? "" : "?", out.query);
  return out;
}

bool HttpUrl::IsWithin(const HttpUrl& base) const {
  if (tls != base.tls || host != base.host || port != base.port) return false;
  absl::string_view prefix = base.path;
  if (absl::EndsWith(prefix, "/")) prefix.remove_suffix(1);
  if (!absl::StartsWith(path, prefix)) return false;
  return path.size() == prefix.size() || path[prefix.size()] == '/';
}

}  // namespace cdgate::base
