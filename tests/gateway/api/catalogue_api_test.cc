#include "gateway/api/catalogue_api.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "federation/link/config.h"
#include "federation/manager/access_requests.h"
#include "gateway/base/encoding.h"
#include "tests/gateway/api/admin_test.h"
#include "tests/support/temp_dir.h"

namespace cdgate::api {
namespace {

using admin::v1::AccessRequest;
using admin::v1::GetPeerCatalogueResponse;
using admin::v1::ListAccessRequestsResponse;
using admin::v1::ListOffersResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kBeta[] = "beta.example";
constexpr char kId[] = "0123456789abcdef";

class CatalogueApiTest : public AdminTest {
 protected:
  CatalogueApiTest() {
    CDGATE_EXPECT_OK(given_.Open());
    CDGATE_EXPECT_OK(api_.Register(router_));
    const auto invite = beta_.Invite({});
    CDGATE_EXPECT_OK(invite);
    CDGATE_EXPECT_OK(alpha_.Accept(invite->token()));
    Grant(Ann(), admin::v1::ROLE_POLICY_AUTHOR);
  }

  template <typename Response, typename Request>
  absl::StatusOr<Response> Ask(absl::string_view method, const Request& request,
                               const authz::Principal& principal = Ann()) {
    const bool local = principal.kind == authz::Principal::Kind::kLocal;
    const auto bytes =
        CallBytes(principal, absl::StrCat("/cdgate.admin.v1.CatalogueService/", method), request,
                  local ? authz::Listener::kLocal : authz::Listener::kApi);
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }
  absl::StatusOr<AccessRequest> Request(const std::string& type, const std::string& reason = "r",
                                        const std::string& peer = kBeta) {
    admin::v1::RequestAccessRequest request;
    request.set_peer(peer);
    request.set_type(type);
    request.set_reason(reason);
    return Ask<AccessRequest>("RequestAccess", request);
  }
  template <typename Request>
  static Request Named(const std::string& id = kId) {
    Request request;
    request.set_peer(kBeta);
    request.set_id(id);
    return request;
  }
  absl::StatusOr<AccessRequest> Approve() {
    return Ask<AccessRequest>("ApproveAccess", Named<admin::v1::ApproveAccessRequest>());
  }
  absl::StatusOr<AccessRequest> Deny() {
    return Ask<AccessRequest>("DenyAccess", Named<admin::v1::DenyAccessRequest>());
  }
  // As the link brings it.
  void BetaAsksFor(const std::string& type) {
    federation::v1::Catalogue told;
    auto& asked = *told.add_requests();
    asked.set_id(kId);
    asked.set_type(type);
    asked.set_reason("please");
    exchange_.OnReceived(kBeta, told);
    exchange_.Upkeep();
    Put("mark", "mark", "x");  // is committed after it
  }
  void PolicyNames(const std::string& type) {
    admin::v1::Policy policy;
    policy.set_peer(kBeta);
    auto& rule = *policy.mutable_export_()->add_rules();
    rule.set_name("named");
    rule.set_when(absl::StrCat("type = '", type, "'"));
    rule.set_action(admin::v1::ACTION_ALLOW);
    Put(state::kPolicyKind, kBeta, policy.SerializeAsString());
  }
  void Put(const std::string& kind, const std::string& name, const std::string& value) {
    state::Proposal proposal;
    proposal.resources.push_back({.kind = kind, .name = name, .value = value, .author = "ann"});
    const test::Answer<state::Outcome> answer;
    CDGATE_ASSERT_OK(alpha_.store().Propose(std::move(proposal), answer.Taker()));
    CDGATE_ASSERT_OK(answer.Wait()->status);
  }

  test::TempDir dir_;
  manager::GivenBook given_{dir_.File("given"), clock_};
  manager::CatalogueExchange exchange_{{.store = alpha_.store(), .given = given_, .clock = clock_}};
  CatalogueApi api_{{.store = alpha_.store(),
                     .exchange = exchange_,
                     .given = given_,
                     .clock = clock_,
                     .random = random_,
                     .pool = pool_}};
};

TEST_F(CatalogueApiTest, ListsOffersPageByPage) {
  PolicyNames("named");
  for (const char* type : {"a", "b", "c"}) given_.Given(kBeta, {type, "/s", ""});
  std::set<std::string> seen;
  admin::v1::ListOffersRequest request;
  request.set_page_size(2);
  int pages = 0;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto page, Ask<ListOffersResponse>("ListOffers", request));
    for (const auto& entry : page.offers()) {
      EXPECT_EQ(entry.has_last_given(), entry.type() != "named");
      EXPECT_EQ(entry.rule(), entry.type() == "named" ? "named" : "");
      EXPECT_TRUE(seen.insert(entry.type()).second) << entry.type();
    }
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty() && pages < 9);
  EXPECT_THAT(seen, testing::ElementsAre("a", "b", "c", "named"));
  EXPECT_EQ(pages, 2);
  request.set_peer("gamma.example");
  EXPECT_THAT(Ask<ListOffersResponse>("ListOffers", request), HasReason(Reason::kNotFound));
}

