// What a handler knows of the call it serves, and the server's end of a stream.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "auth/authz/method_table.h"
#include "auth/authz/peer_scope.h"
#include "auth/authz/principal.h"
#include "auth/trust/verify.h"
#include "gateway/rpc/bearer.h"
#include "gateway/rpc/frame_stream.h"

namespace cdgate::rpc {

// The facts of one authorised call. Immutable; thread-safe; may outlive the call.
struct Call {
  std::string method;  // "/cdgate.events.v1.EventsService/Publish"
  authz::Listener listener;
  // Who calls: whoever the call's token is of, or else the connection. On the enrolment
  // listener nobody has verified this yet.
  authz::Principal principal;
  // The certificate of the connection; null on the local listener.
  std::shared_ptr<const trust::VerifiedPeer> certificate;
  std::string peer_address;  // as FrameStream::PeerAddress()
  // When the caller gives up; the infinite future where it set no deadline.
  absl::Time deadline;
  // The call's token; null where the principal is the connection's.
  BearerPtr bearer = nullptr;
  const authz::MethodRow* row = nullptr;
  // The peers that the principal's grants reach by this method. What the request names was
  // checked (request_peers.h); where the row's reach is kHandler, the handler does so.
  authz::PeerScope peers = {};

  // SCOPE_NOT_GRANTED; an empty `peer` is the gateway as a whole.
  absl::Status MayReach(absl::string_view peer) const {
    return peers.Check(principal.id, method, peer);
  }
};

using CallPtr = std::shared_ptr<const Call>;

// A stream whose call was authorised. Everything frame_stream.h says holds.
class ServerStream : public FrameStream {
 public:
  virtual const Call& call() const = 0;
};

using ServerStreamPtr = std::shared_ptr<ServerStream>;

}  // namespace cdgate::rpc
