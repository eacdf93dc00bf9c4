#include "federation/policy/transformation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/substitute.h"
#include "federation/policy/policy.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/json_parser.h"
#include "tests/federation/policy/policy_event.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/support/random.h"
#include "tests/support/random_event.h"

namespace cdgate::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

Keyring TestKeys() {
  return Keyring({{.version = 1, .start_nanos = 0, .secret = std::string(32, 's')},
                  {.version = 2, .start_nanos = 5000, .secret = std::string(32, 't')}});
}

class TransformationTest : public testing::Test {
 protected:
  // The event as it leaves by a rule of these fields.
  const Outgoing* Apply(const std::string& fields) {
    const admin::v1::Policy policy = test::ParsePolicy(
        absl::StrCat("export { rules { name: 'r' action: ACTION_ALLOW ", fields, " } }"));
    const Keyring::Key* const key = keys_.For(event_.stored().accepted_time_nanos());
    const Outgoing* const out = transformer_.Apply(Transformation::Of(policy.export_().rules(0)),
                                                   event_.record(), key, &changed_);
    if (out == nullptr) return nullptr;
    sent_.ParseFromString(out->cloud_event);
    return out;
  }
  std::string Pseudonym(absl::string_view kind, absl::string_view value) {
    return MakePseudonym(*keys_.For(event_.stored().accepted_time_nanos()), kind, value);
  }
  const std::string& data() const { return sent_.binary_data(); }
  std::string Attribute(const char* name) const {
    const auto it = sent_.attributes().find(name);
    return it == sent_.attributes().end() ? "(none)" : it->second.ce_string();
  }
  void SetData(std::string json) { event_.cloud_event().set_binary_data(std::move(json)); }

  Keyring keys_ = TestKeys();
  test::PolicyEvent event_{R"({"context":{},"subject":{"id":"s"}})"};
  Transformer transformer_;
  io::cloudevents::v1::CloudEvent sent_;
  bool changed_ = false;
};

TEST_F(TransformationTest, WhatNamesNoOtherEventLeavesAsItIs) {
  ASSERT_NE(Apply(""), nullptr);
  EXPECT_FALSE(changed_);
  EXPECT_EQ(Apply("")->cloud_event, "");
  // Without a key too: none is needed.
  keys_ = Keyring({});
  ASSERT_NE(Apply(""), nullptr);
  SetData(R"({"context":{"chainId":"c"}})");
  EXPECT_EQ(Apply(""), nullptr);
  EXPECT_NE(Apply("links: LINK_HANDLING_KEEP"), nullptr);
  EXPECT_NE(Apply("links: LINK_HANDLING_DROP"), nullptr);
  SetData("no JSON");
  EXPECT_EQ(Apply("links: LINK_HANDLING_DROP"), nullptr);
}

TEST_F(TransformationTest, LinksAndChainsOfEveryRelease) {
  SetData(R"({"context":{"chainId":"c","chain_id":"d","links":[)"
          R"({"linkType":"END","from":{"contextId":"a"},"tags":{"t":"secret"}},)"
          R"({"linkType":"PATH","from":{"contextId":"b"}},)"
          R"({"linkType":"RELATION","linkKind":"TRIGGER","target":{"contextId":"a",)"
          R"("domainId":"cdevents:v0:github:acme:::pr:7","source":"/x"}},)"
          R"({"link_type":"END","from":{"context_id":"a","n":{"deep":1}}}]}})");
  const Outgoing* const out = Apply("");
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(data(),
            absl::Substitute(
                R"({"context":{"chainId":"$0","chain_id":"$1","links":[)"
                R"({"linkType":"END","from":{"contextId":"$2"}},)"
                R"({"linkType":"PATH","from":{"contextId":"$3"}},)"
                R"({"linkType":"RELATION","linkKind":"TRIGGER","target":{"contextId":"$2",)"
                R"("domainId":"cdevents:v0:::::event:$4","source":"$5"}},)"
                R"({"link_type":"END","from":{"context_id":"$2"}}]}})",
                Pseudonym("chain", "c"), Pseudonym("chain", "d"), Pseudonym("event", "a"),
                Pseudonym("event", "b"), Pseudonym("event", "cdevents:v0:github:acme:::pr:7"),
                Pseudonym("event", "/x")));
  EXPECT_THAT(out->withheld, ElementsAre("/context/links/0/tags", "/context/links/3/from/n"));
  EXPECT_THAT(
      out->substituted,
      UnorderedElementsAre("/context/chainId", "/context/chain_id",
                           "/context/links/0/from/contextId", "/context/links/1/from/contextId",
                           "/context/links/2/target/contextId", "/context/links/2/target/domainId",
                           "/context/links/2/target/source", "/context/links/3/from/context_id"));
  ASSERT_NE(Apply("links: LINK_HANDLING_DROP"), nullptr);
  EXPECT_EQ(data(), R"({"context":{}})");
  ASSERT_NE(Apply("links: LINK_HANDLING_KEEP"), nullptr);
  EXPECT_FALSE(changed_);
}

