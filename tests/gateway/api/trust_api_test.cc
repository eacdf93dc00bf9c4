#include "gateway/api/trust_api.h"

#include "absl/strings/escaping.h"
#include "gateway/base/encoding.h"
#include "tests/gateway/api/trust_test.h"

namespace cdgate::api {
namespace {

using admin::v1::AddDenialRequest;
using admin::v1::AddDenialResponse;
using admin::v1::DeleteDenialRequest;
using admin::v1::DeleteDenialResponse;
using admin::v1::ListDenialsRequest;
using admin::v1::ListDenialsResponse;
using admin::v1::ListTrustRequest;
using admin::v1::ListTrustResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kEve[] = "spiffe://alpha.example/user/eve";

class TrustApiTest : public TrustTest {
 protected:
  explicit TrustApiTest(PlanSettings settings = {.domain = "alpha.example"})
      : TrustTest(std::move(settings)) {
    CDGATE_EXPECT_OK(trust_api_.Register(router_));
    CDGATE_EXPECT_OK(
        trust_.Replace("alpha.example", alpha_.ca().bundle_pem(), {alpha_.ca().EmptyCrl()}));
    CDGATE_EXPECT_OK(trust_.Replace("beta.example", beta_.ca().bundle_pem(), {}));
  }

  static admin::v1::Denial Eve(const std::string& name) {
    admin::v1::Denial denial;
    denial.set_name(name);
    denial.set_principal(kEve);
    return denial;
  }
  absl::Status Add(const admin::v1::Denial& denial) {
    AddDenialRequest request;
    *request.mutable_denial() = denial;
    return Trust<AddDenialResponse>("AddDenial", request).status();
  }
  absl::Status Delete(const std::string& name) {
    DeleteDenialRequest request;
    request.set_name(name);
    return Trust<DeleteDenialResponse>("DeleteDenial", request).status();
  }

  TrustApi trust_api_{Deps()};
};

TEST_F(TrustApiTest, ADenialIsOnDiskAndInForceWhenItIsAnswered) {
  CDGATE_ASSERT_OK(Add(Eve("eve")));
  EXPECT_EQ(applied_, 1);
  EXPECT_EQ(AuthorOf(state::kDenialKind, "eve"), Ann().id);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto listed,
                              (Trust<ListDenialsResponse>("ListDenials", ListDenialsRequest())));
  ASSERT_EQ(listed.denials_size(), 1);
  EXPECT_EQ(listed.denials(0).principal(), kEve);
  EXPECT_EQ(listed.denials(0).author(), Ann().id);
  EXPECT_THAT(Add(Eve("eve")), HasReason(Reason::kAlreadyExists));
  CDGATE_ASSERT_OK(Delete("eve"));
  EXPECT_EQ(applied_, 2);
  EXPECT_THAT(Delete("eve"), HasReason(Reason::kNotFound));
}

TEST_F(TrustApiTest, NobodyLocksOutWhoCouldEndIt) {
  admin::v1::Denial denial;
  denial.set_name("x");
  EXPECT_THAT(Add(denial), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("subject")));
  denial.set_domain("alpha.example");
  EXPECT_THAT(Add(denial), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("our own")));
  denial.set_principal(Ann().id);
  EXPECT_THAT(Add(denial), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("whoever")));
  denial = Eve("Eve");
  EXPECT_THAT(Add(denial), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("name")));
  denial = Eve("eve");
  denial.set_reason(std::string(1025, 'x'));
  EXPECT_THAT(Add(denial), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("reason")));
  EXPECT_EQ(applied_, 0);
}

TEST_F(TrustApiTest, SerialsAndDigestsAreTakenAsPeopleWriteThem) {
  admin::v1::Denial denial;
  denial.mutable_serial()->set_domain("beta.example");
  for (const char* text : {"0a:FF", "AFF", "000aff"}) {
    denial.mutable_serial()->set_serial(text);
    CDGATE_ASSERT_OK_AND_ASSIGN(const trust::Denial read, DenialOf(denial));
    EXPECT_EQ(read.subject, "beta.example/0aff") << text;
  }
  denial.set_authority("AA:" + std::string(62, 'b'));
  CDGATE_ASSERT_OK_AND_ASSIGN(const trust::Denial read, DenialOf(denial));
  EXPECT_EQ(read.subject, "aa" + std::string(62, 'b'));
}

TEST_F(TrustApiTest, ShowsOurOwnTrustFirstWithListsAndRetiredRoots) {
  const test::TestCa next("alpha.example", clock_.Now());
  CDGATE_ASSERT_OK(trust_.Replace("alpha.example", next.bundle_pem(), {next.EmptyCrl()}));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto shown,
                              (Trust<ListTrustResponse>("ListTrust", ListTrustRequest())));
  ASSERT_EQ(shown.domains_size(), 2);
  const admin::v1::DomainTrust& own = shown.domains(0);
  EXPECT_TRUE(own.own());
  EXPECT_EQ(own.bundle_pem(), next.bundle_pem());
  ASSERT_EQ(own.roots_size(), 1);
  ASSERT_EQ(own.retired_size(), 1);
  EXPECT_EQ(
      own.retired(0).sha256(),
      base::HexEncode(crypto::Certificate::FromPem(alpha_.ca().bundle_pem())->FingerprintSha256()));
  ASSERT_EQ(own.revocation_lists_size(), 1);
  EXPECT_EQ(own.revocation_lists(0).number(), 1u);
  EXPECT_EQ(shown.domains(1).domain(), "beta.example");
  EXPECT_EQ(shown.domains(1).revocation_lists_size(), 0);
}

class ApprovedTrustApiTest : public TrustApiTest {
 protected:
  ApprovedTrustApiTest() : TrustApiTest({.domain = "alpha.example", .approve_widening = true}) {}
  void SetUp() override {
    Grant(User("paula"), admin::v1::ROLE_POLICY_APPROVER);
    who_ = Root();
  }
};

TEST_F(ApprovedTrustApiTest, OneAloneDeniesAtOnceAndDoesNotEndADenial) {
  CDGATE_ASSERT_OK(Add(Eve("eve")));
  const absl::Status alone = Delete("eve");
  ASSERT_THAT(alone, HasReason(Reason::kApprovalRequired));
  std::string plan;
  for (const auto& [key, value] : base::MetadataOf(alone)) {
    if (key == "plan") plan = value;
  }
  admin::v1::ApprovePlanRequest approve;
  approve.set_hash(absl::HexStringToBytes(plan));
  CDGATE_ASSERT_OK(Call<admin::v1::Plan>(User("paula"), "ApprovePlan", approve).status());
  CDGATE_EXPECT_OK(Delete("eve"));
}

}  // namespace
}  // namespace cdgate::api
