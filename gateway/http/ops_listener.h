// The operations listener: plain HTTP for machines that watch the gateway.
//
//   GET /metrics   Prometheus text format 0.0.4
//   GET /livez     200 while the process works
//   GET /readyz    200 when it takes calls, else 503; says what is wrong, a line each
//
//   CDGATE_ASSIGN_OR_RETURN(auto ops, http::OpsListener::Start({.address = "127.0.0.1:0",
//       .metrics = metrics, .problems = [&] { return Problems(); }}));
//
// It answers without authentication and tells no event: bind it to loopback, or to a
// network that may know how busy the gateway is. A few threads of its own; a client that
// sends nothing is dropped after 5 s.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/base/metrics.h"

namespace cdgate::http {

struct OpsOptions {
  std::string address;  // "host:port"; port 0: any free one
  // Both outlive the listener.
  const base::Metrics& metrics;
  // Why the gateway is not ready; empty: it is. Called for each /readyz, from any thread.
  std::function<std::vector<std::string>()> problems;
  // Called before each /metrics, to bring gauges up to date. Optional.
  std::function<void()> before_metrics = nullptr;
};

// Thread-safe.
class OpsListener {
 public:
  // ADDRESS_IN_USE or INVALID_CONFIG naming the address.
  static absl::StatusOr<std::unique_ptr<OpsListener>> Start(OpsOptions options);
  // Stops answering and joins its threads.
  ~OpsListener();
  OpsListener(const OpsListener&) = delete;
  OpsListener& operator=(const OpsListener&) = delete;

  // "127.0.0.1:40123"
  const std::string& bound_address() const;

 private:
  class Impl;
  explicit OpsListener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace cdgate::http