TEST_F(TransformationTest, AttributesThatNameOtherEventsGoWithThem) {
  event_.attributes()["causationid"].set_ce_string("a");
  event_.attributes()["correlationid"].set_ce_string("c");
  event_.attributes()["team"].set_ce_string("red");
  ASSERT_NE(Apply(""), nullptr);
  EXPECT_TRUE(changed_);
  EXPECT_EQ(Attribute("causationid"), "(none)");
  EXPECT_EQ(Attribute("correlationid"), "(none)");
  EXPECT_EQ(Attribute("team"), "red");
  ASSERT_NE(Apply("links: LINK_HANDLING_DROP"), nullptr);
  EXPECT_EQ(Attribute("causationid"), "(none)");
  EXPECT_EQ(Attribute("correlationid"), "(none)");
  EXPECT_EQ(Attribute("team"), "red");
}

TEST_F(TransformationTest, ASignatureOverTheWholeGoesWithWhatItCovers) {
  event_.attributes()["dssematerial"].set_ce_string("sig");
  ASSERT_NE(Apply("links: LINK_HANDLING_KEEP"), nullptr);
  EXPECT_FALSE(changed_);
  ASSERT_NE(Apply("links: LINK_HANDLING_KEEP redact: 'customData'"), nullptr);
  EXPECT_FALSE(changed_) << "nothing was removed";
  SetData(R"({"subject":{"id":"s"},"customData":{"x":1}})");
  ASSERT_NE(Apply("links: LINK_HANDLING_KEEP redact: 'customData'"), nullptr);
  EXPECT_TRUE(changed_);
  EXPECT_EQ(Attribute("dssematerial"), "(none)");
  EXPECT_EQ(data(), R"({"subject":{"id":"s"}})");
}

TEST_F(TransformationTest, TheSubjectOutsideIsThatInside) {
  event_.attributes()["subject"].set_ce_string("s");
  ASSERT_NE(Apply("pseudonymise: 'subject.id'"), nullptr);
  EXPECT_EQ(Attribute("subject"), Pseudonym("subject.id", "s"));
  EXPECT_EQ(data(), absl::StrCat(R"({"context":{},"subject":{"id":")", Pseudonym("subject.id", "s"),
                                 R"("}})"));
}

TEST_F(TransformationTest, ValuesOfEveryKind) {
  const std::string fields =
      "pseudonymise: ['customData.a', 'customData.b', 'customData.c', "
      "'customData.d', 'customData.e', 'subject.source']";
  SetData(R"({"subject":{"source":"/ci"},"customData":{"a":1.0,"b":true,"c":null,"d":{"x":"y"}}})");
  const Outgoing* const out = Apply(fields);
  ASSERT_NE(out, nullptr);
  EXPECT_EQ(data(),
            absl::Substitute(R"({"subject":{"source":"urn:cdgate:$0"},)"
                             R"("customData":{"a":"$1","b":"$2","c":null}})",
                             Pseudonym("subject.source", "/ci"), Pseudonym("customData.a", "1.0"),
                             Pseudonym("customData.b", "true")));
  EXPECT_THAT(out->withheld, ElementsAre("/customData/d"));
  EXPECT_THAT(out->substituted, ElementsAre("/subject/source", "/customData/a", "/customData/b"));
}

