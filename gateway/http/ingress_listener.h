// The HTTP ingress: CloudEvents over HTTP/1.1, from tools that do not speak gRPC.
//
//   CDGATE_ASSIGN_OR_RETURN(auto ingress, http::IngressListener::Start({
//       .address = "0.0.0.0:8443", .handler = {...}, .identity = identity}));
//   ingress->bound_address();                 // "0.0.0.0:8443"
//   ...
//   ingress->Shutdown(absl::Seconds(10));     // drains
//
// One thread waits for all connections, and hands each that can go on to a few that work
// and never wait for a client: a thousand silent connections cost a thousand descriptors
// and delay nobody. See docs/adr/0014-http-ingress.md for why it is not the HTTP library that
// serves /metrics.
//
// TLS 1.3 with our certificate as it is at each handshake; a client certificate is asked
// for and not required. Without TLS (`identity` null) only loopback addresses are served, and
// what bounds one address does not hold: all clients of a proxy have the same.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "gateway/http/body_budget.h"
#include "gateway/http/connection_caps.h"
#include "gateway/http/http_reader.h"
#include "gateway/http/ingress_connection.h"
#include "gateway/http/ingress_handler.h"

namespace cdgate::http {

struct IngressOptions {
  std::string address;  // "host:port"; port 0: any free one
  IngressDeps handler;
  // Outlives the listener. Null: clear text.
  const credentials::IdentityStore* identity = nullptr;
  std::shared_ptr<credentials::VerificationObserver> observer = nullptr;
  CapLimits caps = {};
  HttpLimits http = {};
  IngressTimes times = {};
  size_t max_body_bytes = 1'065'536;
  // Of all connections together, answers included; 0: 64 MiB, or eight times max_body_bytes where
  // that is more. One address has a quarter (body_budget.h).
  size_t body_budget_bytes = 0;
};

// Thread-safe.
class IngressListener {
 public:
  // ADDRESS_IN_USE or INVALID_CONFIG naming the address; INVALID_CONFIG for clear text on an
  // address that is not a loopback address; CREDENTIALS_INVALID.
  static absl::StatusOr<std::unique_ptr<IngressListener>> Start(IngressOptions options);
  // Calls Shutdown(0).
  ~IngressListener();
  IngressListener(const IngressListener&) = delete;
  IngressListener& operator=(const IngressListener&) = delete;

  // "127.0.0.1:40123"
  const std::string& bound_address() const;

  // Stops accepting, ends connections between two requests, and others with their next
  // answer. Does not wait. Idempotent.
  void Drain();
  // Drains; finishes requests that have begun within `limit`, then ends the rest. Idempotent.
  void Shutdown(absl::Duration limit);

  size_t live_connections() const;

 private:
  class Core;
  explicit IngressListener(std::shared_ptr<Core> core);
  // Shared with answers that are waited for, which may come after the listener is gone.
  std::shared_ptr<Core> core_;
};

}  // namespace cdgate::http
