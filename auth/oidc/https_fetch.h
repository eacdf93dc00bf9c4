// Reads one document by HTTPS, within bounds.
//
//   CDGATE_ASSIGN_OR_RETURN(std::string text, oidc::FetchHttps({.url = "https://…/jwks"}));
//
// TLS 1.3 with the certificate and host name verified; no redirect is followed, no proxy is
// used, no credential, cookie or body is sent.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace cdgate::oidc {

struct FetchOptions {
  std::string url;      // "https://host[:port]/path"
  std::string ca_file;  // PEM; empty: the machine's CAs
  size_t max_bytes = 256 << 10;
  absl::Duration timeout = absl::Seconds(10);  // of all of it
};

// UNREACHABLE, saying what failed, for anything but a whole answer with status 200. Blocks: for
// the background pool. Thread-safe.
absl::StatusOr<std::string> FetchHttps(const FetchOptions& options);

}  // namespace cdgate::oidc
