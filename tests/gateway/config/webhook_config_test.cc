// webhooks in gateway.yaml.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/config/gateway_config.h"
#include "tests/support/status_matchers.h"

namespace cdgate::config {
namespace {

using base::Reason;
using testing::HasSubstr;

absl::StatusOr<v1::GatewayConfig> With(const std::string& webhooks, bool ingress = false) {
  return ParseGatewayConfig(
      absl::StrCat("domain: alpha.example\ndata_dir: data\nlisteners: {api: \"127.0.0.1:0\"",
                   ingress ? ", ingress: \"127.0.0.1:0\"" : "",
                   "}\nidentity: {certificate: c, key: k, bundle: b}\nwebhooks:\n", webhooks),
      "/srv/alpha/gateway.yaml");
}
std::string Target(const std::string& more) {
  return absl::StrCat("  targets: [{name: ci, ", more, "}]\n");
}

TEST(WebhookConfigTest, HasDefaultsAndPathsOfTheFile) {
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto config,
      With(absl::StrCat(Target("url: \"https://hooks.example/ci\", allow_addresses: [10.0.0.0/8, "
                               "\"::1\"], ca_file: ca.pem, token_file: token, certificate: c.crt, "
                               "key: /run/c.key, principals: [\"spiffe://alpha.example/%\"]"),
                        "  callback_url: https://gw.example:8443/\n"),
           true));
  EXPECT_EQ(config.webhooks().origin(), "alpha.example");
  EXPECT_EQ(config.webhooks().callback_url(), "https://gw.example:8443");
  const v1::WebhookTarget& target = config.webhooks().targets(0);
  EXPECT_EQ(target.ca_file(), "/srv/alpha/ca.pem");
  EXPECT_EQ(target.token_file(), "/srv/alpha/token");
  EXPECT_EQ(target.certificate(), "/srv/alpha/c.crt");
  EXPECT_EQ(target.key(), "/run/c.key");
  EXPECT_FALSE(target.without_handshake());
}

TEST(WebhookConfigTest, WhatIsWrongIsNamed) {
  const std::string good = "url: \"https://hooks.example\"";
  const std::pair<std::string, std::string> cases[] = {
      {"  targets: [{name: CI, url: \"https://h.example\"}]\n", "webhooks.targets[0].name: "},
      {Target("url: hooks.example"), "webhooks.targets[0].url: "},
      {Target("url: \"https://u:p@hooks.example\""), "has a user or password"},
      {Target("url: \"https://hooks.example?x\""), "has a query"},
      {Target(good + ", allow_addresses: [10.0.0.1/8]"), "bits beyond the prefix"},
      {Target(good + ", allow_addresses: [everything]"), "webhooks.targets[0].allow_addresses: "},
      {Target(good + ", certificate: c"), "webhooks.targets[0].key: missing"},
      {Target(good + ", key: k"), "webhooks.targets[0].certificate: missing"},
      {Target("url: \"http://h.example\", ca_file: c"),
       "webhooks.targets[0].ca_file: is for https"},
      {Target("url: \"http://h.example\", certificate: c, key: k"), "is for https"},
      {Target(good + ", principals: [\"\"]"), "webhooks.targets[0].principals: "},
      {"  targets: [{name: a, " + good + "}, {name: a, url: \"https://b.example\"}]\n",
       "webhooks.targets[1].name: found \"a\" a second time"},
      {"  targets: [{name: a, " + good + "}, {name: b, url: \"HTTPS://HOOKS.example:443/\"}]\n",
       "webhooks.targets[1].url: "},
      {"  origin: \"alpha example\"\n", "webhooks.origin: "},
      {"  callback_url: https://gw.example\n", "needs the HTTP ingress"},
  };
  for (const auto& [yaml, why] : cases) {
    EXPECT_THAT(With(yaml),
                test::HasReasonAndMessage(Reason::kInvalidConfig, testing::HasSubstr(why)))
        << yaml;
  }
  EXPECT_THAT(With("  callback_url: ftp://gw.example\n", true),
              test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("callback_url")));
}

}  // namespace
}  // namespace cdgate::config
