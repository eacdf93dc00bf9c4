// The traps that CDEvents, its official SDKs and what producers really send hold ready for
// a gateway, one test for each. Most are looked at closely elsewhere; what is here says that
// each was seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gateway/cdevents/faults.h"
#include "gateway/cdevents/typed.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/bridge.h"
#include "gateway/event/digests.h"
#include "gateway/event/json_parser.h"
#include "gateway/event/lints.h"
#include "gateway/event/record.h"
#include "gateway/event/structured_json.h"
#include "gateway/event/valid_event.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/json_tree.h"
#include "tests/support/status_matchers.h"

namespace cdgate::cdevents {
namespace {

using base::Reason;
using test::JsonTree;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using CloudEvent = io::cloudevents::v1::CloudEvent;

// An event of release 0.5.1.
std::string Event(absl::string_view type, absl::string_view content = "{}") {
  return absl::StrCat(
      R"({"context":{"specversion":"0.5.1","id":"e1","source":"/jenkins","type":"dev.cdevents.)",
      type, R"(","timestamp":"2026-01-02T03:04:05Z"},"subject":{"id":"s","content":)", content,
      "}}");
}

// An event of release 0.4.1.
std::string Older(absl::string_view type, absl::string_view subject,
                  absl::string_view content = "{}") {
  return absl::StrCat(
      R"({"context":{"version":"0.4.1","id":"e1","source":"/jenkins","type":"dev.cdevents.)", type,
      R"(","timestamp":"2026-01-02T03:04:05Z"},"subject":{"id":"s","type":")", subject,
      R"(","content":)", content, "}}");
}

std::string With(const std::string& json, absl::string_view from, absl::string_view to) {
  EXPECT_THAT(json, HasSubstr(std::string(from)));
  return absl::StrReplaceAll(json, {{from, to}});
}

// The paths of what is wrong with it.
std::vector<std::string> FaultsIn(const std::string& json) {
  event::JsonParser parser;
  CDGATE_EXPECT_OK(parser.ParseIJson(json)) << json;
  Envelope envelope;
  std::vector<std::string> paths;
  for (const Fault& fault : FindFaults(parser.document()).list) paths.push_back(fault.path);
  EXPECT_EQ(Judge(parser.document(), &envelope) == Verdict::kValid, paths.empty()) << json;
  return paths;
}

// The event through its typed form and the wire.
std::string ThereAndBack(const std::string& json) {
  event::JsonParser parser;
  Envelope envelope;
  CDGATE_EXPECT_OK(parser.ParseIJson(json)) << json;
  EXPECT_EQ(Judge(parser.document(), &envelope), Verdict::kValid) << json;
  const Form& form = *envelope.form;
  auto* const factory = google::protobuf::MessageFactory::generated_factory();
  const auto message = [&] {
    return std::unique_ptr<google::protobuf::Message>(factory->GetPrototype(form.message)->New());
  };
  const auto read = message(), again = message();
  TypedReader reader;
  CDGATE_EXPECT_OK(reader.Read(json, form, read.get()));
  EXPECT_TRUE(again->ParseFromString(read->SerializeAsString()));
  const auto written = WriteJson(*again, form.family);
  CDGATE_EXPECT_OK(written);
  return written.value_or("");
}

void ExpectEqualAsJson(const std::string& a, const std::string& b) {
  EXPECT_EQ(event::CanonicalJsonDigest(a).value_or("a"),
            event::CanonicalJsonDigest(b).value_or("b"))
      << a << "\n"
      << b;
}

CloudEvent Enveloped(const std::string& json) {
  const JsonTree tree = test::ParseJsonTree(json);
  const JsonTree& context = *tree.Find("context");
  CloudEvent event;
  event.set_id(context.Find("id")->text);
  event.set_source(context.Find("source")->text);
  event.set_spec_version("1.0");
  event.set_type(context.Find("type")->text);
  event.set_binary_data(json);
  return event;
}

absl::StatusOr<event::ValidEvent> Admit(const CloudEvent& event) {
  event::Admitter admitter;
  return admitter.Admit(event.SerializeAsString());
}

absl::StatusOr<event::ValidEvent> Admit(const std::string& json) { return Admit(Enveloped(json)); }

std::string Converted(const std::string& json, Family to) {
  event::Bridge bridge;
  const auto converted = bridge.Convert(json, to);
  CDGATE_EXPECT_OK(converted) << json;
  return converted.ok() && *converted ? (*converted)->json : "";
}

