#include "gateway/config/gateway_config.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/base/file.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace cdgate::config {
namespace {

using base::Reason;

constexpr char kLeast[] = R"(domain: alpha.example
data_dir: data
identity:
  certificate: tls.crt
  key: tls.key
  bundle: /etc/cdgate/bundle.pem
listeners:
  api: 127.0.0.1:0
)";

std::string Scales(const std::string& scales) {
  return "classification:\n  scales: [" + scales + "]\n";
}
std::string Regulations(const std::string& names) {
  return "classification:\n  regulations: [" + names + "]\n";
}
// "n0, n1, …"
std::string Numbers(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += (i == 0 ? "n" : ", n") + std::to_string(i);
  return out;
}
std::string ManyScales(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    const std::string n = std::to_string(i);
    out += std::string(i == 0 ? "" : ", ") + "{name: s" + n + ", labels: [l" + n + "]}";
  }
  return out;
}

TEST(GatewayConfigTest, DefaultsAreFilledIn) {
  const auto config = ParseGatewayConfig(kLeast, "/srv/alpha/gateway.yaml");
  CDGATE_ASSERT_OK(config);
  std::string text;
  google::protobuf::TextFormat::PrintToString(*config, &text);
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/config/testdata/defaults.txt", text));
}

TEST(GatewayConfigTest, ClearTextIsForLoopbackAddresses) {
  for (const char* address : {"127.0.0.1:0", "127.1.2.3:80", "\"[::1]:80\"", "localhost:80"}) {
    const auto config = ParseGatewayConfig(
        std::string(kLeast) + "  ingress: " + address + "\n  ingress_transport: cleartext\n",
        "gateway.yaml");
    CDGATE_ASSERT_OK(config);
    EXPECT_EQ(config->listeners().ingress_transport(), v1::INGRESS_TRANSPORT_CLEARTEXT);
  }
  const auto config =
      ParseGatewayConfig(std::string(kLeast) + "  ingress: 0.0.0.0:8443\n", "gateway.yaml");
  CDGATE_ASSERT_OK(config);
  EXPECT_EQ(config->listeners().ingress_transport(), v1::INGRESS_TRANSPORT_TLS);
}

TEST(GatewayConfigTest, EveryKeyCanBeGiven) {
  const std::string yaml = R"(
domain: alpha.example
instance: gw2
data_dir: /var/lib/cdgate
identity: {certificate: /a, key: /b, bundle: /c, crls: [/d, e]}
listeners:
  peers: 0.0.0.0:7443
  api: "[::1]:7444"
  enrolment: alpha.example:7445
  ops: 127.0.0.1:9090
  ingress: 127.0.0.1:8080
  ingress_transport: cleartext
  local: run/local.sock
log: {backend: memory, retention: 2d, retention_bytes: 10GB, dedup_horizon: 2d,
      min_free_percent: 10, tail_bytes: 1MiB, audit_retention: 2d}
limits: {max_event_bytes: 64KiB, max_connections: 1, max_connections_per_address: 2,
         max_streams_per_connection: 3, connection_slack_bytes: 4, max_pending_events: 5,
         principal_calls: {per_second: 0}, principal_events: {per_second: 6, burst: 7},
         max_principals: 1024}
logging: {level: debug, format: json}
drain_timeout: 0s
advertise: {peers: gw.alpha.example:443, enrolment: gw.alpha.example:444}
links: {heartbeat: 60s, max_backoff: 1m, catchup_cpu_share: 0.25}
classification:
  scales: [{name: impact, labels: [low, high]}, {name: access, labels: [open, closed]}]
  regulations: [NIS2, DORA]
audit: {retention: 30d, file_bytes: 1MiB}
)";
  const auto config = ParseGatewayConfig(yaml, "gateway.yaml");
  CDGATE_ASSERT_OK(config);
  std::string text;
  google::protobuf::TextFormat::PrintToString(*config, &text);
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/config/testdata/full.txt", text));
}

TEST(GatewayConfigTest, ReadsFilesAndTakesPathsFromTheirFolder) {
  test::TempDir dir;
  CDGATE_ASSERT_OK(base::WriteFileAtomically(dir.File("gateway.yaml"), kLeast));
  const auto config = LoadGatewayConfig(dir.File("gateway.yaml"));
  CDGATE_ASSERT_OK(config);
  EXPECT_EQ(config->identity().key(), dir.File("tls.key"));
  EXPECT_EQ(config->identity().bundle(), "/etc/cdgate/bundle.pem");
  EXPECT_EQ(config->data_dir(), dir.File("data"));
  EXPECT_EQ(config->listeners().local(), dir.File("data/local.sock"));
  EXPECT_EQ(ParseGatewayConfig(kLeast, "gateway.yaml")->identity().key(), "tls.key");
  EXPECT_THAT(LoadGatewayConfig(dir.File("none.yaml")), test::HasReason(Reason::kFileUnreadable));
}

