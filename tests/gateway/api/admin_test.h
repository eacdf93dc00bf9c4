// The administration of a gateway without its listeners: a router with the admin methods
// over a store in memory, called as whoever the test says. Every call passes what
// rpc::CallGate asks, the method table and the grants as they are in the store; that
// calls over a socket do, too, tests/gateway/rpc holds.
//
//   class GrantApiTest : public AdminTest {};
//   auto answer = Call<ListGrantsResponse>(Ann(), "ListGrants", request);
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "auth/authz/grants.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/manager/environment_keeper.h"
#include "gateway/api/grant_api.h"
#include "gateway/api/group_api.h"
#include "gateway/api/peer_api.h"
#include "gateway/api/plan_api.h"
#include "gateway/api/plan_book.h"
#include "gateway/api/policy_api.h"
#include "gateway/api/schema_api.h"
#include "gateway/api/token_api.h"
#include "gateway/api/widening_gate.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/bytes.h"
#include "gateway/rpc/router.h"
#include "tests/federation/manager/test_domain.h"
#include "tests/support/status_matchers.h"

namespace cdgate::api {

// The gateway of alpha.example.
class AdminTest : public testing::Test {
 protected:
  explicit AdminTest(PlanSettings settings = {.domain = "alpha.example"})
      : book_(alpha_.store(), clock_, std::move(settings)) {
    CDGATE_EXPECT_OK(plan_api_.Register(router_));
    CDGATE_EXPECT_OK(grant_api_.Register(router_));
    CDGATE_EXPECT_OK(group_api_.Register(router_));
    CDGATE_EXPECT_OK(schema_api_.Register(router_));
    CDGATE_EXPECT_OK(policy_api_.Register(router_));
    CDGATE_EXPECT_OK(peer_api_.Register(router_));
    CDGATE_EXPECT_OK(token_api_.Register(router_));
  }
  ~AdminTest() override { pool_.Shutdown(); }

  static authz::Principal User(const std::string& name) {
    return authz::Principal::Spiffe(trust::SpiffeId::User("alpha.example", name).value());
  }
  static authz::Principal Ann() { return User("ann"); }
  static authz::Principal Root() { return authz::Principal::Local("root"); }
  static std::string Admin(absl::string_view method) {
    return absl::StrCat("/cdgate.admin.v1.AdminService/", method);
  }

  // What root may do by the socket: gives `principal` a role.
  void Grant(const authz::Principal& principal, admin::v1::Role role) {
    admin::v1::ApplyGrantRequest request;
    request.mutable_grant()->set_name(absl::StrCat("grant-", role));
    request.mutable_grant()->set_principal(principal.id);
    request.mutable_grant()->set_role(role);
    CDGATE_ASSERT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", request));
  }

  // Calls as `principal`: on the local listener where it is a local user, else on api.
  template <typename Response>
  absl::StatusOr<Response> Call(
      const authz::Principal& principal, absl::string_view method,
      const google::protobuf::MessageLite& request = admin::v1::GetStatusRequest()) {
    const bool local = principal.kind == authz::Principal::Kind::kLocal;
    const auto bytes = CallBytes(principal, Admin(method), request,
                                 local ? authz::Listener::kLocal : authz::Listener::kApi);
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }

  absl::StatusOr<grpc::ByteBuffer> CallBytes(const authz::Principal& principal,
                                             const std::string& method,
                                             const google::protobuf::MessageLite& request,
                                             authz::Listener listener) {
    const rpc::Router::Entry* entry = router_.Find(method);
    if (entry == nullptr) return absl::UnimplementedError(method);
    const absl::Status may = CurrentGrants()->MayCall(principal, *entry->row, listener);
    if (!may.ok()) return may;
    auto call = std::make_shared<rpc::Call>();
    call->method = method;
    call->listener = listener;
    call->principal = principal;
    call->row = entry->row;
    call->peers = CurrentGrants()->ScopeOf(principal, *entry->row);
    const test::Answer<grpc::ByteBuffer> answer;
    entry->guarded.handler().unary(call, rpc::Serialise(request), answer.Taker());
    return answer.Wait();
  }

  std::shared_ptr<const authz::Grants> CurrentGrants() {
    std::vector<admin::v1::Grant> grants;
    for (const auto& resource : alpha_.store().Resources()->List(state::kGrantKind)) {
      grants.push_back(resource->As<admin::v1::Grant>().value());
    }
    return authz::Grants::Compile(grants).value();
  }
  // Who made the version in force.
  std::string AuthorOf(absl::string_view kind, absl::string_view name) {
    const auto found = alpha_.store().Resources()->Find(kind, name);
    return found == nullptr ? "" : found->author;
  }

  test::FakeClock clock_;
  test::TestEnrolNetwork network_;
  test::TestDomain alpha_{"alpha.example", clock_, network_};
  test::TestDomain beta_{"beta.example", clock_, network_};
  base::ThreadPool pool_{{.name = "api", .threads = 2}};
  admin::v1::LinkStatus link_;
  base::Random& random_ = base::SystemRandom();
  const session::PseudonymKeeper pseudonyms_ =
      session::PseudonymKeeper::Create(std::string(64, 'k'), random_).value();
  PlanBook book_;
  const WideningGate gate_{alpha_.store(), book_};
  base::Sequence sent_through_;
  PlanApi plan_api_{{.run = {.domain = "alpha.example",
                             .store = alpha_.store(),
                             .log = alpha_.log(),
                             .keeper = pseudonyms_,
                             .link_facts =
                                 [this](absl::string_view) {
                                   return session::LinkFacts{.sent_through = sent_through_};
                                 }},
                     .store = alpha_.store(),
                     .book = book_,
                     .pool = pool_,
                     .runs = pool_}};
  GrantApi grant_api_{alpha_.store(), gate_, pool_};
  manager::EnvironmentKeeper keeper_{{.domain = "alpha.example",
                                      .classification = {},
                                      .store = alpha_.store(),
                                      .executor = pool_,
                                      .clock = clock_}};
  GroupApi group_api_{"alpha.example", alpha_.store(), keeper_, gate_, clock_, pool_};
  schema::SchemaRegistry schemas_;
  SchemaApi schema_api_{alpha_.store(), schemas_, pool_};
  PolicyApi policy_api_{alpha_.store(), book_, pool_};
  PeerApi peer_api_{
      {.domain = "alpha.example",
       .instance = "gw1",
       .software = "test",
       .start_time = clock_.Now(),
       .store = alpha_.store(),
       .log = alpha_.log(),
       .enrolment = alpha_.enrolment(),
       .gate = gate_,
       .pool = pool_,
       .facts = {
           .link = [this](absl::string_view) { return link_; },
           .lag = [](absl::string_view) { return ExportLag{.events = 3, .age = absl::Seconds(7)}; },
           .problems = [] { return std::vector<std::string>{"a problem"}; },
           .certificate_expiry = [this] { return clock_.Now(); }}}};
  TokenApi token_api_{alpha_.store(), clock_, base::SystemRandom(), pool_};
  rpc::Router router_;
};

}  // namespace cdgate::api
