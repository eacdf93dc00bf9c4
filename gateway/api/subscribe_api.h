// Registers Subscribe and Watch (gateway/delivery does the work).
#pragma once

#include "absl/status/status.h"
#include "gateway/delivery/subscribe_stream.h"
#include "gateway/rpc/router.h"

namespace cdgate::api {

// What `deps` names outlives the router's server.
absl::Status RegisterSubscribe(rpc::Router& router, const delivery::SubscribeDeps& deps);

}  // namespace cdgate::api