// Each message names file, line, key, what is wrong and what would be right.
std::string Provider(const std::string& more) {
  return std::string(kLeast) + "identity_providers:\n  - {name: corp, issuer: x" + more + "}\n";
}

TEST(GatewayConfigTest, IdentityProvidersHaveDefaultsAndPathsOfTheFile) {
  const auto config = ParseGatewayConfig(Provider(", audiences: [cdgate], jwks_file: keys.json"),
                                         "/srv/alpha/gateway.yaml");
  CDGATE_ASSERT_OK(config);
  const v1::IdentityProvider& provider = config->identity_providers(0);
  EXPECT_EQ(provider.jwks_file(), "/srv/alpha/keys.json");
  EXPECT_EQ(provider.claim(), "sub");
  EXPECT_THAT(provider.algorithms(), testing::ElementsAre("RS256", "PS256", "ES256"));
  EXPECT_EQ(provider.max_lifetime().seconds(), 86400);
  EXPECT_EQ(provider.clock_skew().seconds(), 30);
  EXPECT_EQ(provider.refresh().seconds(), 600);
  EXPECT_EQ(provider.max_key_age().seconds(), 86400);
  const auto exact = ParseGatewayConfig(
      Provider(", audiences: [a, b], jwks_url: \"https://id/jwks\", ca_file: ca.pem, claim: email, "
               "algorithms: [ES512], max_lifetime: 10m, clock_skew: 0s, refresh: 1h, max_key_age: "
               "1h"),
      "gateway.yaml");
  CDGATE_ASSERT_OK(exact);
  EXPECT_EQ(exact->identity_providers(0).clock_skew().seconds(), 0);
}

TEST(GatewayConfigTest, IdentityProvidersThatAreWrongAreNamed) {
  const std::string good = ", audiences: [cdgate], jwks_file: k";
  const std::string url = ", audiences: [cdgate], jwks_url: \"https://id/jwks\"";
  const std::pair<std::string, std::string> cases[] = {
      {Provider(", jwks_file: k"), "audiences"},
      {Provider(", audiences: [\"\"], jwks_file: k"), "audiences"},
      {Provider(", audiences: [a]"), "jwks_file"},
      {Provider(good + ", jwks_url: \"https://id\""), "jwks_url"},
      {Provider(", audiences: [a], jwks_url: \"http://id/jwks\""), "https://HOST/PATH"},
      {Provider(good + ", ca_file: c"), "ca_file"},
      {Provider(good + ", algorithms: [none]"), "RS256"},
      {Provider(good + ", algorithms: [HS256]"), "RS256"},
      {Provider(good + ", max_lifetime: 32d"), "max_lifetime"},
      {Provider(good + ", clock_skew: 6m"), "clock_skew"},
      {Provider(url + ", refresh: 30s"), "refresh"},
      {Provider(url + ", refresh: 2h, max_key_age: 1h"), "max_key_age"},
      {Provider(good) + "  - {name: corp, issuer: y, audiences: [a], jwks_file: k}\n", "name"},
      {Provider(good) + "  - {name: other, issuer: x, audiences: [a], jwks_file: k}\n", "issuer"},
      {std::string(kLeast) + "identity_providers: [{name: A, issuer: x}]\n", "name"},
  };
  for (const auto& [yaml, why] : cases) {
    EXPECT_THAT(ParseGatewayConfig(yaml, "gateway.yaml"),
                test::HasReasonAndMessage(Reason::kInvalidConfig, testing::HasSubstr(why)))
        << yaml;
  }
}

