#include "gateway/config/message_reader.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>

#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/config/v1/config.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/status_macros.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/golden.h"
#include "tests/support/status_matchers.h"

namespace cdgate::config {
namespace {

template <typename Message>
absl::StatusOr<Message> Read(const std::string& yaml) {
  CDGATE_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(yaml, "f.yaml"));
  Message message;
  CDGATE_RETURN_IF_ERROR(MessageReader("f.yaml").Read(root, &message));
  return message;
}

template <typename Message>
void ExpectReads(const std::string& yaml, const std::string& text_format) {
  const auto message = Read<Message>(yaml);
  CDGATE_ASSERT_OK(message) << yaml;
  Message want;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text_format, &want));
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*message, want))
      << message->DebugString() << " from\n"
      << yaml;
}

TEST(MessageReaderTest, ReadsAPolicyAsTheDocumentationWritesIt) {
  ExpectReads<admin::v1::Policy>(R"(
peer: beta.example
export:                              # what beta may get from us
  rules:
    - name: never incidents
      when: SUBJECT_TYPE() = 'incident'
      action: DENY
    - name: releases
      when: |
        type LIKE 'dev.cdevents.artifact.%'
        AND TRUE
      action: allow
      redact: [customData]
      links: pseudonymise
      terms: {onward: 0, groups: [core@eosc.example], classification: "TLP:AMBER"}
  transit: []
  limits: {events_per_second: 500, burst: 2000, max_event_bytes: 64KiB, max_backlog: 7d}
  reasons_to_peer: CODE
import:
)",
                                 R"(
peer: "beta.example"
export {
  rules { name: "never incidents" when: "SUBJECT_TYPE() = 'incident'" action: ACTION_DENY }
  rules {
    name: "releases" when: "type LIKE 'dev.cdevents.artifact.%'\nAND TRUE\n" action: ACTION_ALLOW
    redact: "customData" links: LINK_HANDLING_PSEUDONYMISE
    terms { groups: "core@eosc.example" classification: "TLP:AMBER" }
  }
  limits { events_per_second: 500 burst: 2000 max_event_bytes: 65536 max_backlog { seconds: 604800 } }
  reasons_to_peer: REASONS_TO_PEER_CODE
})");
}

TEST(MessageReaderTest, ReadsEveryKindOfField) {
  ExpectReads<storage::v1::StoredEvent>(
      "salt: AAH/\nhops: 4294967295\naccepted_time_nanos: -9223372036854775808\n"
      "path: [a, 1, true, null-ish]\nterms: {}\norigin: 007\n",
      "salt: '\\000\\001\\377' hops: 4294967295 accepted_time_nanos: -9223372036854775808 "
      "path: 'a' path: '1' path: 'true' path: 'null-ish' terms {} origin: '007'");
  ExpectReads<storage::v1::CommitRecord>("number: 18446744073709551615\ncursors: [{removed: true}]",
                                         "number: 18446744073709551615 cursors { removed: true }");
  ExpectReads<admin::v1::Peer>("create_time: 2026-01-02T03:04:05.5+01:00\ndial: false\n",
                               "create_time { seconds: 1767319445 nanos: 500000000 }");
  ExpectReads<config::v1::GatewayConfig>("drain_timeout: 1s500ms\nlog: {tail_bytes: 1GiB}\n",
                                         "drain_timeout { seconds: 1 nanos: 500000000 } "
                                         "log { tail_bytes: 1073741824 }");
}

TEST(MessageReaderTest, ReadsMapsAndOneofs) {
  ExpectReads<io::cloudevents::v1::CloudEvent>(
      "id: x\nattributes:\n  team: {ce_string: core}\n  n: {ce_integer: -5}\n  flag: {ce_boolean: "
      "true}\n  at: {ce_timestamp: 2026-01-01T00:00:00Z}\ntext_data: '{}'\n",
      "id: 'x' attributes { key: 'team' value { ce_string: 'core' } } "
      "attributes { key: 'n' value { ce_integer: -5 } } "
      "attributes { key: 'flag' value { ce_boolean: true } } "
      "attributes { key: 'at' value { ce_timestamp { seconds: 1767225600 } } } text_data: '{}'");
}

