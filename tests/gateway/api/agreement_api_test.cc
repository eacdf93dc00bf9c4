#include "gateway/api/agreement_api.h"

#include <string>

#include "federation/session/export_stop.h"
#include "gateway/api/export_api.h"
#include "gateway/api/peering_api.h"
#include "gateway/api/times.h"
#include "gateway/base/encoding.h"
#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::ExportSwitch;
using admin::v1::Peer;
using admin::v1::RenewPeerRequest;
using admin::v1::UpdatePeerRequest;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kBeta[] = "beta.example";
constexpr absl::Duration kDay = absl::Hours(24);
const absl::Time kNoon = absl::FromUnixSeconds(1'800'000'000) + absl::Hours(4);  // 12:00:00 UTC

RenewPeerRequest For(absl::Duration lifetime) {
  RenewPeerRequest request;
  request.set_domain(kBeta);
  *request.mutable_lifetime() = ToProto(lifetime);
  return request;
}

RenewPeerRequest Until(absl::Time end) {
  RenewPeerRequest request;
  request.set_domain(kBeta);
  request.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(end));
  return request;
}

TEST(EndAskedForTest, IsInTheFutureAndNotTooFarAway) {
  EXPECT_EQ(*EndAskedFor(Until(kNoon + kDay), kNoon), kNoon + kDay);
  EXPECT_EQ(*EndAskedFor(Until(kNoon + kGreatestLifetime), kNoon), kNoon + kGreatestLifetime);
  EXPECT_THAT(EndAskedFor(Until(kNoon), kNoon),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("not in the future")));
  EXPECT_THAT(EndAskedFor(Until(kNoon + kGreatestLifetime + kDay), kNoon),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("5 years")));
  EXPECT_THAT(EndAskedFor(RenewPeerRequest(), kNoon), HasReason(Reason::kInvalidArgument));
}

TEST(EndAskedForTest, ALifetimeOfDaysIsTheSameAllDayLong) {
  const absl::Time midnight = kNoon + absl::Hours(12);
  EXPECT_EQ(*EndAskedFor(For(kDay), kNoon), midnight + kDay);
  EXPECT_EQ(*EndAskedFor(For(kDay), midnight - absl::Seconds(1)), midnight + kDay);
  EXPECT_EQ(*EndAskedFor(For(kDay), midnight), midnight + kDay);
  EXPECT_EQ(*EndAskedFor(For(absl::Seconds(5)), kNoon), kNoon + absl::Seconds(5));
  EXPECT_THAT(EndAskedFor(For(-kDay), kNoon), HasReason(Reason::kInvalidArgument));
}

class AgreementFixture : public AdminTest {
 protected:
  explicit AgreementFixture(PlanSettings settings = {.domain = "alpha.example"})
      : AdminTest(std::move(settings)) {
    CDGATE_EXPECT_OK(agreements_.Register(router_));
    CDGATE_EXPECT_OK(exports_.Register(router_));
    CDGATE_EXPECT_OK(peering_.Register(router_));
    beta_.set_peers_endpoint("127.0.0.1:7444");
    const auto invite = beta_.Invite({});
    CDGATE_EXPECT_OK(invite);
    CDGATE_EXPECT_OK(alpha_.Accept(invite->token()));
  }

  template <typename Response>
  absl::StatusOr<Response> Ask(const authz::Principal& principal, absl::string_view method,
                               const google::protobuf::MessageLite& request) {
    const bool local = principal.kind == authz::Principal::Kind::kLocal;
    const auto bytes =
        CallBytes(principal, absl::StrCat("/cdgate.admin.v1.AgreementService/", method), request,
                  local ? authz::Listener::kLocal : authz::Listener::kApi);
    if (!bytes.ok()) return bytes.status();
    Response response;
    CDGATE_EXPECT_OK(rpc::Parse(*bytes, &response));
    return response;
  }
  Peer Stored() { return *alpha_.PeerOf(beta_); }

