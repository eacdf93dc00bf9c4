#include "gateway/filter/event_context.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/filter/json_event.h"
#include "gateway/filter/program.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/gateway/filter/test_event.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stored_events.h"

namespace cdgate::filter {
namespace {

std::string Result(absl::string_view expression, EventContext& event) {
  const Evaluation outcome = EvaluateSource(expression, event);
  if (outcome.problems.empty()) return outcome.value;
  return std::string(ErrorKindName(outcome.problems.front().kind));
}

TEST(EventContextTest, ReadsTheData) {
  test::TestEvent event;
  event.WithData(R"({"context":{"specversion":"0.5.1","links":[{"linkType":"END"}]},
      "subject":{"id":"pkg:oci/app","content":{"user":null}},
      "customData":{"n":7,"big":12345678901,"huge":18446744073709551615,"half":0.5,"yes":true,
                    "app.kubernetes.io/name":"x","a/b~c":"y","list":[1,[2]],"":"z"}})");
  EventContext context;
  context.Reset(event.parts());
  EXPECT_EQ(Result("CDEVENT('subject.id')", context), "pkg:oci/app");
  EXPECT_EQ(Result("CDEVENT('context.links.0.linkType')", context), "END");
  EXPECT_EQ(Result("CDEVENT('context.links.1.linkType', 'none')", context), "none");
  EXPECT_EQ(Result("CDEVENT('customData.n') + 1", context), "8");
  EXPECT_EQ(Result("CDEVENT('customData.yes')", context), "true");
  EXPECT_EQ(Result("CDEVENT('customData.big')", context), "12345678901");
  EXPECT_EQ(Result("CDEVENT('customData.huge')", context), "18446744073709551615");
  EXPECT_EQ(Result("CDEVENT('customData.half')", context), "functionEvaluation");
  EXPECT_EQ(Result("CDEVENT('customData')", context), "functionEvaluation");
  EXPECT_EQ(Result("CDEVENT('customData', 'default')", context), "functionEvaluation");
  EXPECT_EQ(Result("CDEVENT('/customData/app.kubernetes.io~1name')", context), "x");
  EXPECT_EQ(Result("CDEVENT('/customData/a~1b~0c')", context), "y");
  EXPECT_EQ(Result("CDEVENT('/customData/')", context), "z");
  EXPECT_EQ(Result("CDEVENT('customData.list.1.0')", context), "2");
  EXPECT_EQ(Result("CDEVENT('customData.list.x')", context), "missingAttribute");
  EXPECT_EQ(Result("HAS_CDEVENT('customData')", context), "true");
  EXPECT_EQ(Result("HAS_CDEVENT('subject.content.user')", context), "false");
  EXPECT_EQ(Result("CDEVENT('subject.content.user')", context), "missingAttribute");
  EXPECT_EQ(Result("CDEVENT('subject.id.more', 'none')", context), "none");
  EXPECT_EQ(Result("SPEC_VERSION()", context), "0.5.1");
}

// Admission takes numbers that no machine number holds; they may not hide the rest.
TEST(EventContextTest, NumbersOfAnySizeHideNothing) {
  test::TestEvent event;
  event.WithData(
      R"({"context":{"version":"0.4.1"},"customData":{"team":"core","n":
      835264646968055741582409623273199584874312150963995235,"far":1e999}})");
  EventContext context;
  context.Reset(event.parts());
  EXPECT_EQ(Result("SPEC_VERSION() LIKE '0.4%'", context), "true");
  EXPECT_EQ(Result("CDEVENT('customData.team') = 'core'", context), "true");
  EXPECT_EQ(Result("HAS_CDEVENT('customData.n')", context), "true");
  EXPECT_EQ(Result("CDEVENT('customData.n')", context), "functionEvaluation");
  EXPECT_EQ(Result("CDEVENT('customData.far')", context), "functionEvaluation");
}

TEST(EventContextTest, TheDefaultIsOnlyEvaluatedWhereItIsNeeded) {
  test::TestEvent event;
  event.WithData(R"({"a":"x"})");
  EventContext context;
  context.Reset(event.parts());
  EXPECT_EQ(Result("CDEVENT('a', 1 / 0)", context), "x");
  EXPECT_EQ(Result("CDEVENT('b', 1 / 0)", context), "math");
}

TEST(EventContextTest, DataThatIsNotJsonFailsEveryLook) {
  for (const char* data : {"", "{", "nonsense"}) {
    test::TestEvent event;
    event.WithData(data);
    EventContext context;
    context.Reset(event.parts());
    EXPECT_EQ(Result("CDEVENT('a', 'default')", context), "functionEvaluation");
    EXPECT_EQ(Result("HAS_CDEVENT('a')", context), "functionEvaluation");
    EXPECT_EQ(Result("SPEC_VERSION()", context), "functionEvaluation");
    EXPECT_EQ(context.HasLinksOrChain(), DataLookup::kNoJson);
  }
}

