#include "gateway/event/bridge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/event/digests.h"
#include "tests/gateway/cdevents/official_events.h"
#include "tests/support/status_matchers.h"

namespace cdgate::event {
namespace {

using cdevents::Family;
using testing::AllOf;
using testing::HasSubstr;

std::string AsJson(const std::string& json) {
  const auto digest = CanonicalJsonDigest(json);
  CDGATE_EXPECT_OK(digest) << json;
  return digest.ok() ? *digest : "";
}

std::map<std::pair<std::string, std::string>, std::string> Official() {
  std::map<std::pair<std::string, std::string>, std::string> events;
  for (const test::OfficialEvent& event : test::OfficialEvents()) {
    events[{event.release, event.name}] = event.json;
  }
  return events;
}

std::string Converted(const std::string& json, Family to) {
  Bridge bridge;
  const auto converted = bridge.Convert(json, to);
  CDGATE_EXPECT_OK(converted) << json;
  if (!converted.ok() || !*converted) return "";
  EXPECT_THAT((*converted)->json, HasSubstr(absl::StrCat("\"type\":\"", (*converted)->type, "\"")));
  return (*converted)->json;
}

TEST(BridgeTest, OfficialEventsBecomeThoseOfTheOtherRelease) {
  auto events = Official();
  if (events.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  size_t compared = 0;
  for (const auto& [key, json] : events) {
    if (key.first != "v0.4.1") continue;
    const std::string& other = events.at({"v0.5.1", key.second});
    EXPECT_EQ(AsJson(Converted(json, Family::k05)), AsJson(other)) << key.second;
    ++compared;
    // The custom one declares a release that is none, which nothing leads back to.
    if (key.second == "custom") continue;
    EXPECT_EQ(AsJson(Converted(other, Family::k041)), AsJson(json)) << key.second;
  }
  EXPECT_EQ(compared, 46u);
}

TEST(BridgeTest, OfficialEventsOf03GoUp) {
  size_t converted = 0;
  for (const auto& [key, json] : Official()) {
    if (key.first != "v0.3.0") continue;
    const std::string up = Converted(json, Family::k041);
    ASSERT_NE(up, "") << key.second;
    // Straight to 0.5.1 is what two steps give.
    EXPECT_EQ(AsJson(Converted(json, Family::k05)), AsJson(Converted(up, Family::k05)))
        << key.second;
    ++converted;
  }
  if (converted == 0) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  EXPECT_EQ(converted, 39u);
}

constexpr char kEvent[] = R"({"context": {"version": "0.4.1", "id": "1", "source": "/s",
    "type": "dev.cdevents.pipelinerun.finished.0.2.0", "timestamp": "2026-01-02T03:04:05.60+02:00"},
    "subject": {"id": "r", "type": "pipelineRun", "content":
      {"url": "https://ci.example/1", "outcome": "success"}},
    "customData": {"n": 123456789012345678901234567890, "one": 1.0}})";

TEST(BridgeTest, KeepsDigitsAndTheFormOfTimes) {
  const std::string converted = Converted(kEvent, Family::k05);
  EXPECT_THAT(converted, AllOf(HasSubstr("123456789012345678901234567890"), HasSubstr("1.0"),
                               HasSubstr("2026-01-02T03:04:05.60+02:00"),
                               HasSubstr("\"uri\":\"https://ci.example/1\"")));
}

TEST(BridgeTest, LeavesAloneWhatIsOfTheRelease) {
  Bridge bridge;
  EXPECT_EQ(*bridge.Convert(kEvent, Family::k041), std::nullopt);
}

TEST(BridgeTest, SaysWhyItCannotConvert) {
  const auto fault = [](absl::string_view old, absl::string_view replacement) {
    Bridge bridge;
    return bridge.Convert(absl::StrReplaceAll(kEvent, {{old, replacement}}), Family::k05).status();
  };
  EXPECT_THAT(fault("https://ci.example/1", "job/1"),
              AllOf(test::HasReason(base::Reason::kNotConvertible),
                    test::MessageIs(HasSubstr("/subject/content/uri: format uri"))));
  EXPECT_THAT(fault("success\"", "SUCCESS\""),
              test::MessageIs(HasSubstr("/subject/content/outcome: enum success|")));
  EXPECT_THAT(fault("finished.0.2.0", "finished.0.9.0"),
              test::MessageIs(HasSubstr("no release that is known has the type")));
}

TEST(BridgeTest, WhatARelaseDoesNotHaveCannotBecomeOfIt) {
  const std::string approval = R"({"context": {"specversion": "0.6.0-draft", "id": "1",
      "source": "/s", "type": "dev.cdevents.approval.created.0.1.0",
      "timestamp": "2026-01-02T03:04:05Z"}, "subject": {"id": "r", "content": {
      "approvalDetailsUrl": "a", "resourceTargetUrl": "b", "requestor": "https://x.example/"}}})";
  Bridge bridge;
  EXPECT_THAT(bridge.Convert(approval, Family::k041).status(),
              AllOf(test::HasReason(base::Reason::kNotConvertible),
                    test::MessageIs(HasSubstr("has no such event"))));
}

TEST(BridgeTest, TheFirstNameOfTheChainIsCorrected) {
  const std::string json = R"({"context": {"version": "0.4.0", "id": "1", "source": "/s",
      "type": "dev.cdevents.build.queued.0.2.0", "timestamp": "2026-01-02T03:04:05Z",
      "chain_id": "c"}, "subject": {"id": "b", "type": "build", "content": {}}})";
  EXPECT_THAT(Converted(json, Family::k041),
              AllOf(HasSubstr("\"chainId\":\"c\""), HasSubstr("\"version\":\"0.4.1\"")));
}

TEST(BridgeTest, OutcomesOfTestsAreRenamed) {
  const std::string json = R"({"context": {"version": "0.4.1", "id": "1", "source": "/s",
      "type": "dev.cdevents.testcaserun.finished.0.2.0", "timestamp": "2026-01-02T03:04:05Z"},
      "subject": {"id": "t", "type": "testCaseRun", "content": {"outcome": "OUT",
      "environment": {"id": "e"}, "reason": "pass"}}})";
  const std::pair<const char*, const char*> outcomes[] = {
      {"pass", "success"}, {"fail", "failure"}, {"cancel", "cancel"}, {"error", "error"}};
  for (const auto& [before, after] : outcomes) {
    const std::string old = absl::StrReplaceAll(json, {{"OUT", before}});
    const std::string converted = Converted(old, Family::k05);
    EXPECT_THAT(converted, AllOf(HasSubstr(absl::StrCat("\"outcome\":\"", after, "\"")),
                                 HasSubstr("\"reason\":\"pass\"")));
    EXPECT_EQ(AsJson(Converted(converted, Family::k041)), AsJson(old));
  }
}

TEST(BridgeTest, OnlyTwoReleasesCanBeAskedFor) {
  EXPECT_EQ(*ParseConvertTo("0.4.1", "convert_to"), Family::k041);
  EXPECT_EQ(*ParseConvertTo("0.5.1", "convert_to"), Family::k05);
  for (const char* const wrong : {"", "0.3.0", "0.5", "0.6.0-draft", "v0.5.1"}) {
    EXPECT_THAT(ParseConvertTo(wrong, "convert_to").status(),
                test::HasReason(base::Reason::kInvalidArgument));
  }
}

}  // namespace
}  // namespace cdgate::event
