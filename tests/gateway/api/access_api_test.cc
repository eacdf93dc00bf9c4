#include "gateway/api/access_api.h"

#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::ExplainAccessRequest;
using admin::v1::ExplainAccessResponse;
using admin::v1::ListAccessRequest;
using admin::v1::ListAccessResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kCi[] = "spiffe://alpha.example/service/ci";

class AccessApiTest : public AdminTest {
 protected:
  AccessApiTest() { CDGATE_EXPECT_OK(access_.Register(router_)); }
  void SetUp() override {
    Apply("ops", Ann().id, admin::v1::ROLE_OPERATOR);
    admin::v1::Grant publisher;
    publisher.add_sources("/ci/%");
    publisher.add_types("dev.cdevents.build.%");
    Apply("builds", kCi, admin::v1::ROLE_PUBLISHER, publisher);
    admin::v1::Grant scoped;
    scoped.add_peers("beta.example");
    Apply("beta-ops", User("bob").id, admin::v1::ROLE_OPERATOR, scoped);
  }

  void Apply(const std::string& name, const std::string& principal, admin::v1::Role role,
             admin::v1::Grant grant = {}) {
    grant.set_name(name);
    grant.set_principal(principal);
    grant.set_role(role);
    admin::v1::ApplyGrantRequest request;
    *request.mutable_grant() = grant;
    CDGATE_ASSERT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", request).status());
    grants_.Replace(CurrentGrants());
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Access(const authz::Principal& who, absl::string_view method,
                                  const Request& request) {
    const bool local = who.kind == authz::Principal::Kind::kLocal;
    const auto bytes = CallBytes(who, absl::StrCat("/cdgate.admin.v1.AccessService/", method),
                                 request, local ? authz::Listener::kLocal : authz::Listener::kApi);
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }
  static ExplainAccessRequest About(const std::string& principal, const std::string& method) {
    ExplainAccessRequest request;
    request.set_principal(principal);
    request.set_method(method);
    return request;
  }
  absl::StatusOr<ExplainAccessResponse> Explain(const ExplainAccessRequest& request) {
    return Access<ExplainAccessResponse>(Ann(), "ExplainAccess", request);
  }
  absl::Status MayAsk(const authz::Principal& who, const std::string& about) {
    return Access<ExplainAccessResponse>(who, "ExplainAccess", About(about, "publish")).status();
  }

  authz::GrantRegistry grants_;
  absl::Status denied_;
  AccessApi access_{{.domain = "alpha.example",
                     .store = alpha_.store(),
                     .grants = grants_,
                     .deny = [this](const authz::Principal&) { return denied_; },
                     .pool = pool_}};
};

TEST_F(AccessApiTest, SaysByWhichGrantAPrincipalMay) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto may, Explain(About(kCi, "publish")));
  EXPECT_TRUE(may.allowed());
  EXPECT_EQ(may.method(), "/cdgate.events.v1.EventsService/Publish");
  EXPECT_EQ(may.grant(), "builds");
  EXPECT_THAT(may.roles(), ElementsAre("publisher"));
  EXPECT_EQ(may.reason(), "");
  ASSERT_EQ(may.grants_size(), 1);
  EXPECT_TRUE(may.grants(0).suffices());
  EXPECT_EQ(may.grants(0).why(), "");
}

TEST_F(AccessApiTest, SaysForWantOfWhatItMayNot) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto may_not, Explain(About(kCi, "FreezePeer")));
  EXPECT_FALSE(may_not.allowed());
  EXPECT_EQ(may_not.reason(), "NOT_GRANTED");
  EXPECT_THAT(may_not.message(), HasSubstr("operator"));
  EXPECT_THAT(may_not.roles(), ElementsAre("operator"));
  ASSERT_EQ(may_not.grants_size(), 1);
  EXPECT_FALSE(may_not.grants(0).suffices());
  EXPECT_THAT(may_not.grants(0).why(), HasSubstr("publisher may not call it"));
}

TEST_F(AccessApiTest, APublisherIsJudgedByTheEventAsWell) {
  ExplainAccessRequest request = About(kCi, "publish");
  request.set_source("/ci/jenkins");
  request.set_type("dev.cdevents.build.finished.0.2.0");
  EXPECT_TRUE(Explain(request).value().allowed());
  request.set_type("dev.cdevents.incident.detected.0.2.0");
  EXPECT_EQ(Explain(request).value().reason(), "TYPE_NOT_GRANTED");
  request.set_source("/somewhere");
  EXPECT_EQ(Explain(request).value().reason(), "SOURCE_NOT_GRANTED");
  request.clear_source();
  EXPECT_THAT(Explain(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("source")));
  request = About(Ann().id, "FreezePeer");
  request.set_source("/ci");
  EXPECT_THAT(Explain(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("source")));
}

TEST_F(AccessApiTest, AGrantForSomePeersReachesCallsThatNameOne) {
  ExplainAccessRequest request = About(User("bob").id, "FreezePeer");
  EXPECT_EQ(Explain(request).value().reason(), "SCOPE_NOT_GRANTED");
  request.set_peer("beta.example");
  EXPECT_TRUE(Explain(request).value().allowed());
  request.set_peer("gamma.example");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto other, Explain(request));
  EXPECT_EQ(other.reason(), "SCOPE_NOT_GRANTED");
  EXPECT_THAT(other.grants(0).why(), HasSubstr("beta.example"));
  // What names no peer cannot be reached by naming one here.
  request = About(User("bob").id, "ApplyGrant");
  request.set_peer("beta.example");
  EXPECT_EQ(Explain(request).value().reason(), "SCOPE_NOT_GRANTED");
}

