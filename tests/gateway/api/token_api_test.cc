#include "gateway/api/token_api.h"

#include "auth/authz/token.h"
#include "gateway/api/times.h"
#include "tests/gateway/api/admin_test.h"

namespace cdgate::api {
namespace {

using admin::v1::CreateTokenRequest;
using admin::v1::CreateTokenResponse;
using admin::v1::DeleteTokenRequest;
using admin::v1::DeleteTokenResponse;
using admin::v1::ListTokensRequest;
using admin::v1::ListTokensResponse;
using base::Reason;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

class TokenApiTest : public AdminTest {
 protected:
  void SetUp() override {
    Grant(Ann(), admin::v1::ROLE_OPERATOR);
    admin::v1::ApplyGrantRequest request;
    request.mutable_grant()->set_name("jenkins");
    request.mutable_grant()->set_principal("spiffe://alpha.example/service/jenkins");
    request.mutable_grant()->set_role(admin::v1::ROLE_PUBLISHER);
    request.mutable_grant()->add_sources("/ci/%");
    CDGATE_ASSERT_OK(Call<admin::v1::Grant>(Ann(), "ApplyGrant", request));
  }

  static CreateTokenRequest Request(const std::string& name) {
    CreateTokenRequest request;
    request.set_name(name);
    request.set_grant("jenkins");
    return request;
  }
  absl::StatusOr<CreateTokenResponse> Create(const CreateTokenRequest& request) {
    return Call<CreateTokenResponse>(Ann(), "CreateToken", request);
  }
  admin::v1::Token Stored(const std::string& name) {
    return alpha_.store()
        .Resources()
        ->Find(state::kTokenKind, name)
        ->As<admin::v1::Token>()
        .value();
  }
};

TEST_F(TokenApiTest, TheSecretIsInTheAnswerAndItsDigestOnDisk) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const CreateTokenResponse made, Create(Request("ci")));
  CDGATE_ASSERT_OK_AND_ASSIGN(const std::string digest, authz::DigestOfToken(made.secret()));
  const admin::v1::Token stored = Stored("ci");
  EXPECT_EQ(stored.secret_digest(), digest);
  EXPECT_EQ(stored.author(), "spiffe://alpha.example/user/ann");
  EXPECT_EQ(FromProto(stored.expire_time()), clock_.Now() + absl::Hours(24 * 90));
  EXPECT_THAT(stored.SerializeAsString(), testing::Not(HasSubstr(made.secret().substr(7))));
  EXPECT_EQ(made.token().secret_digest(), "");
}

TEST_F(TokenApiTest, WhatIsWrongIsNamedAndNothingIsMade) {
  CreateTokenRequest request = Request("Ci");
  EXPECT_THAT(Create(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("name")));
  request = Request("ci");
  request.set_grant("nobody");
  EXPECT_THAT(Create(request), HasReasonAndMessage(Reason::kNotFound, HasSubstr("nobody")));
  request.set_grant(absl::StrCat("grant-", admin::v1::ROLE_OPERATOR));
  EXPECT_THAT(Create(request),
              HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("role publisher")));
  request = Request("ci");
  for (const absl::Duration ttl : {absl::Seconds(59), absl::ZeroDuration(), -absl::Hours(1),
                                   absl::Hours(24 * 366) + absl::Seconds(1)}) {
    *request.mutable_ttl() = ToProto(ttl);
    EXPECT_THAT(Create(request), HasReasonAndMessage(Reason::kInvalidArgument, HasSubstr("ttl")));
  }
  EXPECT_TRUE(alpha_.store().Resources()->List(state::kTokenKind).empty());
}

TEST_F(TokenApiTest, ANameIsUsedOnceAtATime) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const CreateTokenResponse first, Create(Request("ci")));
  EXPECT_THAT(Create(Request("ci")), HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(Stored("ci").secret_digest(), *authz::DigestOfToken(first.secret()));
  DeleteTokenRequest request;
  request.set_name("ci");
  CDGATE_ASSERT_OK(Call<DeleteTokenResponse>(Ann(), "DeleteToken", request));
  EXPECT_THAT(Call<DeleteTokenResponse>(Ann(), "DeleteToken", request),
              HasReason(Reason::kNotFound));
  CDGATE_ASSERT_OK_AND_ASSIGN(const CreateTokenResponse second, Create(Request("ci")));
  EXPECT_NE(second.secret(), first.secret());
}

TEST_F(TokenApiTest, ListsAreByNameInPagesAndWithoutDigests) {
  for (const char* name : {"c", "a", "b"}) CDGATE_ASSERT_OK(Create(Request(name)));
  ListTokensRequest request;
  request.set_page_size(2);
  std::string names;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const auto page,
                                Call<ListTokensResponse>(Ann(), "ListTokens", request));
    for (const admin::v1::Token& token : page.tokens()) {
      names += token.name();
      EXPECT_EQ(token.secret_digest(), "");
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, "abc");
}

TEST_F(TokenApiTest, OperatorsMakeThemAndAuditorsSeeThem) {
  for (const char* method : {"CreateToken", "DeleteToken", "ListTokens"}) {
    EXPECT_THAT(Call<CreateTokenResponse>(User("bob"), method, Request("ci")),
                HasReason(Reason::kNotGranted));
  }
  Grant(User("bob"), admin::v1::ROLE_AUDITOR);
  CDGATE_EXPECT_OK(Call<ListTokensResponse>(User("bob"), "ListTokens").status());
  EXPECT_THAT(Call<CreateTokenResponse>(User("bob"), "CreateToken", Request("ci")),
              HasReason(Reason::kNotGranted));
}

}  // namespace
}  // namespace cdgate::api
