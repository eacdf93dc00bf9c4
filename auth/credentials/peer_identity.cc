#include "auth/credentials/peer_identity.h"

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/auth_context.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::credentials {
namespace {

absl::Status Unauthenticated(absl::string_view fault) {
  return base::MakeError(base::Reason::kUnauthenticatedCall,
                         absl::StrCat("the connection has no verified identity: ", fault));
}

// Empty unless the property is there exactly once.
std::string Only(const grpc::AuthContext& context, const char* property) {
  const std::vector<grpc::string_ref> values = context.FindPropertyValues(property);
  return values.size() == 1 ? std::string(values[0].data(), values[0].size()) : std::string();
}

// When the first of them ends. What else the other side showed ends its own connection only.
absl::Time EndOf(const crypto::Certificate& leaf, const std::string& chain_pem) {
  absl::Time end = leaf.not_after();
  const auto chain = crypto::Certificate::ParsePemChain(chain_pem);
  if (!chain.ok()) return end;
  for (const crypto::Certificate& above : *chain) end = std::min(end, above.not_after());
  return end;
}

}  // namespace

absl::StatusOr<trust::SpiffeId> IdFromAuthContext(const grpc::AuthContext& context) {
  const std::string security = Only(context, GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME);
  if (security != GRPC_TLS_TRANSPORT_SECURITY_TYPE &&
      security != GRPC_SSL_TRANSPORT_SECURITY_TYPE) {
    return Unauthenticated("it does not use TLS");
  }
  const auto id = trust::SpiffeId::Parse(Only(context, GRPC_PEER_SPIFFE_ID_PROPERTY_NAME));
  if (!id.ok()) return Unauthenticated("its certificate does not carry exactly one SPIFFE ID");
  return id;
}

absl::StatusOr<trust::VerifiedPeer> PeerFromAuthContext(const grpc::AuthContext& context) {
  CDGATE_ASSIGN_OR_RETURN(trust::SpiffeId id, IdFromAuthContext(context));
  std::string leaf_pem = Only(context, GRPC_X509_PEM_CERT_PROPERTY_NAME);
  const auto leaf = crypto::Certificate::FromPem(leaf_pem);
  if (!leaf.ok()) return Unauthenticated(leaf.status().message());
  std::string chain_pem = Only(context, GRPC_X509_PEM_CERT_CHAIN_PROPERTY_NAME);
  const absl::Time end = EndOf(*leaf, chain_pem);
  return trust::VerifiedPeer{std::move(id), end, leaf->serial(), std::move(leaf_pem),
                             std::move(chain_pem)};
}

}  // namespace cdgate::credentials
