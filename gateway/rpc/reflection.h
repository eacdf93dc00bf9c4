// The standard server reflection protocol, v1 and v1alpha, over the descriptors linked
// into the program. The service that gRPC ships blocks one thread for each open stream
// and knows generated services only; this one is an ordinary handler. It names the
// services that the asked listener serves, and no other.
#pragma once

#include "absl/status/status.h"
#include "gateway/rpc/router.h"

namespace cdgate::rpc {

// Registers both versions. Reads `router` when asked, so the order of registration does
// not matter; `router` must outlive the server (it holds the handlers).
absl::Status RegisterReflection(Router& router);

}  // namespace cdgate::rpc
