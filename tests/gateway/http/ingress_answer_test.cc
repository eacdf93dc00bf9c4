#include "gateway/http/ingress_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>
#include <string>

#include "gateway/base/errors.h"
#include "gateway/cdevents/faults.h"

namespace cdgate::http {
namespace {

using base::MakeError;
using base::Reason;
using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

IngressEvents Events(IngressMode mode, std::vector<absl::Status> statuses) {
  IngressEvents events;
  events.mode = mode;
  for (absl::Status& status : statuses) {
    events.events.push_back({"id" + std::to_string(events.events.size()), "/s", "x", status});
  }
  return events;
}

// `body` is one JSON text.
void ExpectJson(const std::string& body) {
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(body).error(), simdjson::SUCCESS) << body;
}

TEST(IngressAnswerTest, EveryReasonHasAStatus) {
  const std::set<int> known = {400, 401, 403, 404, 405, 408, 409,
                               413, 415, 422, 429, 431, 500, 503};
  for (const base::ReasonInfo& info : base::AllReasons()) {
    if (info.code == absl::StatusCode::kOk) continue;
    EXPECT_THAT(known, Contains(StatusOf(info.reason))) << info.text;
  }
}

TEST(IngressAnswerTest, TheStatusesThatToolsActOn) {
  EXPECT_EQ(StatusOf(Reason::kInvalidJson), 400);
  EXPECT_EQ(StatusOf(Reason::kInvalidEvent), 422);
  EXPECT_EQ(StatusOf(Reason::kEnvelopeMismatch), 422);
  EXPECT_EQ(StatusOf(Reason::kAccessTokenExpired), 401);
  EXPECT_EQ(StatusOf(Reason::kSourceNotGranted), 403);
  EXPECT_EQ(StatusOf(Reason::kIdentityConflict), 409);
  EXPECT_EQ(StatusOf(Reason::kTooLarge), 413);
  EXPECT_EQ(StatusOf(Reason::kOverloaded), 429);
  EXPECT_EQ(StatusOf(Reason::kQuota), 429);
  EXPECT_EQ(StatusOf(Reason::kDiskFull), 503);
  EXPECT_EQ(StatusOf(Reason::kDraining), 503);
}

TEST(IngressAnswerTest, WhatCanBeTriedAgainSaysWhen) {
  EXPECT_THAT(ProblemAnswer(MakeError(Reason::kOverloaded, "x")).fields,
              Contains(Pair("Retry-After", "1")));
  EXPECT_THAT(ProblemAnswer(base::WithRetryAfter(MakeError(Reason::kRateExceeded, "x"),
                                                 absl::Milliseconds(2100)))
                  .fields,
              Contains(Pair("Retry-After", "3")));
  EXPECT_THAT(ProblemAnswer(MakeError(Reason::kDiskFull, "x")).fields,
              Contains(Pair("Retry-After", "60")));
  EXPECT_THAT(ProblemAnswer(MakeError(Reason::kUnauthenticatedCall, "x")).fields,
              Contains(Pair("WWW-Authenticate", HasSubstr("Bearer"))));
  EXPECT_THAT(ProblemAnswer(MakeError(Reason::kHttpMethodRefused, "x")).fields,
              Contains(Pair("Allow", "POST, OPTIONS")));
}

TEST(IngressAnswerTest, AProblemDocumentHasTheMembersOfRfc9457) {
  const HttpAnswer answer = ProblemAnswer(MakeError(Reason::kInvalidJson, "it is \"bad\"\n\x01"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.fields, Contains(Pair("Content-Type", "application/problem+json")));
  ExpectJson(answer.body);
  for (const char* member :
       {"\"type\":\"https://cdgate.dev/errors#invalid_json\"", "\"title\":\"", "\"status\":400",
        "\"detail\":\"it is \\\"bad\\\"\\n\\u0001\"", "\"reason\":\"INVALID_JSON\""}) {
    EXPECT_THAT(answer.body, HasSubstr(member));
  }
}

TEST(IngressAnswerTest, AnErrorMadeElsewhereIsInternal) {
  EXPECT_EQ(ProblemAnswer(absl::UnknownError("x")).status, 500);
}

TEST(IngressAnswerTest, FaultsAreListed) {
  cdevents::Faults faults;
  faults.list = {{"/subject/content", "required", ""}, {"/context/id", "type string", "7"}};
  const HttpAnswer answer = ProblemAnswer(cdevents::FaultsError(faults, "build"));
  ExpectJson(answer.body);
  EXPECT_THAT(answer.body,
              HasSubstr(R"("faults":[{"path":"/subject/content","rule":"required","value":""},)"
                        R"({"path":"/context/id","rule":"type string","value":"7"}])"));
}

TEST(IngressAnswerTest, AllOnDiskIs202InOrder) {
  const auto events = Events(IngressMode::kBatch, {absl::OkStatus(), absl::OkStatus()});
  const HttpAnswer answer = ResultsAnswer(
      events, {{base::Sequence(7), false, {}}, {base::Sequence(3), true, {}}}, base::Epoch("e1"));
  EXPECT_EQ(answer.status, 202);
  EXPECT_EQ(answer.body,
            "{\"results\":[{\"id\":\"id0\",\"source\":\"/s\",\"sequence\":7,\"duplicate\":false},"
            "{\"id\":\"id1\",\"source\":\"/s\",\"sequence\":3,\"duplicate\":true}],"
            "\"epoch\":\"e1\"}\n");
}

TEST(IngressAnswerTest, ASingleEventsProblemIsTheAnswers) {
  const auto events = Events(IngressMode::kBinary, {absl::OkStatus()});
  const HttpAnswer answer = ResultsAnswer(
      events, {{base::Sequence(), false, MakeError(Reason::kSourceNotGranted, "no")}}, {});
  EXPECT_EQ(answer.status, 403);
  ExpectJson(answer.body);
  EXPECT_THAT(answer.body, HasSubstr("\"id\":\"id0\""));
}

TEST(IngressAnswerTest, ABatchSaysWhatBecameOfEach) {
  const auto events = Events(IngressMode::kBatch, {MakeError(Reason::kInvalidJson, "a"),
                                                   absl::OkStatus(), absl::OkStatus()});
  const HttpAnswer answer = ResultsAnswer(
      events,
      {{base::Sequence(9), false, {}}, {base::Sequence(), false, MakeError(Reason::kQuota, "c")}},
      base::Epoch("e"));
  EXPECT_EQ(answer.status, 429);  // the greatest: worth a retry
  EXPECT_THAT(answer.fields, Contains(Pair("Retry-After", "1")));
  ExpectJson(answer.body);
  EXPECT_THAT(answer.body, HasSubstr("2 of 3 events were refused"));
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(answer.body);
  simdjson::dom::array results = root["results"];
  ASSERT_EQ(results.size(), 3u);
  EXPECT_EQ(int64_t(results.at(0)["status"]), 400);
  EXPECT_EQ(int64_t(results.at(1)["sequence"]), 9);
  EXPECT_EQ(int64_t(results.at(2)["status"]), 429);
}

TEST(IngressAnswerTest, ALargeProblemSaysLessOfTheEventsThatFollow) {
  cdevents::Faults faults;
  for (int i = 0; i < 40; ++i) {
    faults.list.push_back({"/subject/content/member", "required", std::string(80, 'v')});
  }
  std::vector<absl::Status> statuses(1000, cdevents::FaultsError(faults, "build"));
  IngressEvents events = Events(IngressMode::kBatch, std::move(statuses));
  events.events[998].id = std::string(1 << 20, '\x7f');
  const HttpAnswer answer = ResultsAnswer(events, {}, base::Epoch("e"));
  EXPECT_LT(answer.body.size(), 600u << 10);
  simdjson::dom::parser parser;
  simdjson::dom::element root = parser.parse(answer.body);
  simdjson::dom::array results = root["results"];
  ASSERT_EQ(results.size(), 1000u);
  EXPECT_EQ(results.at(0)["faults"].error(), simdjson::SUCCESS);
  EXPECT_EQ(results.at(999)["faults"].error(), simdjson::NO_SUCH_FIELD);
  for (size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(int64_t(results.at(i)["status"]), 422);
    EXPECT_EQ(std::string_view(results.at(i)["reason"]), "INVALID_EVENT");
    if (i == 998) continue;  // shortened
    EXPECT_EQ(std::string_view(results.at(i)["id"]), "id" + std::to_string(i));
  }
}

TEST(IngressAnswerTest, ALongNameOfARefusedEventIsShortened) {
  auto events = Events(IngressMode::kBatch, {MakeError(Reason::kInvalidJson, "a")});
  events.events[0].id = events.events[0].source = std::string(1 << 20, '\x7f');
  const HttpAnswer answer = ResultsAnswer(events, {}, {});
  ExpectJson(answer.body);
  EXPECT_LT(answer.body.size(), 20u << 10);
}

TEST(IngressAnswerTest, SerialisedAnswersAreFramed) {
  HttpAnswer answer{200, {{"A", "b"}}, "body", true};
  const absl::Time now = absl::FromUnixSeconds(784'111'777);  // the example of RFC 9110, 5.6.7
  EXPECT_EQ(Serialise(answer, now),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nA: b\r\n"
            "Content-Length: 4\r\nConnection: close\r\n\r\nbody");
  EXPECT_THAT(Serialise(answer, now, true), testing::EndsWith("\r\n\r\n"));
  EXPECT_EQ(Serialise({204, {}, "", false}, now),
            "HTTP/1.1 204 No Content\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

TEST(IngressAnswerTest, QuotedTextsAreAlwaysJson) {
  EXPECT_EQ(JsonQuote("Grüße \x7f"), "\"Grüße \\u007f\"");
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text = {static_cast<char>(first), static_cast<char>(second)};
      const std::string quoted = JsonQuote(text);
      ASSERT_TRUE(simdjson::validate_utf8(quoted.data(), quoted.size()));
      simdjson::dom::parser parser;
      ASSERT_EQ(parser.parse(quoted).error(), simdjson::SUCCESS) << quoted;
    }
  }
}

}  // namespace
}  // namespace cdgate::http