TEST_F(TransformationTest, WhatEarlierSendersDidIsToldToo) {
  SetData(R"({"customData":{"a":"p9.x","b":"p9.y"},"subject":{"content":{"user":"u"}}})");
  event_.stored().add_withheld("/customData/gone");
  event_.stored().add_substituted("/customData/a");
  event_.stored().add_substituted("/subject/content/user");
  event_.stored().add_substituted("/subject/source");
  const Outgoing* const out = Apply("redact: 'customData' pseudonymise: 'subject.content.user'");
  ASSERT_NE(out, nullptr);
  EXPECT_THAT(out->withheld, ElementsAre("/customData", "/customData/gone"));
  EXPECT_THAT(out->substituted, ElementsAre("/subject/content/user", "/subject/source"));
}

TEST_F(TransformationTest, AResendSaysTheSame) {
  SetData(R"({"context":{"chainId":"c"}})");
  const std::string first = Apply("")->cloud_event;
  EXPECT_EQ(Apply("")->cloud_event, first);
  event_.stored().set_accepted_time_nanos(6000);
  EXPECT_NE(Apply("")->cloud_event, first) << "another key";
}

// Events of every type by rules at random: whatever `check` lets pass leaves events that are
// valid, the same in identity and type, and without a byte of what was taken out.
class OutgoingTest : public testing::TestWithParam<int> {
 protected:
  OutgoingTest() : random_(static_cast<uint64_t>(GetParam())) {}

