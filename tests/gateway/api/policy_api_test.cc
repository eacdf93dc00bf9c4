#include "gateway/api/policy_api.h"

#include <google/protobuf/text_format.h>

#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::ApplyPolicyRequest;
using admin::v1::ApplyPolicyResponse;
using admin::v1::CheckPolicyRequest;
using admin::v1::CheckPolicyResponse;
using admin::v1::GetPolicyRequest;
using admin::v1::PolicyVersion;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

constexpr char kGood[] =
    "export {rules {name: 'all' action: ACTION_ALLOW links: LINK_HANDLING_KEEP}}";
constexpr char kBad[] = "export {rules {name: 'all' when: 'id LIKE' action: ACTION_ALLOW}}";

class PolicyApiTest : public AdminTest {
 protected:
  PolicyApiTest() { Grant(Ann(), admin::v1::ROLE_POLICY_AUTHOR); }

  static admin::v1::Policy PolicyOf(const std::string& text) {
    admin::v1::Policy policy;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy));
    policy.set_peer("beta.example");
    return policy;
  }
  static ApplyPolicyRequest Request(const std::string& text) {
    ApplyPolicyRequest request;
    *request.mutable_policy() = PolicyOf(text);
    request.set_source("what ann wrote");
    request.set_unplanned(true);
    return request;
  }
  absl::StatusOr<ApplyPolicyResponse> Apply(const ApplyPolicyRequest& request) {
    return Call<ApplyPolicyResponse>(Ann(), "ApplyPolicy", request);
  }
  absl::StatusOr<PolicyVersion> Get(uint64_t version = 0) {
    GetPolicyRequest request;
    request.set_peer("beta.example");
    request.set_version(version);
    return Call<PolicyVersion>(Ann(), "GetPolicy", request);
  }
};

TEST_F(PolicyApiTest, KeepsEveryVersionWithItsAuthorAndItsText) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, Apply(Request(kGood)));
  EXPECT_EQ(first.version().version(), 1U);
  EXPECT_EQ(first.version().author(), "spiffe://alpha.example/user/ann");
  EXPECT_TRUE(first.version().unplanned());
  CDGATE_ASSERT_OK(Apply(Request("import {}")));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto old, Get(1));
  EXPECT_EQ(old.source(), "what ann wrote");
  EXPECT_EQ(old.policy().export_().rules_size(), 1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto now, Get());
  EXPECT_EQ(now.version(), 2U);
  EXPECT_THAT(Get(3), HasReasonAndMessage(Reason::kNotFound, HasSubstr("no version 3")));

  admin::v1::ListPolicyVersionsRequest request;
  request.set_peer("beta.example");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto all, Call<admin::v1::ListPolicyVersionsResponse>(
                                                  Ann(), "ListPolicyVersions", request));
  ASSERT_EQ(all.versions_size(), 2);
  EXPECT_EQ(all.versions(0).version(), 2U);
}

TEST_F(PolicyApiTest, WithoutAPlanItHasToBeSaid) {
  ApplyPolicyRequest request = Request(kGood);
  request.set_unplanned(false);
  EXPECT_THAT(Apply(request), HasReason(Reason::kPlanRequired));
  EXPECT_THAT(Get(), HasReasonAndMessage(Reason::kNotFound, HasSubstr("nothing crosses")));
}

TEST_F(PolicyApiTest, WhatDoesNotCheckLeavesTheLastGoodOneInForce) {
  CDGATE_ASSERT_OK(Apply(Request(kGood)));
  EXPECT_THAT(Apply(Request(kBad)),
              HasReasonAndMessage(Reason::kInvalidPolicy, HasSubstr("export.rules[0].when")));
  EXPECT_EQ(Get()->version(), 1U);
}

TEST_F(PolicyApiTest, ThePeerIsADomain) {
  ApplyPolicyRequest request = Request(kGood);
  request.mutable_policy()->set_peer("Beta!");
  EXPECT_THAT(Apply(request), HasReasonAndMessage(Reason::kInvalidPolicy, HasSubstr("Beta!")));
}

TEST_F(PolicyApiTest, TwoAuthorsDoNotOverwriteEachOther) {
  CDGATE_ASSERT_OK(Apply(Request(kGood)));
  ApplyPolicyRequest request = Request("import {}");
  request.set_base_version(1);
  CDGATE_ASSERT_OK(Apply(request));
  EXPECT_THAT(Apply(request), HasReason(Reason::kEtagMismatch));
}

TEST_F(PolicyApiTest, ValidateOnlyChangesNothing) {
  ApplyPolicyRequest request = Request(kGood);
  request.set_validate_only(true);
  CDGATE_EXPECT_OK(Apply(request));
  EXPECT_THAT(Get(), HasReason(Reason::kNotFound));
}

TEST_F(PolicyApiTest, CheckTellsEverythingAndWarnsWhereThereIsNoAgreement) {
  CheckPolicyRequest request;
  *request.mutable_policy() = PolicyOf(kBad);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto bad,
                              Call<CheckPolicyResponse>(Ann(), "CheckPolicy", request));
  EXPECT_FALSE(bad.valid());
  *request.mutable_policy() = PolicyOf(kGood);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto good,
                              Call<CheckPolicyResponse>(Ann(), "CheckPolicy", request));
  EXPECT_TRUE(good.valid());
  ASSERT_EQ(good.findings_size(), 1);
  EXPECT_THAT(good.findings(0).message(), HasSubstr("no agreement with beta.example"));
}

TEST_F(PolicyApiTest, WhoMayReadMayNotWrite) {
  const authz::Principal operator_ = User("olga");
  Grant(operator_, admin::v1::ROLE_OPERATOR);
  CDGATE_ASSERT_OK(Apply(Request(kGood)));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto list,
                              Call<admin::v1::ListPoliciesResponse>(operator_, "ListPolicies"));
  EXPECT_EQ(list.policies_size(), 1);
  EXPECT_THAT(Call<ApplyPolicyResponse>(operator_, "ApplyPolicy", Request(kGood)),
              HasReason(Reason::kNotGranted));
}

}  // namespace
}  // namespace cdgate::api
