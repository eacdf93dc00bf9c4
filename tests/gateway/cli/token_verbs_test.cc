#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"

namespace cdgate::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class TokenVerbsTest : public testing::Test {
 protected:
  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments, "");
  }
  template <typename Request>
  Request Last(const std::string& method) {
    Request request;
    EXPECT_TRUE(gateway_.LastRequest(method, &request)) << method;
    return request;
  }

  FakeGateway gateway_;
};

TEST_F(TokenVerbsTest, TokensAreMadeListedAndRevoked) {
  admin::v1::CreateTokenResponse made;
  made.set_secret("cdgate_secret");
  made.mutable_token()->set_name("ci");
  made.mutable_token()->set_grant("jenkins");
  made.mutable_token()->mutable_expire_time()->set_seconds(1'800'000'000);
  gateway_.Answer("CreateToken", made);
  const CliRun run = Run({"token", "create", "ci", "--grant", "jenkins", "--expires", "30d"});
  EXPECT_EQ(run.out, "cdgate_secret\n");  // alone, for scripts
  EXPECT_THAT(run.err, HasSubstr("2027-01-15T08:00:00Z"));
  EXPECT_THAT(run.err, Not(HasSubstr("secret")));
  const auto request = Last<admin::v1::CreateTokenRequest>("CreateToken");
  EXPECT_EQ(request.name(), "ci");
  EXPECT_EQ(request.grant(), "jenkins");
  EXPECT_EQ(request.ttl().seconds(), 30 * 24 * 3600);
  EXPECT_THAT(Run({"token", "create", "ci", "--grant", "jenkins", "-o", "json"}).out,
              HasSubstr("\"cdgate_secret\""));
  EXPECT_FALSE(Last<admin::v1::CreateTokenRequest>("CreateToken").has_ttl());
  EXPECT_EQ(Run({"token", "create", "ci", "--grant", "g", "--expires", "soon"}).code, kExitUsage);
  EXPECT_EQ(Run({"token", "create", "ci"}).code, kExitUsage);

  admin::v1::ListTokensResponse list;
  *list.add_tokens() = made.token();
  gateway_.Answer("ListTokens", list);
  EXPECT_THAT(Run({"token", "list"}).out, HasSubstr("ci    jenkins  2027-01-15T08:00:00Z"));

  gateway_.Answer("DeleteToken", admin::v1::DeleteTokenResponse());
  EXPECT_EQ(Run({"token", "revoke", "ci"}).out, "revoked token ci\n");
  EXPECT_EQ(Last<admin::v1::DeleteTokenRequest>("DeleteToken").name(), "ci");
}

}  // namespace
}  // namespace cdgate::cli
