// A whole gateway on real listeners, called by every role: what is documented is what happens.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor_database.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "auth/credentials/credentials.h"
#include "auth/crypto/tls.h"
#include "cdgate/admin/v1/access.grpc.pb.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/app/gateway.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/config/gateway_config.h"
#include "gateway/rpc/client_channel.h"
#include "gateway/rpc/status.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/auth/oidc/test_issuer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_ca.h"

namespace cdgate::app {
namespace {

using authz::Listener;
using base::Reason;

constexpr char kIssuer[] = "https://id.alpha.example";
constexpr absl::Duration kPatience = absl::Seconds(20);
// A stream that was let in answers nothing to an empty request, or goes on for ever.
constexpr absl::Duration kStreamPatience = absl::Milliseconds(500);

class SilentObserver final : public credentials::VerificationObserver {
 public:
  void OnRefused(const credentials::Refusal&) override {}
};

// A value that one thread sets and this one waits for.
class Answer {
 public:
  void Set(absl::Status status) {
    base::MutexLock lock(mu_);
    status_ = std::move(status);
    set_.SignalAll();
  }
  absl::Status Wait() {
    base::MutexLock lock(mu_);
    while (!status_) {
      if (!set_.WaitFor(mu_, kPatience)) return absl::UnknownError("no answer came");
    }
    return *status_;
  }

 private:
  base::Mutex mu_;
  base::CondVar set_;
  std::optional<absl::Status> status_ CDGATE_GUARDED_BY(mu_);
};

// "publisher", …, as docs/methods.md has them, and the role of the API.
const std::map<std::string, admin::v1::Role>& Roles() {
  static const auto* const roles = new std::map<std::string, admin::v1::Role>{
      {"publisher", admin::v1::ROLE_PUBLISHER},
      {"subscriber", admin::v1::ROLE_SUBSCRIBER},
      {"operator", admin::v1::ROLE_OPERATOR},
      {"policy author", admin::v1::ROLE_POLICY_AUTHOR},
      {"policy approver", admin::v1::ROLE_POLICY_APPROVER},
      {"auditor", admin::v1::ROLE_AUDITOR}};
  return *roles;
}

std::string NameOf(const std::string& role) {
  return role == "policy author" ? "author" : role == "policy approver" ? "approver" : role;
}

class AccessTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("GRPC_VERBOSITY", "NONE", 0);
    CDGATE_ASSERT_OK(crypto::ConfigureTlsProcessWide());
  }

