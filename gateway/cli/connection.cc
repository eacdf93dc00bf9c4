#include "gateway/cli/connection.h"

#include <grpcpp/security/credentials.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/token_file.h"
#include "gateway/rpc/status.h"

namespace cdgate::cli {
namespace {

using base::MakeError;
using base::Reason;

// True where a TCP connection to one address comes about within two seconds.
bool Connects(const addrinfo& address) {
  const int fd = socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  bool connected = connect(fd, address.ai_addr, address.ai_addrlen) == 0;
  if (!connected && errno == EINPROGRESS) {
    pollfd writable{fd, POLLOUT, 0};
    int error = -1;
    socklen_t size = sizeof error;
    connected = poll(&writable, 1, 2000) == 1 &&
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
  }
  close(fd);
  return connected;
}

// Whether something listens at "host:port": tells a gateway that closed the handshake on
// us from one that is not there.
bool SomethingListens(const std::string& gateway) {
  const size_t colon = gateway.rfind(':');
  if (colon == std::string::npos) return false;
  std::string host = gateway.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), gateway.substr(colon + 1).c_str(), &hints, &found) != 0) {
    return false;
  }
  bool listens = false;
  for (const addrinfo* at = found; at != nullptr && !listens; at = at->ai_next) {
    listens = Connects(*at);
  }
  freeaddrinfo(found);
  return listens;
}

}  // namespace

// What our side refused in the gateway's certificate; the last one counts.
class Connection::Refusals final : public credentials::VerificationObserver {
 public:
  void OnRefused(const credentials::Refusal& refusal) override {
    base::MutexLock lock(mu_);
    last_ = refusal;
  }
  std::optional<credentials::Refusal> last() const {
    base::MutexLock lock(mu_);
    return last_;
  }

 private:
  mutable base::Mutex mu_;
  std::optional<credentials::Refusal> last_ CDGATE_GUARDED_BY(mu_);
};

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Target& target) {
  auto refusals = std::make_shared<Refusals>();
  std::unique_ptr<Connection> connection(new Connection(target, refusals));
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (!target.is_local()) {
    CDGATE_ASSIGN_OR_RETURN(connection->identity_,
                            credentials::ClientIdentity::Load(target.identity, base::SystemClock(),
                                                              target.key_passphrase_file));
    credentials = connection->identity_->ChannelCredentials(refusals);
    if (!target.token_file.empty()) {
      CDGATE_ASSIGN_OR_RETURN(credentials, WithToken(std::move(credentials), target.token_file));
    }
  }
  connection->channel_ = std::make_unique<rpc::ClientChannel>(
      target.gateway, std::move(credentials),
      rpc::ClientChannelOptions{.clock = base::SystemClock(), .timers = connection->timers_});
  connection->admin_ = admin::v1::AdminService::NewStub(connection->channel_->channel());
  connection->events_ = events::v1::EventsService::NewStub(connection->channel_->channel());
  return connection;
}

Connection::Connection(Target target, std::shared_ptr<Refusals> refusals)
    : target_(std::move(target)), refusals_(std::move(refusals)), timers_(base::SystemClock()) {}

absl::Status Connection::Explain(const grpc::Status& status) const {
  absl::Status error = rpc::FromGrpcStatus(status);
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE || !status.error_details().empty()) {
    return error;
  }
  const base::Metadata metadata = {{"gateway", target_.gateway}};
  if (const auto refusal = refusals_->last();
      refusal && refusal->reason != Reason::kTlsHandshakeFailed) {
    return MakeError(
        refusal->reason,
        absl::StrCat("we refused the gateway at ", target_.gateway, ": ", refusal->message),
        metadata);
  }
  if (!target_.is_local() && SomethingListens(target_.gateway)) {
    return MakeError(
        Reason::kPeerClosedHandshake,
        absl::StrCat("the gateway at ", target_.gateway,
                     " ended the connection; it may not trust the identity in ", target_.identity),
        metadata);
  }
  return MakeError(Reason::kUnreachable, absl::StrCat("nothing answers at ", target_.gateway),
                   metadata);
}

void Connection::ReloadIdentity() {
  // On an error the last good identity stays in use, and the next call says what is wrong.
  if (identity_ != nullptr) identity_->Reload().IgnoreError();
}

}  // namespace cdgate::cli
