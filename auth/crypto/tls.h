// TLS settings of the whole process.
#pragma once

#include "absl/status/status.h"

namespace cdgate::crypto {

// TLS 1.3 only and no session tickets, for every TLS context made afterwards, those
// inside gRPC included: gRPC 1.51 has no setting for either, and a resumed session would
// skip the chain and the revocation lists. A server chooses AES-128-GCM, the suite that
// every TLS 1.3 has (RFC 8446, section 9.1), where the client offers it: of the three the
// cheapest, and each event goes through four of these connections. Call before gRPC or any other
// TLS starts, once; later calls do nothing. The system's openssl.cnf is not read.
absl::Status ConfigureTlsProcessWide();

}  // namespace cdgate::crypto
