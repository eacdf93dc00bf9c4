// Our verifier inside gRPC's handshake: who may be at the other end. For credentials.cc.
#pragma once

#include <grpcpp/security/tls_certificate_verifier.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "auth/credentials/credentials.h"
#include "auth/credentials/observer.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/tsan.h"

namespace cdgate::credentials {

// Decides in the thread of the handshake, half a millisecond or so.
class Verifier final : public grpc::experimental::ExternalCertificateVerifier {
 public:
  // OK where the other side may be who it shows to be. Called from several threads.
  using Check =
      std::function<absl::Status(absl::string_view leaf_pem, absl::string_view chain_pem)>;

  // `published_files` is only kept: gRPC keeps a verifier for as long as the credentials it
  // belongs to, and so for as long as it reads those files.
  Verifier(Side side, Check check, std::shared_ptr<VerificationObserver> observer,
           std::shared_ptr<const void> published_files)
      : side_(side),
        check_(std::move(check)),
        observer_(std::move(observer)),
        published_files_(std::move(published_files)) {
    CDGATE_HANDED_OVER(this);
  }
  ~Verifier() override { CDGATE_TAKEN_OVER(this); }

  bool Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
              std::function<void(grpc::Status)> callback, grpc::Status* sync_status) override;
  void Cancel(grpc::experimental::TlsCustomVerificationCheckRequest*) override {}

 private:
  void Tell(const absl::Status& refused) const;

  const Side side_;
  const Check check_;
  const std::shared_ptr<VerificationObserver> observer_;
  const std::shared_ptr<const void> published_files_;
};

// The rules of each side about who the other is, once its chain is verified.
absl::Status CheckCaller(ServerSide side, absl::string_view own_domain, const trust::SpiffeId& id);
absl::Status CheckIsGatewayOf(absl::string_view domain, const trust::SpiffeId& id);

}  // namespace cdgate::credentials
