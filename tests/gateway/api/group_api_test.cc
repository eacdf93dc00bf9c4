#include "gateway/api/group_api.h"

#include <initializer_list>

#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "federation/manager/group_lists.h"
#include "federation/policy/environment.h"
#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::ApplyGroupRequest;
using admin::v1::DeleteGroupRequest;
using admin::v1::DeleteGroupResponse;
using admin::v1::Group;
using admin::v1::ListGroupsRequest;
using admin::v1::ListGroupsResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::ElementsAre;
using testing::HasSubstr;

class GroupApiTest : public AdminTest {
 protected:
  static ApplyGroupRequest Request(const std::string& name,
                                   std::initializer_list<const char*> members) {
    ApplyGroupRequest request;
    request.mutable_group()->set_name(name);
    for (const char* member : members) request.mutable_group()->add_members(member);
    return request;
  }
  absl::StatusOr<admin::v1::Group> Apply(const ApplyGroupRequest& request) {
    return Call<admin::v1::Group>(Root(), "ApplyGroup", request);
  }
  absl::StatusOr<ListGroupsResponse> List() {
    return Call<ListGroupsResponse>(Root(), "ListGroups", ListGroupsRequest());
  }
  bool IsMember(const char* group, const char* domain) {
    const auto stored =
        alpha_.store().Resources()->Find(state::kEnvironmentKind, state::kEnvironmentName);
    if (stored == nullptr) return false;
    return policy::Environment::Make(stored->As<storage::v1::DecisionEnvironment>().value(),
                                     stored->version)
        ->IsMember(group, domain, clock_.Now());
  }
  size_t Stored() { return alpha_.store().Resources()->List(state::kGroupKind).size(); }
  // As if the owner had sent it.
  void PutList(const std::string& name, const std::string& owner) {
    admin::v1::Group group;
    group.set_name(name);
    group.add_members("alpha.example");
    federation::v1::SignedGroup sent;
    sent.set_list(manager::ListOf(group, 7, owner, clock_.Now()).SerializeAsString());
    state::Proposal proposal;
    proposal.resources.push_back({.kind = state::kPeerKind, .name = owner, .value = ""});
    proposal.resources.push_back({.kind = state::kGroupListKind,
                                  .name = manager::GroupId(name, owner),
                                  .value = sent.SerializeAsString()});
    const test::Answer<state::Outcome> answer;
    CDGATE_ASSERT_OK(alpha_.store().Propose(std::move(proposal), answer.Taker()));
    CDGATE_ASSERT_OK(answer.Wait()->status);
  }
};

TEST_F(GroupApiTest, AnAppliedGroupIsInForceWhenItIsAnswered) {
  Grant(Ann(), admin::v1::ROLE_OPERATOR);
  ApplyGroupRequest request = Request("core", {"gamma.example", "beta.example"});
  request.set_source("kind: group\n");
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto group,
                              Call<admin::v1::Group>(Ann(), "ApplyGroup", request));
  EXPECT_EQ(group.version(), 1u);
  EXPECT_THAT(group.members(), ElementsAre("beta.example", "gamma.example"));
  EXPECT_TRUE(IsMember("core@alpha.example", "beta.example"));
  EXPECT_EQ(AuthorOf(state::kGroupKind, "core"), Ann().id);
  EXPECT_EQ(AuthorOf(state::kEnvironmentKind, state::kEnvironmentName), Ann().id);
  EXPECT_EQ(alpha_.store().Resources()->Find(state::kGroupKind, "core")->source, "kind: group\n");
}

TEST_F(GroupApiTest, VersionsCountChanges) {
  CDGATE_ASSERT_OK(Apply(Request("core", {"beta.example"})));
  EXPECT_EQ(Apply(Request("core", {"beta.example", "gamma.example"}))->version(), 2u);
  EXPECT_EQ(Apply(Request("core", {"gamma.example", "beta.example"}))->version(), 2u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto history,
                              alpha_.store().History(state::kGroupKind, "core"));
  EXPECT_EQ(history.size(), 2u);
}