  bool frozen_ = false;
  absl::Status stall_;
  AgreementApi agreements_{alpha_.store(), alpha_.log(), gate_, clock_, pool_};
  ExportApi exports_{{.store = alpha_.store(),
                      .gate = gate_,
                      .pool = pool_,
                      .started_frozen = [this] { return frozen_; },
                      .unfreeze = [this] { frozen_ = false; }}};
  PeeringApi peering_{alpha_.store(),
                      clock_,
                      pool_,
                      {.started_frozen = [this] { return frozen_; },
                       .import_stall = [this](absl::string_view) { return stall_; }}};
};

class AgreementApiTest : public AgreementFixture {
 protected:
  AgreementApiTest() { Grant(Ann(), admin::v1::ROLE_OPERATOR); }
};

TEST_F(AgreementApiTest, RenewsInTheCallersName) {
  const absl::Time end = clock_.Now() + 400 * kDay;
  CDGATE_ASSERT_OK_AND_ASSIGN(const Peer peer, Ask<Peer>(Ann(), "RenewPeer", Until(end)));
  EXPECT_EQ(peer.expire_time().seconds(), absl::ToUnixSeconds(end));
  EXPECT_EQ(Stored().expire_time().seconds(), absl::ToUnixSeconds(end));
  EXPECT_EQ(AuthorOf(state::kPeerKind, kBeta), "spiffe://alpha.example/user/ann");
  EXPECT_THAT(Ask<Peer>(User("nobody"), "RenewPeer", Until(end)), HasReason(Reason::kNotGranted));
  RenewPeerRequest stranger = Until(end);
  stranger.set_domain("gamma.example");
  EXPECT_THAT(Ask<Peer>(Ann(), "RenewPeer", stranger), HasReason(Reason::kNotFound));
}

TEST_F(AgreementApiTest, UpdatesWhatIsNamedAndNothingElse) {
  UpdatePeerRequest request;
  request.set_domain(kBeta);
  request.set_purpose("joint releases");
  request.add_contacts("oncall@beta.example");
  CDGATE_ASSERT_OK(Ask<Peer>(Ann(), "UpdatePeer", request));
  EXPECT_EQ(Stored().purpose(), "joint releases");
  EXPECT_EQ(Stored().endpoint(), "127.0.0.1:7444");
  EXPECT_TRUE(Stored().dial());

  request.Clear();
  request.set_domain(kBeta);
  request.set_endpoint("gw.beta.example:443");
  CDGATE_ASSERT_OK(Ask<Peer>(Ann(), "UpdatePeer", request));
  EXPECT_EQ(Stored().endpoint(), "gw.beta.example:443");
  EXPECT_EQ(Stored().contacts(0), "oncall@beta.example");
  EXPECT_EQ(Stored().purpose(), "joint releases");

  request.set_endpoint("");
  CDGATE_ASSERT_OK(Ask<Peer>(Ann(), "UpdatePeer", request));
  EXPECT_FALSE(Stored().dial());
}

TEST_F(AgreementApiTest, RefusesWhatNoPartyCouldSayOfItself) {
  UpdatePeerRequest request;
  request.set_domain(kBeta);
  request.set_endpoint("gw.beta.example");
  EXPECT_THAT(Ask<Peer>(Ann(), "UpdatePeer", request),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("endpoint")));
  request.set_endpoint("");
  request.set_dial(true);
  EXPECT_THAT(Ask<Peer>(Ann(), "UpdatePeer", request),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("--endpoint")));
  request.Clear();
  request.set_domain(kBeta);
  request.set_purpose(std::string(501, 'x'));
  EXPECT_THAT(Ask<Peer>(Ann(), "UpdatePeer", request),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("purpose")));
}

