#include "auth/credentials/credentials.h"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <utility>

#include "auth/credentials/verifier.h"
#include "auth/crypto/certificate.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::credentials {
namespace {

using crypto::Purpose;
using grpc::experimental::CertificateVerifier;
using grpc::experimental::ExternalCertificateVerifier;
using grpc::experimental::TlsChannelCredentialsOptions;
using grpc::experimental::TlsServerCredentialsOptions;

std::shared_ptr<CertificateVerifier> MakeVerifier(const IdentityStore& identity, Side side,
                                                  Verifier::Check check,
                                                  std::shared_ptr<VerificationObserver> observer) {
  return ExternalCertificateVerifier::Create<Verifier>(side, std::move(check), std::move(observer),
                                                       identity.published_files());
}

// The leaf's claim alone, where there is nothing yet to verify it against.
absl::StatusOr<trust::SpiffeId> UnverifiedId(absl::string_view leaf_pem) {
  CDGATE_ASSIGN_OR_RETURN(const auto leaf, crypto::Certificate::FromPem(leaf_pem));
  return trust::ClaimedId(leaf);
}

Verifier::Check CallerCheck(ServerSide side, std::shared_ptr<const trust::SnapshotSource> source,
                            std::string own_domain, const base::Clock& clock) {
  if (side == ServerSide::kEnrolment) {
    return [own_domain = std::move(own_domain)](absl::string_view leaf,
                                                absl::string_view) -> absl::Status {
      CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, UnverifiedId(leaf));
      return CheckCaller(ServerSide::kEnrolment, own_domain, id);
    };
  }
  return [side, source = std::move(source), own_domain = std::move(own_domain), &clock](
             absl::string_view leaf, absl::string_view chain) -> absl::Status {
    CDGATE_ASSIGN_OR_RETURN(
        const trust::VerifiedPeer peer,
        trust::Verify(*source->Current(), leaf, chain, Purpose::kClient, clock.Now()));
    return CheckCaller(side, own_domain, peer.id);
  };
}

TlsChannelCredentialsOptions ChannelOptions(const IdentityStore& identity,
                                            std::shared_ptr<CertificateVerifier> verifier) {
  TlsChannelCredentialsOptions options;
  options.set_certificate_provider(identity.provider());
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_check_call_host(false);  // who it is says the SPIFFE ID, not the host's name
  options.set_certificate_verifier(std::move(verifier));
  return options;
}

