#include "federation/policy/widening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/federation/policy/policy_text.h"

namespace cdgate::policy {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Reasons = std::vector<std::string>;

// CanFail of `a = 'x'` is true: the attribute may be absent. EXISTS never fails.
constexpr char kSafe[] = "when: 'EXISTS a'";

Reasons Why(const std::string& before, const std::string& after) {
  const admin::v1::Policy old = test::ParsePolicy(before);
  return WhyWidens(&old, test::ParsePolicy(after));
}
std::string Export(const std::string& text) { return absl::StrCat("export { ", text, " }"); }
std::string Import(const std::string& text) { return absl::StrCat("import { ", text, " }"); }
std::string Allow(const std::string& name, const std::string& rest = "") {
  return absl::StrCat(" rules { name: '", name, "' action: ACTION_ALLOW ", rest, " }");
}
std::string Deny(const std::string& name, const std::string& rest = "") {
  return absl::StrCat(" rules { name: '", name, "' action: ACTION_DENY ", rest, " }");
}
Reasons WhyRule(const std::string& before, const std::string& after) {
  return Why(Export(Allow("r", before)), Export(Allow("r", after)));
}

TEST(WideningTest, WithoutAPolicyEveryAllowIsNew) {
  EXPECT_THAT(WhyWidens(nullptr, test::ParsePolicy(Export(Allow("all")))),
              ElementsAre("export.rules[0] (all): allows what no ALLOW rule allowed before"));
  EXPECT_THAT(WhyWidens(nullptr, test::ParsePolicy(Export(Deny("none")))), IsEmpty());
  EXPECT_THAT(WhyWidens(nullptr, test::ParsePolicy("")), IsEmpty());
}

TEST(WideningTest, TheSameAndRenamedRulesAreNone) {
  const std::string old = Export(Allow("a", "when: 'x = 1'") + Deny("b", "when: 'y = 1'"));
  EXPECT_THAT(Why(old, old), IsEmpty());
  EXPECT_THAT(Why(old, Export(Allow("c", "when: 'x = 1'") + Deny("d", "when: 'y = 1'"))),
              IsEmpty());
}

TEST(WideningTest, ADenyMayBeAddedAnywhere) {
  const std::string a = Allow("a", "when: 'x = 1'");
  const std::string b = Allow("b", "when: 'y = 1'");
  const std::string deny = Deny("d", "when: 'z = 1'");
  EXPECT_THAT(Why(Export(a + b), Export(deny + a + b)), IsEmpty());
  EXPECT_THAT(Why(Export(a + b), Export(a + deny + b)), IsEmpty());
  EXPECT_THAT(Why(Export(a + b), Export(a + b + deny)), IsEmpty());
  EXPECT_THAT(Why(Export(a), Export(Deny("a", "when: 'x = 1'"))), IsEmpty());
}

TEST(WideningTest, ADenyThatGoesIsOneWhereAnAllowIsBelowIt) {
  const std::string deny = Deny("secret", "when: 'x = 1'");
  EXPECT_THAT(Why(Export(deny + Allow("all")), Export(Allow("all"))),
              ElementsAre(AllOf(HasSubstr("export.rules[0] (all): events that the rule 'secret'"),
                                HasSubstr("denied may reach it"))));
  EXPECT_THAT(Why(Export(Allow("a", "when: 'y = 1'") + deny), Export(Allow("a", "when: 'y = 1'"))),
              IsEmpty());
  EXPECT_THAT(Why(Export(deny), Export(Allow("secret", "when: 'x = 1'"))),
              ElementsAre("export.rules[0].action (secret): it was DENY and is ALLOW"));
}

TEST(WideningTest, AnAllowThatGoesIsNoneWhereNothingIsLetThroughBelow) {
  const std::string last = Allow("last", "when: 'x = 1'");
  EXPECT_THAT(Why(Export(Allow("first") + last), Export("")), IsEmpty());
  EXPECT_THAT(Why(Export(last), Export("")), IsEmpty());
}

TEST(WideningTest, WhatFallsThroughMustNotLeaveWithMore) {
  const std::string strict =
      Allow("strict", absl::StrCat(kSafe, " redact: 'customData' links: LINK_HANDLING_KEEP"));
  const std::string plain = Allow("plain", "when: 'EXISTS b' links: LINK_HANDLING_KEEP");
  const std::string reduced =
      Allow("plain", "when: 'EXISTS b' redact: 'customData' links: LINK_HANDLING_KEEP");
  EXPECT_THAT(Why(Export(strict + plain), Export(plain)),
              ElementsAre(AllOf(HasSubstr("(plain): events that 'strict' allowed may reach it"),
                                HasSubstr("customData is no longer removed"))));
  EXPECT_THAT(Why(Export(strict + reduced), Export(reduced)), IsEmpty());
}

TEST(WideningTest, WhatFailedWasDeniedAndMustNotFallThrough) {
  const std::string failing = Allow("failing", "when: 'x = 1'");
  const std::string safe = Allow("safe", kSafe);
  const std::string last = Allow("last", "when: 'EXISTS b'");
  EXPECT_THAT(Why(Export(failing + last), Export(last)),
              ElementsAre(HasSubstr("the condition of 'failing' failed")));
  EXPECT_THAT(Why(Export(safe + last), Export(last)), IsEmpty());
}

TEST(WideningTest, AndInFrontOfWhatCanFailIsOneWhereAnAllowIsBelowIt) {
  const std::string old = Allow("a", "when: 'x = 1'");
  const std::string first = Allow("a", "when: '(x = 1) AND (y = 2)'");
  const std::string later = Allow("a", "when: '(y = 2) AND (x = 1)'");
  const std::string last = Allow("last", "when: 'EXISTS b'");
  EXPECT_THAT(Why(Export(old), Export(first)), IsEmpty());
  EXPECT_THAT(Why(Export(old), Export(later)), IsEmpty());
  EXPECT_THAT(Why(Export(old + last), Export(first + last)), IsEmpty());
  EXPECT_THAT(Why(Export(old + last), Export(later + last)),
              ElementsAre(HasSubstr("the condition of 'a' failed")));
}

TEST(WideningTest, AnotherConditionIsOne) {
  EXPECT_THAT(WhyRule("when: 'x = 1'", "when: 'x = 2'"),
              ElementsAre(HasSubstr("export.rules[0].when (r): it is neither")));
  EXPECT_THAT(WhyRule("when: '(x = 1) AND (y = 2)'", "when: 'x = 1'"), testing::SizeIs(1));
  EXPECT_THAT(WhyRule("when: 'x = 1'", ""), testing::SizeIs(1));
  EXPECT_THAT(WhyRule("", "when: 'x = 1'"), IsEmpty());
}

TEST(WideningTest, AnotherOrderIsOneWhereTheRulesDiffer) {
  const std::string allow = Allow("a", "when: 'x = 1'");
  const std::string deny = Deny("d", "when: 'y = 1'");
  EXPECT_THAT(Why(Export(deny + allow), Export(allow + deny)), testing::SizeIs(1));
  EXPECT_THAT(Why(Export(allow + deny), Export(deny + allow)), IsEmpty());
  const std::string open = Allow("open", absl::StrCat(kSafe, " terms { onward: 3 }"));
  const std::string tight = Allow("tight", "when: 'EXISTS b'");
  EXPECT_THAT(Why(Export(tight + open), Export(open + tight)),
              ElementsAre(HasSubstr("terms.onward: 3 in place of 0")));
}

TEST(WideningTest, WhatIsNeverReachedChangesNothing) {
  EXPECT_THAT(Why(Export(""), Export(Deny("all") + Allow("a", "when: 'x = 1'"))), IsEmpty());
  EXPECT_THAT(Why(Export(""), Export(Deny("no", "when: 'x = 1'") + Allow("a", "when: 'x = 1'"))),
              IsEmpty());
}

TEST(WideningTest, RemovingMoreIsNone) {
  EXPECT_THAT(WhyRule("", "redact: 'customData'"), IsEmpty());
  EXPECT_THAT(WhyRule("pseudonymise: 'subject.content.user'", "redact: 'subject.content.user'"),
              IsEmpty());
  EXPECT_THAT(WhyRule("redact: 'customData.a.b'", "redact: '/customData/a'"), IsEmpty());
  EXPECT_THAT(WhyRule("redact: 'customData.a.b'", "pseudonymise: 'customData.a'"), IsEmpty());
  EXPECT_THAT(WhyRule("redact: 'customData'", ""),
              ElementsAre("export.rules[0].redact (r): customData is no longer removed"));
  EXPECT_THAT(WhyRule("redact: 'customData.a'", "redact: 'customData.ab'"), testing::SizeIs(1));
  EXPECT_THAT(WhyRule("redact: 'customData.a'", "redact: 'customData.a.b'"), testing::SizeIs(1));
  EXPECT_THAT(WhyRule("redact: 'customData.a'", "pseudonymise: 'customData.a'"),
              testing::SizeIs(1));
  EXPECT_THAT(WhyRule("pseudonymise: 'a.b'", "links: LINK_HANDLING_PSEUDONYMISE"),
              ElementsAre("export.rules[0].pseudonymise (r): a.b is no longer replaced"));
}

TEST(WideningTest, LinksGoFromKeptToReplacedToDropped) {
  const char* const order[] = {"links: LINK_HANDLING_KEEP", "links: LINK_HANDLING_PSEUDONYMISE",
                               "links: LINK_HANDLING_DROP"};
  for (int from = 0; from < 3; ++from) {
    for (int to = 0; to < 3; ++to) {
      EXPECT_EQ(WhyRule(order[from], order[to]).empty(), to >= from) << from << to;
    }
  }
  EXPECT_THAT(WhyRule("", "links: LINK_HANDLING_PSEUDONYMISE"), IsEmpty());
  EXPECT_THAT(WhyRule("links: LINK_HANDLING_PSEUDONYMISE", ""), IsEmpty());
  EXPECT_THAT(WhyRule("links: LINK_HANDLING_KEEP redact: 'context.links.tags'",
                      "redact: 'context.links.tags'"),
              ElementsAre(HasSubstr("within context.links")));
}

TEST(WideningTest, TermsMayOnlyTighten) {
  EXPECT_THAT(WhyRule("terms { onward: 2 }", "terms { onward: 1 }"), IsEmpty());
  EXPECT_THAT(WhyRule("terms { onward: 2 }", ""), IsEmpty());
  EXPECT_THAT(WhyRule("", "terms { onward: 1 }"),
              ElementsAre("export.rules[0].terms.onward (r): 1 in place of 0"));
  EXPECT_THAT(WhyRule("", "terms { groups: 'g@a.example' }"), IsEmpty());
  EXPECT_THAT(WhyRule("terms { groups: 'g@a.example' groups: 'h@a.example' }",
                      "terms { groups: 'h@a.example' }"),
              IsEmpty());
  EXPECT_THAT(WhyRule("terms { groups: 'g@a.example' }", "terms { groups: 'h@a.example' }"),
              ElementsAre(HasSubstr("h@a.example is added")));
  EXPECT_THAT(WhyRule("terms { groups: 'g@a.example' }", ""),
              ElementsAre(HasSubstr("everybody may receive it")));
  EXPECT_THAT(WhyRule("", "terms { classification: 'TLP:GREEN' }"), IsEmpty());
  EXPECT_THAT(
      WhyRule("terms { classification: 'TLP:GREEN' }", "terms { classification: 'TLP:AMBER' }"),
      IsEmpty());
  EXPECT_THAT(
      WhyRule("terms { classification: 'TLP:AMBER' }", "terms { classification: 'TLP:GREEN' }"),
      testing::SizeIs(1));
  EXPECT_THAT(WhyRule("terms { classification: 'TLP:AMBER' }", ""),
              ElementsAre(HasSubstr("no label in place of TLP:AMBER")));
  EXPECT_THAT(
      WhyRule("terms { classification: 'TLP:AMBER' }", "terms { classification: 'confidential' }"),
      testing::SizeIs(1));
}

TEST(WideningTest, LimitsMayOnlyGoDownAndNoneIsTheHighest) {
  for (const char* side : {"export", "import"}) {
    const auto why = [&](const std::string& from, const std::string& to) {
      return Why(absl::StrCat(side, " { limits { ", from, " } }"),
                 absl::StrCat(side, " { limits { ", to, " } }"));
    };
    for (const char* field : {"events_per_second", "max_event_bytes"}) {
      const auto value = [&](int n) { return absl::StrCat(field, ": ", n); };
      EXPECT_THAT(why(value(5), value(4)), IsEmpty()) << field;
      EXPECT_THAT(why("", value(4)), IsEmpty()) << field;
      EXPECT_FALSE(why(value(4), value(5)).empty()) << field;
      EXPECT_FALSE(why(value(4), "").empty()) << field;
    }
    EXPECT_THAT(why("events_per_second: 5 burst: 9", "events_per_second: 5"), IsEmpty());
    EXPECT_THAT(why("events_per_second: 5", "events_per_second: 5 burst: 6"),
                ElementsAre(HasSubstr("limits.burst: 6 in place of 5")));
    EXPECT_THAT(why("burst: 6", "burst: 7"), IsEmpty());
    EXPECT_THAT(why("", "max_backlog { seconds: 9 }"), IsEmpty());
    EXPECT_FALSE(why("max_backlog { seconds: 9 }", "").empty());
    EXPECT_FALSE(why("max_backlog { seconds: 9 }", "max_backlog { seconds: 10 }").empty());
  }
}

TEST(WideningTest, TransitReasonsAndInterest) {
  EXPECT_THAT(Why(Export("transit: 'a.example'"), Export("")), IsEmpty());
  EXPECT_THAT(Why(Import(""), Import("transit: 'a.example'")),
              ElementsAre("import.transit: a.example is added"));
  EXPECT_THAT(Why(Export("reasons_to_peer: REASONS_TO_PEER_FULL"),
                  Export("reasons_to_peer: REASONS_TO_PEER_CODE")),
              IsEmpty());
  EXPECT_THAT(Why(Export("reasons_to_peer: REASONS_TO_PEER_NONE"), Export("")), IsEmpty());
  EXPECT_FALSE(Why(Export(""), Export("reasons_to_peer: REASONS_TO_PEER_CODE")).empty());
  EXPECT_THAT(Why(Import(""), Import("interest: INTEREST_MODE_NONE")), IsEmpty());
  EXPECT_FALSE(Why(Import("interest: INTEREST_MODE_NONE"), Import("")).empty());
  EXPECT_THAT(Why(Import("accept_unknown: true"), Import("")), IsEmpty());
  EXPECT_FALSE(Why(Import(""), Import("accept_unknown: true")).empty());
}

TEST(WideningTest, WhatARefusalKeepsIsContentToo) {
  const std::string deny = Deny("d", "when: 'EXISTS a'");
  const std::string keeping = Deny("d", "when: 'EXISTS a' keep: true");
  EXPECT_THAT(Why(Import(keeping), Import(deny)), IsEmpty());
  EXPECT_THAT(Why(Import(keeping), Import(keeping)), IsEmpty());
  EXPECT_THAT(Why(Import(deny), Import(keeping)),
              ElementsAre(HasSubstr("import.rules[0].keep (d)")));
  // What an ALLOW above it took before was here in full.
  EXPECT_THAT(Why(Import(Allow("a", "when: 'EXISTS b'") + keeping), Import(keeping)), IsEmpty());
  EXPECT_THAT(Why(Import(Deny("x", "when: 'EXISTS b'") + keeping), Import(keeping)),
              testing::SizeIs(1));
}

admin::v1::Grant GrantOf(const std::string& text) {
  admin::v1::Grant grant;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &grant));
  return grant;
}