  AccessTest() : alpha_("alpha.example", absl::Now()) {
    issuer_.AddKey("k1", "ES256");
    Write(alpha_.Gateway("gw1"), "gateway");
    CDGATE_EXPECT_OK(base::WriteFileAtomically(dir_.File("jwks.json"), issuer_.KeySet()));
    auto config = config::ParseGatewayConfig(R"(
domain: alpha.example
data_dir: data
identity: {certificate: gateway/tls.crt, key: gateway/tls.key, bundle: gateway/bundle.pem}
listeners: {api: "127.0.0.1:0", peers: "127.0.0.1:0", enrolment: "127.0.0.1:0", local: local.sock}
log: {backend: memory}
drain_timeout: 1s
identity_providers:
  - {name: corp, issuer: "https://id.alpha.example", audiences: [cdgate], jwks_file: jwks.json}
)",
                                             dir_.File("gateway.yaml"));
    if (!config.ok()) {
      ADD_FAILURE() << config.status();
      abort();
    }
    config_ = *std::move(config);
    auto started = Gateway::Start(config_, [](const absl::Status&) {});
    if (!started.ok()) {
      ADD_FAILURE() << started.status();
      abort();
    }
    gateway_ = *std::move(started);
    local_ = std::make_unique<rpc::ClientChannel>(absl::StrCat("unix:", dir_.File("local.sock")),
                                                  nullptr, Options());
  }
  ~AccessTest() override {
    local_.reset();
    gateway_.reset();
  }

  rpc::ClientChannelOptions Options() { return {.clock = base::SystemClock(), .timers = Timers()}; }
  // For ever: streams that a test left open end after it.
  static base::TimerQueue& Timers() {
    static auto* const timers = new base::ThreadTimerQueue(base::SystemClock());
    return *timers;
  }

  void Write(const crypto::IssuedCertificate& leaf, const std::string& folder) {
    CDGATE_ASSERT_OK(base::MakeDirectories(dir_.File(folder)));
    CDGATE_ASSERT_OK(alpha_.WriteIdentity(dir_.File(folder), leaf));
  }

  // To a listener as spiffe://alpha.example/`path`.
  std::unique_ptr<rpc::ClientChannel> Channel(Listener listener, const std::string& path) {
    const std::string folder = absl::StrReplaceAll(path, {{"/", "-"}});
    Write(alpha_.Leaf({absl::StrCat("spiffe://alpha.example/", path)}), folder);
    auto identity = credentials::ClientIdentity::Load(dir_.File(folder), base::SystemClock());
    EXPECT_TRUE(identity.ok()) << identity.status();
    identities_.push_back(*std::move(identity));
    return std::make_unique<rpc::ClientChannel>(
        gateway_->BoundAddress(listener),
        identities_.back()->ChannelCredentials(std::make_shared<SilentObserver>()), Options());
  }

  // How a call with an empty request ends.
  static absl::Status CallEmpty(rpc::ClientChannel& channel, const std::string& method,
                                bool streams) {
    auto answer = std::make_shared<Answer>();
    channel.CallBytes(method, rpc::ToBytes(""), streams ? kStreamPatience : kPatience,
                      [answer](const absl::StatusOr<grpc::ByteBuffer>& response) {
                        answer->Set(response.status());
                      });
    return answer->Wait();
  }

  void Grant(const std::string& name, const std::string& principal, admin::v1::Role role) {
    admin::v1::ApplyGrantRequest request;
    request.mutable_grant()->set_name(name);
    request.mutable_grant()->set_principal(principal);
    request.mutable_grant()->set_role(role);
    if (role == admin::v1::ROLE_PUBLISHER) request.mutable_grant()->add_sources("%");
    auto answer = std::make_shared<Answer>();
    local_->Call<admin::v1::Grant>(
        "/cdgate.admin.v1.AdminService/ApplyGrant", request, kPatience,
        [answer](const absl::StatusOr<admin::v1::Grant>& r) { answer->Set(r.status()); });
    CDGATE_ASSERT_OK(answer->Wait());
  }

  std::string Token(const std::string& subject) {
    const int64_t now = absl::ToUnixSeconds(absl::Now());
    return issuer_.Sign("k1",
                        absl::StrCat(R"({"iss":")", kIssuer, R"(","aud":"cdgate","sub":")", subject,
                                     R"(","iat":)", now, R"(,"exp":)", now + 3600, "}"));
  }

  test::TempDir dir_;
  const test::TestCa alpha_;
  test::TestIssuer issuer_;
  config::v1::GatewayConfig config_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<rpc::ClientChannel> local_;
  std::vector<std::unique_ptr<credentials::ClientIdentity>> identities_;
};

struct Method {
  std::string name;  // "/package.Service/Method"
  bool streams;
};

// All methods of all services that the program knows, from their descriptors.
std::vector<Method> AllMethods() {
  using google::protobuf::DescriptorPool;
  std::vector<std::string> files;
  DescriptorPool::internal_generated_database()->FindAllFileNames(&files);
  std::vector<Method> methods;
  for (const std::string& name : files) {
    const auto* const file = DescriptorPool::generated_pool()->FindFileByName(name);
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const auto& method = *file->service(s)->method(m);
        methods.push_back({absl::StrCat("/", file->service(s)->full_name(), "/", method.name()),
                           method.client_streaming() || method.server_streaming()});
      }
    }
  }
  return methods;
}

struct Documented {
  std::set<std::string> listeners;
  std::string roles;
};

// The table of docs/methods.md.
std::map<std::string, Documented> DocumentedTable() {
  std::map<std::string, Documented> table;
  std::ifstream page("docs/methods.md");
  for (std::string line; std::getline(page, line);) {
    const std::vector<std::string> cells = absl::StrSplit(line, " | ");
    absl::string_view method = cells[0];
    if (cells.size() < 3 || !absl::ConsumePrefix(&method, "| `")) continue;
    const std::vector<std::string> listeners = absl::StrSplit(cells[1], ", ");
    table[absl::StrCat("/", absl::StripSuffix(method, "`"))] = {
        {listeners.begin(), listeners.end()}, cells[2]};
  }
  return table;
}