// Numbers beyond 2^53, the order of members, 1.0 and 1 survive; what no two parsers read
// alike does not get in.
TEST(CdEventsTrapsTest, T01LosslessRelay) {
  const std::string open =
      R"({ "z": 9007199254740993, "a": [1.0, 1, 1e2, -0, 123456789012345678901234567890],)"
      R"( "\u0065": "\u00e9é", "k": {"b":1,"a":null} })";
  const std::string json = absl::StrReplaceAll(
      Event("testcaserun.queued.0.3.0",
            absl::StrCat(R"({"environment":{"id":"e"},"trigger":)", open, "}")),
      {{R"("subject":)", absl::StrCat(R"("customData":)", open, R"(, "subject":)")},
       {R"("id":"e1")",
        absl::StrCat(R"("id":"e1","links":[{"linkType":"END","from":{"contextId":"c","x":)", open,
                     R"(},"tags":)", open, "}]")}});
  const auto admitted = Admit(json);
  CDGATE_ASSERT_OK(admitted);
  EXPECT_EQ(admitted->data(), json);
  ExpectEqualAsJson(ThereAndBack(json), json);
  EXPECT_THAT(Converted(json, Family::k041), HasSubstr(open));
  EXPECT_THAT(Admit(With(json, R"("b":1,"a":null)", R"("b":1,"b":1)")),
              test::HasReason(Reason::kAmbiguousJson));
}

TEST(CdEventsTrapsTest, T02EmptyIsNotAbsent) {
  EXPECT_THAT(FaultsIn(Event("artifact.published.0.3.0", R"({"user":""})")),
              ElementsAre("/subject/content/user"));
  EXPECT_THAT(FaultsIn(Event("artifact.published.0.3.0")), IsEmpty());
  const std::string bare = Event("build.queued.0.3.0");
  EXPECT_THAT(FaultsIn(With(bare, R"(,"content":{})", "")), ElementsAre("/subject/content"));
  EXPECT_THAT(FaultsIn(With(bare, R"("id":"s")", R"("id":"s","source":"")")),
              ElementsAre("/subject/source"));
  const std::string empty = absl::StrReplaceAll(
      Event(
          "testsuiterun.finished.0.3.0",
          R"({"environment":{"id":"e"},"outcome":"error","reason":"","testSuite":{"id":"t","name":""}})"),
      {{R"("id":"s")", R"("id":"s","source":"")"}, {R"("id":"e1")", R"("id":"e1","links":[])"}});
  EXPECT_THAT(FaultsIn(empty), IsEmpty());
  ExpectEqualAsJson(ThereAndBack(empty), empty);
}

// Of every member of every object, in every release.
TEST(CdEventsTrapsTest, T03NullIsInvalid) {
  for (const char* const path :
       {"/context", "/context/id", "/context/schemaUri", "/context/links", "/subject",
        "/subject/source", "/subject/content", "/subject/content/errors", "/subject/content/uri",
        "/customData", "/customDataContentType"}) {
    JsonTree event = test::ParseJsonTree(Event("pipelinerun.finished.0.3.0"));
    JsonTree* object = &event;
    std::string rest(path + 1);
    for (size_t at = rest.find('/'); at != std::string::npos; at = rest.find('/')) {
      object = object->Find(rest.substr(0, at));
      rest = rest.substr(at + 1);
    }
    object->Set(rest, JsonTree::Raw("null"));
    EXPECT_THAT(FaultsIn(event.ToText()), Contains(path));
  }
  // tests/conformance/cdevents_mutants_test.cc does so with every member there is.
}

TEST(CdEventsTrapsTest, T04VersionOrSpecversion) {
  const std::string event = Event("build.queued.0.3.0"),
                    older = Older("build.queued.0.2.0", "build");
  EXPECT_THAT(FaultsIn(event), IsEmpty());
  EXPECT_THAT(FaultsIn(older), IsEmpty());
  const std::string both = R"("version":"0.5.1","specversion":"0.5.1")";
  EXPECT_THAT(FaultsIn(With(event, R"("specversion":"0.5.1")", both)),
              ElementsAre("/context/version"));
  EXPECT_THAT(FaultsIn(With(older, R"("version":"0.4.1")", both)),
              ElementsAre("/context/specversion"));
  EXPECT_THAT(FaultsIn(With(event, "specversion", "version")),
              ElementsAre("/context/version", "/context/specversion"));
  // That of the CloudEvent is another one.
  CloudEvent envelope = Enveloped(event);
  CDGATE_EXPECT_OK(Admit(envelope));
  envelope.set_spec_version("0.5.1");
  EXPECT_THAT(Admit(envelope), test::HasReason(Reason::kInvalidCloudEvent));
}