TEST_F(AgreementApiTest, TellsWhatEachSideHolds) {
  admin::v1::GetHoldingsRequest request;
  request.set_domain(kBeta);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto none,
                              Ask<admin::v1::GetHoldingsResponse>(Ann(), "GetHoldings", request));
  EXPECT_EQ(none.events_given(), 0U);
  EXPECT_FALSE(none.has_oldest_given());
  request.set_domain("gamma.example");
  EXPECT_THAT(Ask<admin::v1::GetHoldingsResponse>(Ann(), "GetHoldings", request),
              HasReason(Reason::kNotFound));
}

TEST_F(AgreementApiTest, ListsWhatAPeerLost) {
  const auto ask = [this](const authz::Principal& principal, const std::string& domain,
                          const std::string& token = "") {
    admin::v1::ListLostEventsRequest request;
    request.set_domain(domain);
    request.set_page_token(token);
    return Ask<admin::v1::ListLostEventsResponse>(principal, "ListLostEvents", request);
  };
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto none, ask(Ann(), kBeta));
  EXPECT_EQ(none.events_size() + none.forgotten_size(), 0);
  EXPECT_EQ(none.next_page_token(), "");
  Grant(User("audrey"), admin::v1::ROLE_AUDITOR);
  CDGATE_EXPECT_OK(ask(User("audrey"), kBeta));
  EXPECT_THAT(ask(User("nobody"), kBeta), HasReason(Reason::kNotGranted));
  EXPECT_THAT(ask(Ann(), "gamma.example"),
              HasReasonAndMessage(Reason::kNotFound, HasSubstr("gamma.example")));
  EXPECT_THAT(ask(Ann(), kBeta, "AAAA"),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("page_token")));
}

TEST_F(AgreementApiTest, ExportsAreStoppedAndResumedIdempotently) {
  const admin::v1::GetExportsRequest get;
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto before, Ask<ExportSwitch>(Ann(), "GetExports", get));
  EXPECT_FALSE(before.stopped());
  EXPECT_EQ(before.changed_by(), "");
  admin::v1::StopExportsRequest stop;
  stop.set_reason("leak suspected");
  for (int i = 0; i < 2; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto stopped, Ask<ExportSwitch>(Ann(), "StopExports", stop));
    EXPECT_TRUE(stopped.stopped());
    EXPECT_EQ(stopped.reason(), "leak suspected");
    EXPECT_EQ(stopped.changed_by(), "spiffe://alpha.example/user/ann");
    EXPECT_TRUE(session::ExportsStopped(*alpha_.store().Resources()));
  }
  for (int i = 0; i < 2; ++i) {
    CDGATE_ASSERT_OK_AND_ASSIGN(
        const auto resumed,
        Ask<ExportSwitch>(Ann(), "ResumeExports", admin::v1::ResumeExportsRequest()));
    EXPECT_FALSE(resumed.stopped());
    EXPECT_FALSE(session::ExportsStopped(*alpha_.store().Resources()));
  }
  stop.set_reason(std::string(501, 'x'));
  EXPECT_THAT(Ask<ExportSwitch>(Ann(), "StopExports", stop), HasReason(Reason::kInvalidArgument));
}

TEST_F(AgreementApiTest, ResumingEndsAFrozenStart) {
  frozen_ = true;
  const admin::v1::GetExportsRequest get;
  EXPECT_TRUE(Ask<ExportSwitch>(Ann(), "GetExports", get)->started_frozen());
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto resumed,
      Ask<ExportSwitch>(Ann(), "ResumeExports", admin::v1::ResumeExportsRequest()));
  EXPECT_FALSE(resumed.started_frozen());
  EXPECT_FALSE(frozen_);
  EXPECT_EQ(resumed.changed_by(), "spiffe://alpha.example/user/ann");
}

TEST_F(AgreementApiTest, ASwitchThatCannotBeReadStops) {
  auto damaged = std::make_shared<state::StoredResource>();
  damaged->kind = session::kExportsKind;
  damaged->name = session::kAllExports;
  damaged->value = "\xff\xff";
  EXPECT_TRUE(session::ExportsStopped(*state::ResourceSnapshot().With({damaged})));
  EXPECT_FALSE(session::ExportsStopped(state::ResourceSnapshot()));
}