TEST(MessageReaderTest, KeyWithoutValueLeavesTheFieldUnset) {
  ExpectReads<admin::v1::Policy>("peer: beta.example\nexport:\nimport: ~\n",
                                 "peer: 'beta.example'");
  ExpectReads<admin::v1::Policy>("export: {}\n", "export {}");
}

TEST(MessageReaderTest, KnowsTheLinesOfWhatItRead) {
  const YamlNode root =
      *ParseYaml("log:\n  retention: 1h\nidentity:\n  crls:\n  - a\n  - b\n", "f");
  MessageReader reader("f");
  v1::GatewayConfig config;
  CDGATE_ASSERT_OK(reader.Read(root, &config));
  EXPECT_EQ(reader.LineOf("log.retention"), 2);
  EXPECT_EQ(reader.LineOf("log.dedup_horizon"), 1);  // not there: the key above
  EXPECT_EQ(reader.LineOf("identity.crls[1]"), 6);
  EXPECT_EQ(reader.LineOf("identity.crls[7]"), 4);
  EXPECT_EQ(reader.LineOf("domain"), 1);
  EXPECT_THAT(reader.ErrorAt("log.retention", "wrong"),
              test::HasReasonAndMessage(base::Reason::kInvalidConfig, "f:2: log.retention: wrong"));
}

// Each message names file, line, key, what is wrong and what would be right.
TEST(MessageReaderTest, ErrorsReadWell) {
  std::string out;
  const auto add = [&out](const std::string& yaml, const absl::Status& status) {
    out += yaml + "\n  => " + std::string(status.message()) + "\n\n";
    EXPECT_THAT(status, test::HasReason(base::Reason::kInvalidConfig)) << yaml;
  };
  for (const char* yaml : {
           "peer: x\nexprot: {}",
           "export:\n  rules:\n    - nmae: x",
           "export: {rules: [{name: x, action: PERMIT}]}",
           "export: {rules: [{name: x, action: DENI}]}",
           "export: {rules: [{name: x, action: ACTION_ALLOW}]}",
           "export: {rules: [{name: x, action: unspecified}]}",
           "export: {rules: [{name: x, action: [DENY]}]}",
           "export: {rules: {name: x}}",
           "export: {rules: [x]}",
           "export: {rules: [{redact: customData}]}",
           "export: {rules: [{redact: [~]}]}",
           "export: yes",
           "export: [a]",
           "peer: [a]",
           "peer: {a: b}",
           "import: {limits: {burst: -1}}",
           "import: {limits: {burst: 4294967296}}",
           "import: {limits: {burst: 10MB}}",
           "import: {limits: {burst: ten}}",
           "import: {limits: {max_event_bytes: 5GiB}}",
           "import: {limits: {max_event_bytes: 10 MB}}",
           "import: {limits: {max_backlog: 7}}",
           "import: {limits: {max_backlog: {seconds: 7}}}",
           "import: {rules: [{keep: yes}]}",
           "import: {rules: [{keep: \"true\"}]}",
           "<<: {peer: x}",
           "- peer: x",
           "just a text",
           "",
       }) {
    add(yaml, Read<admin::v1::Policy>(yaml).status());
  }
  for (const char* yaml :
       {"text_data: a\nbinary_data: Yg==", "proto_data: {}", "attributes: [a]",
        "attributes: {a: b}", "attributes: {a: }", "attributes: {a: {ce_integer: 2147483648}}",
        "attributes: {a: {ce_integer: 1, ce_string: x}}",
        "attributes: {a: {ce_timestamp: yesterday}}", "binary_data: '*'"}) {
    add(yaml, Read<io::cloudevents::v1::CloudEvent>(yaml).status());
  }
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/config/testdata/reader_errors.txt", out));
}

}  // namespace
}  // namespace cdgate::config
