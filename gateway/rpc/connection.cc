#include "gateway/rpc/connection.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <optional>
#include <utility>
#include <vector>

#include "auth/credentials/peer_identity.h"
#include "gateway/base/status_macros.h"

namespace cdgate::rpc {
namespace {

constexpr size_t kMaxIdentities = 4;

absl::string_view LeafOf(const grpc::AuthContext& context) {
  const auto values = context.FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
  return values.empty() ? absl::string_view()
                        : absl::string_view(values[0].data(), values[0].size());
}

}  // namespace

Connection::Connection(int fd, authz::Listener listener, std::string key, std::string address,
                       uint64_t trust_version)
    : socket_(fd, listener == authz::Listener::kLocal ? WatchedSocket::Kind::kUnix
                                                      : WatchedSocket::Kind::kTcp),
      listener_(listener),
      key_(std::move(key)),
      address_(std::move(address)),
      trust_version_(trust_version) {}

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
  fresh->verified_under = trust_version_;
  fresh->certificate = std::make_shared<const trust::VerifiedPeer>(std::move(peer));
  base::MutexLock lock(mu_);
  if (identities_.size() < kMaxIdentities) identities_.push_back(fresh);
  return std::shared_ptr<const ConnectionIdentity>(std::move(fresh));
}

std::vector<std::shared_ptr<const ConnectionIdentity>> Connection::identities() const {
  base::MutexLock lock(mu_);
  return identities_;
}

std::optional<TrafficSample> Connection::Sample() const {
  TrafficSample sample = counters.Load();
  return socket_.Measure(sample) ? std::optional(sample) : std::nullopt;
}

}  // namespace cdgate::rpc
