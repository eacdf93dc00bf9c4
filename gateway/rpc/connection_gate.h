// The first gate: facts of the connection, asked before a call reaches the generic
// service. Its refusals are bare codes, as gRPC drops the details here, and it adds
// nothing to the AuthContext, which all calls of a connection share.
#pragma once

#include <grpcpp/security/auth_metadata_processor.h>

#include <utility>

#include "gateway/rpc/server.h"

namespace cdgate::rpc {

// Refuses calls without exactly one SPIFFE ID (UNAUTHENTICATED) and those of principals
// on the deny list. Thread-safe; never blocks.
class ConnectionGate final : public grpc::AuthMetadataProcessor {
 public:
  explicit ConnectionGate(DenyList deny) : deny_(std::move(deny)) {}

  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext* context,
                       OutputMetadata* consumed, OutputMetadata* response) override;

 private:
  const DenyList deny_;
};

}  // namespace cdgate::rpc