  static std::string DotsOf(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) {
      absl::StrAppend(&out, "/", absl::StrReplaceAll(name, {{"~", "~0"}, {"/", "~1"}}));
    }
    return out;
  }
  // Every path of `tree`, but elements of arrays.
  static void Collect(const test::JsonTree& tree, std::vector<std::string> at,
                      std::vector<std::string>* out) {
    for (const auto& [name, value] : tree.members) {
      at.push_back(name);
      out->push_back(DotsOf(at));
      Collect(value, at, out);
      at.pop_back();
    }
  }
  // Makes texts of the event that a rule may take out unlike all others.
  void Mark(test::JsonTree* tree, absl::string_view path) {
    test::JsonTree* at = tree;
    const auto parsed = filter::DataPath::Parse(path);
    for (const filter::DataPath::Step& step : parsed->steps()) {
      if (at != nullptr) at = at->Find(step.name);
    }
    MarkTexts(at);
  }
  void MarkTexts(test::JsonTree* at) {
    if (at == nullptr) return;
    if (at->kind == test::JsonTree::Kind::kText) {
      at->text = absl::StrCat("secret", secrets_.size());
      secrets_.push_back(at->text);
    }
    for (auto& [name, value] : at->members) MarkTexts(&value);
    for (test::JsonTree& item : at->items) MarkTexts(&item);
  }
  static cdevents::Verdict JudgeJson(absl::string_view json, cdevents::Envelope* envelope,
                                     event::JsonParser* parser) {
    if (!parser->ParseIJson(json).ok()) return cdevents::Verdict::kInvalid;
    return cdevents::Judge(parser->document(), envelope);
  }

  // One rule for events of this type that takes out something of this one.
  admin::v1::Policy RandomPolicy(const test::RandomEvent& event) {
    std::vector<std::string> paths;
    Collect(event.tree, {}, &paths);
    admin::v1::Policy policy =
        test::ParsePolicy("export { rules { name: 'r' action: ACTION_ALLOW } }");
    admin::v1::ExportRule* const rule = policy.mutable_export_()->mutable_rules(0);
    rule->set_when(absl::StrCat("type = '", event.type, "'"));
    rule->set_links(static_cast<admin::v1::LinkHandling>(random_.Below(4)));
    const std::string& path = paths[random_.Below(paths.size())];
    if (random_.OneIn(2)) {
      rule->add_redact(path);
    } else {
      rule->add_pseudonymise(path);
    }
    if (random_.OneIn(2)) rule->add_redact("customData");
    return policy;
  }

  void Send(const CompiledPolicy& policy, const test::RandomEvent& made) {
    const std::string json = made.tree.ToText();
    event::JsonParser parser;
    cdevents::Envelope before;
    const cdevents::Verdict verdict = JudgeJson(json, &before, &parser);
    // A mark need not be what its place asks for: then it is no event that is admitted.
    if (verdict == cdevents::Verdict::kInvalid) return;
    test::PolicyEvent event(json, made.type);
    event.cloud_event().set_id(made.id);
    event.cloud_event().set_source(made.source);
    context_.Reset(event.record());
    const Decision decision =
        DecideExport(&policy, context_,
                     {.own_domain = "alpha.example", .keys = &keys_, .transformer = &transformer_});
    ASSERT_TRUE(decision.allow) << base::ReasonText(decision.reason);
    if (decision.outgoing == nullptr) return;
    ++changed_;
    io::cloudevents::v1::CloudEvent sent;
    ASSERT_TRUE(sent.ParseFromString(decision.outgoing->cloud_event));
    EXPECT_EQ(sent.id(), made.id);
    EXPECT_EQ(sent.source(), made.source);
    EXPECT_EQ(sent.type(), made.type);
    ExpectSame(before, verdict, sent.binary_data());
    for (const std::string& secret : secrets_) {
      ASSERT_FALSE(absl::StrContains(decision.outgoing->cloud_event, absl::StrCat(secret, "\"")))
          << secret;
    }
  }
  // Identity, type and validity.
  static void ExpectSame(const cdevents::Envelope& before, cdevents::Verdict verdict,
                         absl::string_view sent) {
    event::JsonParser parser;
    cdevents::Envelope after;
    EXPECT_EQ(JudgeJson(sent, &after, &parser), verdict) << sent;
    EXPECT_EQ(after.id, before.id);
    EXPECT_EQ(after.source, before.source);
    EXPECT_EQ(after.type, before.type);
    EXPECT_EQ(after.timestamp, before.timestamp);
    EXPECT_EQ(after.form, before.form);
  }

  const Keyring keys_ = TestKeys();
  EventTransformer transformer_;
  filter::EventContext context_;
  test::Random random_;
  std::vector<std::string> secrets_;
  int passed_ = 0;
  int changed_ = 0;
};

TEST_P(OutgoingTest, IsValidAndHoldsNothingOfWhatWasTakenOut) {
  const test::RandomEvents events(static_cast<uint64_t>(GetParam()));
  for (uint64_t i = 0; i < 400; ++i) {
    test::RandomEvent made = events.Make(i);
    const admin::v1::Policy policy = RandomPolicy(made);
    const auto compiled = CompiledPolicy::Compile(policy, 1);
    if (!compiled.ok()) continue;
    ++passed_;
    const admin::v1::ExportRule& rule = policy.export_().rules(0);
    secrets_.clear();
    for (const std::string& taken : rule.redact()) Mark(&made.tree, taken);
    for (const std::string& taken : rule.pseudonymise()) Mark(&made.tree, taken);
    SCOPED_TRACE(absl::StrCat(rule.ShortDebugString(), "\n", made.tree.ToText()));
    Send(**compiled, made);
  }
  EXPECT_GT(passed_, 50);
  EXPECT_GT(changed_, 25);
}

INSTANTIATE_TEST_SUITE_P(Seeds, OutgoingTest, testing::Range(1, 5));

}  // namespace
}  // namespace cdgate::policy
