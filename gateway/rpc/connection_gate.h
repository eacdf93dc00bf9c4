// The first gate: a second net under the verifier of auth/credentials, asked before a
// call reaches the generic service. It knows the connection only and adds nothing to its
// AuthContext, which all calls of a connection share. Its refusals are bare codes, as
// gRPC drops the details here; so whatever a caller must be told is left to the second
// gate (call_gate.h), the deny list included.
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>

namespace cdgate::rpc {

// Refuses calls of connections without exactly one SPIFFE ID (UNAUTHENTICATED).
// Thread-safe; never blocks.
class ConnectionGate final : public grpc::AuthMetadataProcessor {
 public:
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;
};

}  // namespace cdgate::rpc
