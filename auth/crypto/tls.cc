#include "auth/crypto/tls.h"

#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
#include "auth/crypto/openssl.h"
#include "gateway/base/errors.h"

namespace cdgate::crypto {
namespace {

// "Protocol = -TLSv1.2" and not "MinProtocol": gRPC sets the least version of each of its
// contexts itself, and would override that; it leaves disabled protocols alone. It sets
// 1.2 as the least, so 1.2 is all there is to disable.
constexpr absl::string_view kSystemDefault =
    "openssl_conf = init\n"
    "[init]\n"
    "ssl_conf = tls\n"
    "[tls]\n"
    "system_default = every_context\n"
    "[every_context]\n"
    "Protocol = -TLSv1.2\n"
    "Options = -SessionTicket\n";

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
