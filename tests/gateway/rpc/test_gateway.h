// A gateway's server over real sockets and real certificates, with handlers that echo,
// and clients of it: what the tests of this folder share.
//
//   TestGateway gateway;                               // listens on port 0, everywhere
//   auto channel = gateway.Api("reader");              // spiffe://alpha.example/service/reader
//   auto answer = CallUnary<DeliveredEvent>(*channel, kGetEvent, request);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/authz/grants.h"
#include "auth/credentials/credentials.h"
#include "auth/credentials/identity_store.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/client_channel.h"
#include "gateway/rpc/health.h"
#include "gateway/rpc/server.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::rpc {

inline constexpr char kGetEvent[] = "/cdgate.events.v1.EventsService/GetEvent";
inline constexpr char kGetStatus[] = "/cdgate.admin.v1.AdminService/GetStatus";
inline constexpr char kSubscribe[] = "/cdgate.events.v1.EventsService/Subscribe";
inline constexpr char kWatch[] = "/cdgate.events.v1.EventsService/Watch";
inline constexpr char kLink[] = "/cdgate.federation.v1.FederationService/Link";
inline constexpr char kHealthCheck[] = "/grpc.health.v1.Health/Check";
inline constexpr char kHealthWatch[] = "/grpc.health.v1.Health/Watch";
inline constexpr absl::Duration kPatience = absl::Seconds(20);

// A value that one thread sets and another waits for.
template <typename T>
class Promise {
 public:
  void Set(T value) {
    base::MutexLock lock(mu_);
    if (!value_) value_.emplace(std::move(value));
    set_.SignalAll();
  }
  // Nothing where it does not come in time.
  std::optional<T> Wait(absl::Duration patience = kPatience) {
    base::MutexLock lock(mu_);
    while (!value_) {
      if (!set_.WaitFor(mu_, patience)) break;
    }
    return value_;
  }

 private:
  base::Mutex mu_;
  base::CondVar set_;
  std::optional<T> value_ CDGATE_GUARDED_BY(mu_);
};

// Drives a stream from a test's thread.
class StreamProbe : public std::enable_shared_from_this<StreamProbe> {
 public:
  // Reads on by itself unless told otherwise.
  static std::shared_ptr<StreamProbe> Start(FrameStreamPtr stream, bool keep_reading = true);

  // Waits until it was written. False: the stream is over.
  bool Send(const std::string& message);
  // The next message; none once the stream is over.
  std::optional<std::string> Receive();
  void Read() { stream_->Read(); }
  // Waits for the end and says what it was.
  absl::Status WaitClosed() { return closed_.Wait().value_or(absl::UnknownError("not closed")); }
  bool WaitEnd() { return end_.Wait().has_value(); }
  FrameStream& stream() { return *stream_; }

 private:
  explicit StreamProbe(FrameStreamPtr stream, bool keep_reading)
      : stream_(std::move(stream)), keep_reading_(keep_reading) {}
  void OnMessage(const grpc::ByteBuffer& message);

  const FrameStreamPtr stream_;
  const bool keep_reading_;
  Promise<absl::Status> closed_;
  Promise<bool> end_;
  base::Mutex mu_;
  base::CondVar arrived_;
  std::vector<std::string> messages_ CDGATE_GUARDED_BY(mu_);
  bool over_ CDGATE_GUARDED_BY(mu_) = false;
};

template <typename Response>
absl::StatusOr<Response> CallUnary(ClientChannel& channel, absl::string_view method,
                                   const google::protobuf::MessageLite& request,
                                   absl::Duration timeout = kPatience) {
  auto promise = std::make_shared<Promise<absl::StatusOr<Response>>>();
  channel.Call<Response>(method, request, timeout,
                         [promise](absl::StatusOr<Response> r) { promise->Set(std::move(r)); });
  return promise->Wait().value_or(absl::UnknownError("no answer came"));
}

// Who may do what: any reader may read, any writer may publish.
std::shared_ptr<const authz::Grants> TestGrants();

class TestGateway {
 public:
  using Change = std::function<void(ServerOptions&)>;

  explicit TestGateway(const Change& change = nullptr);
  ~TestGateway();

  // A channel to the api listener as spiffe://alpha.example/service/`name`.
  std::unique_ptr<ClientChannel> Api(const std::string& name);
  // A channel to the peers listener as spiffe://beta.example/gateway/gw1.
  std::unique_ptr<ClientChannel> Peer() { return PeerTo(Address(authz::Listener::kPeers)); }
  // The same to another address that shows an identity of alpha.example.
  std::unique_ptr<ClientChannel> PeerTo(const std::string& address);
  // The folder of alpha's gateway: tls.crt, tls.key and bundle.pem.
  std::string GatewayIdentity() const { return dir.File(alpha.domain()); }
  std::unique_ptr<ClientChannel> Local();

  // A folder with tls.crt, tls.key and bundle.pem of that service; for clients elsewhere.
  std::string ServiceIdentity(const std::string& name);
  std::string Address(authz::Listener kind) const { return server->BoundAddress(kind); }
  // Has the first stream, whose client `probe` is, stop reading. Returns it: nothing is being
  // written on it.
  std::shared_ptr<ServerStream> Stall(StreamProbe& probe);
  // Waits until `done`, looking now and then.
  static bool Eventually(const std::function<bool()>& done);

  // For ever: streams that a test left open end after it.
  static base::TimerQueue& Timers();

  base::ThreadPool pool{{.name = "handlers", .threads = 2}};
  base::Metrics metrics;
  test::TempDir dir;
  const test::TestCa alpha;
  const test::TestCa beta;
  authz::GrantRegistry grants;
  HealthRegistry health;
  Router router;
  std::unique_ptr<Server> server;

  // What the handlers saw. Guarded by `mu`.
  struct Seen {
    std::vector<CallPtr> calls;
    std::vector<std::weak_ptr<ServerStream>> streams;
    std::vector<absl::Status> closed;
    int stalled = 0;  // streams that were asked to; nothing is being written on them
  };
  Seen seen() const {
    base::MutexLock lock(mu);
    return seen_;
  }

 private:
  void RegisterHandlers();
  void Echo(ServerStreamPtr stream);
  credentials::IdentityStore& StoreOf(const test::TestCa& ca, const test::TestCa& other,
                                      trust::TrustRegistry& registry,
                                      std::unique_ptr<credentials::IdentityStore>& store);

  mutable base::Mutex mu;
  Seen seen_ CDGATE_GUARDED_BY(mu);
  trust::TrustRegistry alpha_trust_;
  trust::TrustRegistry beta_trust_;
  std::unique_ptr<credentials::IdentityStore> alpha_store_;
  std::unique_ptr<credentials::IdentityStore> beta_store_;
  std::vector<std::unique_ptr<credentials::ClientIdentity>> clients_;
};

}  // namespace cdgate::rpc
