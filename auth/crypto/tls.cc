#include "auth/crypto/tls.h"

#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

// "Protocol" and not "MinProtocol": gRPC sets the least version of each of its contexts
// itself, which overrides that, but it leaves disabled protocols alone. All of the older ones are
// named, because a context with a hole in its range of versions fails in odd ways.
constexpr absl::string_view kSystemDefault =
    "openssl_conf = init\n"
    "[init]\n"
    "ssl_conf = tls\n"
    "[tls]\n"
    "system_default = every_context\n"
    "[every_context]\n"
    "Protocol = -SSLv3,-TLSv1,-TLSv1.1,-TLSv1.2\n"
    "Options = -SessionTicket,ServerPreference\n"
    "Ciphersuites = "
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256\n";

absl::Status Configure() {
  const ErrorScope errors;
  const ConfPtr conf(NCONF_new(nullptr));
  const BioPtr text = ReadOnlyBio(kSystemDefault);
  long line = 0;
  if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) == 1 && conf != nullptr &&
      text != nullptr && NCONF_load_bio(conf.get(), text.get(), &line) > 0 &&
      CONF_modules_load(conf.get(), nullptr, 0) > 0) {
    return absl::OkStatus();
  }
  return base::MakeError(base::Reason::kInternal,
                         absl::StrCat("cannot restrict TLS to version 1.3: ", TakeOpenSslError()));
}

}  // namespace

absl::Status ConfigureTlsProcessWide() {
  static const absl::Status* const status = new absl::Status(Configure());
  return *status;
}

}  // namespace cdgate::crypto