TEST_F(AccessApiTest, WhoIsDeniedMayNothingWhateverHeWasGranted) {
  denied_ = base::MakeError(Reason::kCertificateDenied, "left");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto denied, Explain(About(kCi, "publish")));
  EXPECT_FALSE(denied.allowed());
  EXPECT_EQ(denied.reason(), "CERTIFICATE_DENIED");
  EXPECT_EQ(denied.message(), "left");
  EXPECT_EQ(denied.grant(), "");
  EXPECT_EQ(denied.grants_size(), 1) << "its grants are shown all the same";
}

TEST_F(AccessApiTest, OthersAskAboutThemselvesAlone) {
  CDGATE_EXPECT_OK(MayAsk(Ann(), kCi));
  CDGATE_EXPECT_OK(MayAsk(Root(), kCi));
  const auto ci = authz::Principal::Parse(kCi, "alpha.example").value();
  CDGATE_EXPECT_OK(MayAsk(ci, kCi));
  EXPECT_THAT(MayAsk(ci, Ann().id), HasReason(Reason::kNotGranted));
  EXPECT_THAT(MayAsk(User("bob"), kCi), HasReason(Reason::kScopeNotGranted));
  Apply("audit", User("dora").id, admin::v1::ROLE_AUDITOR);
  CDGATE_EXPECT_OK(MayAsk(User("dora"), kCi));
  ListAccessRequest list;
  list.set_principal(Ann().id);
  EXPECT_THAT(Access<ListAccessResponse>(ci, "ListAccess", list), HasReason(Reason::kNotGranted));
}

TEST_F(AccessApiTest, ATokenMayWhatItsGrantMay) {
  admin::v1::Token token;
  token.set_name("tool");
  token.set_grant("builds");
  const test::Answer<state::Outcome> answer;
  state::Proposal proposal;
  proposal.resources.push_back(
      {.kind = state::kTokenKind, .name = "tool", .value = token.SerializeAsString()});
  CDGATE_ASSERT_OK(alpha_.store().Propose(std::move(proposal), answer.Taker()));
  CDGATE_ASSERT_OK(answer.Wait()->status);
  EXPECT_TRUE(Explain(About("token:tool", "publish")).value().allowed());
  EXPECT_FALSE(Explain(About("token:tool", "FreezePeer")).value().allowed());
  EXPECT_THAT(Explain(About("token:other", "publish")),
              HasReasonAndMessage(Reason::kNotFound, HasSubstr("other")));
}

TEST_F(AccessApiTest, WhatIsNoPrincipalMethodOrListenerIsNamed) {
  EXPECT_THAT(Explain(About("nobody", "publish")), HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(Explain(About(kCi, "")),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("method")));
  EXPECT_THAT(Explain(About(kCi, "Fly")),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("Fly")));
  ExplainAccessRequest request = About(kCi, "publish");
  request.set_listener("garden");
  EXPECT_THAT(Explain(request),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("listener")));
  request.set_listener("peers");
  EXPECT_EQ(Explain(request).value().reason(), "WRONG_LISTENER");
}

TEST_F(AccessApiTest, ListsEveryMethodOfAListenerWithTheSameVerdict) {
  ListAccessRequest request;
  request.set_principal(kCi);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto listed,
                              (Access<ListAccessResponse>(Ann(), "ListAccess", request)));
  int served = 0;
  for (const authz::MethodRow& row : authz::MethodTable()) {
    served += row.listeners.Has(authz::Listener::kApi) ? 1 : 0;
  }
  EXPECT_EQ(listed.methods_size(), served);
  std::string before;
  for (const admin::v1::MethodAccess& access : listed.methods()) {
    EXPECT_LT(before, access.method());
    before = access.method();
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto explained, Explain(About(kCi, access.method())));
    EXPECT_EQ(access.allowed(), explained.allowed()) << access.method();
    EXPECT_EQ(access.grant(), explained.grant()) << access.method();
    EXPECT_EQ(access.reason(), explained.reason()) << access.method();
  }
  request.set_listener("enrolment");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto enrolment,
                              (Access<ListAccessResponse>(Ann(), "ListAccess", request)));
  ASSERT_EQ(enrolment.methods_size(), 1);
  EXPECT_FALSE(enrolment.methods(0).allowed());
}

TEST(FindMethodNamedTest, TakesWhatPeopleWrite) {
  const char* const full = "/cdgate.admin.v1.AdminService/FreezePeer";
  for (const char* name : {full, full + 1, "FreezePeer"}) {
    EXPECT_EQ(FindMethodNamed(name).value()->method, full) << name;
  }
  EXPECT_EQ(FindMethodNamed("subscribe").value()->method,
            "/cdgate.events.v1.EventsService/Subscribe");
  // Health has a Watch, and so have events.
  EXPECT_THAT(FindMethodNamed("Watch"),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr(" or ")));
  for (const char* name : {"", "/", "freezepeer", "Peer", "FreezePeer/"}) {
    EXPECT_THAT(FindMethodNamed(name), HasReason(Reason::kInvalidArgument)) << name;
  }
}

}  // namespace
}  // namespace cdgate::api
