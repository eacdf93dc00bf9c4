#include "gateway/cdevents/validator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/gateway/cdevents/official_events.h"

namespace cdgate::cdevents {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kEvent[] = R"({
  "context": {"specversion": "0.5.1", "id": "e1", "source": "/jenkins",
    "type": "dev.cdevents.pipelinerun.finished.0.3.0", "timestamp": "2026-01-02T03:04:05Z"},
  "subject": {"id": "run 1", "content": {"outcome": "success"}}})";

struct Judged {
  Verdict verdict;
  std::vector<std::string> faults;  // "path: rule: value"
  std::string release;
};

Judged JudgeText(const std::string& json) {
  simdjson::dom::parser parser;
  Envelope envelope;
  EXPECT_EQ(parser.parse(json).error(), simdjson::SUCCESS) << json;
  Judged out{Judge(parser.doc, &envelope), {}, ""};
  for (const Fault& fault : FindFaults(parser.doc).list) {
    out.faults.push_back(absl::StrCat(fault.path, ": ", fault.rule, ": ", fault.value));
  }
  // The two never disagree.
  EXPECT_EQ(out.verdict == Verdict::kValid, out.faults.empty()) << json;
  if (envelope.form != nullptr) out.release = std::string(ReleaseOf(envelope.form->family));
  return out;
}

std::string With(absl::string_view old, absl::string_view replacement) {
  EXPECT_NE(std::string(kEvent).find(std::string(old)), std::string::npos) << old;
  return absl::StrReplaceAll(kEvent, {{old, replacement}});
}

TEST(ValidatorTest, AnEnvelopeIsReadOfAnythingThatHasOne) {
  simdjson::dom::parser parser;
  ASSERT_EQ(parser.parse(With("\"/jenkins\"", "7")).error(), simdjson::SUCCESS);
  const Envelope envelope = ReadEnvelope(parser.doc);
  EXPECT_EQ(envelope.id, "e1");
  EXPECT_EQ(envelope.source, "");
  EXPECT_EQ(envelope.subject, "run 1");
  EXPECT_EQ(envelope.specversion, "0.5.1");
  EXPECT_EQ(envelope.form, nullptr);
  for (const std::string text : {"[1]", "7", "{\"context\":[]}"}) {
    ASSERT_EQ(parser.parse(text).error(), simdjson::SUCCESS);
    EXPECT_EQ(ReadEnvelope(parser.doc).id, "") << text;
  }
}

TEST(ValidatorTest, OfficialEventsAreValidInTheirRelease) {
  const std::vector<test::OfficialEvent> events = test::OfficialEvents();
  if (events.empty()) GTEST_SKIP() << "no test data: set CDGATE_TEST_DATA";
  for (const test::OfficialEvent& event : events) {
    const Judged judged = JudgeText(event.json);
    EXPECT_EQ(judged.verdict, Verdict::kValid) << event.release << " " << event.name;
    EXPECT_THAT(judged.faults, IsEmpty()) << event.release << " " << event.name;
    EXPECT_EQ("v" + judged.release, event.release) << event.name;
  }
  EXPECT_THAT(events, SizeIs(39 + 46 + 46));
}

TEST(ValidatorTest, SaysAllThatIsWrongAndWhere) {
  const Judged judged = JudgeText(R"({
    "context": {"version": "0.5.1", "specversion": "", "id": null, "source": "a b",
      "type": "dev.cdevents.pipelinerun.finished.0.3.0", "timestamp": "yesterday",
      "links": [{"linkType": "PATH"}, {"linkType": "path"}, {}, 7,
                {"linkType": "RELATION", "linkKind": "", "target": {}, "extra": 1}]},
    "subject": {"id": "x", "type": "pipelineRun",
      "content": {"outcome": "SUCCESS", "uri": "job/1", "errors": ["a"], "a/b~c": {"d": 1}}},
    "customData": [1], "more": true})");
  EXPECT_EQ(judged.verdict, Verdict::kInvalid);
  EXPECT_THAT(
      judged.faults,
      ElementsAre("/context/version: additionalProperties: \"0.5.1\"",
                  "/context/specversion: minLength 1: \"\"", "/context/id: type string: null",
                  "/context/source: format uri-reference: \"a b\"",
                  "/context/timestamp: format date-time: \"yesterday\"",
                  "/context/links/0/from: required: ",
                  "/context/links/1/linkType: enum END|PATH|RELATION: \"path\"",
                  "/context/links/2/linkType: required: ", "/context/links/3: type object: 7",
                  "/context/links/4/linkKind: minLength 1: \"\"",
                  "/context/links/4/extra: additionalProperties: 1",
                  "/subject/type: additionalProperties: \"pipelineRun\"",
                  "/subject/content/outcome: enum success|failure|cancel|error: \"SUCCESS\"",
                  "/subject/content/uri: format uri: \"job/1\"",
                  "/subject/content/errors: type string: […]",
                  "/subject/content/a~1b~0c: additionalProperties: {…}",
                  "/customData: type object|string: […]", "/more: additionalProperties: true"));
}

