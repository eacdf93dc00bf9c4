// Who is at the other end of a gRPC connection that credentials.h made.
#pragma once

#include "absl/status/statusor.h"
#include "auth/trust/spiffe_id.h"
#include "auth/trust/verify.h"

namespace grpc {
class AuthContext;
}

namespace cdgate::credentials {

// Facts of the handshake, not verified anew: our verifier admitted the connection, or it
// would not exist. UNAUTHENTICATED_CALL where the connection has no TLS or shows not exactly
// one SPIFFE ID. All calls of a connection share the context and so the answer.

// The SPIFFE ID alone: cheap enough for every call.
absl::StatusOr<trust::SpiffeId> IdFromAuthContext(const grpc::AuthContext& context);

// All of it, with the certificates to verify again when trust changes: parses the leaf, so
// once a connection.
absl::StatusOr<trust::VerifiedPeer> PeerFromAuthContext(const grpc::AuthContext& context);

}  // namespace cdgate::credentials
