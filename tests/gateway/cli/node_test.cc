#include "gateway/cli/node.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <string>
#include <utility>

#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/event/json_parser.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cli {
namespace {

Node Sample() {
  Node list = Node::List();
  list.Append(Node::Number(uint64_t{18446744073709551615u}))
      .Append(Node())
      .Append(Node::Bool(true));
  Node node = Node::Object();
  node.Add("text", Node::Text("a \"b\"\\\n\x01 é"))
      .Add("list", std::move(list))
      .Add("none", Node::List())
      .Add("object", std::move(Node::Object().Add("n", Node::Number(int64_t{-5}))));
  return node;
}

TEST(NodeTest, RendersJsonInOrder) {
  EXPECT_EQ(Sample().ToJson(),
            "{\"text\":\"a \\\"b\\\"\\\\\\n\\u0001 é\","
            "\"list\":[18446744073709551615,null,true],\"none\":[],\"object\":{\"n\":-5}}");
}

TEST(NodeTest, PrettyJsonIsIndentedByTwo) {
  Node node = Node::Object();
  node.Add("a", std::move(Node::List().Append(Node::Number(int64_t{1})))).Add("b", Node::Object());
  EXPECT_EQ(node.ToJson(true), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(NodeTest, JsonIsReadByAParserWhateverTheText) {
  std::string every;
  for (int c = 0; c < 256; ++c) every.push_back(static_cast<char>(c));
  Node node = Node::Object();
  node.Add(every, Node::Text(every));
  event::JsonParser parser;
  CDGATE_EXPECT_OK(parser.ParseIJson(node.ToJson()));
}

TEST(NodeTest, RawJsonKeepsItsTokensAndLosesItsWhiteSpace) {
  EXPECT_EQ(Node::Raw("{ \"n\" : 1.0e2 ,\n \"s\":\"a  b\\u00e9\" }").ToJson(),
            "{\"n\":1.0e2,\"s\":\"a  b\\u00e9\"}");
}

TEST(NodeTest, YamlReadsBackToTheSameTexts) {
  Node node = Node::Object();
  const std::string texts[] = {"plain",
                               "yes",
                               "123",
                               "",
                               "a: b",
                               "- x",
                               "1.5",
                               "two\nlines\n",
                               "spiffe://alpha.example/user/admin",
                               "null",
                               "~",
                               "#no",
                               "é"};
  for (size_t i = 0; i < std::size(texts); ++i) {
    node.Add("k" + std::to_string(i), Node::Text(texts[i]));
  }
  const std::string yaml = node.ToYaml();
  const YAML::Node read = YAML::Load(yaml);
  for (size_t i = 0; i < std::size(texts); ++i) {
    EXPECT_EQ(read["k" + std::to_string(i)].as<std::string>(), texts[i]) << yaml;
  }
  EXPECT_NE(yaml.find("k0: plain\n"), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("k1: \"yes\"\n"), std::string::npos) << yaml;
}

TEST(NodeTest, AMessageShowsScalarsAlwaysAndMessagesWhereTheyAre) {
  admin::v1::PeerStatus peer;
  peer.mutable_peer()->set_domain("beta.example");
  peer.mutable_peer()->set_state(admin::v1::PEER_STATE_APPROVED);
  peer.mutable_peer()->set_our_bundle_digest("\x01\xff");
  peer.mutable_peer()->mutable_create_time()->set_seconds(1767323045);
  peer.mutable_export_lag()->set_seconds(90);
  peer.set_policy_version(3);
  EXPECT_EQ(Node::FromMessage(peer).ToJson(true), R"({
  "peer": {
    "domain": "beta.example",
    "agreement_id": "",
    "bundle_pem": "",
    "endpoint": "",
    "purpose": "",
    "contacts": [],
    "state": "APPROVED",
    "frozen": false,
    "create_time": "2026-01-02T03:04:05Z",
    "approved_by": "",
    "agreed_sequence": 0,
    "our_bundle_digest": "01ff",
    "dial": false,
    "sources": []
  },
  "fingerprint": "",
  "export_lag_events": 0,
  "export_lag": "1m30s",
  "policy_version": 3,
  "exported": [],
  "imported": [],
  "replay_left": 0,
  "lost_events": 0
})");
}

TEST(NodeTest, WhatAnAuthorWroteIsText) {
  admin::v1::PolicyVersion version;
  version.set_source("kind: policy\n");
  EXPECT_NE(Node::FromMessage(version).ToJson().find("\"source\":\"kind: policy\\n\""),
            std::string::npos);
}

TEST(ShortEnumNameTest, LosesThePrefixOfItsType) {
  const auto& type = *admin::v1::LinkState_descriptor();
  EXPECT_EQ(ShortEnumName(type, admin::v1::LINK_STATE_UP), "UP");
  EXPECT_EQ(ShortEnumName(type, admin::v1::LINK_STATE_UNSPECIFIED), "");
  EXPECT_EQ(ShortEnumName(type, 99), "99");
}

}  // namespace
}  // namespace cdgate::cli