TEST(EventContextTest, OldReleasesNameTheirVersionOtherwise) {
  test::TestEvent event;
  event.WithData(R"({"context":{"version":"0.4.1"}})");
  EventContext context;
  context.Reset(event.parts());
  EXPECT_EQ(Result("SPEC_VERSION()", context), "0.4.1");
  event.WithData("{}");
  context.Reset(event.parts());
  EXPECT_EQ(Result("SPEC_VERSION()", context), "missingAttribute");
}

TEST(EventContextTest, FindsLinksAndChains) {
  struct Case {
    const char* context;
    DataLookup expected;
  };
  const Case cases[] = {
      {R"({"id":"1"})", DataLookup::kAbsent},
      {R"({"links":[]})", DataLookup::kAbsent},
      {R"({"links":null,"chainId":null})", DataLookup::kAbsent},
      {R"({"links":[{}]})", DataLookup::kFound},
      {R"({"links":"x"})", DataLookup::kFound},
      {R"({"chainId":"c"})", DataLookup::kFound},
      {R"({"chain_id":"c"})", DataLookup::kFound},
  };
  for (const Case& test : cases) {
    test::TestEvent event;
    event.WithData(std::string(R"({"context":)") + test.context + "}");
    EventContext context;
    context.Reset(event.parts());
    EXPECT_EQ(context.HasLinksOrChain(), test.expected) << test.context;
  }
}

TEST(EventContextTest, SplitsTypes) {
  struct Case {
    const char* type;
    const char* subject;
    const char* predicate;
    const char* stage;
  };
  const Case cases[] = {
      {"dev.cdevents.build.finished.0.3.0", "build", "finished", "ci"},
      {"dev.cdevents.pipelinerun.queued.0.3.0-draft", "pipelinerun", "queued", "core"},
      {"dev.cdevents.incident.detected.0.3.0", "incident", "detected", "operations"},
      {"dev.cdevents.novelty.created.0.1.0", "novelty", "created", ""},
      {"dev.cdeventsx.mytool-probe.pinged.0.1.0", "mytool-probe", "pinged", "custom"},
      {"dev.cdevents.build", "", "", ""},
      {"dev.cdevents..finished", "", "", ""},
      {"com.example.order.created", "", "", ""},
      {"", "", "", ""},
  };
  for (const Case& test : cases) {
    SCOPED_TRACE(test.type);
    test::TestEvent event;
    event.With("type", test.type);
    EventContext context;
    context.Reset(event.parts());
    EXPECT_EQ(context.subject_type(), test.subject);
    EXPECT_EQ(context.predicate(), test.predicate);
    EXPECT_EQ(context.stage(), test.stage);
  }
}

TEST(EventContextTest, KnowsWhatGatewaysAdded) {
  test::TestEvent event;
  event.fields().plane = "integration-delivery";
  event.fields().hops = 2;
  EventContext context;
  context.Reset(event.parts());
  EXPECT_EQ(Result("ORIGIN()", context), "alpha.example");
  EXPECT_EQ(Result("PLANE()", context), "integration-delivery");
  EXPECT_EQ(Result("HOPS() + 1", context), "3");
  EXPECT_EQ(Result("CLASSIFICATION()", context), "");
  EXPECT_EQ(Result("REGULATION()", context), "");
  event.With("dataclassification", "internal").With("dataregulation", "GDPR");
  event.With("datacategory", "PII");
  context.Reset(event.parts());
  EXPECT_EQ(Result("CLASSIFICATION()", context), "internal");
  EXPECT_EQ(Result("REGULATION()", context), "GDPR");
  EXPECT_EQ(Result("CATEGORY()", context), "PII");
  event.fields().classification = "TLP:AMBER";
  context.Reset(event.parts());
  EXPECT_EQ(Result("CLASSIFICATION()", context), "TLP:AMBER");
}