TEST_F(CatalogueApiTest, SaysWhatAPeerToldOnceItDid) {
  admin::v1::GetPeerCatalogueRequest request;
  request.set_peer(kBeta);
  CDGATE_ASSERT_OK_AND_ASSIGN(auto answer,
                              Ask<GetPeerCatalogueResponse>("GetPeerCatalogue", request));
  EXPECT_FALSE(answer.has_receive_time());
  federation::v1::Catalogue told;
  told.add_offers()->set_type("a");
  told.add_offers()->set_source("/any-type");
  exchange_.OnReceived(kBeta, told);
  CDGATE_ASSERT_OK_AND_ASSIGN(answer, Ask<GetPeerCatalogueResponse>("GetPeerCatalogue", request));
  EXPECT_TRUE(answer.has_receive_time());
  EXPECT_EQ(answer.offers_size(), 2);
  request.set_type("b");
  CDGATE_ASSERT_OK_AND_ASSIGN(answer, Ask<GetPeerCatalogueResponse>("GetPeerCatalogue", request));
  ASSERT_EQ(answer.offers_size(), 1);
  EXPECT_EQ(answer.offers(0).source(), "/any-type");
}

TEST_F(CatalogueApiTest, ARequestIsTheCallersAndBounded) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const AccessRequest made, Request("build"));
  EXPECT_EQ(made.principal(), Ann().id);
  EXPECT_EQ(made.id().size(), 16u);
  EXPECT_EQ(AuthorOf(manager::kOwnAccessRequestKind, manager::AccessName(kBeta, made.id())),
            Ann().id);
  EXPECT_EQ(exchange_.For(kBeta)->requests_size(), 1);
  EXPECT_THAT(Request("build"), HasReasonAndMessage(Reason::kAlreadyExists, HasSubstr(made.id())));
  for (int i = 1; i < link::kMaxAccessRequests; ++i) {
    CDGATE_EXPECT_OK(Request(absl::StrCat("t", i)));
  }
  EXPECT_THAT(Request("one more"), HasReasonAndMessage(Reason::kQuota, HasSubstr("withdraw")));
  CDGATE_EXPECT_OK(
      Ask<AccessRequest>("WithdrawAccess", Named<admin::v1::WithdrawAccessRequest>(made.id())));
  CDGATE_EXPECT_OK(Request("one more"));
}

TEST_F(CatalogueApiTest, BadRequestsAreNamed) {
  EXPECT_THAT(Request("t", "r", "gamma.example"),
              HasReasonAndMessage(Reason::kNotFound, HasSubstr("no peer gamma.example")));
  EXPECT_THAT(Request(""), HasReasonAndMessage(Reason::kInvalidArgument, "type: is missing"));
  EXPECT_THAT(Request("t", "two\nlines"),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("reason: ")));
  EXPECT_THAT(Approve(), HasReason(Reason::kNotFound));
  EXPECT_THAT(Deny(), HasReason(Reason::kNotFound));
  EXPECT_THAT(Ask<AccessRequest>("WithdrawAccess", Named<admin::v1::WithdrawAccessRequest>()),
              HasReason(Reason::kNotFound));
}

TEST_F(CatalogueApiTest, AnApprovalNeedsARuleInForce) {
  BetaAsksFor("build");
  EXPECT_THAT(Approve(), HasReasonAndMessage(Reason::kNoRule, HasSubstr("names the type build")));
  PolicyNames("other");
  EXPECT_THAT(Approve(), HasReason(Reason::kNoRule));
  EXPECT_EQ(exchange_.For(kBeta)->answers_size(), 0);
  PolicyNames("build");
  CDGATE_ASSERT_OK_AND_ASSIGN(const AccessRequest approved, Approve());
  EXPECT_EQ(approved.state(), admin::v1::ACCESS_STATE_APPROVED);
  EXPECT_EQ(approved.principal(), Ann().id);
  ASSERT_EQ(exchange_.For(kBeta)->answers_size(), 1);
  EXPECT_TRUE(exchange_.For(kBeta)->answers(0).approved());
  CDGATE_EXPECT_OK(Approve());  // once more
  EXPECT_THAT(Deny(), HasReasonAndMessage(Reason::kAlreadyExists, HasSubstr("was approved")));
}

TEST_F(CatalogueApiTest, ADenialMayBecomeAnApproval) {
  BetaAsksFor("build");
  CDGATE_ASSERT_OK_AND_ASSIGN(const AccessRequest denied, Deny());
  EXPECT_EQ(denied.state(), admin::v1::ACCESS_STATE_DENIED);
  EXPECT_FALSE(exchange_.For(kBeta)->answers(0).approved());
  PolicyNames("build");
  CDGATE_EXPECT_OK(Approve());
}

TEST_F(CatalogueApiTest, RolesAreKeptApart) {
  BetaAsksFor("build");
  const authz::Principal bob = User("bob");
  const auto list = admin::v1::ListAccessRequestsRequest();
  EXPECT_THAT(Ask<ListAccessRequestsResponse>("ListAccessRequests", list, bob),
              HasReason(Reason::kNotGranted));
  Grant(bob, admin::v1::ROLE_OPERATOR);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto seen,
                              Ask<ListAccessRequestsResponse>("ListAccessRequests", list, bob));
  EXPECT_EQ(seen.requests_size(), 1);
  EXPECT_THAT(Ask<AccessRequest>("DenyAccess", Named<admin::v1::DenyAccessRequest>(), bob),
              HasReason(Reason::kNotGranted));
}

}  // namespace
}  // namespace cdgate::api
