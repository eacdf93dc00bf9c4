#include "gateway/config/gateway_config.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/identity_provider_checks.h"
#include "gateway/config/message_reader.h"
#include "gateway/config/scalars.h"
#include "gateway/config/webhook_checks.h"
#include "gateway/config/yaml_node.h"

namespace cdgate::config {
namespace {

using DurationProto = google::protobuf::Duration;

constexpr char kLowerDigits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
constexpr int kMaxScales = 64;
constexpr int kMaxLabels = 64;  // of one scale
constexpr int kMaxRegulations = 256;
constexpr size_t kMaxSocketPath = 107;  // sun_path of sockaddr_un, with its end

absl::Duration ToDuration(const DurationProto& proto) {
  return absl::Seconds(proto.seconds()) + absl::Nanoseconds(proto.nanos());
}

DurationProto ToProto(absl::Duration duration) {
  DurationProto proto;
  proto.set_seconds(absl::ToInt64Seconds(duration));
  return proto;
}

// SPIFFE trust domains: lower-case letters, digits, '.', '-' and '_', at most 255.
bool IsTrustDomain(absl::string_view text) {
  return !text.empty() && text.size() <= 255 &&
         text.find_first_not_of(absl::StrCat(kLowerDigits, ".-_")) == absl::string_view::npos;
}

bool IsInstanceName(absl::string_view text) {
  return !text.empty() && text.size() <= 63 &&
         text.find_first_not_of(absl::StrCat(kLowerDigits, "-")) == absl::string_view::npos;
}

// "host:port", "192.0.2.1:443", "[::1]:443".
std::optional<uint32_t> PortOf(absl::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == absl::string_view::npos || colon == 0) return std::nullopt;
  const absl::string_view host = address.substr(0, colon);
  const absl::string_view port = address.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (!bracketed && host.find_first_of("[]: \t/") != absl::string_view::npos) return std::nullopt;
  uint32_t number;
  if (port.empty() || port.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(port, &number) || number > 65535) {
    return std::nullopt;
  }
  return number;
}

// Fills in defaults and checks values, key by key; keeps the first error.
class Checker {
 public:
  Checker(const MessageReader& reader, absl::string_view file, v1::GatewayConfig* config)
      : reader_(reader),
        folder_(std::filesystem::path(std::string(file)).parent_path()),
        given_(*config),
        config_(*config) {}

  absl::Status Run() {
    Names();
    Attestor();
    Listeners();
    Log();
    Limits();
    Logging();
    Times();
    Audit();
    Classification();
    if (status_.ok()) status_ = CheckIdentityProviders(reader_, folder_, &config_);
    if (status_.ok()) status_ = CheckWebhooks(reader_, folder_, &config_);
    return status_;
  }

 private:
  void Fail(absl::string_view key, absl::string_view what) {
    if (status_.ok()) status_ = reader_.ErrorAt(key, what);
  }

  void Require(absl::string_view key, const std::string& value, absl::string_view expected) {
    if (value.empty()) Fail(key, absl::StrCat("missing; expected ", expected));
  }

  // A file or folder, from the folder of the configuration.
  void Path(absl::string_view key, std::string* value, absl::string_view expected) {
    Require(key, *value, expected);
    if (!value->empty()) *value = (folder_ / *value).lexically_normal().string();
  }

  void Address(absl::string_view key, const std::string& value, bool any_port) {
    if (value.empty()) return;
    const auto port = PortOf(value);
    if (port.has_value() && (any_port || *port != 0)) return;
    Fail(key, absl::StrCat("found \"", base::Shorten(value), "\"; expected host:port",
                           any_port ? "" : " with a port that is not 0",
                           ", an IPv6 address in brackets"));
  }

  template <typename Integer>
  static Integer OrDefault(Integer value, Integer standard) {
    return value == 0 ? standard : value;
  }

  // The duration at `key`, its default where the file does not give it; checked.
  void Duration(absl::string_view key, bool given, DurationProto* value, absl::Duration standard,
                absl::Duration least, absl::Duration greatest) {
    if (!given) {
      *value = ToProto(standard);
      return;
    }
    const absl::Duration found = ToDuration(*value);
    if (found >= least && found <= greatest) return;
    const std::string at_most = greatest == absl::InfiniteDuration()
                                    ? ""
                                    : absl::StrCat(", at most ", config::FormatDuration(greatest));
    Fail(key, absl::StrCat("found ", config::FormatDuration(found), "; expected at least ",
                           config::FormatDuration(least), at_most));
  }

