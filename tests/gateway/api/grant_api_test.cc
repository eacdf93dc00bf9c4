#include "gateway/api/grant_api.h"

#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::ApplyGrantRequest;
using admin::v1::DeleteGrantRequest;
using admin::v1::DeleteGrantResponse;
using admin::v1::ListGrantsRequest;
using admin::v1::ListGrantsResponse;
using admin::v1::ListPeersResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class GrantApiTest : public AdminTest {
 protected:
  static ApplyGrantRequest Publisher(const std::string& name) {
    ApplyGrantRequest request;
    request.mutable_grant()->set_name(name);
    request.mutable_grant()->set_principal("spiffe://alpha.example/service/jenkins");
    request.mutable_grant()->set_role(admin::v1::ROLE_PUBLISHER);
    request.mutable_grant()->add_sources("/ci/%");
    return request;
  }
  size_t Stored() { return alpha_.store().Resources()->List(state::kGrantKind).size(); }
};

TEST_F(GrantApiTest, NothingIsGrantedToBeginWith) {
  int methods = 0;
  for (const std::string& method : router_.Methods()) {
    if (!method.starts_with("/cdgate.admin.")) continue;
    ++methods;
    EXPECT_THAT(CallBytes(Ann(), method, ListGrantsRequest(), authz::Listener::kApi),
                HasReason(Reason::kNotGranted))
        << method;
  }
  EXPECT_GE(methods, 18);
}

TEST_F(GrantApiTest, AdministrationIsNotServedToPeers) {
  const auto gateway =
      authz::Principal::Spiffe(trust::SpiffeId::Gateway("beta.example", "gw1").value());
  Grant(gateway, admin::v1::ROLE_OPERATOR);
  for (const auto listener : {authz::Listener::kPeers, authz::Listener::kEnrolment}) {
    EXPECT_THAT(CallBytes(gateway, Admin("ListPeers"), ListGrantsRequest(), listener),
                HasReason(Reason::kWrongListener));
  }
}

TEST_F(GrantApiTest, ARoleGivesItsMethodsAndNoOthers) {
  Grant(Ann(), admin::v1::ROLE_AUDITOR);
  CDGATE_EXPECT_OK(Call<ListPeersResponse>(Ann(), "ListPeers"));
  EXPECT_THAT(Call<admin::v1::Grant>(Ann(), "ApplyGrant", Publisher("x")),
              HasReasonAndMessage(Reason::kNotGranted, HasSubstr("operator")));
  EXPECT_THAT(Call<ListPeersResponse>(User("bob"), "ListPeers"), HasReason(Reason::kNotGranted));
}

TEST_F(GrantApiTest, DeletingAGrantEndsWhatItAllowedAtOnce) {
  Grant(Ann(), admin::v1::ROLE_OPERATOR);
  DeleteGrantRequest request;
  request.set_name(absl::StrCat("grant-", admin::v1::ROLE_OPERATOR));
  CDGATE_ASSERT_OK(Call<DeleteGrantResponse>(Ann(), "DeleteGrant", request));
  EXPECT_THAT(Call<ListPeersResponse>(Ann(), "ListPeers"), HasReason(Reason::kNotGranted));
  EXPECT_THAT(Call<DeleteGrantResponse>(Root(), "DeleteGrant", request),
              HasReason(Reason::kNotFound));
}

TEST_F(GrantApiTest, KeepsWhoAppliedIt) {
  Grant(Ann(), admin::v1::ROLE_OPERATOR);
  CDGATE_ASSERT_OK(Call<admin::v1::Grant>(Ann(), "ApplyGrant", Publisher("ci")));
  EXPECT_EQ(AuthorOf(state::kGrantKind, "ci"), "spiffe://alpha.example/user/ann");
}

TEST_F(GrantApiTest, WhatDoesNotCheckIsNotStored) {
  ApplyGrantRequest nameless = Publisher("");
  EXPECT_THAT(Call<admin::v1::Grant>(Root(), "ApplyGrant", nameless),
              HasReason(Reason::kInvalidArgument));
  ApplyGrantRequest filtered = Publisher("reader");
  filtered.mutable_grant()->set_role(admin::v1::ROLE_SUBSCRIBER);
  filtered.mutable_grant()->clear_sources();
  filtered.mutable_grant()->set_filter("id LIKE");
  EXPECT_THAT(Call<admin::v1::Grant>(Root(), "ApplyGrant", filtered),
              HasReasonAndMessage(Reason::kInvalidFilter, HasSubstr("grant reader")));
  EXPECT_EQ(Stored(), 0U);
}

TEST_F(GrantApiTest, ValidateOnlyChangesNothing) {
  ApplyGrantRequest request = Publisher("ci");
  request.set_validate_only(true);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto grant,
                              Call<admin::v1::Grant>(Root(), "ApplyGrant", request));
  EXPECT_EQ(grant.name(), "ci");
  EXPECT_EQ(Stored(), 0U);
}

TEST_F(GrantApiTest, ListsByNameInPages) {
  for (const char* name : {"c", "a", "b"}) {
    CDGATE_ASSERT_OK(Call<admin::v1::Grant>(Root(), "ApplyGrant", Publisher(name)));
  }
  ListGrantsRequest request;
  request.set_page_size(2);
  std::string names;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto page,
                                Call<ListGrantsResponse>(Root(), "ListGrants", request));
    for (const auto& grant : page.grants()) names += grant.name();
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, "abc");
  request.set_page_token("forged");
  EXPECT_THAT(Call<ListGrantsResponse>(Root(), "ListGrants", request),
              HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::api
