// The validator that other tests compare with says what is known of the official events.
#include "tests/conformance/ajv_oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "gateway/base/file.h"
#include "tests/support/status_matchers.h"
#include "tests/support/test_data.h"

namespace cdgate::test {
namespace {

using testing::ElementsAre;

// The official event of a file there, "v0.5.1/conformance/build_queued.json".
std::string Official(const std::string& file) {
  return base::ReadFile(TestData("cdevents") + "/" + file).value_or("");
}

// The event with `from`, which it has, replaced.
std::string Changed(const std::string& file, const std::string& from, const std::string& to) {
  std::string text = Official(file);
  const int times = absl::StrReplaceAll({{from, to}}, &text);
  EXPECT_GT(times, 0) << file << " has no " << from;
  return text;
}

std::vector<OracleQuestion> OfficialEvents(const std::string& release) {
  std::vector<OracleQuestion> questions;
  for (const char* folder : {"examples", "conformance", "custom"}) {
    const std::string path = TestData("cdevents") + "/" + release + "/" + folder;
    if (!std::filesystem::exists(path)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().filename() == "schema.json") continue;
      questions.push_back({"", "", *base::ReadFile(entry.path())});
    }
  }
  return questions;
}

#define ASK_OR_SKIP(verdicts, ...)                                                         \
  const auto answered = AskAjv(__VA_ARGS__);                                               \
  if (absl::IsUnavailable(answered.status())) GTEST_SKIP() << answered.status().message(); \
  CDGATE_ASSERT_OK(answered);                                                              \
  const std::vector<OracleVerdict>& verdicts = *answered

TEST(AjvOracleTest, EveryOfficialEventIsValid) {
  std::vector<OracleQuestion> questions;
  for (const auto& [release, count] :
       {std::pair("v0.3.0", 39), std::pair("v0.4.1", 46), std::pair("v0.5.1", 46)}) {
    std::vector<OracleQuestion> events = OfficialEvents(release);
    EXPECT_EQ(events.size(), TestData("cdevents").empty() ? 0u : static_cast<size_t>(count));
    // By the type, in its own release, and in all.
    questions.insert(questions.end(), events.begin(), events.end());
    for (OracleQuestion& question : events) question.release = release;
    questions.insert(questions.end(), events.begin(), events.end());
  }
  ASK_OR_SKIP(verdicts, questions);
  for (size_t i = 0; i < questions.size(); ++i) {
    EXPECT_TRUE(verdicts[i].valid) << questions[i].text;
    EXPECT_THAT(verdicts[i].faults, ElementsAre());
  }
}

TEST(AjvOracleTest, FaultsSayWhereAndWhat) {
  const std::string run = "v0.5.1/conformance/pipelinerun_finished.json";
  ASK_OR_SKIP(
      verdicts,
      {{"", "", Changed(run, "\"specversion\"", "\"version\"")},
       {"", "", Changed(run, "\"outcome\": \"", "\"outcome\": \"un")},
       {"", "", Changed(run, "\"uri\": \"", "\"uri\": \"no scheme")},
       {"", "", Changed(run, "\"errors\"", "\"a/b~c\"")},
       {"v0.4.1", "pipelinerunfinished", Official(run)},
       {"v0.5.1", "links/linkstart", R"({"chainId":"","linkType":"START","start":{}})"},
       {"v0.5.1", "custom", Changed("v0.5.1/custom/conformance.json", "dev.cdeventsx.", "x.")}});
  EXPECT_THAT(verdicts[0].faults,
              ElementsAre(OracleFault{"/context/specversion", "required"},
                          OracleFault{"/context/version", "additionalProperties"}));
  EXPECT_THAT(verdicts[1].faults, ElementsAre(OracleFault{"/subject/content/outcome", "enum"}));
  EXPECT_THAT(verdicts[2].faults, ElementsAre(OracleFault{"/subject/content/uri", "format"}));
  EXPECT_THAT(verdicts[3].faults,
              ElementsAre(OracleFault{"/subject/content/a~1b~0c", "additionalProperties"}));
  EXPECT_THAT(verdicts[4].faults, testing::Contains(OracleFault{"/context/type", "enum"}));
  EXPECT_THAT(verdicts[5].faults, ElementsAre(OracleFault{"/timestamp", "required"},
                                              OracleFault{"/chainId", "minLength"},
                                              OracleFault{"/start/contextId", "required"}));
  EXPECT_THAT(verdicts[6].faults, ElementsAre(OracleFault{"/context/type", "pattern"}));
  for (const OracleVerdict& verdict : verdicts) EXPECT_FALSE(verdict.valid);
}

TEST(AjvOracleTest, FaultsOfLinksAreThoseOfEveryKind) {
  const std::string run = "v0.5.1/conformance/pipelinerun_finished.json";
  ASK_OR_SKIP(verdicts,
              {{"", "", Changed(run, "\"linkType\": \"PATH\"", "\"linkType\": \"WAY\"")}});
  ASSERT_FALSE(verdicts[0].valid);
  EXPECT_THAT(verdicts[0].faults.back().keyword, "anyOf");
  EXPECT_GT(verdicts[0].faults.size(), 3u);
}

// Of these two no files are at hand.
TEST(AjvOracleTest, MakesTheSchemasOfTwoReleasesFromTheCatalogue) {
  const std::string older = "v0.4.1/conformance/ticket_closed.json";
  const std::string newer = "v0.5.1/conformance/taskrun_finished.json";
  const std::string chained = Changed(older, "\"timestamp\"", "\"chain_id\": \"c\", \"timestamp\"");
  std::vector<OracleQuestion> questions = {
      {"v0.4.0", "", Changed(older, "\"resolution\": \"", "\"resolution\": \"un")},
      {"v0.4.0", "", chained},
      {"0.6.0-draft", "", Official(newer)},
      {"0.6.0-draft", "custom", Official("v0.5.1/custom/conformance.json")},
      {"v0.4.1", "", chained},
      {"0.6.0-draft", "", Changed(newer, "\"outcome\": \"", "\"outcome\": \"un")},
      {"0.6.0-draft", "links/linkrelation", R"({"chainId":"c","linkType":"RELATION",
          "timestamp":"2026-01-02T03:04:05Z","source":{"domainId":"x"},"target":{}})"}};
  for (OracleQuestion& question : OfficialEvents("v0.4.1")) {
    questions.push_back({"v0.4.0", "", question.text});
  }
  ASK_OR_SKIP(verdicts, questions);
  for (size_t i = 0; i < questions.size(); ++i) {
    const bool wrong = i >= 4 && i <= 6;
    EXPECT_EQ(verdicts[i].valid, !wrong) << questions[i].text;
  }
  EXPECT_THAT(verdicts[4].faults,
              ElementsAre(OracleFault{"/context/chain_id", "additionalProperties"}));
  EXPECT_THAT(verdicts[5].faults, ElementsAre(OracleFault{"/subject/content/outcome", "enum"}));
  EXPECT_THAT(verdicts[6].faults, testing::Contains(OracleFault{"/source/domainId", "pattern"}));
}

TEST(AjvOracleTest, WhatHasNoSchemaIsNotValid) {
  ASK_OR_SKIP(verdicts, {{"", "", "{"},
                         {"", "", "7"},
                         {"", "", R"({"context":{"type":"dev.cdevents.build.queued.9.0.0"}})"},
                         {"", "", R"({"context":{"type":"dev.cdeventsx.a-b.c.0.1.0"}})"},
                         {"v0.3.0", "", Official("v0.5.1/custom/conformance.json")}});
  EXPECT_THAT(verdicts[0].faults, ElementsAre(OracleFault{"", "json"}));
  EXPECT_THAT(verdicts[1].faults, ElementsAre(OracleFault{"/context/type", "schema"}));
  EXPECT_THAT(verdicts[2].faults, ElementsAre(OracleFault{"/context/type", "schema"}));
  // By the schema of v0.4.1.
  EXPECT_THAT(verdicts[3].faults, testing::Contains(OracleFault{"/context/version", "required"}));
  EXPECT_THAT(verdicts[4].faults, ElementsAre(OracleFault{"/context/type", "schema"}));
}

TEST(AjvOracleTest, TextsOfEveryKindArriveWhole) {
  std::vector<OracleQuestion> questions;
  const std::string run = "v0.5.1/conformance/build_queued.json";
  const std::string odd = "\u2028\u2029\xf0\x9f\x9a\x80\\u0000\x7f";
  for (int i = 0; i < 20'000; ++i) {
    questions.push_back({"", "",
                         i % 2 == 0
                             ? Changed(run, "\"content\": {", "\"content\": {\"" + odd + "\":1")
                             : Official(run)});
  }
  ASK_OR_SKIP(verdicts, questions);
  const OracleFault fault{
      "/subject/content/\u2028\u2029\xf0\x9f\x9a\x80" + std::string(1, '\0') + "\x7f",
      "additionalProperties"};
  for (size_t i = 0; i < questions.size(); i += 2) {
    ASSERT_THAT(verdicts[i].faults, ElementsAre(fault));
    ASSERT_TRUE(verdicts[i + 1].valid);
  }
}

TEST(AjvOracleTest, AQuestionThatCannotBeAnsweredIsAnError) {
  const auto verdicts = AskAjv({{"v0.5.1", "nothing", "{}"}});
  if (absl::IsUnavailable(verdicts.status())) GTEST_SKIP() << verdicts.status().message();
  EXPECT_EQ(verdicts.status().code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(verdicts.status().message()), testing::HasSubstr("no schema nothing"));
}

}  // namespace
}  // namespace cdgate::test