  void Names() {
    Require("domain", config_.domain(), "our trust domain, such as alpha.example");
    if (!config_.domain().empty() && !IsTrustDomain(config_.domain())) {
      Fail("domain", absl::StrCat("found \"", base::Shorten(config_.domain()),
                                  "\"; expected a trust domain: lower-case letters, digits, '.', "
                                  "'-' and '_', at most 255"));
    }
    if (config_.instance().empty()) config_.set_instance("gw1");
    if (!IsInstanceName(config_.instance())) {
      Fail("instance", absl::StrCat("found \"", base::Shorten(config_.instance()),
                                    "\"; expected lower-case letters, digits and '-', at most 63"));
    }
    Path("data_dir", config_.mutable_data_dir(), "a folder of the gateway's own");
    v1::Identity& identity = *config_.mutable_identity();
    Path("identity.certificate", identity.mutable_certificate(), "a PEM file, leaf first");
    Path("identity.key", identity.mutable_key(), "a PEM file with a PKCS#8 key");
    Path("identity.bundle", identity.mutable_bundle(), "a PEM file with our CAs' certificates");
    for (int i = 0; i < identity.crls_size(); ++i) {
      Path(absl::StrCat("identity.crls[", i, "]"), identity.mutable_crls(i), "a PEM file");
    }
    if (!identity.key_passphrase_file().empty()) {
      Path("identity.key_passphrase_file", identity.mutable_key_passphrase_file(), "a file");
    }
    if (identity.has_renewal()) Renewal("identity.renewal", identity.mutable_renewal());
  }

  // What signs statements, where anything does.
  void Attestor() {
    if (!config_.has_attestor()) return;
    v1::Attestor& attestor = *config_.mutable_attestor();
    Path("attestor.certificate", attestor.mutable_certificate(),
         "a PEM file, leaf first, as cdgate cert issue attestor/NAME writes it");
    Path("attestor.key", attestor.mutable_key(), "a PEM file with a PKCS#8 key");
    if (!attestor.key_passphrase_file().empty()) {
      Path("attestor.key_passphrase_file", attestor.mutable_key_passphrase_file(), "a file");
    }
    IsNotThatOfConnections("attestor.certificate", attestor.certificate(),
                           config_.identity().certificate());
    IsNotThatOfConnections("attestor.key", attestor.key(), config_.identity().key());
    if (attestor.has_renewal()) Renewal("attestor.renewal", attestor.mutable_renewal());
  }

  void IsNotThatOfConnections(absl::string_view key, const std::string& path,
                              const std::string& of_connections) {
    if (path.empty() || path != of_connections) return;
    Fail(key, absl::StrCat("found \"", base::Shorten(path),
                           "\", which connects; expected a file of its own: no key both connects "
                           "and signs statements"));
  }

  void Renewal(const std::string& key, v1::Renewal* renewal) {
    const bool from_ca = !renewal->ca().empty();
    if (from_ca == !renewal->command().empty()) {
      Fail(key, absl::StrCat(from_ca ? "has both ca and command" : "has neither ca nor command",
                             "; expected one of them"));
    }
    if (from_ca) Path(key + ".ca", renewal->mutable_ca(), "the folder of our CA");
    if (!renewal->ca_passphrase_file().empty()) {
      Path(key + ".ca_passphrase_file", renewal->mutable_ca_passphrase_file(), "a file");
    }
    if (!renewal->command().empty() && !absl::StartsWith(renewal->command(0), "/")) {
      Fail(key + ".command", absl::StrCat("found \"", base::Shorten(renewal->command(0)),
                                          "\"; expected the absolute path of a program first"));
    }
    if (renewal->has_before()) {
      Duration(key + ".before", true, renewal->mutable_before(), {}, absl::Seconds(1),
               absl::InfiniteDuration());
    }
    if (renewal->has_validity()) {
      Duration(key + ".validity", true, renewal->mutable_validity(), {}, absl::Minutes(1),
               absl::InfiniteDuration());
    }
    const bool given = renewal->has_command_timeout();  // before it is made
    Duration(key + ".command_timeout", given, renewal->mutable_command_timeout(), absl::Minutes(1),
             absl::Seconds(1), absl::Minutes(10));
  }