TEST(ValidatorTest, WhatIsNoObjectIsInvalid) {
  for (const char* const json : {"[]", "1", "\"x\"", "null", "{}", R"({"context": 1})",
                                 R"({"context": {}, "subject": []})"}) {
    EXPECT_EQ(JudgeText(json).verdict, Verdict::kInvalid) << json;
  }
  EXPECT_THAT(JudgeText("{}").faults, ElementsAre("/context: required: ", "/subject: required: "));
  EXPECT_THAT(JudgeText("3.5").faults, ElementsAre(": type object: 3.5"));
}

// Empty and absent are two things.
TEST(ValidatorTest, TellsEmptyFromAbsent) {
  EXPECT_EQ(JudgeText(With("\"outcome\": \"success\"", "\"errors\": \"\"")).verdict,
            Verdict::kValid);
  EXPECT_EQ(JudgeText(With("{\"outcome\": \"success\"}", "{}")).verdict, Verdict::kValid);
  EXPECT_THAT(JudgeText(With(", \"content\": {\"outcome\": \"success\"}", "")).faults,
              ElementsAre("/subject/content: required: "));
  EXPECT_EQ(
      JudgeText(With("\"source\": \"/jenkins\"", "\"source\": \"/j\", \"links\": []")).verdict,
      Verdict::kValid);
  EXPECT_THAT(JudgeText(With("\"source\": \"/jenkins\"", "\"source\": \"\"")).faults,
              ElementsAre("/context/source: minLength 1: \"\""));
  EXPECT_THAT(
      JudgeText(With("\"source\": \"/jenkins\"", "\"source\": \"/j\", \"links\": null")).faults,
      ElementsAre("/context/links: type array: null"));
}

// The declared release is free text, but the member's name follows the type.
TEST(ValidatorTest, ReadsTheDeclaredReleaseOnlyWhereItDecides) {
  EXPECT_EQ(JudgeText(With("\"0.5.1\"", "\"banana\"")).verdict, Verdict::kValid);
  EXPECT_THAT(JudgeText(With("\"specversion\": \"0.5.1\"", "\"version\": \"0.4.1\"")).faults,
              ElementsAre("/context/version: additionalProperties: \"0.4.1\"",
                          "/context/specversion: required: "));
  EXPECT_THAT(JudgeText(With("\"specversion\": \"0.5.1\"",
                             "\"version\": \"0.5.1\", \"specversion\": \"0.5.1\""))
                  .faults,
              ElementsAre("/context/version: additionalProperties: \"0.5.1\""));
}

std::string Chained(absl::string_view version, absl::string_view name) {
  return absl::StrCat(R"({"context": {"version": ")", version, R"(", "id": "1", "source": "/s",
    "type": "dev.cdevents.build.queued.0.2.0", "timestamp": "2026-01-02T03:04:05Z", ")",
                      name, R"(": "c"}, "subject": {"id": "b", "type": "build", "content": {}}})");
}

TEST(ValidatorTest, TheFirstNameOfTheChainIsKnownIn040Alone) {
  EXPECT_EQ(JudgeText(Chained("0.4.0", "chain_id")).verdict, Verdict::kValid);
  EXPECT_EQ(JudgeText(Chained("0.4.0", "chain_id")).release, "0.4.0");
  EXPECT_EQ(JudgeText(Chained("0.4.1", "chainId")).verdict, Verdict::kValid);
  EXPECT_THAT(JudgeText(Chained("0.4.1", "chain_id")).faults,
              ElementsAre("/context/chain_id: additionalProperties: \"c\""));
}