TEST(CdEventsTrapsTest, T05SubjectTypeUntil041Only) {
  const std::string older = Older("pipelinerun.queued.0.2.0", "pipelineRun");
  EXPECT_THAT(FaultsIn(older), IsEmpty());
  EXPECT_THAT(FaultsIn(With(older, "pipelineRun", "pipelinerun")), ElementsAre("/subject/type"));
  EXPECT_THAT(FaultsIn(With(older, R"("type":"pipelineRun",)", "")), ElementsAre("/subject/type"));
  const std::string newer = Converted(older, Family::k05);
  EXPECT_THAT(newer, Not(HasSubstr("pipelineRun")));
  EXPECT_THAT(FaultsIn(With(newer, R"("id":"s")", R"("id":"s","type":"pipelineRun")")),
              ElementsAre("/subject/type"));
  EXPECT_THAT(Converted(newer, Family::k041), HasSubstr(R"("type":"pipelineRun")"));
  // One schema still allows it.
  const std::string ticket =
      Event("ticket.closed.0.2.0", R"({"uri":"/t/1","resolution":"completed"})");
  EXPECT_THAT(FaultsIn(With(ticket, R"("id":"s")", R"("id":"s","type":"ticket")")), IsEmpty());
}

TEST(CdEventsTrapsTest, T06OutcomesDependOnTheRelease) {
  const auto older = [](absl::string_view outcome) {
    return Older("testcaserun.finished.0.2.0", "testCaseRun",
                 absl::StrCat(R"({"environment":{"id":"e"},"outcome":")", outcome, "\"}"));
  };
  const auto newer = [](absl::string_view outcome) {
    return Event("testcaserun.finished.0.3.0",
                 absl::StrCat(R"({"environment":{"id":"e"},"outcome":")", outcome, "\"}"));
  };
  for (const auto& [before, after] : {std::pair("pass", "success"), std::pair("fail", "failure")}) {
    EXPECT_THAT(FaultsIn(older(before)), IsEmpty());
    EXPECT_THAT(FaultsIn(older(after)), ElementsAre("/subject/content/outcome"));
    EXPECT_THAT(FaultsIn(newer(before)), ElementsAre("/subject/content/outcome"));
    ExpectEqualAsJson(Converted(older(before), Family::k05), newer(after));
    ExpectEqualAsJson(Converted(newer(after), Family::k041), older(before));
  }
  for (const char* const wrong : {"SUCCESS", "cancelled", "canceled", "Success"}) {
    EXPECT_THAT(FaultsIn(newer(wrong)), ElementsAre("/subject/content/outcome")) << wrong;
  }
  EXPECT_THAT(FaultsIn(newer("cancel")), IsEmpty());
}

