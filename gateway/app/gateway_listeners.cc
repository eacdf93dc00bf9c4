// What a gateway listens on, within which bounds.
#include <string>
#include <utility>
#include <vector>

#include "auth/credentials/credentials.h"
#include "gateway/app/gateway.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

// Of an HTTP body, for what is around the event.
constexpr size_t kEnvelopeRoom = 64 << 10;

}  // namespace

rpc::ListenerOptions Gateway::TcpListener(authz::Listener kind, const std::string& address) const {
  using credentials::ServerSide;
  const ServerSide side = kind == authz::Listener::kApi     ? ServerSide::kApi
                          : kind == authz::Listener::kPeers ? ServerSide::kPeers
                                                            : ServerSide::kEnrolment;
  rpc::ListenerOptions options{.kind = kind, .address = address};
  options.credentials = credentials::ServerCredentials(*identity_, trust_, side, refusals_, clock_);
  rpc::ListenerLimits bounds = rpc::DefaultLimits(kind);
  const config::v1::LimitsConfig& limits = config_.limits();
  if (kind != authz::Listener::kEnrolment && limits.max_connections() != 0) {
    bounds.max_connections = limits.max_connections();
  }
  if (limits.max_connections_per_address() != 0) {
    bounds.max_connections_per_address = limits.max_connections_per_address();
  }
  if (kind == authz::Listener::kApi && limits.max_streams_per_connection() != 0) {
    bounds.max_streams_per_connection = static_cast<int>(limits.max_streams_per_connection());
  }
  if (limits.connection_slack_bytes() != 0) {
    bounds.slack_bytes = limits.connection_slack_bytes();
  }
  options.limits = bounds;
  return options;
}

std::vector<rpc::ListenerOptions> Gateway::Listeners() const {
  const config::v1::Listeners& listeners = config_.listeners();
  std::vector<rpc::ListenerOptions> out;
  out.push_back(TcpListener(authz::Listener::kApi, listeners.api()));
  if (!listeners.peers().empty()) {
    out.push_back(TcpListener(authz::Listener::kPeers, listeners.peers()));
  }
  if (!listeners.enrolment().empty()) {
    out.push_back(TcpListener(authz::Listener::kEnrolment, listeners.enrolment()));
  }
  const std::string local = listeners.local().empty()
                                ? base::JoinPath(config_.data_dir(), "local.sock")
                                : listeners.local();
  rpc::ListenerOptions socket{.kind = authz::Listener::kLocal, .address = local};
  socket.limits = rpc::DefaultLimits(authz::Listener::kLocal);
  out.push_back(std::move(socket));
  return out;
}

absl::Status Gateway::Listen() {
  // Before the first call: what is granted, trusted and frozen.
  trust_watch_->Apply(*storage_->store().Resources());
  rpc::ServerOptions options{.router = router_,
                             .grants = grants_,
                             .clock = clock_,
                             .timers = timers_,
                             .metrics = metrics_};
  options.trust = trust_.source();
  options.listeners = Listeners();
  options.deny = [this](const authz::Principal& principal) {
    return trust_watch_->Denied(principal);
  };
  options.auditor = audit_.get();
  options.rates = rates_.get();
  options.bearer = [this](absl::string_view token) { return identity_keys_->Resolve(token); };
  CDGATE_ASSIGN_OR_RETURN(server_, rpc::Server::Start(std::move(options)));
  server_->OnDrain([this] {
    health_.Drain();
    subscriptions_.Drain();
    links_->Drain();
  });
  return absl::OkStatus();
}

absl::Status Gateway::ListenIngress() {
  const config::v1::Listeners& listeners = config_.listeners();
  if (listeners.ingress().empty()) return absl::OkStatus();
  http::IngressOptions options{
      .address = listeners.ingress(),
      .handler = {
          .domain = config_.domain(),
          .admission = *admission_,
          .tokens = [this] { return tokens_->Current(); },
          .identity_token = [this](absl::string_view token) { return identity_keys_->Who(token); },
          .trust = trust_.source(),
          .deny =
              [this](const authz::Principal& principal) { return trust_watch_->Denied(principal); },
          .on_refused =
              [this](const std::string& address, const std::string& principal,
                     const absl::Status& why) {
                audit_->OnRequestRefused(address, principal, why);
              },
          .rates = rates_.get(),
          .grant_path = webhook::kGrantPath,
          .on_grant = [this](absl::string_view key,
                             absl::string_view rate) { return webhooks_->Grant(key, rate); },
          .epoch = [this] { return storage_->store().head().epoch; },
          .clock = clock_,
          .metrics = metrics_}};
  const bool cleartext = listeners.ingress_transport() == config::v1::INGRESS_TRANSPORT_CLEARTEXT;
  options.identity = cleartext ? nullptr : identity_.get();
  options.observer = refusals_;
  const config::v1::LimitsConfig& limits = config_.limits();
  if (limits.max_connections() != 0) options.caps.max_connections = limits.max_connections();
  if (limits.max_connections_per_address() != 0) {
    options.caps.max_connections_per_address = limits.max_connections_per_address();
  }
  if (limits.max_event_bytes() != 0) {
    options.max_body_bytes = limits.max_event_bytes() + kEnvelopeRoom;
  }
  CDGATE_ASSIGN_OR_RETURN(ingress_, http::IngressListener::Start(std::move(options)));
  return absl::OkStatus();
}

absl::Status Gateway::ListenOps() {
  const std::string address =
      config_.listeners().ops().empty() ? "127.0.0.1:0" : config_.listeners().ops();
  CDGATE_ASSIGN_OR_RETURN(ops_,
                          http::OpsListener::Start({.address = address,
                                                    .metrics = metrics_,
                                                    .problems =
                                                        [this] {
                                                          std::vector<std::string> why;
                                                          if (!health_.Get("").value_or(false)) {
                                                            why.push_back("starting or draining");
                                                          }
                                                          return why;
                                                        },
                                                    .before_metrics = [this] { UpdateGauges(); }}));
  return absl::OkStatus();
}

}  // namespace cdgate::app