TEST(ValidatorTest, TheDraftIsStricterWhereTheEventDeclaresIt) {
  const auto task = [](absl::string_view release, absl::string_view outcome) {
    return absl::StrReplaceAll(
        kEvent, {{"0.5.1", release}, {"pipelinerun", "taskrun"}, {"success", outcome}});
  };
  EXPECT_EQ(JudgeText(task("0.5.1", "fine")).verdict, Verdict::kValid);
  EXPECT_EQ(JudgeText(task("0.6.0-draft", "failure")).verdict, Verdict::kValid);
  EXPECT_THAT(JudgeText(task("0.6.0-draft", "fine")).faults,
              ElementsAre("/subject/content/outcome: enum success|failure|cancel|error: \"fine\""));
  const auto link = [](absl::string_view release, absl::string_view node) {
    return JudgeText(absl::StrReplaceAll(
        kEvent,
        {{"0.5.1", release},
         {"\"id\": \"e1\"", absl::StrCat("\"id\": \"e1\", \"links\": [{\"linkType\": \"RELATION\", "
                                         "\"linkKind\": \"K\", \"target\": ",
                                         node, "}]")}}));
  };
  EXPECT_EQ(link("0.5.1", "{}").verdict, Verdict::kValid);
  EXPECT_EQ(link("0.5.1", R"({"domainId": 7})").verdict, Verdict::kValid);
  EXPECT_EQ(link("0.6.0", R"({"domainId": "cdevents:v0:github::o:r:pr:4"})").verdict,
            Verdict::kValid);
  EXPECT_THAT(link("0.6.0", "{}").faults,
              ElementsAre("/context/links/0/target: anyOf required contextId|domainId: "));
  // Each part may be fine and the whole no URI reference.
  EXPECT_EQ(link("0.6.0", R"({"domainId": "cdevents:v0://[::1]/x:repo:pr:4"})").verdict,
            Verdict::kInvalid);
  EXPECT_THAT(link("0.6.0", R"({"domainId": "x"})").faults,
              ElementsAre("/context/links/0/target/domainId: pattern domainId: \"x\""));
}

TEST(ValidatorTest, TypesOfNoReleaseAreUnknown) {
  for (const char* const type :
       {"dev.cdevents.pipelinerun.finished.0.4.0", "dev.cdevents.pipelinerun.finished.0.3.0-draft",
        "dev.cdevents.pipelineRun.finished.0.3.0", "com.example.done.0.1.0",
        "dev.cdeventsx.probes.ping.0.1.0"}) {
    const std::string json = With("dev.cdevents.pipelinerun.finished.0.3.0", type);
    const Judged judged = JudgeText(json);
    EXPECT_EQ(judged.verdict, Verdict::kUnknownType) << type;
    EXPECT_THAT(judged.faults,
                ElementsAre(absl::StrCat("/context/type: known type: \"", type, "\"")));
  }
  // Only its type could tell what subject.type has to be.
  const std::string older = R"({"context": {"version": "0.4.1", "id": "1", "source": "/s",
      "type": "dev.cdevents.build.queued.0.9.0", "timestamp": "2026-01-02T03:04:05Z"},
      "subject": {"id": "b", "type": "build", "content": {}}})";
  EXPECT_THAT(JudgeText(older).faults,
              ElementsAre("/context/type: known type: \"dev.cdevents.build.queued.0.9.0\""));
  // Not even that, where it lacks what all events have.
  EXPECT_EQ(JudgeText(R"({"context": {"id": "1", "source": "/s", "type": "x.y",
      "timestamp": "2026-01-02T03:04:05Z"}, "subject": {"content": {}}})")
                .verdict,
            Verdict::kInvalid);
}

TEST(ValidatorTest, StopsCountingAtAnEnd) {
  std::string many;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&many, ", \"x", i, "\": ", i);
  simdjson::dom::parser parser;
  const std::string json = With("\"outcome\": \"success\"", "\"outcome\": \"success\"" + many);
  ASSERT_EQ(parser.parse(json).error(), simdjson::SUCCESS);
  const Faults faults = FindFaults(parser.doc);
  EXPECT_THAT(faults.list, SizeIs(kMaxFaults));
  EXPECT_EQ(faults.more, 1000 - kMaxFaults);
}

TEST(ValidatorTest, CountsThoseOfAnUnknownTypeAlike) {
  std::string many;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&many, ", \"x", i, "\": ", i);
  simdjson::dom::parser parser;
  const std::string json = absl::StrCat(R"({"subject": {"type": "t")", many, "}}");
  ASSERT_EQ(parser.parse(json).error(), simdjson::SUCCESS);
  const Faults faults = FindFaults(parser.doc);
  EXPECT_THAT(faults.list, SizeIs(kMaxFaults));
  // 100 members, and id, content and context that are missing.
  EXPECT_EQ(faults.more, 103 - kMaxFaults);
}

TEST(ValidatorTest, ShortensWhatItQuotes) {
  const Judged judged =
      JudgeText(With("\"outcome\": \"success\"", "\"outcome\": \"" + std::string(5000, 'x') +
                                                     "\", \"" + std::string(5000, 'n') + "\": 1"));
  ASSERT_THAT(judged.faults, SizeIs(2));
  EXPECT_LT(judged.faults[0].size() + judged.faults[1].size(), 400u);
}

}  // namespace
}  // namespace cdgate::cdevents
