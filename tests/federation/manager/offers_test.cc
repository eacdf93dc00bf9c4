#include "federation/manager/offers.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/link/config.h"

namespace cdgate::manager {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

admin::v1::Policy PolicyOf(const std::string& rules) {
  admin::v1::Policy policy;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      absl::StrCat("peer: 'beta.example' export {", rules, "}"), &policy));
  return policy;
}

std::string Rule(const char* name, const std::string& when, const char* action = "ACTION_ALLOW") {
  return absl::StrCat("rules {name: '", name, "' when: \"", when, "\" action: ", action, "}");
}

std::vector<std::string> Text(const std::vector<NamedOffer>& offers) {
  std::vector<std::string> out;
  for (const NamedOffer& offer : offers) {
    out.push_back(absl::StrCat(offer.kind.type, "|", offer.kind.source, " by ", offer.rule));
  }
  return out;
}

TEST(OffersTest, RulesThatAllowByLiteralsName) {
  const auto offers = OffersNamedBy(
      PolicyOf(Rule("one", "type = 'b'") + Rule("two", "type IN ('a', 'b') AND source = '/s'") +
               Rule("pattern", "type LIKE 'c%'") + Rule("subject", "subject = 'x'")));
  EXPECT_THAT(Text(offers), ElementsAre("a|/s by two", "b| by one", "b|/s by two"));
}

TEST(OffersTest, WhatARuleBeforeDeniesIsNotOffered) {
  EXPECT_THAT(Text(OffersNamedBy(PolicyOf(Rule("no", "source = '/s'", "ACTION_DENY") +
                                          Rule("yes", "type = 'a' AND source IN ('/s', '/t')")))),
              ElementsAre("a|/t by yes"));
  // It denies some of them only.
  EXPECT_THAT(
      Text(OffersNamedBy(PolicyOf(Rule("no", "source = '/s' AND subject = 'x'", "ACTION_DENY") +
                                  Rule("yes", "type = 'a' AND source = '/s'")))),
      ElementsAre("a|/s by yes"));
  // It comes too late.
  EXPECT_THAT(Text(OffersNamedBy(
                  PolicyOf(Rule("yes", "type = 'a'") + Rule("no", "type = 'a'", "ACTION_DENY")))),
              ElementsAre("a| by yes"));
}

TEST(OffersTest, NothingIsNamedBehindARuleForEverything) {
  EXPECT_THAT(OffersNamedBy(PolicyOf(Rule("all", "") + Rule("yes", "type = 'a'"))), IsEmpty());
  EXPECT_THAT(OffersNamedBy(PolicyOf(Rule("none", "", "ACTION_DENY") + Rule("yes", "type = 'a'"))),
              IsEmpty());
}

TEST(OffersTest, AKindIsNamedWhereNothingElseIsAskedFor) {
  const auto offers = OffersNamedBy(PolicyOf(Rule("type", "type = 'a'") +
                                             Rule("both", "type = 'b' AND source = '/s'") +
                                             Rule("more", "type = 'c' AND subject = 'x'") +
                                             Rule("plane", "type = 'd' AND PLANE() = 'resource'")));
  EXPECT_TRUE(IsNamed(offers, "a", ""));
  EXPECT_TRUE(IsNamed(offers, "a", "/any"));
  EXPECT_TRUE(IsNamed(offers, "b", "/s"));
  EXPECT_FALSE(IsNamed(offers, "b", ""));
  EXPECT_FALSE(IsNamed(offers, "b", "/t"));
  EXPECT_FALSE(IsNamed(offers, "c", "/s"));
  EXPECT_FALSE(IsNamed(offers, "d", ""));
}

TEST(OffersTest, WhatWasGivenAndWhatIsNamedIsListedOnce) {
  storage::v1::GivenEvents given;
  auto& row = *given.add_rows();
  row.set_type("a");
  row.set_source("/s");
  row.set_plane("resource");
  row.set_last_day(20000);
  *given.add_rows() = row;
  given.mutable_rows(1)->set_plane("");
  const auto named = OffersNamedBy(
      PolicyOf(Rule("one", "type = 'a' AND source = '/s'") + Rule("two", "type = 'b'")));
  const federation::v1::Catalogue catalogue = OffersTo(given, named);
  ASSERT_EQ(catalogue.offers_size(), 3);
  EXPECT_EQ(catalogue.offers(0).plane(), "");
  EXPECT_EQ(catalogue.offers(0).last_given_day(), 20000u);
  EXPECT_EQ(catalogue.offers(1).plane(), "resource");
  EXPECT_EQ(catalogue.offers(2).type(), "b");
  EXPECT_EQ(catalogue.offers(2).last_given_day(), 0u);
  EXPECT_FALSE(catalogue.truncated());
}

TEST(OffersTest, AreBounded) {
  storage::v1::GivenEvents given;
  for (int i = 0; i <= link::kMaxOffers; ++i) given.add_rows()->set_type(absl::StrCat("t", i));
  const federation::v1::Catalogue catalogue = OffersTo(given, {});
  EXPECT_EQ(catalogue.offers_size(), link::kMaxOffers);
  EXPECT_TRUE(catalogue.truncated());
}

}  // namespace
}  // namespace cdgate::manager