std::shared_ptr<grpc::ChannelCredentials> GatewayChannelCredentials(
    const IdentityStore& identity, std::shared_ptr<const trust::SnapshotSource> source,
    std::string domain, std::shared_ptr<VerificationObserver> observer, const base::Clock& clock,
    std::shared_ptr<VerifiedServer> server) {
  auto check = [source = std::move(source), domain = std::move(domain), &clock,
                server = std::move(server)](absl::string_view leaf,
                                            absl::string_view chain) -> absl::Status {
    CDGATE_ASSIGN_OR_RETURN(trust::VerifiedPeer peer, trust::Verify(*source->Current(), leaf, chain,
                                                                    Purpose::kServer, clock.Now()));
    CDGATE_RETURN_IF_ERROR(CheckIsGatewayOf(domain, peer.id));
    if (server != nullptr) server->Set(std::move(peer));
    return absl::OkStatus();
  };
  TlsChannelCredentialsOptions options = ChannelOptions(
      identity, MakeVerifier(identity, Side::kClient, std::move(check), std::move(observer)));
  options.set_verify_server_certs(true);
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> ServerCredentials(
    const IdentityStore& identity, const trust::TrustRegistry& registry, ServerSide side,
    std::shared_ptr<VerificationObserver> observer, const base::Clock& clock) {
  TlsServerCredentialsOptions options(identity.provider());
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(
      side == ServerSide::kEnrolment
          ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.set_certificate_verifier(
      MakeVerifier(identity, Side::kServer,
                   CallerCheck(side, registry.source(), identity.Current()->domain, clock),
                   std::move(observer)));
  return grpc::experimental::TlsServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> PeerChannelCredentials(
    const IdentityStore& identity, const trust::TrustRegistry& registry, std::string domain,
    std::shared_ptr<VerificationObserver> observer, const base::Clock& clock,
    std::shared_ptr<VerifiedServer> server) {
  return GatewayChannelCredentials(identity, registry.source(), std::move(domain),
                                   std::move(observer), clock, std::move(server));
}

void VerifiedServer::Set(trust::VerifiedPeer peer) {
  base::MutexLock lock(mu_);
  peer_ = std::move(peer);
}

std::optional<trust::VerifiedPeer> VerifiedServer::Get() const {
  base::MutexLock lock(mu_);
  return peer_;
}

absl::Status CapturedServer::Capture(absl::string_view leaf_pem, absl::string_view chain_pem) {
  base::MutexLock lock(mu_);
  if (leaf_pem_.empty()) {
    leaf_pem_ = std::string(leaf_pem);
    chain_pem_ = std::string(chain_pem);
  }
  if (leaf_pem_ == leaf_pem) return absl::OkStatus();
  return base::MakeError(base::Reason::kWrongPeer,
                         "the server shows another certificate than at the first connection");
}

absl::StatusOr<trust::VerifiedPeer> CapturedServer::VerifyAgainst(absl::string_view domain,
                                                                  absl::string_view bundle_pem,
                                                                  absl::Time now) const {
  std::string leaf_pem, chain_pem;
  {
    base::MutexLock lock(mu_);
    leaf_pem = leaf_pem_;
    chain_pem = chain_pem_;
  }
  if (leaf_pem.empty()) {
    return base::MakeError(base::Reason::kPeerClosedHandshake, "no connection was made");
  }
  CDGATE_ASSIGN_OR_RETURN(const auto store, trust::MakeTrustStore(domain, bundle_pem, {}));
  CDGATE_ASSIGN_OR_RETURN(
      trust::VerifiedPeer peer,
      trust::VerifyAgainst(*store, domain, leaf_pem, chain_pem, Purpose::kServer, now));
  CDGATE_RETURN_IF_ERROR(CheckIsGatewayOf(domain, peer.id));
  return peer;
}

std::shared_ptr<grpc::ChannelCredentials> EnrolmentChannelCredentials(
    const IdentityStore& identity, std::string domain, std::shared_ptr<CapturedServer> captured,
    std::shared_ptr<VerificationObserver> observer) {
  auto check = [domain = std::move(domain), captured = std::move(captured)](
                   absl::string_view leaf, absl::string_view chain) -> absl::Status {
    CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, UnverifiedId(leaf));
    CDGATE_RETURN_IF_ERROR(CheckIsGatewayOf(domain, id));
    return captured->Capture(leaf, chain);
  };
  TlsChannelCredentialsOptions options = ChannelOptions(
      identity, MakeVerifier(identity, Side::kClient, std::move(check), std::move(observer)));
  options.set_verify_server_certs(false);  // its bundle arrives with the response
  return grpc::experimental::TlsCredentials(options);
}

absl::StatusOr<std::unique_ptr<ClientIdentity>> ClientIdentity::Load(
    const std::string& directory, const base::Clock& clock,
    const std::string& key_passphrase_path) {
  auto out = std::unique_ptr<ClientIdentity>(new ClientIdentity(clock));
  IdentityOptions options;
  options.certificate_path = base::JoinPath(directory, "tls.crt");
  options.key_path = base::JoinPath(directory, "tls.key");
  options.key_passphrase_path = key_passphrase_path;
  options.bundle_path = base::JoinPath(directory, "bundle.pem");
  CDGATE_ASSIGN_OR_RETURN(out->store_,
                          IdentityStore::Create(std::move(options), out->registry_, clock));
  return out;
}

std::shared_ptr<grpc::ChannelCredentials> ClientIdentity::ChannelCredentials(
    std::shared_ptr<VerificationObserver> observer) const {
  return GatewayChannelCredentials(*store_, registry_.source(), store_->Current()->domain,
                                   std::move(observer), clock_, nullptr);
}

}  // namespace cdgate::credentials
