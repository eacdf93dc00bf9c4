#include "auth/credentials/verifier.h"

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"

namespace cdgate::credentials {
namespace {

absl::string_view View(grpc::string_ref text) {
  return text.data() == nullptr ? absl::string_view() : absl::string_view(text.data(), text.size());
}

absl::Status WrongPeer(const trust::SpiffeId& id, absl::string_view expected) {
  return base::MakeError(base::Reason::kWrongPeer,
                         absl::StrCat("the certificate is of ", id.text(), ", and ", expected),
                         {{"id", id.text()}});
}

std::string ClaimedIdOf(const absl::Status& refused) {
  for (const auto& [key, value] : base::MetadataOf(refused)) {
    if (key == "id") return value;
  }
  return "";
}

}  // namespace

bool Verifier::Verify(grpc::experimental::TlsCustomVerificationCheckRequest* request,
                      std::function<void(grpc::Status)> /*callback*/, grpc::Status* sync_status) {
  CDGATE_TAKEN_OVER(this);
  const absl::Status status =
      check_(View(request->peer_cert()), View(request->peer_cert_full_chain()));
  if (status.ok()) {
    *sync_status = grpc::Status::OK;
  } else {
    Tell(status);
    *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(status.message()));
  }
  CDGATE_HANDED_OVER(this);
  return true;  // decided here; the callback is for verifiers that are not
}

void Verifier::Tell(const absl::Status& refused) const {
  if (observer_ == nullptr) return;
  observer_->OnRefused({side_, base::ReasonOf(refused).value_or(base::Reason::kInternal),
                        ClaimedIdOf(refused), std::string(refused.message())});
}

absl::Status CheckCaller(ServerSide side, absl::string_view own_domain, const trust::SpiffeId& id) {
  const bool ours = id.trust_domain() == own_domain;
  switch (side) {
    case ServerSide::kApi:
      if (ours) return absl::OkStatus();
      return WrongPeer(id, absl::StrCat("this listener is for principals of ", own_domain,
                                        ": dial the gateway of your own domain"));
    case ServerSide::kPeers:
      if (!ours && id.is_gateway()) return absl::OkStatus();
      return WrongPeer(id, "this listener is for gateways of other domains");
    case ServerSide::kEnrolment:
      if (!ours && id.is_gateway()) return absl::OkStatus();
      return WrongPeer(id, "this listener is for gateways of domains that were invited");
  }
  return WrongPeer(id, "this listener takes nobody");
}

absl::Status CheckIsGatewayOf(absl::string_view domain, const trust::SpiffeId& id) {
  if (id.trust_domain() == domain && id.is_gateway()) return absl::OkStatus();
  return WrongPeer(id, absl::StrCat("a gateway of ", base::Shorten(domain), " was expected"));
}

}  // namespace cdgate::credentials