// `role`: empty: no grant at all. Nobody here is a gateway of a peer.
bool MayByThePage(const Documented& row, const std::string& listener, const std::string& role) {
  if (!row.listeners.contains(listener)) return false;
  if (row.roles == "whoever is authenticated") return true;
  if (row.roles == "any role") return !role.empty();
  const std::vector<std::string> roles = absl::StrSplit(row.roles, ", ");
  return !role.empty() && std::find(roles.begin(), roles.end(), role) != roles.end();
}

// Whether a gate refused it, whatever else came of it: the second one, with its reasons, or, on a
// listener that lets nobody of our own domain in, the handshake.
bool Refused(const absl::Status& status, Listener listener) {
  const auto reason = base::ReasonOf(status);
  if (listener == Listener::kApi || listener == Listener::kLocal) {
    EXPECT_NE(status.code(), absl::StatusCode::kUnavailable) << status;
    return reason == Reason::kNotGranted || reason == Reason::kWrongListener;
  }
  return status.code() == absl::StatusCode::kUnavailable;
}

TEST_F(AccessTest, EveryMethodDoesWhatIsDocumentedForEveryRole) {
  const std::map<std::string, Documented> page = DocumentedTable();
  const std::vector<Method> methods = AllMethods();
  ASSERT_GT(methods.size(), 50U);
  std::vector<std::string> roles = {""};
  for (const auto& [role, value] : Roles()) {
    roles.push_back(role);
    Grant(NameOf(role), absl::StrCat("spiffe://alpha.example/user/", NameOf(role)), value);
  }
  size_t allowed = 0;
  size_t refused = 0;
  for (const std::string& role : roles) {
    const std::string user = role.empty() ? "user/nobody" : absl::StrCat("user/", NameOf(role));
    for (const Listener listener : {Listener::kApi, Listener::kPeers, Listener::kEnrolment}) {
      const auto channel = Channel(listener, user);
      for (const Method& method : methods) {
        ASSERT_TRUE(page.contains(method.name)) << method.name << " is not in docs/methods.md";
        const std::string name(authz::ListenerName(listener));
        // The peers listener lets nobody of our own domain in.
        const bool may =
            listener == Listener::kApi && MayByThePage(page.at(method.name), name, role);
        const absl::Status status = CallEmpty(*channel, method.name, method.streams && may);
        EXPECT_EQ(!Refused(status, listener), may)
            << role << " " << name << " " << method.name << " " << status;
        ++(may ? allowed : refused);
        if (listener == Listener::kPeers) break;  // there is no connection: one tells it
      }
    }
  }
  EXPECT_GT(allowed, 60U);
  EXPECT_GT(refused, 500U);
}

TEST_F(AccessTest, TheLocalUserDoesWhatIsDocumented) {
  const std::map<std::string, Documented> page = DocumentedTable();
  for (const Method& method : AllMethods()) {
    bool may = false;
    for (const char* const role : {"operator", "policy author", "auditor"}) {
      may = may || MayByThePage(page.at(method.name), "local", role);
    }
    const absl::Status status = CallEmpty(*local_, method.name, method.streams && may);
    EXPECT_EQ(!Refused(status, Listener::kLocal), may) << method.name << " " << status;
  }
}