TEST(GatewayConfigTest, ErrorsReadWell) {
  const std::pair<const char*, std::string> kCases[] = {
      {"nothing", ""},
      {"no domain", "instance: gw1\n"},
      {"no identity", "domain: a\ndata_dir: d\n"},
      {"no api", "domain: a\ndata_dir: d\nidentity: {certificate: c, key: k, bundle: b}\n"},
      {"unknown key", std::string(kLeast) + "listners: {}\n"},
      {"unknown nested key", std::string(kLeast) + "log:\n  retention: 1d\n  backnd: MEMORY\n"},
      {"domain", "domain: Alpha Example\n"},
      {"domain as URL", "domain: spiffe://alpha.example\n"},
      {"instance", std::string(kLeast) + "instance: GW_1\n"},
      {"no port", std::string(kLeast) + "advertise:\n  peers: gw.alpha.example\n"},
      {"port 0 for others", std::string(kLeast) + "advertise:\n  peers: gw.alpha.example:0\n"},
      {"port too large", std::string(kLeast) + "advertise:\n  peers: gw.alpha.example:65536\n"},
      {"no host", std::string(kLeast) + "advertise:\n  enrolment: \":443\"\n"},
      {"IPv6 without brackets", std::string(kLeast) + "advertise:\n  peers: ::1:443\n"},
      {"URL for an address", std::string(kLeast) + "advertise:\n  peers: https://gw:443\n"},
      {"clear text for all",
       std::string(kLeast) + "  ingress: 0.0.0.0:8080\n" + "  ingress_transport: cleartext\n"},
      {"clear text by name",
       std::string(kLeast) + "  ingress: gw.example:8080\n" + "  ingress_transport: CLEARTEXT\n"},
      {"no ingress port", std::string(kLeast) + "  ingress: 127.0.0.1\n"},
      {"retention short", std::string(kLeast) + "log:\n  retention: 59m\n"},
      {"retention beyond the horizon", std::string(kLeast) + "log:\n  retention: 91d\n"},
      {"horizon below default retention", std::string(kLeast) + "log:\n  dedup_horizon: 1d\n"},
      {"audit shorter than retention",
       std::string(kLeast) + "log:\n  retention: 3d\n  audit_retention: 2d\n"},
      {"free percent", std::string(kLeast) + "log:\n  min_free_percent: 100\n"},
      {"backend", std::string(kLeast) + "log:\n  backend: segmnets\n"},
      {"event bytes", std::string(kLeast) + "limits:\n  max_event_bytes: 32KiB\n"},
      {"rate", std::string(kLeast) + "limits: {principal_calls: {per_second: 1000001}}\n"},
      {"burst",
       std::string(kLeast) + "limits: {principal_events: {per_second: 1, burst: 10000001}}\n"},
      {"burst without a rate", std::string(kLeast) + "limits: {principal_events: {burst: 5}}\n"},
      {"too few principals", std::string(kLeast) + "limits: {max_principals: 1023}\n"},
      {"level", std::string(kLeast) + "logging:\n  level: verbose\n"},
      {"format", std::string(kLeast) + "logging:\n  format: xml\n"},
      {"drain", std::string(kLeast) + "drain_timeout: 11m\n"},
      {"drain without unit", std::string(kLeast) + "drain_timeout: 10\n"},
      {"heartbeat", std::string(kLeast) + "links: {heartbeat: 500ms}\n"},
      {"heartbeat too long", std::string(kLeast) + "links: {heartbeat: 61s}\n"},
      {"audit retention", std::string(kLeast) + "audit: {retention: 23h}\n"},
      {"audit file bytes", std::string(kLeast) + "audit: {file_bytes: 1KiB}\n"},
      {"backoff", std::string(kLeast) + "links: {max_backoff: 0s}\n"},
      {"share", std::string(kLeast) + "links: {catchup_cpu_share: 1.01}\n"},
      {"small share", std::string(kLeast) + "links: {catchup_cpu_share: 0.01}\n"},
      {"share of what", std::string(kLeast) + "links: {catchup_cpu_share: half}\n"},
      {"socket path", std::string(kLeast) + "data_dir2: x\n"},
      {"long socket", "domain: a\ndata_dir: /" + std::string(120, 'd') +
                          "\nidentity: {certificate: c, key: k, bundle: b}\nlisteners: {api: "
                          "a:1}\n"},
      {"label twice", std::string(kLeast) + Scales("{name: a, labels: [x, y, x]}")},
      {"label in two scales",
       std::string(kLeast) + Scales("{name: a, labels: [x, y]}, {name: b, labels: [z, y]}")},
      {"no label", std::string(kLeast) + Scales("{name: a}")},
      {"empty label", std::string(kLeast) + Scales("{name: a, labels: [x, \"\"]}")},
      {"label with a line break", std::string(kLeast) + Scales("{name: a, labels: [\"x\\ny\"]}")},
      {"scale without a name", std::string(kLeast) + Scales("{labels: [x]}")},
      {"scale twice",
       std::string(kLeast) + Scales("{name: a, labels: [x]}, {name: a, labels: [y]}")},
      {"too many labels", std::string(kLeast) + Scales("{name: a, labels: [" + Numbers(65) + "]}")},
      {"too many scales", std::string(kLeast) + Scales(ManyScales(65))},
      {"regulation twice", std::string(kLeast) + Regulations("NIS2, DORA, NIS2")},
      {"empty regulation", std::string(kLeast) + Regulations("NIS2, \"\"")},
      {"regulation with a comma", std::string(kLeast) + Regulations("\"NIS2,DORA\"")},
      {"regulation in space", std::string(kLeast) + Regulations("\" NIS2\"")},
      {"regulation with a control character", std::string(kLeast) + Regulations("\"a\\tb\"")},
      {"too many regulations", std::string(kLeast) + Regulations(Numbers(257))},
      {"two documents", std::string(kLeast) + "---\ndomain: b\n"},
      {"key twice", std::string(kLeast) + "domain: b\n"},
  };
  std::string out;
  for (const auto& [name, yaml] : kCases) {
    const absl::Status status = ParseGatewayConfig(yaml, "gateway.yaml").status();
    EXPECT_THAT(status, test::HasReason(Reason::kInvalidConfig)) << name;
    out += std::string(name) + "\n  => " + std::string(status.message()) + "\n\n";
  }
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/config/testdata/config_errors.txt", out));
}

}  // namespace
}  // namespace cdgate::config
