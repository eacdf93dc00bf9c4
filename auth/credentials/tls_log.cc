#include "auth/credentials/tls_log.h"

#include <grpc/support/log.h>

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"

namespace cdgate::credentials {
namespace {

struct Target {
  base::Mutex mu;
  std::shared_ptr<VerificationObserver> observer CDGATE_GUARDED_BY(mu);
};

Target& TheTarget() {
  static Target* const target = new Target;  // gRPC may log until the very end
  return *target;
}

base::LogLevel LevelOf(gpr_log_severity severity) {
  switch (severity) {
    case GPR_LOG_SEVERITY_DEBUG: return base::LogLevel::kDebug;
    case GPR_LOG_SEVERITY_INFO: return base::LogLevel::kInfo;
    case GPR_LOG_SEVERITY_ERROR: return base::LogLevel::kWarning;  // ours to judge, not fatal
  }
  return base::LogLevel::kWarning;
}

std::shared_ptr<VerificationObserver> TheObserver() {
  base::MutexLock lock(TheTarget().mu);
  return TheTarget().observer;
}

// The only trace of a failed handshake. The same file reports lesser things, too: a name in
// the client's hello that the certificate does not have, which is none of our concern.
bool IsFailedHandshake(absl::string_view file, absl::string_view message) {
  return absl::EndsWith(file, "ssl_transport_security.cc") &&
         absl::StartsWith(message, "Handshake failed");
}

void OnLog(gpr_log_func_args* args) {
  const absl::string_view file = args->file;
  if (IsFailedHandshake(file, args->message)) {
    if (const auto observer = TheObserver()) {
      observer->OnRefused({Side::kServer, base::Reason::kTlsHandshakeFailed, "", args->message});
      return;
    }
  }
  base::Log(LevelOf(args->severity), "grpc",
            {{"message", args->message},
             {"file", absl::StrCat(file.substr(file.rfind('/') + 1), ":", args->line)}});
}

}  // namespace

void ObserveTlsFailures(std::shared_ptr<VerificationObserver> observer) {
  {
    base::MutexLock lock(TheTarget().mu);
    TheTarget().observer = std::move(observer);
  }
  gpr_set_log_function(OnLog);
}

}  // namespace cdgate::credentials