// Calls of one connection, each with the token of another user or with none: whoever asks about
// himself is answered, and nobody is about another.
TEST_F(AccessTest, TokensOfOneConnectionNeverActAsEachOther) {
  constexpr size_t kUsers = 8;
  constexpr size_t kThreads = 8;
  constexpr size_t kCalls = 150;
  const auto channel = Channel(Listener::kApi, "user/nobody");
  std::vector<std::string> ids = {"spiffe://alpha.example/user/nobody"};
  std::vector<std::string> tokens = {""};
  for (size_t i = 1; i < kUsers; ++i) {
    ids.push_back(absl::StrCat("oidc:corp:user-", i));
    tokens.push_back(Token(absl::StrCat("user-", i)));
  }
  const auto stub = admin::v1::AccessService::NewStub(channel->channel());
  const auto ask = [&](size_t as, size_t about) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    if (as != 0) context.AddMetadata("authorization", absl::StrCat("Bearer ", tokens[as]));
    admin::v1::ExplainAccessRequest request;
    request.set_principal(ids[about]);
    request.set_method("publish");
    admin::v1::ExplainAccessResponse response;
    return rpc::FromGrpcStatus(stub->ExplainAccess(&context, request, &response));
  };
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(static_cast<unsigned>(t) + 1);
      for (size_t i = 0; i < kCalls; ++i) {
        const size_t as = random() % kUsers;
        const size_t about = random() % 2 == 0 ? as : random() % kUsers;
        const absl::Status status = ask(as, about);
        if (as == about) {
          EXPECT_TRUE(status.ok()) << status;
        } else {
          EXPECT_EQ(base::ReasonOf(status), Reason::kNotGranted) << status;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(AccessTest, ATokenIsNeverTakenBesideAnotherOrElsewhere) {
  const auto call = [&](rpc::ClientChannel& channel, const std::vector<std::string>& values) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    for (const std::string& value : values) context.AddMetadata("authorization", value);
    admin::v1::ExplainAccessRequest request;
    request.set_principal("oidc:corp:ada");
    request.set_method("publish");
    admin::v1::ExplainAccessResponse response;
    return rpc::FromGrpcStatus(admin::v1::AccessService::NewStub(channel.channel())
                                   ->ExplainAccess(&context, request, &response));
  };
  const auto channel = Channel(Listener::kApi, "user/nobody");
  const std::string bearer = absl::StrCat("Bearer ", Token("ada"));
  CDGATE_EXPECT_OK(call(*channel, {bearer}));
  EXPECT_THAT(call(*channel, {bearer, bearer}), test::HasReason(Reason::kUnauthenticatedCall));
  EXPECT_THAT(call(*channel, {"Basic YTpi"}), test::HasReason(Reason::kUnauthenticatedCall));
  EXPECT_THAT(call(*channel, {"Bearer x"}), test::HasReason(Reason::kIdentityTokenInvalid));
  EXPECT_THAT(call(*local_, {bearer}), test::HasReason(Reason::kUnauthenticatedCall));
}

TEST_F(AccessTest, TokensOfAProviderThatAReloadRemovesEndWithinSeconds) {
  using grpc::health::v1::HealthCheckResponse;
  const auto channel = Channel(Listener::kApi, "user/nobody");
  const auto stub = grpc::health::v1::Health::NewStub(channel->channel());
  const std::string bearer = absl::StrCat("Bearer ", Token("ada"));
  const auto check = [&] {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    context.AddMetadata("authorization", bearer);
    HealthCheckResponse response;
    return rpc::FromGrpcStatus(stub->Check(&context, {}, &response));
  };
  grpc::ClientContext context;
  context.AddMetadata("authorization", bearer);
  const auto stream = stub->Watch(&context, {});
  HealthCheckResponse response;
  ASSERT_TRUE(stream->Read(&response));

  // A file that is none leaves everything as it was.
  config::v1::GatewayConfig next = config_;
  next.mutable_identity_providers(0)->set_jwks_file(dir_.File("none.json"));
  EXPECT_THAT(gateway_->Reload(next), test::HasReason(Reason::kInvalidConfig));
  CDGATE_EXPECT_OK(check());

  next.clear_identity_providers();
  const absl::Time begin = absl::Now();
  CDGATE_ASSERT_OK(gateway_->Reload(next));
  EXPECT_THAT(check(), test::HasReason(Reason::kIdentityTokenInvalid));
  while (stream->Read(&response)) {
  }
  EXPECT_THAT(rpc::FromGrpcStatus(stream->Finish()),
              test::HasReason(Reason::kIdentityTokenInvalid));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));

  CDGATE_ASSERT_OK(gateway_->Reload(config_));
  CDGATE_EXPECT_OK(check());
  gateway_->Shutdown();  // all entries are on disk
  const auto log = base::ReadFile(dir_.File("data/audit/000000000001.jsonl"), 1 << 20);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_THAT(*log, testing::HasSubstr("identity providers refused"));
  EXPECT_THAT(*log, testing::HasSubstr("identity providers changed"));
}

}  // namespace
}  // namespace cdgate::app