  void Listeners() {
    v1::Listeners& listeners = *config_.mutable_listeners();
    Require("listeners.api", listeners.api(), "host:port");
    if (listeners.ops().empty()) listeners.set_ops("127.0.0.1:0");
    if (listeners.local().empty()) {
      listeners.set_local(base::JoinPath(config_.data_dir(), "local.sock"));
    } else {
      Path("listeners.local", listeners.mutable_local(), "the path of a Unix socket");
    }
    if (listeners.local().size() > kMaxSocketPath) {
      Fail("listeners.local", absl::StrCat("the path has ", listeners.local().size(),
                                           " bytes; expected at most ", kMaxSocketPath));
    }
    Address("listeners.peers", listeners.peers(), true);
    Address("listeners.api", listeners.api(), true);
    Address("listeners.enrolment", listeners.enrolment(), true);
    Address("listeners.ops", listeners.ops(), true);
    Address("listeners.ingress", listeners.ingress(), true);
    Ingress(&listeners);
    Address("advertise.peers", config_.advertise().peers(), false);
    Address("advertise.enrolment", config_.advertise().enrolment(), false);
  }

  void Ingress(v1::Listeners* listeners) {
    if (listeners->ingress_transport() == v1::INGRESS_TRANSPORT_UNSPECIFIED) {
      listeners->set_ingress_transport(v1::INGRESS_TRANSPORT_TLS);
    }
    if (listeners->ingress_transport() != v1::INGRESS_TRANSPORT_CLEARTEXT) return;
    const absl::string_view address = listeners->ingress();
    if (absl::StartsWith(address, "127.") || absl::StartsWith(address, "[::1]:") ||
        absl::StartsWith(address, "localhost:")) {
      return;
    }
    Fail("listeners.ingress_transport",
         absl::StrCat("found cleartext with listeners.ingress \"", base::Shorten(address),
                      "\"; expected TLS, or a loopback address such as 127.0.0.1:8080: tokens "
                      "would cross the network in clear text"));
  }

  void Log() {
    v1::LogConfig& log = *config_.mutable_log();
    if (log.backend() == v1::LOG_BACKEND_UNSPECIFIED) log.set_backend(v1::LOG_BACKEND_SEGMENTS);
    const absl::Duration day = absl::Hours(24);
    Duration("log.retention", given_.log().has_retention(), log.mutable_retention(), 30 * day,
             absl::Hours(1), absl::InfiniteDuration());
    Duration("log.dedup_horizon", given_.log().has_dedup_horizon(), log.mutable_dedup_horizon(),
             90 * day, absl::Hours(1), absl::InfiniteDuration());
    const absl::Duration horizon = ToDuration(log.dedup_horizon());
    if (ToDuration(log.retention()) > horizon) {
      Fail("log.retention",
           absl::StrCat("found ", config::FormatDuration(ToDuration(log.retention())),
                        "; expected at most log.dedup_horizon, ", config::FormatDuration(horizon)));
    }
    Duration("log.audit_retention", given_.log().has_audit_retention(),
             log.mutable_audit_retention(), 400 * day, absl::Hours(1), absl::InfiniteDuration());
    if (ToDuration(log.audit_retention()) < ToDuration(log.retention())) {
      Fail("log.audit_retention",
           absl::StrCat("found ", config::FormatDuration(ToDuration(log.audit_retention())),
                        "; expected at least log.retention, ",
                        config::FormatDuration(ToDuration(log.retention()))));
    }
    log.set_min_free_percent(OrDefault(log.min_free_percent(), 5u));
    if (log.min_free_percent() > 90) {
      Fail("log.min_free_percent",
           absl::StrCat("found ", log.min_free_percent(), "; expected 1 to 90"));
    }
    log.set_tail_bytes(OrDefault<uint64_t>(log.tail_bytes(), 32 << 20));
    log.set_segment_bytes(OrDefault<uint64_t>(log.segment_bytes(), 64 << 20));
    if (log.segment_bytes() < (1 << 20)) {
      Fail("log.segment_bytes",
           absl::StrCat("found ", log.segment_bytes(), "; expected at least 1048576 (1MiB)"));
    }
  }