TEST(CdEventsTrapsTest, T07OpenEnumsKeepTheirValues) {
  const std::string json =
      Event("ticket.closed.0.2.0",
            R"({"uri":"/t/1","resolution":"won't fix","ticketType":"épopée","priority":"P0"})");
  EXPECT_THAT(FaultsIn(json), IsEmpty());
  ExpectEqualAsJson(ThereAndBack(json), json);
  EXPECT_THAT(FaultsIn(With(json, "won't fix", "")), ElementsAre("/subject/content/resolution"));
}

TEST(CdEventsTrapsTest, T08SourcesAreReferencesAndNeverNormalised) {
  for (const char* const source : {"/event/source/123", "my-git.example/a", "testkube-dev-123",
                                   "https://example.org", "HTTP://Example.org:80/a/../b%c3%a9"}) {
    const std::string json = With(Event("build.queued.0.3.0"), "/jenkins", source);
    const auto admitted = Admit(json);
    CDGATE_ASSERT_OK(admitted) << source;
    EXPECT_EQ(admitted->source(), source);
    EXPECT_EQ(Admit(json)->data(), json);
    EXPECT_THAT(ThereAndBack(json), HasSubstr(source));
  }
  for (const char* const source : {"a b", "/é", "/%", "/%zz", ""}) {
    EXPECT_THAT(FaultsIn(With(Event("build.queued.0.3.0"), "/jenkins", source)),
                ElementsAre("/context/source"))
        << source;
  }
}

TEST(CdEventsTrapsTest, T09SomeUrisAreAbsoluteSince05) {
  EXPECT_THAT(FaultsIn(Older("pipelinerun.queued.0.2.0", "pipelineRun", R"({"url":"job/1"})")),
              IsEmpty());
  EXPECT_THAT(FaultsIn(Event("pipelinerun.queued.0.3.0", R"({"uri":"job/1"})")),
              ElementsAre("/subject/content/uri"));
  event::Bridge bridge;
  EXPECT_THAT(
      bridge.Convert(Older("pipelinerun.queued.0.2.0", "pipelineRun", R"({"url":"job/1"})"),
                     Family::k05),
      test::HasReasonAndMessage(Reason::kNotConvertible, HasSubstr("/subject/content/uri")));
  EXPECT_THAT(FaultsIn(Event("incident.reported.0.3.0",
                             R"({"environment":{"id":"e"},"ticketURI":"example.com/t1"})")),
              ElementsAre("/subject/content/ticketURI"));
  EXPECT_THAT(FaultsIn(Event("artifact.published.0.3.0", R"({"sbom":{"uri":"a/b"}})")), IsEmpty());
  EXPECT_THAT(FaultsIn(With(Event("build.queued.0.3.0"), R"("id":"e1")",
                            R"("id":"e1","schemaUri":"/schema")")),
              ElementsAre("/context/schemaUri"));
}

TEST(CdEventsTrapsTest, T10PackageUrlsAreAdviceAndComparedAsTexts) {
  const auto artifact = [](absl::string_view id) {
    return Event("build.finished.0.3.0", absl::StrCat(R"({"artifactId":")", id, "\"}"));
  };
  EXPECT_THAT(FaultsIn(artifact("banana")), IsEmpty());
  EXPECT_THAT(event::PackageUrlFault("banana"), testing::Ne(std::nullopt));
  for (const char* const id :
       {"pkg:oci/app@sha256%3A0f1e?repository_url=a.example", "pkg:oci/app@sha256:0f1e"}) {
    EXPECT_THAT(ThereAndBack(artifact(id)), HasSubstr(id));
    EXPECT_EQ(Admit(artifact(id))->data(), artifact(id));
  }
}

TEST(CdEventsTrapsTest, T11TimestampsKeepTheirForm) {
  for (const char* const time :
       {"2024-12-18T17:58:39.674637507+00:00", "2024-12-18T18:58:39.674637507+01:00",
        "2024-12-18 17:58:39.674637507Z", "2024-12-18t17:58:39.674637507z",
        "2024-12-18T17:58:39.674637507+0000"}) {
    const std::string json = With(Event("build.queued.0.3.0"), "2026-01-02T03:04:05Z", time);
    const auto admitted = Admit(json);
    CDGATE_ASSERT_OK(admitted) << time;
    EXPECT_EQ(admitted->data(), json);
    EXPECT_EQ(absl::ToUnixNanos(admitted->time()), 1734544719674637507) << time;
    EXPECT_THAT(ThereAndBack(json), HasSubstr(time));
    EXPECT_THAT(Converted(json, Family::k041), HasSubstr(time));
  }
  for (const char* const time : {"2026-01-02T03:04:05", "2026-01-02T24:00:00Z", ""}) {
    EXPECT_THAT(FaultsIn(With(Event("build.queued.0.3.0"), "2026-01-02T03:04:05Z", time)),
                ElementsAre("/context/timestamp"));
  }
  EXPECT_THAT(
      FaultsIn(With(Event("build.queued.0.3.0"), "2026-01-02T03:04:05Z", "2026-12-31T23:59:60Z")),
      IsEmpty());
}

// What is deduplicated by is the id within the data.
TEST(CdEventsTrapsTest, T12TheIdIsTheOneInTheData) {
  CloudEvent envelope = Enveloped(Event("build.queued.0.3.0"));
  envelope.set_id("another");
  const auto admitted = Admit(envelope);
  CDGATE_ASSERT_OK(admitted);
  EXPECT_EQ(admitted->id(), "e1");
  EXPECT_NE(admitted->notes() & event::kNoteOuterDisagrees, 0u);
  CloudEvent canonical;
  ASSERT_TRUE(canonical.ParseFromString(std::string(admitted->cloud_event())));
  EXPECT_EQ(canonical.id(), "e1");
}

