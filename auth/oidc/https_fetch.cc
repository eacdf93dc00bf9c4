#include "auth/oidc/https_fetch.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::oidc {
namespace {

constexpr long kStatusOk = 200;  // NOLINT: libcurl's type

struct EndCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

struct Body {
  size_t max_bytes;
  std::string bytes = {};
};

// What is too long ends the transfer (CURLE_WRITE_ERROR).
size_t Take(char* data, size_t, size_t size, void* into) {
  Body& body = *static_cast<Body*>(into);
  if (size > body.max_bytes - body.bytes.size()) return 0;
  body.bytes.append(data, size);
  return size;
}

absl::Status Unreachable(const FetchOptions& options, absl::string_view why) {
  return base::MakeError(base::Reason::kUnreachable,
                         absl::StrCat(base::Shorten(options.url), " could not be read: ", why),
                         {{"url", options.url}});
}

void Configure(CURL* curl, const FetchOptions& options, Body* body) {
  curl_easy_setopt(curl, CURLOPT_URL, options.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));  // NOLINT
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_3));  // NOLINT
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(options.timeout)));  // NOLINT
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Take);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
}

}  // namespace

absl::StatusOr<std::string> FetchHttps(const FetchOptions& options) {
  // curl_easy_init() would do it, but not from several threads.
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, EndCurl> curl(curl_easy_init());
  if (initialised != CURLE_OK || curl == nullptr) return Unreachable(options, "libcurl failed");
  Body body{options.max_bytes};
  char error[CURL_ERROR_SIZE] = "";
  Configure(curl.get(), options, &body);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, error);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_WRITE_ERROR) {
    return Unreachable(options, absl::StrCat("it has more than ", options.max_bytes, " bytes"));
  }
  if (code != CURLE_OK) {
    return Unreachable(options, error[0] != '\0' ? error : curl_easy_strerror(code));
  }
  long status = 0;  // NOLINT: libcurl's type
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != kStatusOk) return Unreachable(options, absl::StrCat("HTTP status ", status));
  return std::move(body.bytes);
}

}  // namespace cdgate::oidc
