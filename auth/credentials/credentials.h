// gRPC credentials of our listeners and channels: mutual TLS whose peers are verified,
// on both sides, against the bundle of the domain they claim.
//
// Order: crypto::ConfigureTlsProcessWide(), then IdentityStore, then these. What is made
// here may outlive the IdentityStore (gRPC ends connections in its own time) and shares
// the observer; `clock` must live as long as the process uses gRPC. All functions are
// thread-safe.
//
// Who connected, a handler asks peer_identity.h; what the TLS library refuses before our
// verifier runs is told by tls_log.h.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "auth/trust/trust_registry.h"
#include "auth/trust/verify.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace grpc {
class ChannelCredentials;
class ServerCredentials;
}  // namespace grpc

namespace cdgate::credentials {

// Whom a listener takes.
enum class ServerSide {
  kApi,        // principals of our own domain
  kPeers,      // spiffe://PEER/gateway/*, every domain of the registry but our own
  kEnrolment,  // any well-formed leaf with a gateway's SPIFFE ID, not verified: the handler
               // checks it against the bundle handed over (trust::VerifyAgainst)
};

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
    const IdentityStore& identity, const trust::TrustRegistry& registry, ServerSide side,
    std::shared_ptr<VerificationObserver> observer, const base::Clock& clock);

// Who a server that we dialled was when its handshake was verified last: what is judged
// again when trust changes. Thread-safe.
class VerifiedServer {
 public:
  void Set(trust::VerifiedPeer peer);
  // None before the first handshake.
  std::optional<trust::VerifiedPeer> Get() const;

 private:
  mutable base::Mutex mu_;
  std::optional<trust::VerifiedPeer> peer_ CDGATE_GUARDED_BY(mu_);
};

// To dial a peer's peers listener: expects spiffe://`domain`/gateway/*. WRONG_PEER and the
// reasons of trust::Verify go to the observer; the call itself fails with UNAVAILABLE.
// `server`, which may be null, is told who was verified.
std::shared_ptr<grpc::ChannelCredentials> PeerChannelCredentials(
    const IdentityStore& identity, const trust::TrustRegistry& registry, std::string domain,
    std::shared_ptr<VerificationObserver> observer, const base::Clock& clock,
    std::shared_ptr<VerifiedServer> server = nullptr);

// What the server showed while enrolling, to be verified once its bundle has arrived.
// Thread-safe.
class CapturedServer {
 public:
  // For the verifier. WRONG_PEER where another leaf was captured before.
  absl::Status Capture(absl::string_view leaf_pem, absl::string_view chain_pem);

  // The server's identity, verified against `bundle_pem`, the bundle of `domain`. The caller
  // has compared the bundle's digest with the one pinned in the invite. PEER_CLOSED_HANDSHAKE
  // where no handshake was made; otherwise reasons of trust::VerifyAgainst.
  absl::StatusOr<trust::VerifiedPeer> VerifyAgainst(absl::string_view domain,
                                                    absl::string_view bundle_pem,
                                                    absl::Time now) const;

 private:
  mutable base::Mutex mu_;
  std::string leaf_pem_ CDGATE_GUARDED_BY(mu_);
  std::string chain_pem_ CDGATE_GUARDED_BY(mu_);
};

// To dial an enrolment listener: the server must show a gateway's SPIFFE ID of `domain`,
// but its chain can only be verified afterwards: use the response after
// captured->VerifyAgainst() is OK, and not before. For one connection: once captured,
// another leaf on a later connection is refused.
std::shared_ptr<grpc::ChannelCredentials> EnrolmentChannelCredentials(
    const IdentityStore& identity, std::string domain, std::shared_ptr<CapturedServer> captured,
    std::shared_ptr<VerificationObserver> observer);

// For the command line: a folder with tls.crt, tls.key and bundle.pem. `key_passphrase_path`: the
// file with the passphrase of an encrypted key.
class ClientIdentity {
 public:
  static absl::StatusOr<std::unique_ptr<ClientIdentity>> Load(
      const std::string& directory, const base::Clock& clock,
      const std::string& key_passphrase_path = "");

  // Expects a gateway of the identity's own domain.
  std::shared_ptr<grpc::ChannelCredentials> ChannelCredentials(
      std::shared_ptr<VerificationObserver> observer) const;

  // Reads the folder again, for a caller that stays connected longer than a certificate
  // lives. On an error the last good identity stays in use.
  absl::Status Reload() { return store_->Reload(); }

  std::shared_ptr<const IdentityInfo> Current() const { return store_->Current(); }

 private:
  explicit ClientIdentity(const base::Clock& clock) : clock_(clock) {}
  const base::Clock& clock_;
  trust::TrustRegistry registry_;
  std::unique_ptr<IdentityStore> store_;
};

}  // namespace cdgate::credentials
