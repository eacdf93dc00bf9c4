#include "gateway/app/serve.h"

#include <google/protobuf/stubs/logging.h>
#include <malloc.h>

#include <algorithm>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/tls.h"
#include "gateway/app/gateway.h"
#include "gateway/app/signals.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/gateway_config.h"

namespace cdgate::app {
namespace {

// What ends the main thread's wait.
class Ending {
 public:
  // The first one to ask says why.
  void Ask(absl::Status why) {
    base::MutexLock lock(mu_);
    if (asked_) return;
    asked_ = true;
    why_ = std::move(why);
    cv_.SignalAll();
  }
  absl::Status Wait() {
    base::MutexLock lock(mu_);
    while (!asked_) cv_.Wait(mu_);
    return why_;
  }

 private:
  base::Mutex mu_;
  base::CondVar cv_;
  bool asked_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Status why_ CDGATE_GUARDED_BY(mu_);
};

base::LogFormat FormatOf(const std::string& text) {
  if (text == "text") return base::LogFormat::kText;
  if (text == "json") return base::LogFormat::kJson;
  return base::LogFormat::kAuto;
}

void StartLogging(const config::v1::LoggingConfig& logging) {
  bool known = false;
  base::InitLogging(base::ParseLogLevel(logging.level(), &known), FormatOf(logging.format()));
}

void LogReady(const Gateway& gateway, const config::v1::GatewayConfig& config) {
  base::Log(base::LogLevel::kInfo, "gateway ready",
            {{"domain", config.domain()},
             {"instance", config.instance()},
             {"api", gateway.BoundAddress(authz::Listener::kApi)},
             {"peers", gateway.BoundAddress(authz::Listener::kPeers)},
             {"enrolment", gateway.BoundAddress(authz::Listener::kEnrolment)},
             {"ingress", gateway.IngressAddress()},
             {"ops", gateway.OpsAddress()},
             {"local", gateway.BoundAddress(authz::Listener::kLocal)}});
}

void Reload(Gateway& gateway, const std::string& config_path) {
  const auto config = config::LoadGatewayConfig(config_path);
  const absl::Status reloaded = config.ok() ? gateway.Reload(*config) : config.status();
  if (reloaded.ok()) {
    base::Log(base::LogLevel::kInfo, "reloaded");
  } else {
    base::LogError(base::LogLevel::kError, "not reloaded; what was in use stays", reloaded);
  }
}

// Frames, commits and the memory behind them come and go by the hundred a second. By default
// the C library gives each larger one back to the system as soon as it can, and asks for it
// again: a page fault for each page, which the system sets to zero first. What it keeps instead
// is memory that was in use before. And by default there are up to eight arenas for each processor,
// and what one keeps the others cannot use: one for each has the same speed.
void KeepFreedMemory() {
#ifdef __GLIBC__
  const unsigned processors = std::thread::hardware_concurrency();  // 0: it is not known
  (void)mallopt(M_ARENA_MAX, static_cast<int>(std::max(2U, processors)));
  (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);  // larger blocks come from the system, and go back
  (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);  // kept at the end of each arena
  (void)mallopt(M_TOP_PAD, 1 << 20);          // by how much an arena grows
#endif
}

// The library writes a line of its own on standard error about input that it refuses, which is
// refused with a reason here.
void SilenceProtobuf() { google::protobuf::SetLogHandler(nullptr); }

absl::Status Run(const config::v1::GatewayConfig& config, const std::string& config_path,
                 bool frozen) {
  RaiseFileLimit();
  KeepFreedMemory();
  SilenceProtobuf();
  CDGATE_RETURN_IF_ERROR(crypto::ConfigureTlsProcessWide());

  Ending ending;
  base::Mutex mu;  // between a reload and the end of the gateway
  std::unique_ptr<Gateway> gateway;
  SignalThread signals({.on_stop =
                            [&ending] {
                              base::Log(base::LogLevel::kInfo, "stopping");
                              ending.Ask(absl::OkStatus());
                            },
                        .on_reload =
                            [&] {
                              base::MutexLock lock(mu);
                              if (gateway != nullptr) Reload(*gateway, config_path);
                            }});
  const auto on_fatal = [&ending](absl::Status why) {
    base::LogError(base::LogLevel::kError, "the log cannot be written; ending", why);
    ending.Ask(std::move(why));
  };
  CDGATE_ASSIGN_OR_RETURN(auto started, Gateway::Start(config, on_fatal, {.frozen = frozen}));
  {
    base::MutexLock lock(mu);
    gateway = std::move(started);
  }
  LogReady(*gateway, config);
  const absl::Status why = ending.Wait();
  gateway->Shutdown();
  {
    base::MutexLock lock(mu);
    gateway.reset();
  }
  base::Log(base::LogLevel::kInfo, "stopped");
  return why;
}

}  // namespace

int Serve(const std::string& config_path, bool frozen) {
  const auto config = config::LoadGatewayConfig(config_path);
  if (!config.ok()) {
    base::InitLogging(base::LogLevel::kInfo, base::LogFormat::kAuto);
    base::LogError(base::LogLevel::kError, "configuration refused", config.status());
    return 2;
  }
  StartLogging(config->logging());
  const absl::Status why = Run(*config, config_path, frozen);
  if (why.ok()) return 0;
  base::LogError(base::LogLevel::kError, "gateway ended", why);
  return 1;
}

}  // namespace cdgate::app