TEST_F(AgreementApiTest, APeerIsToldOfItsOwnAgreementOnly) {
  const auto gateway = [](const std::string& domain) {
    return authz::Principal::Spiffe(trust::SpiffeId::Gateway(domain, "gw1").value());
  };
  federation::v1::GetAgreementRequest request;
  request.set_agreement_id(Stored().agreement_id());
  const auto ask = [&](const std::string& domain) {
    return CallBytes(gateway(domain), "/cdgate.federation.v1.PeeringService/GetAgreement", request,
                     authz::Listener::kPeers);
  };
  stall_ = base::MakeError(Reason::kDiskFull, "no space on /secret/path");
  const auto bytes = ask(kBeta);
  CDGATE_ASSERT_OK(bytes);
  federation::v1::GetAgreementResponse told;
  CDGATE_ASSERT_OK(rpc::Parse(*bytes, &told));
  EXPECT_TRUE(told.same_agreement());
  EXPECT_FALSE(told.approved());
  EXPECT_EQ(told.expire_time().seconds(), Stored().expire_time().seconds());
  EXPECT_EQ(told.now().seconds(), absl::ToUnixSeconds(clock_.Now()));
  EXPECT_EQ(told.import_stall(), "disk_full");  // and no path
  EXPECT_THAT(ask("gamma.example"), HasReason(Reason::kNoAgreement));
}

class AgreementApprovalTest : public AgreementFixture {
 protected:
  AgreementApprovalTest()
      : AgreementFixture({.domain = "alpha.example", .approve_widening = true}) {
    admin::v1::ApplyGrantRequest request;
    request.mutable_grant()->set_name("approver");
    request.mutable_grant()->set_principal(User("bob").id);
    request.mutable_grant()->set_role(admin::v1::ROLE_POLICY_APPROVER);
    CDGATE_EXPECT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", request));
  }
  // Bob approves what an error says that has to be approved.
  void Approve(const absl::Status& refused) {
    std::string plan;
    for (const auto& [key, value] : base::MetadataOf(refused)) {
      if (key == "plan") plan = value;
    }
    admin::v1::ApprovePlanRequest request;
    request.set_hash(*base::HexDecode(plan));
    CDGATE_ASSERT_OK(Call<admin::v1::Plan>(User("bob"), "ApprovePlan", request));
  }
};

TEST_F(AgreementApprovalTest, ALaterEndNeedsASecondPersonAndAnEarlierOneNone) {
  const absl::Time later = clock_.Now() + 500 * kDay;
  const auto refused = Ask<Peer>(Root(), "RenewPeer", Until(later));
  EXPECT_THAT(refused, HasReason(Reason::kApprovalRequired));
  Approve(refused.status());
  CDGATE_EXPECT_OK(Ask<Peer>(Root(), "RenewPeer", Until(later)));
  EXPECT_EQ(Stored().expire_time().seconds(), absl::ToUnixSeconds(later));
  CDGATE_EXPECT_OK(Ask<Peer>(Root(), "RenewPeer", Until(clock_.Now() + kDay)));
}

TEST_F(AgreementApprovalTest, StoppingNeedsNobodyAndResumingASecondPerson) {
  CDGATE_EXPECT_OK(Ask<ExportSwitch>(Root(), "StopExports", admin::v1::StopExportsRequest()));
  const admin::v1::ResumeExportsRequest resume;
  const auto refused = Ask<ExportSwitch>(Root(), "ResumeExports", resume);
  EXPECT_THAT(refused, HasReason(Reason::kApprovalRequired));
  EXPECT_TRUE(session::ExportsStopped(*alpha_.store().Resources()));
  Approve(refused.status());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto resumed,
                              Ask<ExportSwitch>(Root(), "ResumeExports", resume));
  EXPECT_FALSE(resumed.stopped());
}

}  // namespace
}  // namespace cdgate::api
