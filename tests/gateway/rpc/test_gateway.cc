#include "tests/gateway/rpc/test_gateway.h"

#include <unistd.h>

#include <chrono>
#include <thread>

#include "absl/strings/str_cat.h"
#include "auth/crypto/tls.h"
#include "gateway/base/file.h"
#include "gateway/rpc/reflection.h"
#include "gateway/rpc/router.h"
#include "tests/support/status_matchers.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;

class SilentObserver final : public credentials::VerificationObserver {
 public:
  void OnRefused(const credentials::Refusal&) override {}
};

std::shared_ptr<credentials::VerificationObserver> Observer() {
  return std::make_shared<SilentObserver>();
}

void MustBeOk(const absl::Status& status) {
  if (!status.ok()) {
    ADD_FAILURE() << status.ToString();
    abort();
  }
}

// TLS as the gateway has it, before gRPC starts.
void ConfigureTlsOnce() {
  setenv("GRPC_VERBOSITY", "NONE", 0);  // what it has to say of broken connections
  static const absl::Status configured = crypto::ConfigureTlsProcessWide();
  MustBeOk(configured);
}

}  // namespace

std::shared_ptr<StreamProbe> StreamProbe::Start(FrameStreamPtr stream, bool keep_reading) {
  std::shared_ptr<StreamProbe> probe(new StreamProbe(std::move(stream), keep_reading));
  probe->stream_->Start({.on_message = [probe](const grpc::ByteBuffer& m) { probe->OnMessage(m); },
                         .on_end = [probe] { probe->end_.Set(true); },
                         .on_closed =
                             [probe](const absl::Status& status) {
                               base::MutexLock lock(probe->mu_);
                               probe->over_ = true;
                               probe->arrived_.SignalAll();
                               lock.Unlock();
                               probe->closed_.Set(status);
                             }});
  return probe;
}

void StreamProbe::OnMessage(const grpc::ByteBuffer& message) {
  {
    base::MutexLock lock(mu_);
    messages_.emplace_back(FlatBytes(message).view());
    arrived_.SignalAll();
  }
  if (keep_reading_) stream_->Read();
}

bool StreamProbe::Send(const std::string& message) {
  auto written = std::make_shared<Promise<bool>>();
  stream_->Send(ToBytes(message), [written](bool ok) { written->Set(ok); });
  return written->Wait().value_or(false);
}

std::optional<std::string> StreamProbe::Receive() {
  base::MutexLock lock(mu_);
  while (messages_.empty() && !over_) {
    if (!arrived_.WaitFor(mu_, kPatience)) return std::nullopt;
  }
  if (messages_.empty()) return std::nullopt;
  std::string first = std::move(messages_.front());
  messages_.erase(messages_.begin());
  return first;
}

std::shared_ptr<const authz::Grants> TestGrants() {
  admin::v1::Grant reader;
  reader.set_name("readers");
  reader.set_principal("spiffe://alpha.example/service/reader%");
  reader.set_role(admin::v1::ROLE_SUBSCRIBER);
  admin::v1::Grant writer;
  writer.set_name("writers");
  writer.set_principal("spiffe://alpha.example/service/writer%");
  writer.set_role(admin::v1::ROLE_PUBLISHER);
  writer.add_sources("%");
  return authz::Grants::Compile(std::vector<admin::v1::Grant>{reader, writer}).value();
}

credentials::IdentityStore& TestGateway::StoreOf(
    const test::TestCa& ca, const test::TestCa& other, trust::TrustRegistry& registry,
    std::unique_ptr<credentials::IdentityStore>& store) {
  if (store != nullptr) return *store;
  const std::string folder = dir.File(ca.domain());
  MustBeOk(base::MakeDirectories(folder));
  MustBeOk(ca.WriteIdentity(folder, ca.Gateway("gw1")));
  MustBeOk(registry.Replace(other.domain(), other.bundle_pem(), {}));
  credentials::IdentityOptions options;
  options.certificate_path = folder + "/tls.crt";
  options.key_path = folder + "/tls.key";
  options.bundle_path = folder + "/bundle.pem";
  options.publish_under = folder;
  auto created = credentials::IdentityStore::Create(options, registry, base::SystemClock());
  MustBeOk(created.status());
  store = *std::move(created);
  return *store;
}

TestGateway::TestGateway(const Change& change)
    : alpha("alpha.example", absl::Now()), beta("beta.example", absl::Now()) {
  ConfigureTlsOnce();
  grants.Replace(TestGrants());
  RegisterHandlers();
  auto& store = StoreOf(alpha, beta, alpha_trust_, alpha_store_);
  auto credentials_for = [&](credentials::ServerSide side) {
    return credentials::ServerCredentials(store, alpha_trust_, side, Observer(),
                                          base::SystemClock());
  };
  ServerOptions options{.router = router,
                        .grants = grants,
                        .clock = base::SystemClock(),
                        .timers = Timers(),
                        .metrics = metrics};
  options.listeners.push_back({.kind = Listener::kApi,
                               .address = "127.0.0.1:0",
                               .credentials = credentials_for(credentials::ServerSide::kApi)});
  options.listeners.push_back({.kind = Listener::kPeers,
                               .address = "127.0.0.1:0",
                               .credentials = credentials_for(credentials::ServerSide::kPeers)});
  options.listeners.push_back({.kind = Listener::kLocal, .address = dir.File("local.sock")});
  if (change) change(options);
  auto started = Server::Start(std::move(options));
  MustBeOk(started.status());
  server = *std::move(started);
}

base::TimerQueue& TestGateway::Timers() {
  static auto* const timers = new base::ThreadTimerQueue(base::SystemClock());
  return *timers;
}

