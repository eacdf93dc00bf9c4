#include "gateway/config/message_writer.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "cdgate/admin/v1/admin.pb.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/config/message_reader.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/status_matchers.h"

namespace cdgate::config {
namespace {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

template <typename Message>
void ExpectReadsBack(const Message& message) {
  const std::string yaml = ToYaml(message);
  const auto root = ParseYaml(yaml, "f");
  CDGATE_ASSERT_OK(root) << yaml;
  Message again;
  CDGATE_ASSERT_OK(MessageReader("f").Read(*root, &again)) << yaml;
  std::string want, got;
  google::protobuf::TextFormat::PrintToString(message, &want);
  google::protobuf::TextFormat::PrintToString(again, &got);
  EXPECT_EQ(want, got) << yaml;
}

TEST(MessageWriterTest, WritesAPolicyAsAPersonWould) {
  const auto policy = FromText<admin::v1::Policy>(R"(
peer: "beta.example"
export {
  rules { name: "never incidents" when: "SUBJECT_TYPE() = 'incident'" action: ACTION_DENY }
  rules { name: "releases" when: "type LIKE 'a.%'\n  AND TRUE\n" action: ACTION_ALLOW
          redact: "customData" terms {} }
  limits { burst: 2000 max_backlog { seconds: 604800 } }
})");
  EXPECT_EQ(ToYaml(policy), R"(peer: beta.example
export:
  rules:
    - name: never incidents
      when: SUBJECT_TYPE() = 'incident'
      action: DENY
    - name: releases
      when: |
        type LIKE 'a.%'
          AND TRUE
      action: ALLOW
      redact:
        - customData
      terms: {}
  limits:
    burst: 2000
    max_backlog: 7d
)");
  ExpectReadsBack(policy);
}

TEST(MessageWriterTest, QuotesWhatOthersCouldTakeForSomethingElse) {
  const auto yaml = [](const std::string& text) {
    admin::v1::Policy policy;
    policy.set_peer(text);
    const std::string out = ToYaml(policy);
    return out.substr(6, out.size() - 7);
  };
  EXPECT_EQ(yaml("plain text, with 'quotes'"), "plain text, with 'quotes'");
  EXPECT_EQ(yaml("spiffe://alpha.example/service/%"), "spiffe://alpha.example/service/%");
  EXPECT_EQ(yaml("/alpha/%"), "/alpha/%");
  for (const char* text :
       {"true", "No",         "null", "~",   "12", "1e3", "-x",  "a: b", "a #b", " a",
        "a ",   "a:",         "[a]",  "{a}", "&a", "*a",  "!a",  "%a",   "@a",   "`a`",
        "'a'",  "2026-01-02", ".5",   "é",   "|",  ">",   "---", "?",    "<<"}) {
    EXPECT_EQ(yaml(text).front(), '"') << text;
  }
  EXPECT_EQ(yaml("a\tb"), "\"a\\x09b\"");
  EXPECT_EQ(yaml("\"\\"), "\"\\\"\\\\\"");
}

TEST(MessageWriterTest, EveryTextReadsBack) {
  for (const std::string text : {"a\nb",
                                 "a\nb\n",
                                 "a\n\nb\n",
                                 "\na",
                                 " a\nb",
                                 "a \nb",
                                 "a\nb\n\n",
                                 "a\n b\n",
                                 "a\r\nb",
                                 "a\tb\n",
                                 "\xc2\x85x",
                                 "\xc2\x9f",
                                 "\xc3\xa9\n\xc3\xa9",
                                 "\xe2\x80\xa8 \xe2\x80\xa9",
                                 "\xef\xbb\xbf",
                                 "\xf0\x9f\x98\x80",
                                 "\x7f",
                                 "\x01",
                                 "# no comment\nx",
                                 "- no list\nx",
                                 "x\n# no comment",
                                 "x\n---\ny",
                                 "x\n...\ny",
                                 "key: value\nb",
                                 "\n",
                                 "\n\n",
                                 " ",
                                 "'",
                                 "%",
                                 "x\n "}) {
    admin::v1::Policy policy;
    policy.set_peer(text);
    policy.mutable_export_()->add_transit(text);
    policy.mutable_export_()->add_rules()->set_when(text);
    ExpectReadsBack(policy);
  }
  admin::v1::Policy zero;
  zero.set_peer(std::string("a\0b", 3));
  ExpectReadsBack(zero);
}

TEST(MessageWriterTest, RandomTextsReadBack) {
  std::mt19937 rng(3);
  const std::string alphabet = "ab \n:#-'\"\\[]{}&*!|>%@`,?\t1.\r~=";
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (size_t n = rng() % 12; n > 0; --n) text += alphabet[rng() % alphabet.size()];
    admin::v1::Policy policy;
    policy.set_peer(text);
    policy.mutable_import()->add_rules()->set_when(text);
    ExpectReadsBack(policy);
    if (HasFailure()) return;
  }
}

TEST(MessageWriterTest, EveryKindOfFieldReadsBack) {
  ExpectReadsBack(FromText<storage::v1::CommitRecord>(
      "number: 18446744073709551615 commit_time_nanos: -5 cursors { removed: true } cursors {} "
      "events { salt: '\\000\\377' hops: 7 path: 'a' path: '' } events { cloud_event: '' }"));
  ExpectReadsBack(FromText<io::cloudevents::v1::CloudEvent>(
      "id: 'x' attributes { key: 'true' value { ce_string: '' } } "
      "attributes { key: 'n' value { ce_integer: -5 } } attributes { key: 'e' value {} } "
      "attributes { key: 'b' value { ce_boolean: false } } "
      "attributes { key: 'at' value { ce_timestamp { seconds: 5 nanos: 1 } } } text_data: '{}'"));
  ExpectReadsBack(FromText<admin::v1::PeerStatus>(
      "peer { create_time { seconds: 1767225600 } state: PEER_STATE_PENDING } "
      "export_lag { seconds: 3 nanos: 500000000 } link { state: LINK_STATE_UP }"));
}

TEST(MessageWriterTest, EmptyMessageIsAnEmptyMapping) {
  EXPECT_EQ(ToYaml(admin::v1::Policy()), "{}\n");
  ExpectReadsBack(admin::v1::Policy());
}

TEST(MessageWriterTest, JsonHasTheFieldsOwnNames) {
  const auto json =
      ToJson(FromText<admin::v1::Policy>("peer: 'b' export { reasons_to_peer: "
                                         "REASONS_TO_PEER_CODE limits { max_backlog "
                                         "{ seconds: 7 } } }"));
  CDGATE_ASSERT_OK(json);
  EXPECT_THAT(*json, testing::HasSubstr("\"reasons_to_peer\": \"REASONS_TO_PEER_CODE\""));
  EXPECT_THAT(*json, testing::HasSubstr("\"max_backlog\": \"7s\""));
  admin::v1::Policy bad;
  bad.mutable_export_()->mutable_limits()->mutable_max_backlog()->set_nanos(-1'000'000'001);
  EXPECT_THAT(ToJson(bad), test::HasReason(base::Reason::kInternal));
}

}  // namespace
}  // namespace cdgate::config