// Rules look at type and source; an envelope that lies about them is not let in.
TEST(CdEventsTrapsTest, T13EnvelopesThatDisagree) {
  CloudEvent envelope = Enveloped(Event("build.queued.0.3.0"));
  envelope.set_source("/other");
  EXPECT_THAT(Admit(envelope), test::HasReason(Reason::kEnvelopeMismatch));
  envelope = Enveloped(Event("build.queued.0.3.0"));
  envelope.set_type("dev.cdevents.build.queued.0.2.0");
  EXPECT_THAT(Admit(envelope), test::HasReason(Reason::kEnvelopeMismatch));
  // Time and subject disagree routinely.
  envelope = Enveloped(Event("build.queued.0.3.0"));
  (*envelope.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1);
  (*envelope.mutable_attributes())["subject"].set_ce_string("other");
  const auto admitted = Admit(envelope);
  CDGATE_ASSERT_OK(admitted);
  EXPECT_EQ(admitted->subject(), "s");
  EXPECT_EQ(absl::ToUnixSeconds(admitted->time()), 1767323045);
  EXPECT_NE(admitted->notes() & event::kNoteOuterDisagrees, 0u);
}

TEST(CdEventsTrapsTest, T14TheSameMajorIsNotCompatible) {
  const std::string uri = R"({"uri":"https://a.example/1"})";
  EXPECT_THAT(FaultsIn(Older("pipelinerun.queued.0.2.0", "pipelineRun", uri)),
              ElementsAre("/subject/content/uri"));
  EXPECT_THAT(FaultsIn(Event("pipelinerun.queued.0.3.0", With(uri, "uri", "url"))),
              ElementsAre("/subject/content/url"));
  // A type that no release has is not taken for the nearest one.
  event::JsonParser parser;
  CDGATE_ASSERT_OK(parser.ParseIJson(Event("pipelinerun.queued.0.4.0", uri)));
  Envelope envelope;
  EXPECT_EQ(Judge(parser.document(), &envelope), Verdict::kUnknownType);
}

TEST(CdEventsTrapsTest, T15ReleasesWithBrokenSchemas) {
  for (const char* const type : {"pipelinerun.finished.0.3.0", "testcaserun.finished.0.3.0",
                                 "testsuiterun.finished.0.3.0"}) {
    const bool run = type[0] == 'p';
    const std::string json =
        With(Event(type, run ? R"({"outcome":"error"})"
                             : R"({"outcome":"error","environment":{"id":"e"}})"),
             "0.5.1", "0.5.0");
    EXPECT_THAT(FaultsIn(json), IsEmpty()) << type;
  }
  const std::string first = absl::StrReplaceAll(
      Older("build.queued.0.2.0", "build"),
      {{"0.4.1", "0.4.0"},
       {R"("id":"e1")", R"("id":"e1","chain_id":"c","links":[{"linkType":"END"}])"}});
  EXPECT_THAT(FaultsIn(first), IsEmpty());
  EXPECT_THAT(FaultsIn(With(first, "0.4.0", "0.4.1")), ElementsAre("/context/chain_id"));
  EXPECT_THAT(Converted(first, Family::k05), HasSubstr(R"("chainId":"c")"));
}

// Whatever way a schema refers to that of links, they are judged, by rules that are part of
// the program.
TEST(CdEventsTrapsTest, T16LinksAreJudgedInEveryReleaseThatHasThem) {
  const std::string wrong = R"("id":"e1","links":[{"linkType":"PATH"}])";
  const std::vector<std::string> events = {
      With(Older("build.queued.0.2.0", "build"), "0.4.1", "0.4.0"),
      Older("build.queued.0.2.0", "build"), Event("build.queued.0.3.0"),
      With(Event("build.queued.0.3.0"), "0.5.1", "0.6.0-draft")};
  for (const std::string& event : events) {
    EXPECT_THAT(FaultsIn(With(event, R"("id":"e1")", wrong)), ElementsAre("/context/links/0/from"))
        << event;
  }
  EXPECT_THAT(FaultsIn(With(Older("build.queued.0.1.1", "build"), R"("id":"e1")", wrong)),
              ElementsAre("/context/links"));
}

