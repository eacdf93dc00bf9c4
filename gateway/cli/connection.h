// The connection of one run to its gateway.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/credentials/credentials.h"
#include "cdgate/admin/v1/admin.grpc.pb.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "gateway/base/timer_queue.h"
#include "gateway/cli/target.h"
#include "gateway/rpc/client_channel.h"

namespace cdgate::cli {

// How long a call may take that runs a policy over the history of the log.
inline constexpr absl::Duration kPlanTimeout = absl::Minutes(30);

// Thread-safe. Connects at the first call.
class Connection {
 public:
  // How long another unary call may take.
  static constexpr absl::Duration kCallTimeout = absl::Seconds(30);

  // FILE_UNREADABLE or CREDENTIALS_INVALID where the identity cannot be used, and for a token
  // file that cannot be read or holds no token. The file is read again for each call, so that
  // another program may keep the token fresh.
  static absl::StatusOr<std::unique_ptr<Connection>> Open(const Target& target);

  admin::v1::AdminService::Stub& admin() { return *admin_; }
  events::v1::EventsService::Stub& events() { return *events_; }
  // For stubs of other services.
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_->channel(); }

  // One unary call of a stub of this connection:
  //   connection.Call(connection.admin(), &admin::v1::AdminService::Stub::GetStatus, request)
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(Stub& stub,
                                grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request, absl::Duration timeout = kCallTimeout) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return Explain(status);
    return response;
  }

  // What a call ended with, as an error that says why: where the gateway gave no reason,
  // UNREACHABLE, PEER_CLOSED_HANDSHAKE, or what we refused in the gateway's certificate.
  absl::Status Explain(const grpc::Status& status) const;

  // Reads the identity again before a new try: a subscriber outlives certificates.
  void ReloadIdentity();

 private:
  class Refusals;
  Connection(Target target, std::shared_ptr<Refusals> refusals);

  const Target target_;
  const std::shared_ptr<Refusals> refusals_;
  std::unique_ptr<credentials::ClientIdentity> identity_;  // null for a Unix socket
  base::ThreadTimerQueue timers_;
  std::unique_ptr<rpc::ClientChannel> channel_;
  std::unique_ptr<admin::v1::AdminService::Stub> admin_;
  std::unique_ptr<events::v1::EventsService::Stub> events_;
};

}  // namespace cdgate::cli
