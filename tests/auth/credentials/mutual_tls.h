// Real gRPC servers and channels of several domains in one process.
//
//   Domain alpha("alpha.example"), beta("beta.example");
//   alpha.Trust(beta); beta.Trust(alpha);
//   Server server(alpha.Serve(ServerSide::kPeers));
//   EXPECT_TRUE(Call(server, beta.DialPeer("alpha.example")).ok());
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "auth/credentials/credentials.h"
#include "auth/credentials/peer_identity.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/tsan.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::credentials {

// The machine's clock, moved: the TLS library below ours cannot be.
class ShiftedClock final : public base::Clock {
 public:
  // Asked on gRPC's threads, which are done with it before it goes.
  ~ShiftedClock() override { CDGATE_TAKEN_OVER(this); }

  absl::Time Now() const override {
    const absl::Time now = absl::Now() + shift();
    CDGATE_HANDED_OVER(const_cast<ShiftedClock*>(this));
    return now;
  }
  absl::Duration Monotonic() const override { return base::SystemClock().Monotonic(); }
  void Shift(absl::Duration by) {
    base::MutexLock lock(mu_);
    shift_ += by;
  }

 private:
  absl::Duration shift() const {
    base::MutexLock lock(mu_);
    return shift_;
  }

  mutable base::Mutex mu_;
  absl::Duration shift_ CDGATE_GUARDED_BY(mu_);
};

class RecordingObserver final : public VerificationObserver {
 public:
  void OnRefused(const Refusal& refusal) override {
    base::MutexLock lock(mu_);
    refusals_.push_back(refusal);
  }
  // The oldest not yet taken; INTERNAL where there is none.
  Refusal Take() {
    base::MutexLock lock(mu_);
    if (refusals_.empty()) return {Side::kServer, base::Reason::kInternal, "", "none"};
    const Refusal first = refusals_.front();
    refusals_.clear();
    return first;
  }
  bool empty() const {
    base::MutexLock lock(mu_);
    return refusals_.empty();
  }

 private:
  mutable base::Mutex mu_;
  std::vector<Refusal> refusals_ CDGATE_GUARDED_BY(mu_);
};

// Where identities are published. Outlives the tests, as gRPC goes on reading for as long as
// a connection that failed waits for its next try.
inline const std::string& PublishRoot() {
  static const test::TempDir root;
  return root.path();
}

// One domain with a gateway of its own: identity files, store, registry.
class Domain {
 public:
  explicit Domain(const std::string& name)
      : Domain(name, [](const test::TestCa& own) { return own.Gateway("gw1"); }) {}
  template <typename MakeLeaf>
  Domain(const std::string& name, MakeLeaf make_leaf) : ca(name, absl::Now()) {
    Install(make_leaf(ca));
  }

  // Made at the first use, so that gRPC finds everything trusted before at once.
  IdentityStore& store() {
    if (store_ == nullptr) store_ = IdentityStore::Create(Options(), registry, clock).value();
    return *store_;
  }
  void ForgetStore() { store_.reset(); }

  IdentityOptions Options() const {
    IdentityOptions options;
    options.certificate_path = dir.File("tls.crt");
    options.key_path = dir.File("tls.key");
    options.bundle_path = dir.File("bundle.pem");
    options.publish_under = PublishRoot();
    return options;
  }
  void Install(const crypto::IssuedCertificate& leaf) {
    if (!ca.WriteIdentity(dir.path(), leaf).ok()) std::abort();
  }
  void Trust(const Domain& other) {
    if (!registry.Replace(other.ca.domain(), other.ca.bundle_pem(), {}).ok()) std::abort();
  }
  std::shared_ptr<grpc::ServerCredentials> Serve(ServerSide side) {
    return ServerCredentials(store(), registry, side, observer, clock);
  }
  std::shared_ptr<grpc::ChannelCredentials> DialPeer(const std::string& domain) {
    return PeerChannelCredentials(store(), registry, domain, observer, clock);
  }

  test::TempDir dir;
  ShiftedClock clock;
  const test::TestCa ca;
  trust::TrustRegistry registry;
  const std::shared_ptr<RecordingObserver> observer = std::make_shared<RecordingObserver>();

 private:
  std::unique_ptr<IdentityStore> store_;
};

// Answers health checks and remembers who asked last.
class Server {
 public:
  explicit Server(const std::shared_ptr<grpc::ServerCredentials>& credentials) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~Server() { server_->Shutdown(std::chrono::system_clock::now()); }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  int port() const { return port_; }
  absl::StatusOr<trust::VerifiedPeer> last_caller() const { return service_.last_caller(); }

 private:
  class Service final : public grpc::health::v1::Health::Service {
   public:
    grpc::Status Check(grpc::ServerContext* context, const grpc::health::v1::HealthCheckRequest*,
                       grpc::health::v1::HealthCheckResponse*) override {
      base::MutexLock lock(mu_);
      last_caller_ = PeerFromAuthContext(*context->auth_context());
      return grpc::Status::OK;
    }
    absl::StatusOr<trust::VerifiedPeer> last_caller() const {
      base::MutexLock lock(mu_);
      return last_caller_;
    }

   private:
    mutable base::Mutex mu_;
    absl::StatusOr<trust::VerifiedPeer> last_caller_ CDGATE_GUARDED_BY(mu_) =
        absl::UnavailableError("nobody called");
  };

  int port_ = 0;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
};

// One call over a connection of its own.
inline grpc::Status CallAddress(const std::string& address,
                                const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto stub =
      grpc::health::v1::Health::NewStub(grpc::CreateCustomChannel(address, credentials, arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  grpc::health::v1::HealthCheckResponse response;
  return stub->Check(&context, {}, &response);
}

inline grpc::Status Call(const Server& server,
                         const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  return CallAddress(server.address(), credentials);
}

}  // namespace cdgate::credentials
