// Which peers a request names, by its descriptor: what a grant with peers is held against
// (auth/authz/peer_scope.h).
//
// A request names a peer in a field "peer" or "domain", or in its "policy"; an empty one names
// none. This is the one place that knows.
#pragma once

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cdgate::rpc {

struct Call;

// Whether requests of this type can name a peer.
bool NamesPeer(const google::protobuf::Descriptor& request);

// All that it names, without empty ones.
std::vector<std::string> PeersOf(const google::protobuf::Message& request);

// SCOPE_NOT_GRANTED where the call's principal does not reach what the request names; where it
// names no peer, the gateway as a whole.
absl::Status CheckScope(const Call& call, const google::protobuf::Message& request);

}  // namespace cdgate::rpc