TestGateway::~TestGateway() {
  server.reset();
  pool.Shutdown();
}

void TestGateway::RegisterHandlers() {
  MustBeOk(RegisterHealth(router, health));
  MustBeOk(RegisterReflection(router));
  MustBeOk(router.Register(Guarded::Unary<events::v1::GetEventRequest, events::v1::DeliveredEvent>(
      kGetEvent, [this](const CallPtr& call, const events::v1::GetEventRequest& request,
                        const Reply<events::v1::DeliveredEvent>& reply) {
        {
          base::MutexLock lock(mu);
          seen_.calls.push_back(call);
        }
        if (request.id() == "drop") return;
        const bool posted = pool.TryPost([request, reply] {
          if (request.id() == "missing") {
            return reply(base::MakeError(base::Reason::kNotFound, "there is no event missing",
                                         {{"id", "missing"}}));
          }
          events::v1::DeliveredEvent event;
          event.set_origin(request.id());
          reply(event);
          reply(absl::InternalError("a second answer"));
        });
        if (!posted) reply(base::MakeError(base::Reason::kOverloaded, "busy"));
      })));
  MustBeOk(router.Register(Guarded::UnaryBytes(
      kGetStatus,
      [this](const CallPtr& call, grpc::ByteBuffer request, const Reply<grpc::ByteBuffer>& reply) {
        {
          base::MutexLock lock(mu);
          seen_.calls.push_back(call);
        }
        reply(std::move(request));
      })));
  MustBeOk(router.Register(Guarded::ServerStreaming<events::v1::WatchRequest>(
      kWatch, [](ServerStreamPtr stream, const events::v1::WatchRequest& request) {
        struct Counter {
          ServerStreamPtr stream;
          uint64_t left;
          std::function<void()> next;
        };
        auto counter = std::make_shared<Counter>(Counter{stream, request.max_events(), nullptr});
        counter->next = [weak = std::weak_ptr<Counter>(counter)] {
          auto self = weak.lock();
          if (self->left-- == 0) return self->stream->Close(absl::OkStatus());
          events::v1::WatchResponse response;
          response.mutable_event()->set_sequence(self->left);
          self->stream->Send(Serialise(response), [self](bool ok) {
            if (ok) self->next();
          });
        };
        stream->Start({.on_message = nullptr,
                       .on_end = nullptr,
                       .on_closed = [counter](const absl::Status&) {}});
        counter->next();
      })));
  for (const char* method : {kSubscribe, kLink}) {
    MustBeOk(router.Register(
        Guarded::Bidi(method, [this](ServerStreamPtr stream) { Echo(std::move(stream)); })));
  }
}

// Sends back what comes, one at a time; "finish" ends the call while reads are pending,
// "stall" stops reading.
void TestGateway::Echo(ServerStreamPtr stream) {
  {
    base::MutexLock lock(mu);
    seen_.streams.push_back(stream);
  }
  stream->Start({.on_message =
                     [this, stream](grpc::ByteBuffer message) {
                       const std::string text(FlatBytes(message).view());
                       if (text == "stall") {
                         base::MutexLock lock(mu);
                         ++seen_.stalled;
                         return;
                       }
                       if (text == "finish") {
                         stream->Read();
                         return stream->Close(
                             base::MakeError(base::Reason::kDraining, "asked to finish"));
                       }
                       stream->Send(std::move(message), [stream](bool ok) {
                         if (ok) stream->Read();
                       });
                     },
                 .on_end = [stream] { stream->Close(absl::OkStatus()); },
                 .on_closed =
                     [this](const absl::Status& status) {
                       base::MutexLock lock(mu);
                       seen_.closed.push_back(status);
                     }});
}

std::string TestGateway::ServiceIdentity(const std::string& name) {
  const std::string folder = dir.File("service-" + name);
  if (base::FileExists(folder)) return folder;
  MustBeOk(base::MakeDirectories(folder));
  MustBeOk(alpha.WriteIdentity(folder, alpha.Service(name)));
  return folder;
}

std::unique_ptr<ClientChannel> TestGateway::Api(const std::string& name) {
  auto identity = credentials::ClientIdentity::Load(ServiceIdentity(name), base::SystemClock());
  MustBeOk(identity.status());
  clients_.push_back(*std::move(identity));
  return std::make_unique<ClientChannel>(
      Address(Listener::kApi), clients_.back()->ChannelCredentials(Observer()),
      ClientChannelOptions{.clock = base::SystemClock(), .timers = Timers()});
}

std::unique_ptr<ClientChannel> TestGateway::PeerTo(const std::string& address) {
  auto& store = StoreOf(beta, alpha, beta_trust_, beta_store_);
  return std::make_unique<ClientChannel>(
      address,
      credentials::PeerChannelCredentials(store, beta_trust_, "alpha.example", Observer(),
                                          base::SystemClock()),
      ClientChannelOptions{.clock = base::SystemClock(), .timers = Timers()});
}

std::unique_ptr<ClientChannel> TestGateway::Local() {
  return std::make_unique<ClientChannel>(
      "unix:" + Address(Listener::kLocal), nullptr,
      ClientChannelOptions{.clock = base::SystemClock(), .timers = Timers()});
}

std::shared_ptr<ServerStream> TestGateway::Stall(StreamProbe& probe) {
  EXPECT_TRUE(probe.Send("stall"));
  EXPECT_TRUE(Eventually([this] { return seen().stalled == 1; }));
  return seen().streams.at(0).lock();
}

bool TestGateway::Eventually(const std::function<bool()>& done) {
  const absl::Duration start = base::SystemClock().Monotonic();
  while (!done()) {
    if (base::SystemClock().Monotonic() - start > kPatience) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace cdgate::rpc
