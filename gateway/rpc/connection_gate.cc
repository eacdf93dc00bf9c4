#include "gateway/rpc/connection_gate.h"

#include <grpc/grpc_security_constants.h>

#include <string>

#include "absl/strings/string_view.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/errors.h"
#include "gateway/rpc/status.h"

namespace cdgate::rpc {

grpc::Status ConnectionGate::Process(const InputMetadata&, grpc::AuthContext* context,
                                     OutputMetadata*, OutputMetadata*) {
  const auto values = context->FindPropertyValues(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
  if (values.size() != 1) {
    return ToGrpcStatus(base::MakeError(base::Reason::kUnauthenticatedCall,
                                        "the connection has no single SPIFFE ID"));
  }
  const auto id = trust::SpiffeId::Parse(absl::string_view(values[0].data(), values[0].size()));
  if (!id.ok()) return ToGrpcStatus(id.status());
  if (!deny_) return grpc::Status::OK;
  return ToGrpcStatus(deny_(authz::Principal::Spiffe(*id)));
}

}  // namespace cdgate::rpc
