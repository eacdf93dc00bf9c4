#include "gateway/rpc/connection_gate.h"

#include "auth/credentials/peer_identity.h"
#include "gateway/rpc/status.h"

namespace cdgate::rpc {

grpc::Status ConnectionGate::Process(const InputMetadata&, grpc::AuthContext* context,
                                     OutputMetadata*, OutputMetadata*) {
  return ToGrpcStatus(credentials::IdFromAuthContext(*context).status());
}

}  // namespace cdgate::rpc
