// Addresses of HTTP servers, taken apart by the library that will dial them, so that what was
// checked and what is dialled cannot differ.
//
//   CDGATE_ASSIGN_OR_RETURN(const HttpUrl url, ParseHttpUrl("https://Hooks.example/ci?team=a"));
//   url.text;           // "https://hooks.example/ci?team=a"
//   url.IsWithin(base)  // same scheme, host and port, and its path or one below it
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::base {

struct HttpUrl {
  std::string text;  // in its one spelling; what is to be dialled
  bool tls = true;   // "https"
  std::string host;  // lower case; an IPv6 address in brackets
  uint16_t port = 443;
  std::string path;   // from its first '/' on; "/" where there is none
  std::string query;  // without its '?'; empty: none

  // Whether this is `base`, whose query does not matter, or below it by whole segments of the path.
  bool IsWithin(const HttpUrl& base) const;
};

// INVALID_ARGUMENT saying what is wrong: no http or https, a user or password, a fragment, a host
// that is no DNS name in ASCII and no numeric address, characters that are not visible ASCII,
// a backslash, an encoded '/', '\', '.' or NUL in the path, more than 2,048 bytes.
absl::StatusOr<HttpUrl> ParseHttpUrl(absl::string_view text);

}  // namespace cdgate::base