TEST(CdEventsTrapsTest, T17SchemaUriIsNotFollowed) {
  const std::string json = With(Event("build.queued.0.3.0"), R"("id":"e1")",
                                R"("id":"e1","schemaUri":"http://127.0.0.1:1/schema/custom")");
  EXPECT_THAT(FaultsIn(json), IsEmpty());
  CDGATE_EXPECT_OK(Admit(json));
  event::JsonParser parser;
  CDGATE_ASSERT_OK(parser.ParseIJson(json));
  Envelope envelope;
  Judge(parser.document(), &envelope);
  EXPECT_EQ(envelope.schema_uri, "http://127.0.0.1:1/schema/custom");
}

TEST(CdEventsTrapsTest, T18ChainsAndLinksGoTheirOwnWays) {
  const std::string json = Event("build.queued.0.3.0");
  for (const char* const more : {R"("chainId":"no uuid")", R"("links":[{"linkType":"END"}])",
                                 R"("chainId":" ","links":[])"}) {
    EXPECT_THAT(FaultsIn(With(json, R"("id":"e1")", absl::StrCat(R"("id":"e1",)", more))),
                IsEmpty())
        << more;
  }
  EXPECT_THAT(FaultsIn(With(json, R"("id":"e1")", R"("id":"e1","chainId":"")")),
              ElementsAre("/context/chainId"));
}

// The schemas of these two have keywords that a strict validator does not know, and formats
// that one has to be told to look at.
TEST(CdEventsTrapsTest, T19FormatsCountAndAnnotationsDoNot) {
  const std::string output = Event("testoutput.published.0.3.0",
                                   R"({"outputType":"report","format":"x","uri":"https://a.b"})");
  EXPECT_THAT(FaultsIn(output), IsEmpty());
  EXPECT_THAT(FaultsIn(With(output, "https://a.b", "a.b")), ElementsAre("/subject/content/uri"));
  const std::string draft =
      With(Event("approval.created.0.1.0", R"({"approvalDetailsUrl":"u","resourceTargetUrl":"t",)"
                                           R"("requestor":"mailto:a@b"})"),
           "0.5.1", "0.6.0-draft");
  EXPECT_THAT(FaultsIn(draft), IsEmpty());
  EXPECT_THAT(FaultsIn(With(draft, "mailto:a@b", "a")), ElementsAre("/subject/content/requestor"));
}

// In the message the subject is what it is; header fields, where it is percent-encoded once,
// are tested in tests/gateway/http.
TEST(CdEventsTrapsTest, T20SubjectsAreCarriedAsTheyAre) {
  for (const char* const id : {"pkg:oci/app@sha256%3A0f1e", "a b/c@d", "é😀", "100%25"}) {
    const std::string json =
        With(Event("build.queued.0.3.0"), R"("id":"s")", absl::StrCat(R"("id":")", id, "\""));
    event::Admitter admitter;
    const auto admitted = admitter.AdmitCdEventJson(json);
    CDGATE_ASSERT_OK(admitted) << id;
    CloudEvent canonical;
    ASSERT_TRUE(canonical.ParseFromString(std::string(admitted->cloud_event())));
    EXPECT_EQ(canonical.attributes().at("subject").ce_string(), id);
    EXPECT_EQ(admitted->subject(), id);
  }
}

// Which of a request's header fields count is tested in tests/gateway/http; here is what a
// body, and what an attribute, is taken for.
TEST(CdEventsTrapsTest, T21ContentTypesForTheSameThing) {
  const std::string json = Event("build.queued.0.3.0");
  for (const char* const type : {"application/json", "application/json; charset=utf-8",
                                 "application/cloudevents+json", "text/json"}) {
    CloudEvent envelope = Enveloped(json);
    (*envelope.mutable_attributes())["datacontenttype"].set_ce_string(type);
    CDGATE_EXPECT_OK(Admit(envelope)) << type;
  }
  CloudEvent envelope = Enveloped(json);
  (*envelope.mutable_attributes())["datacontenttype"].set_ce_string("text/plain");
  EXPECT_FALSE(Admit(envelope).ok());
  event::JsonParser parser;
  EXPECT_FALSE(event::LooksStructured(*parser.ParseIJson(json)));
  const std::string structured = absl::StrCat(
      R"({"specversion":"1.0","id":"e1","source":"/jenkins","type":"dev.cdevents.build.queued.0.3.0","data":)",
      json, "}");
  EXPECT_TRUE(event::LooksStructured(*parser.ParseIJson(structured)));
  event::StructuredReader reader;
  CloudEvent read;
  CDGATE_ASSERT_OK(reader.Read(structured, &read));
  EXPECT_EQ(Admit(read)->data(), json);
}

}  // namespace
}  // namespace cdgate::cdevents