TEST_F(GroupApiTest, ADeletedGroupIsNobody) {
  CDGATE_ASSERT_OK(Apply(Request("core", {"beta.example"})));
  DeleteGroupRequest request;
  request.set_name("core");
  CDGATE_ASSERT_OK(Call<DeleteGroupResponse>(Root(), "DeleteGroup", request));
  EXPECT_FALSE(IsMember("core@alpha.example", "beta.example"));
  EXPECT_THAT(Call<DeleteGroupResponse>(Root(), "DeleteGroup", request),
              HasReasonAndMessage(Reason::kNotFound, HasSubstr("core")));
}

TEST_F(GroupApiTest, ValidateOnlyChangesNothing) {
  ApplyGroupRequest request = Request("core", {"beta.example"});
  request.set_validate_only(true);
  EXPECT_EQ(Apply(request)->name(), "core");
  request.mutable_group()->add_members("BETA");
  EXPECT_THAT(Apply(request), HasReason(Reason::kInvalidArgument));
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(GroupApiTest, WhatDoesNotCheckIsNotStored) {
  const auto refused = [this](const ApplyGroupRequest& request, const char* why) {
    EXPECT_THAT(Apply(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr(why)));
  };
  refused(Request("", {"beta.example"}), "name");
  refused(Request("Core", {"beta.example"}), "name");
  refused(Request("core@alpha.example", {"beta.example"}), "name");
  refused(Request("core", {}), "members is empty");
  refused(Request("core", {"beta.example", "Gamma"}), "Gamma");
  refused(Request("core", {"beta.example", "beta.example"}), "beta.example twice");
  ApplyGroupRequest request = Request("core", {"beta.example"});
  request.mutable_group()->mutable_expire_time()->set_seconds(-1);
  refused(request, "expire_time");
  request.mutable_group()->mutable_expire_time()->set_seconds(253'402'300'799);
  refused(request, "expire_time");
  request = Request("core", {"beta.example"});
  for (int i = 0; i < manager::kMaxGroupMembers; ++i) {
    request.mutable_group()->add_members(absl::StrCat("d", i, ".example"));
  }
  refused(request, "1001 domains");
  request = Request("core", {"beta.example"});
  request.mutable_group()->set_description(std::string(1025, 'x'));
  refused(request, "description");
  EXPECT_EQ(Stored(), 0u);
}

TEST_F(GroupApiTest, AMemberIsToldOfSixtyFourGroups) {
  for (int i = 0; i < manager::kMaxGroupsOfMember; ++i) {
    CDGATE_ASSERT_OK(Apply(Request(absl::StrCat("g", i), {"beta.example"})));
  }
  EXPECT_THAT(
      Apply(Request("more", {"gamma.example", "beta.example"})),
      HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("puts beta.example into 65 groups")));
  CDGATE_EXPECT_OK(Apply(Request("g0", {"gamma.example", "beta.example"})));
  CDGATE_EXPECT_OK(Apply(Request("more", {"gamma.example"})));
}

TEST_F(GroupApiTest, ListsOwnAndReceivedGroupsInPages) {
  CDGATE_ASSERT_OK(Apply(Request("core", {"beta.example"})));
  CDGATE_ASSERT_OK(Apply(Request("zone", {"gamma.example"})));
  PutList("partners", "beta.example");
  ListGroupsRequest request;
  request.set_page_size(2);
  std::vector<std::string> groups;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto page,
                                Call<ListGroupsResponse>(Root(), "ListGroups", request));
    EXPECT_LE(page.groups_size(), 2);
    for (const auto& group : page.groups()) {
      groups.push_back(
          absl::StrCat(group.group(), " ", group.version(), group.own() ? " own" : ""));
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(groups, ElementsAre("core@alpha.example 1 own", "partners@beta.example 7",
                                  "zone@alpha.example 1 own"));
  request.set_page_size(-1);
  EXPECT_THAT(Call<ListGroupsResponse>(Root(), "ListGroups", request),
              HasReason(Reason::kInvalidArgument));
}

TEST_F(GroupApiTest, AnExpiredGroupIsListedEmpty) {
  ApplyGroupRequest request = Request("core", {"beta.example"});
  request.mutable_group()->mutable_expire_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) +
                                                              60);
  CDGATE_ASSERT_OK(Apply(request));
  EXPECT_EQ(List()->groups(0).members_size(), 1);
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(List()->groups(0).members_size(), 0);
  EXPECT_TRUE(List()->groups(0).has_expire_time());
}

}  // namespace
}  // namespace cdgate::api
