// event list and trace, against a gateway whose answers the test decides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/base/errors.h"
#include "gateway/cli/cli.h"
#include "tests/gateway/cli/cli_run.h"
#include "tests/gateway/cli/fake_gateway.h"

namespace cdgate::cli {
namespace {

using events::v1::ListEventsRequest;
using events::v1::ListEventsResponse;
using events::v1::TraceRequest;
using events::v1::TraceResponse;
using testing::HasSubstr;

class EventVerbsTest : public testing::Test {
 protected:
  CliRun Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--gateway", gateway_.address()});
    return RunCli(arguments);
  }
  FakeGateway gateway_;
};

TEST_F(EventVerbsTest, ListAsksForWhatTheFlagsSay) {
  ListEventsResponse page;
  auto& event = *page.add_events();
  event.set_sequence(42);
  event.set_origin("alpha.example");
  event.set_attempt(1);
  event.mutable_event()->set_binary_data("{\"n\":1}");
  page.set_looked_at(7);
  gateway_.Answer("ListEvents", page);
  const CliRun run = Run({"event",     "list",
                          "--type",    "dev.%",
                          "--source",  "/ci",
                          "--subject", "b",
                          "--origin",  "alpha.example",
                          "--plane",   "resource",
                          "--filter",  "true",
                          "--since",   "2026-01-01T00:00:00Z",
                          "--until",   "2026-01-02T00:00:00Z",
                          "--max",     "5",
                          "-o",        "json"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_EQ(run.out,
            "{\"sequence\":42,\"origin\":\"alpha.example\",\"attempt\":1,\"event\":{\"n\":1}}\n");
  EXPECT_EQ(run.err, "");
  ListEventsRequest request;
  ASSERT_TRUE(gateway_.LastRequest("ListEvents", &request));
  EXPECT_EQ(request.ShortDebugString(),
            "page_size: 5 filter: \"true\" type: \"dev.%\" source: \"/ci\" subject: \"b\" "
            "origin: \"alpha.example\" plane: \"resource\" start_time { seconds: 1767225600 } "
            "end_time { seconds: 1767312000 } newest_first: true");
}

TEST_F(EventVerbsTest, ListSaysHowToGoOn) {
  ListEventsResponse page;
  page.add_events()->set_sequence(42);
  page.set_looked_at(20'000);
  page.mutable_reached_time()->set_seconds(1767225600);
  page.set_next_page_token("more");
  gateway_.Answer("ListEvents", page);
  const CliRun run =
      Run({"event", "list", "--max", "1", "--oldest-first", "--since", "2026-01-01T00:00:00Z"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_EQ(run.err,
            "looked at 20000 events, as far as 2026-01-01T00:00:00Z; there may be more: go on with "
            "the same flags and --page-token more --since 2026-01-01T00:00:00Z\n");
}

TEST_F(EventVerbsTest, NothingThatFitsIsANo) {
  gateway_.Answer("ListEvents", ListEventsResponse());
  const CliRun run = Run({"event", "list"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.err, "no such event; there is no event in that time\n");
  EXPECT_EQ(Run({"event", "list", "--since", "yesterday"}).code, kExitUsage);
  EXPECT_EQ(Run({"event", "list", "--max", "0"}).code, kExitUsage);
}

TEST_F(EventVerbsTest, TraceShowsTheTree) {
  TraceResponse page;
  page.set_chain_id("c1");
  auto& event = *page.add_events();
  event.set_sequence(3);
  event.set_type("dev.cdevents.build.finished.0.3.0");
  event.set_in_chain(true);
  gateway_.Answer("Trace", page);
  const CliRun run = Run({"trace", "c1", "--since", "2026-01-01T00:00:00Z", "--depth", "0"});
  EXPECT_EQ(run.code, kExitDone) << run.err;
  EXPECT_THAT(run.out, HasSubstr("chain c1: 1 event\n"));
  EXPECT_THAT(run.out, HasSubstr("\n3       build.finished.0.3.0 "));
  TraceRequest request;
  ASSERT_TRUE(gateway_.LastRequest("Trace", &request));
  EXPECT_EQ(request.ShortDebugString(),
            "chain_id: \"c1\" start_time { seconds: 1767225600 } max_depth: 0");
  EXPECT_THAT(Run({"trace", "c1", "-o", "json"}).out, HasSubstr("\"chain_id\": \"c1\""));
}

TEST_F(EventVerbsTest, TraceOfNothingIsANo) {
  TraceResponse page;
  page.set_chain_id("c1");
  page.set_looked_at(7);
  gateway_.Answer("Trace", page);
  const CliRun run = Run({"trace", "--event", "e", "--source", "/ci", "--origin", "beta.example"});
  EXPECT_EQ(run.code, kExitNo);
  EXPECT_EQ(run.err, "no event of chain c1 that your grants cover; looked at 7 events\n");
  TraceRequest request;
  ASSERT_TRUE(gateway_.LastRequest("Trace", &request));
  EXPECT_EQ(request.event().ShortDebugString(),
            "id: \"e\" source: \"/ci\" origin: \"beta.example\"");
  EXPECT_EQ(Run({"trace"}).code, kExitUsage);
  EXPECT_EQ(Run({"trace", "c1", "--event", "e"}).code, kExitUsage);
}

TEST_F(EventVerbsTest, TraceStopsAtItsMost) {
  TraceResponse page;
  page.set_chain_id("c1");
  page.add_events()->set_sequence(3);
  page.mutable_events(0)->set_in_chain(true);
  page.set_next_page_token("more");
  gateway_.Answer("Trace", page);
  const CliRun run = Run({"trace", "c1", "--max", "1"});
  EXPECT_EQ(run.code, kExitDone);
  EXPECT_THAT(run.err, HasSubstr("stopped after 1 event; --max takes more"));
}

}  // namespace
}  // namespace cdgate::cli