TEST(WideningTest, GrantsWidenByPeersThatAreAdded) {
  const auto why = [](const std::string& before, const std::string& after) {
    const std::string base = "principal: 'p' role: ROLE_OPERATOR ";
    const admin::v1::Grant old = GrantOf(base + before);
    return WhyWidens(&old, GrantOf(base + after));
  };
  EXPECT_THAT(why("", "peers: 'beta.example'"), IsEmpty());
  EXPECT_THAT(why("peers: 'a' peers: 'b'", "peers: 'b'"), IsEmpty());
  EXPECT_THAT(why("peers: 'a'", "peers: 'a' peers: 'b'"),
              testing::ElementsAre(testing::HasSubstr("b is added")));
  EXPECT_THAT(why("peers: 'a'", "peers: '%'"), testing::SizeIs(1));
  EXPECT_THAT(why("peers: 'a'", ""), testing::ElementsAre(testing::HasSubstr("all peers")));
}

TEST(WideningTest, GrantsWidenByPlaneAndByRole) {
  const auto why = [](const std::string& before, const std::string& after) {
    const admin::v1::Grant old = GrantOf(before);
    return WhyWidens(&old, GrantOf(after));
  };
  const std::string publisher = "principal: 'p' role: ROLE_PUBLISHER ";
  EXPECT_THAT(WhyWidens(nullptr, GrantOf(publisher + "sources: '%'")), IsEmpty());
  EXPECT_THAT(WhyWidens(nullptr, GrantOf(publisher + "plane: 'security'")), testing::SizeIs(1));
  EXPECT_THAT(why(publisher + "plane: 'security'", publisher),
              ElementsAre(HasSubstr("plane: none in place of security")));
  EXPECT_THAT(
      why(publisher + "plane: 'security'", "principal: '%' role: ROLE_PUBLISHER plane: 'security'"),
      testing::SizeIs(1));
  for (const char* role : {"ROLE_OPERATOR", "ROLE_POLICY_AUTHOR", "ROLE_POLICY_APPROVER"}) {
    const std::string grant = absl::StrCat("principal: 'p' role: ", role);
    EXPECT_THAT(WhyWidens(nullptr, GrantOf(grant)), testing::SizeIs(1)) << role;
    EXPECT_THAT(why(grant, grant + " description: 'x'"), IsEmpty()) << role;
    EXPECT_THAT(why(publisher, grant), testing::SizeIs(1)) << role;
    EXPECT_THAT(why(absl::StrCat("principal: 'q' role: ", role), grant), testing::SizeIs(1))
        << role;
    EXPECT_THAT(why(grant, publisher), IsEmpty()) << role;
  }
  EXPECT_THAT(WhyWidens(nullptr, GrantOf("principal: 'p' role: ROLE_AUDITOR")), IsEmpty());
}

TEST(WideningTest, GroupsWidenByMembersAndByTime) {
  const auto group = [](const std::string& text) {
    admin::v1::Group out;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out));
    return out;
  };
  const admin::v1::Group old = group("members: 'a' members: 'b' expire_time { seconds: 9 }");
  EXPECT_THAT(WhyWidens(nullptr, old), testing::SizeIs(2));
  EXPECT_THAT(WhyWidens(nullptr, group("")), IsEmpty());
  EXPECT_THAT(WhyWidens(&old, group("members: 'b' expire_time { seconds: 8 }")), IsEmpty());
  EXPECT_THAT(WhyWidens(&old, group("members: 'b'")), ElementsAre(HasSubstr("for longer")));
  EXPECT_THAT(WhyWidens(&old, group("members: 'c' expire_time { seconds: 9 }")),
              ElementsAre("members: c is added"));
}

}  // namespace
}  // namespace cdgate::policy
