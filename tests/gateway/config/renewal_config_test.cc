// identity.renewal, the passphrases of keys, and attestor in gateway.yaml.
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

absl::StatusOr<v1::GatewayConfig> WithIdentity(const std::string& more) {
  return ParseGatewayConfig(
      absl::StrCat("domain: alpha.example\ndata_dir: data\nlisteners: {api: \"127.0.0.1:0\"}\n",
                   "identity:\n  certificate: c\n  key: k\n  bundle: b\n", more),
      "/srv/alpha/gateway.yaml");
}

TEST(RenewalConfigTest, IsAbsentUnlessGiven) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto config, WithIdentity(""));
  EXPECT_FALSE(config.identity().has_renewal());
  EXPECT_EQ(config.identity().key_passphrase_file(), "");
}

TEST(RenewalConfigTest, TakesACa) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto config,
                              WithIdentity("  key_passphrase_file: key.pass\n"
                                           "  renewal: {ca: ca, ca_passphrase_file: /run/pass, "
                                           "validity: 1d, before: 8h}\n"));
  EXPECT_EQ(config.identity().key_passphrase_file(), "/srv/alpha/key.pass");
  const v1::Renewal& renewal = config.identity().renewal();
  EXPECT_EQ(renewal.ca(), "/srv/alpha/ca");
  EXPECT_EQ(renewal.ca_passphrase_file(), "/run/pass");
  EXPECT_EQ(renewal.validity().seconds(), 24 * 3600);
  EXPECT_EQ(renewal.before().seconds(), 8 * 3600);
}

TEST(RenewalConfigTest, TakesACommand) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto config,
                              WithIdentity("  renewal: {command: [/bin/renew, --fast]}\n"));
  const v1::Renewal& renewal = config.identity().renewal();
  EXPECT_THAT(renewal.command(), testing::ElementsAre("/bin/renew", "--fast"));
  EXPECT_EQ(renewal.command_timeout().seconds(), 60);
  EXPECT_FALSE(renewal.has_before());
}

TEST(RenewalConfigTest, NamesWhatIsWrong) {
  const struct {
    const char* renewal;
    const char* message;
  } cases[] = {
      {"{}", "identity.renewal: has neither ca nor command"},
      {"{before: 1d}", "has neither ca nor command"},
      {"{ca: ca, command: [/bin/true]}", "has both ca and command"},
      {"{command: [renew.sh]}", "expected the absolute path of a program first"},
      {"{command: [/bin/renew], command_timeout: 11m}", "identity.renewal.command_timeout"},
      {"{command: [/bin/renew], command_timeout: 0s}", "identity.renewal.command_timeout"},
      {"{ca: ca, validity: 10s}", "identity.renewal.validity"},
      {"{ca: ca, before: 0s}", "identity.renewal.before"},
      {"{ca: ca, after: 1d}", "after"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(WithIdentity(absl::StrCat("  renewal: ", c.renewal, "\n")),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr(c.message)))
        << c.renewal;
  }
}

// --- what signs statements

absl::StatusOr<v1::GatewayConfig> WithAttestor(const std::string& attestor) {
  return WithIdentity(absl::StrCat("attestor: ", attestor, "\n"));
}

TEST(AttestorConfigTest, IsAbsentUnlessGiven) {
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto config, WithIdentity(""));
  EXPECT_FALSE(config.has_attestor());
}

TEST(AttestorConfigTest, PathsAreTakenFromTheFolderOfTheFile) {
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto config,
      WithAttestor("{certificate: a/tls.crt, key: /k, key_passphrase_file: p, renewal: {ca: ca}, "
                   "field_commitments: ALWAYS}"));
  const v1::Attestor& attestor = config.attestor();
  EXPECT_EQ(attestor.certificate(), "/srv/alpha/a/tls.crt");
  EXPECT_EQ(attestor.key(), "/k");
  EXPECT_EQ(attestor.key_passphrase_file(), "/srv/alpha/p");
  EXPECT_EQ(attestor.renewal().ca(), "/srv/alpha/ca");
  EXPECT_EQ(attestor.renewal().command_timeout().seconds(), 60);
  EXPECT_EQ(attestor.field_commitments(), v1::FIELD_COMMITMENTS_ALWAYS);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto least, WithAttestor("{certificate: a, key: b}"));
  EXPECT_FALSE(least.attestor().has_renewal());
  EXPECT_EQ(least.attestor().field_commitments(), v1::FIELD_COMMITMENTS_UNSPECIFIED);
}

TEST(AttestorConfigTest, NamesWhatIsWrong) {
  const struct {
    const char* attestor;
    const char* message;
  } cases[] = {
      {"{}", "attestor.certificate: missing; expected a PEM file"},
      {"{certificate: a}", "attestor.key: missing; expected a PEM file"},
      {"{certificate: c, key: a}", "attestor.certificate: found \"/srv/alpha/c\", which connects"},
      {"{certificate: a, key: k}", "no key both connects and signs statements"},
      {"{certificate: a, key: b, renewal: {}}", "attestor.renewal: has neither ca nor command"},
      {"{certificate: a, key: b, renewal: {ca: ca, validity: 1s}}", "attestor.renewal.validity"},
      {"{certificate: a, key: b, field_commitments: SOMETIMES}", "ALWAYS, NEVER"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(WithAttestor(c.attestor),
                test::HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr(c.message)))
        << c.attestor;
  }
}

}  // namespace
}  // namespace cdgate::config
