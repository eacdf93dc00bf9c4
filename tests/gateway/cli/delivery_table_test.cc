#include "gateway/cli/delivery_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/cli/format.h"
#include "tests/support/golden.h"

namespace cdgate::cli {
namespace {

const absl::Time kNow =
    absl::FromCivil(absl::CivilSecond(2026, 11, 29, 12, 0, 0), absl::UTCTimeZone());

struct Sample {
  uint64_t sequence;
  std::string type;
  std::string subject;
  std::string origin = "alpha.example";
  absl::Duration age = absl::Seconds(3);
  std::string outcome = {};
  uint32_t attempt = 1;
  std::string rule = {};
};

events::v1::DeliveredEvent Delivered(const Sample& sample) {
  events::v1::DeliveredEvent delivered;
  delivered.set_sequence(sample.sequence);
  delivered.set_origin(sample.origin);
  delivered.set_attempt(sample.attempt);
  delivered.set_import_rule(sample.rule);
  *delivered.mutable_accept_time() = ToProto(kNow - sample.age);
  delivered.mutable_event()->set_id("271069a8-fc18-44f1-b38f-9d70a1695819");
  delivered.mutable_event()->set_type(absl::StrCat("dev.cdevents.", sample.type));
  delivered.mutable_event()->set_binary_data(absl::StrCat(
      R"({"context":{},"subject":{"id":")", sample.subject, R"(","content":{)",
      sample.outcome.empty() ? "" : absl::StrCat(R"("outcome":")", sample.outcome, R"(")"), "}}}"));
  return delivered;
}

const Sample kSamples[] = {
    {.sequence = 7, .type = "pipelinerun.queued.0.3.0", .subject = "run-1207"},
    {.sequence = 8,
     .type = "pipelinerun.finished.0.3.0",
     .subject = "run-1207",
     .age = absl::Minutes(5),
     .outcome = "success"},
    {.sequence = 123456,
     .type = "testsuiterun.finished.0.3.0",
     .subject = "suites/integration/long-running/nightly-with-a-long-name",
     .origin = "a-domain-with-a-long-name.research.example",
     .age = absl::Hours(49),
     .outcome = "failure",
     .attempt = 3,
     .rule = "all-builds-of-theirs@12"},
    {.sequence = 9,
     .type = "artifact.published.0.3.0",
     .subject = "pkg:oci/a@sha256%3A0123",
     .age = -absl::Hours(1),
     .attempt = 2,
     .rule = "releases@3"}};

std::string Table(size_t width, bool colours = false) {
  std::ostringstream out;
  DeliveryTable table({.out = out,
                       .colours = colours,
                       .width = [width] { return width; },
                       .now = [] { return kNow; }});
  table.Begin();
  for (const Sample& sample : kSamples) table.Print(Delivered(sample));
  return out.str();
}

TEST(DeliveryTableTest, FitsTheWidth) {
  std::string text;
  for (const size_t width : {0u, 20u, 60u, 80u, 100u, 132u, 160u, 250u}) {
    const std::string table = Table(width);
    absl::StrAppend(&text, "--- ", width, " columns\n", table);
    for (const absl::string_view line : absl::StrSplit(table, '\n')) {
      const size_t most = width == 0 ? kTableWidth : std::max<size_t>(width, 60);
      // A sequence of six digits pushes the rest by one.
      EXPECT_LE(Width(line), most + 1) << line;
    }
  }
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/cli/testdata/delivery_table.txt", text));
}

TEST(DeliveryTableTest, ColoursAreOfTerminalsAlone) {
  EXPECT_EQ(Table(100).find('\x1b'), std::string::npos);
  EXPECT_TRUE(test::MatchesGolden("tests/gateway/cli/testdata/delivery_table_colours.txt",
                                  Table(100, true)));
}

TEST(DeliveryTableTest, AWidthThatChangesGetsNewTitles) {
  size_t width = 80;
  std::ostringstream out;
  DeliveryTable table({.out = out, .width = [&] { return width; }, .now = [] { return kNow; }});
  table.Begin();
  table.Print(Delivered(kSamples[0]));
  width = 120;
  table.Print(Delivered(kSamples[1]));
  table.Print(Delivered(kSamples[3]));
  int titles = 0;
  for (const absl::string_view line : absl::StrSplit(out.str(), '\n')) {
    titles += line.substr(0, 3) == "SEQ" ? 1 : 0;
  }
  EXPECT_EQ(titles, 2);
}

// Texts are other domains' to choose.
TEST(DeliveryTableTest, WhatIsNoTextDoesNotReachTheTerminal) {
  std::ostringstream out;
  DeliveryTable table({.out = out, .now = [] { return kNow; }});
  events::v1::DeliveredEvent hostile = Delivered({.sequence = 1, .type = "x", .subject = "s"});
  hostile.set_origin("a\x1b[2Jb\nc");
  hostile.mutable_event()->set_binary_data("[");
  table.Print(hostile);
  const std::string text = out.str();
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_NE(text.find("a [2Jb c"), std::string::npos) << text;
}

TEST(AgeTextTest, HasOneUnit) {
  EXPECT_EQ(AgeText(-absl::Seconds(9)), "0s");
  EXPECT_EQ(AgeText(absl::Milliseconds(59'999)), "59s");
  EXPECT_EQ(AgeText(absl::Seconds(60)), "1m");
  EXPECT_EQ(AgeText(absl::Minutes(119)), "1h");
  EXPECT_EQ(AgeText(absl::Hours(47)), "47h");
  EXPECT_EQ(AgeText(absl::Hours(24 * 400)), "400d");
}

}  // namespace
}  // namespace cdgate::cli