  void Limits() {
    v1::LimitsConfig& limits = *config_.mutable_limits();
    limits.set_max_event_bytes(OrDefault(limits.max_event_bytes(), 1'000'000u));
    if (limits.max_event_bytes() < 65'536) {
      Fail("limits.max_event_bytes",
           absl::StrCat("found ", limits.max_event_bytes(), "; expected at least 65536 (64KiB)"));
    }
    limits.set_max_connections(OrDefault(limits.max_connections(), 1000u));
    limits.set_max_connections_per_address(OrDefault(limits.max_connections_per_address(), 100u));
    limits.set_max_streams_per_connection(OrDefault(limits.max_streams_per_connection(), 64u));
    limits.set_connection_slack_bytes(
        OrDefault<uint64_t>(limits.connection_slack_bytes(), 4 << 20));
    limits.set_max_pending_events(OrDefault(limits.max_pending_events(), 16'384u));
    if (!limits.has_principal_calls()) {
      limits.mutable_principal_calls()->set_per_second(10'000);
      limits.mutable_principal_calls()->set_burst(20'000);
    }
    Rate("limits.principal_calls", limits.mutable_principal_calls());
    Rate("limits.principal_events", limits.mutable_principal_events());
    limits.set_max_principals(OrDefault(limits.max_principals(), 16'384u));
    if (limits.max_principals() < 1024 || limits.max_principals() > 1'048'576) {
      Fail("limits.max_principals",
           absl::StrCat("found ", limits.max_principals(), "; expected 1024 to 1048576"));
    }
  }

  void Rate(absl::string_view key, v1::RateConfig* rate) {
    if (rate->per_second() > 1'000'000) {
      Fail(absl::StrCat(key, ".per_second"),
           absl::StrCat("found ", rate->per_second(), "; expected at most 1000000"));
    }
    if (rate->burst() > 10'000'000 || (rate->burst() > 0 && rate->per_second() == 0)) {
      Fail(absl::StrCat(key, ".burst"),
           absl::StrCat("found ", rate->burst(), "; expected at most 10000000, with per_second"));
    }
    rate->set_burst(OrDefault(rate->burst(), rate->per_second()));
  }

  void OneOf(absl::string_view key, std::string* value, absl::string_view standard,
             std::initializer_list<absl::string_view> allowed) {
    if (value->empty()) *value = std::string(standard);
    std::string list;
    for (const absl::string_view one : allowed) {
      if (*value == one) return;
      absl::StrAppend(&list, list.empty() ? "" : ", ", one);
    }
    Fail(key, absl::StrCat("found \"", base::Shorten(*value), "\"; expected one of ", list));
  }

  void Logging() {
    v1::LoggingConfig& logging = *config_.mutable_logging();
    OneOf("logging.level", logging.mutable_level(), "info", {"debug", "info", "warning", "error"});
    OneOf("logging.format", logging.mutable_format(), "auto", {"auto", "text", "json"});
  }

  void Times() {
    Duration("drain_timeout", given_.has_drain_timeout(), config_.mutable_drain_timeout(),
             absl::Seconds(10), absl::ZeroDuration(), absl::Minutes(10));
    Duration("identity.crl_grace", given_.identity().has_crl_grace(),
             config_.mutable_identity()->mutable_crl_grace(), absl::Hours(24), absl::ZeroDuration(),
             30 * absl::Hours(24));
    v1::LinksConfig& links = *config_.mutable_links();
    Duration("links.heartbeat", given_.links().has_heartbeat(), links.mutable_heartbeat(),
             absl::Seconds(5), absl::Seconds(1), absl::Seconds(60));
    Duration("links.max_backoff", given_.links().has_max_backoff(), links.mutable_max_backoff(),
             absl::Seconds(30), absl::Seconds(1), absl::Hours(1));
    if (links.catchup_cpu_share() == 0) links.set_catchup_cpu_share(0.5);
    if (!(links.catchup_cpu_share() >= 0.05 && links.catchup_cpu_share() <= 1)) {
      Fail("links.catchup_cpu_share",
           absl::StrCat("found ", links.catchup_cpu_share(), "; expected 0.05 to 1"));
    }
    v1::PolicyConfig& policy = *config_.mutable_policy();
    Duration("policy.plan_validity", given_.policy().has_plan_validity(),
             policy.mutable_plan_validity(), absl::Hours(24), absl::Minutes(1),
             30 * absl::Hours(24));
    if (!policy.has_pseudonym_key_period()) return;
    Duration("policy.pseudonym_key_period", true, policy.mutable_pseudonym_key_period(), {},
             absl::Hours(1), absl::InfiniteDuration());
  }

  void Audit() {
    v1::AuditConfig& audit = *config_.mutable_audit();
    Duration("audit.retention", given_.audit().has_retention(), audit.mutable_retention(),
             400 * absl::Hours(24), absl::Hours(24), absl::InfiniteDuration());
    audit.set_file_bytes(OrDefault<uint64_t>(audit.file_bytes(), 16 << 20));
    if (audit.file_bytes() < (64 << 10) || audit.file_bytes() > (1 << 30)) {
      Fail("audit.file_bytes",
           absl::StrCat("found ", audit.file_bytes(), "; expected 65536 (64KiB) to 1GiB"));
    }
  }

  // One name of a label, scale or regulation, in `seen` where it is not to be used again.
  void Name(const std::string& key, const std::string& name, absl::string_view what,
            std::set<std::string>* seen) {
    if (name.empty()) return Fail(key, absl::StrCat("empty; expected ", what));
    if (std::any_of(name.begin(), name.end(),
                    [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); })) {
      return Fail(key, absl::StrCat("has a control character; expected ", what));
    }
    if (!seen->insert(name).second) {
      Fail(key, absl::StrCat("found \"", base::Shorten(name), "\" a second time; expected ", what));
    }
  }

  void AtMost(const std::string& key, int count, int most) {
    if (count > most) Fail(key, absl::StrCat("has ", count, " entries; expected at most ", most));
  }

  void Classification() {
    const v1::ClassificationConfig& classification = config_.classification();
    std::set<std::string> names;
    std::set<std::string> labels;
    AtMost("classification.scales", classification.scales_size(), kMaxScales);
    for (int i = 0; i < classification.scales_size(); ++i) {
      const v1::Scale& scale = classification.scales(i);
      const std::string key = absl::StrCat("classification.scales[", i, "]");
      Name(absl::StrCat(key, ".name"), scale.name(), "a name that no other scale has", &names);
      if (scale.labels().empty()) {
        Fail(absl::StrCat(key, ".labels"), "missing; expected labels, the most open first");
      }
      AtMost(absl::StrCat(key, ".labels"), scale.labels_size(), kMaxLabels);
      for (int k = 0; k < scale.labels_size(); ++k) {
        Name(absl::StrCat(key, ".labels[", k, "]"), scale.labels(k),
             "a label that is in one scale, once", &labels);
      }
    }
    Regulations();
  }

  void Regulations() {
    const v1::ClassificationConfig& classification = config_.classification();
    std::set<std::string> regulations;
    AtMost("classification.regulations", classification.regulations_size(), kMaxRegulations);
    for (int i = 0; i < classification.regulations_size(); ++i) {
      const std::string key = absl::StrCat("classification.regulations[", i, "]");
      const std::string& name = classification.regulations(i);
      Name(key, name, "the name of a regulation, once", &regulations);
      // As dataregulation is read: names between commas, without the space around them.
      if (name.find(',') != std::string::npos || absl::StripAsciiWhitespace(name) != name) {
        Fail(key, absl::StrCat("found \"", base::Shorten(name),
                               "\"; expected one name without commas or space around it"));
      }
    }
  }

  const MessageReader& reader_;
  const std::filesystem::path folder_;
  const v1::GatewayConfig given_;  // as read, to tell what is set
  v1::GatewayConfig& config_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<v1::GatewayConfig> ParseGatewayConfig(absl::string_view text,
                                                     absl::string_view file) {
  CDGATE_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(text, file));
  v1::GatewayConfig config;
  MessageReader reader(file);
  CDGATE_RETURN_IF_ERROR(reader.Read(root, &config));
  CDGATE_RETURN_IF_ERROR(Checker(reader, file, &config).Run());
  return config;
}

absl::StatusOr<v1::GatewayConfig> LoadGatewayConfig(const std::string& path) {
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxYamlBytes));
  return ParseGatewayConfig(text, path);
}

}  // namespace cdgate::config