TEST(EventContextTest, ReadsRecords) {
  io::cloudevents::v1::CloudEvent cloud_event;
  cloud_event.set_id("outer");
  cloud_event.set_source("/alpha/ci");
  cloud_event.set_spec_version("1.0");
  cloud_event.set_type("dev.cdevents.build.finished.0.3.0");
  cloud_event.set_binary_data(R"({"context":{"chainId":"c"}})");
  auto& attributes = *cloud_event.mutable_attributes();
  attributes["subject"].set_ce_string("build-7");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  attributes["team"].set_ce_string("core");
  attributes["flag"].set_ce_boolean(true);
  attributes["count"].set_ce_integer(-3);
  attributes["blob"].set_ce_bytes("ab\xff");
  attributes["link"].set_ce_uri("https://alpha.example/x");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(cloud_event.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_inner_id("inner");
  stored.set_hops(1);
  stored.mutable_terms()->set_onward(2);
  const test::StoredRecord owner(stored);
  const event::Record& record = owner.record;
  EventContext context;
  context.Reset(record);

  EXPECT_EQ(Result("id", context), "inner");
  EXPECT_EQ(Result("source", context), "/alpha/ci");
  EXPECT_EQ(Result("subject", context), "build-7");
  EXPECT_EQ(Result("specversion", context), "1.0");
  EXPECT_EQ(Result("time", context), "2026-01-01T00:00:00Z");
  EXPECT_EQ(Result("team", context), "core");
  EXPECT_EQ(Result("flag", context), "true");
  EXPECT_EQ(Result("count + 1", context), "-2");
  EXPECT_EQ(Result("blob", context), "YWL/");
  EXPECT_EQ(Result("link LIKE 'https:%'", context), "true");
  EXPECT_EQ(Result("EXISTS dataschema", context), "false");
  EXPECT_EQ(Result("CDEVENT('context.chainId')", context), "c");
  EXPECT_EQ(context.byte_size(), stored.cloud_event().size());
  ASSERT_NE(context.terms(), nullptr);
  EXPECT_EQ(context.terms()->onward(), 2u);
}

TEST(EventContextTest, ALabelThatIsNoTextIsNoneWhateverWasReadBefore) {
  io::cloudevents::v1::CloudEvent cloud_event;
  cloud_event.set_id("1");
  (*cloud_event.mutable_attributes())["dataclassification"].set_ce_bytes("secret");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(cloud_event.SerializeAsString());
  const test::StoredRecord owner(stored);
  EventContext context;
  context.Reset(owner.record);
  EXPECT_EQ(Result("CLASSIFICATION()", context), "");
  EXPECT_EQ(Result("dataclassification", context), "c2VjcmV0");
  EXPECT_EQ(Result("CLASSIFICATION()", context), "");
}

TEST(JsonEventTest, TakesAnyCloudEventAsItStands) {
  auto parsed = JsonEvent::Parse(
      R"({"specversion":"1.0","id":"1","source":"/s","type":"my.type","subject":"x","n":-3,
          "flag":true,"half":0.5,"none":null,"time":"2018-04-26T14:48:09+02:00",
          "data":{"a":[{"b":"c"}]}})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const JsonEvent event = *std::move(parsed);
  EventContext context;
  context.Reset(event.parts());
  EXPECT_EQ(Result("type", context), "my.type");
  EXPECT_EQ(Result("subject", context), "x");
  EXPECT_EQ(Result("n + 1", context), "-2");
  EXPECT_EQ(Result("flag", context), "true");
  EXPECT_EQ(Result("half", context), "0.5");
  EXPECT_EQ(Result("EXISTS none", context), "false");
  EXPECT_EQ(Result("time", context), "2018-04-26T14:48:09+02:00");
  EXPECT_EQ(Result("CDEVENT('a.0.b')", context), "c");
}

TEST(JsonEventTest, ReadsDataInBase64) {
  const auto event = JsonEvent::Parse(R"({"specversion":"1.0","data_base64":"eyJhIjoxfQ=="})");
  ASSERT_TRUE(event.ok()) << event.status();
  EventContext context;
  context.Reset(event->parts());
  EXPECT_EQ(Result("CDEVENT('a')", context), "1");
}

TEST(JsonEventTest, RefusesWhatIsNoCloudEvent) {
  using test::HasReason;
  EXPECT_THAT(JsonEvent::Parse(""), HasReason(base::Reason::kInvalidJson));
  EXPECT_THAT(JsonEvent::Parse("{"), HasReason(base::Reason::kInvalidJson));
  EXPECT_THAT(JsonEvent::Parse("{}"), HasReason(base::Reason::kInvalidCloudEvent));
  EXPECT_THAT(JsonEvent::Parse("[1]"), HasReason(base::Reason::kInvalidCloudEvent));
  EXPECT_THAT(JsonEvent::Parse(R"({"specversion":"1.0","x":{}})"),
              HasReason(base::Reason::kInvalidCloudEvent));
}

TEST(EventContextTest, NothingOfOneEventIsLeftForTheNext) {
  test::TestEvent first;
  first.With("team", "core").WithData(R"({"a":"x"})");
  test::TestEvent second;
  second.With("type", "dev.cdevents.artifact.signed.0.3.0").WithData(R"({"b":"y"})");
  EventContext context;
  context.Reset(first.parts());
  EXPECT_EQ(Result("team", context), "core");
  EXPECT_EQ(Result("CDEVENT('a')", context), "x");
  EXPECT_EQ(Result("SUBJECT_TYPE()", context), "build");
  context.Reset(second.parts());
  EXPECT_EQ(Result("team", context), "missingAttribute");
  EXPECT_EQ(Result("CDEVENT('a')", context), "missingAttribute");
  EXPECT_EQ(Result("SUBJECT_TYPE()", context), "artifact");
}

}  // namespace
}  // namespace cdgate::filter
