#include "gateway/rpc/connection.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>
#include <vector>

#include "auth/credentials/peer_identity.h"
#include "gateway/base/status_macros.h"

namespace cdgate::rpc {
namespace {

// linux/tcp.h has tcpi_bytes_received but not the names of the states.
constexpr int kTcpEstablished = 1;
constexpr int kTcpSynReceived = 3;
constexpr size_t kMaxIdentities = 4;

absl::string_view LeafOf(const grpc::AuthContext& context) {
  const auto values = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return values.empty() ? absl::string_view()
                        : absl::string_view(values[0].data(), values[0].size());
}

}  // namespace

Connection::Connection(int fd, authz::Listener listener, std::string key, std::string address)
    : fd_(fd), listener_(listener), key_(std::move(key)), address_(std::move(address)) {}

Connection::~Connection() { close(fd_); }

absl::StatusOr<std::shared_ptr<const ConnectionIdentity>> Connection::Identify(
    const grpc::AuthContext& context) {
  const absl::string_view leaf = LeafOf(context);
  for (auto& known : identities()) {
    if (known->leaf_pem == leaf) return std::move(known);
  }
  CDGATE_ASSIGN_OR_RETURN(trust::VerifiedPeer peer, credentials::PeerFromAuthContext(context));
  auto fresh = std::make_shared<ConnectionIdentity>();
  fresh->leaf_pem = std::string(leaf);
  fresh->principal = authz::Principal::Spiffe(peer.id);
  fresh->certificate = std::make_shared<const trust::VerifiedPeer>(std::move(peer));
  base::MutexLock lock(mu_);
  if (identities_.size() < kMaxIdentities) identities_.push_back(fresh);
  return std::shared_ptr<const ConnectionIdentity>(std::move(fresh));
}

std::vector<std::shared_ptr<const ConnectionIdentity>> Connection::identities() const {
  base::MutexLock lock(mu_);
  return identities_;
}

bool Connection::Cut() {
  if (cut_.exchange(true)) return false;
  shutdown(fd_, SHUT_RDWR);
  // What has arrived and was not read would still be read, and may be what costs so much.
  // Dissolving the association throws it away and resets the connection (man 7 tcp).
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  connect(fd_, &nobody, sizeof(nobody));
  return true;
}

std::optional<TrafficSample> Connection::Sample() const {
  TrafficSample sample;
  sample.message_bytes = counters.message_bytes.load(std::memory_order_relaxed);
  sample.messages = counters.messages.load(std::memory_order_relaxed);
  sample.sent_bytes = counters.sent_bytes.load(std::memory_order_relaxed);
  sample.streams = counters.streams.load(std::memory_order_relaxed);
  sample.waste = counters.waste.load(std::memory_order_relaxed);
  sample.open = counters.open.load(std::memory_order_relaxed);
  sample.paused = counters.paused.load(std::memory_order_relaxed);
  if (listener_ == authz::Listener::kLocal) {
    pollfd entry{fd_, POLLRDHUP, 0};
    const bool gone =
        poll(&entry, 1, 0) > 0 && (entry.revents & (POLLHUP | POLLERR | POLLRDHUP)) != 0;
    return gone ? std::nullopt : std::optional(sample);
  }
  // After the counters, so that no message is counted before its bytes.
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  if (info.tcpi_state != kTcpEstablished && info.tcpi_state != kTcpSynReceived) return std::nullopt;
  sample.received = info.tcpi_bytes_received;
  return sample;
}

}  // namespace cdgate::rpc
