#include "gateway/api/trace_api.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gateway/api/trace_page.h"
#include "tests/gateway/api/event_world.h"

namespace cdgate::api {
namespace {

using base::Reason;
using events::v1::TracedEvent;
using events::v1::TracedLink;
using events::v1::TraceRequest;
using events::v1::TraceResponse;
using test::HasReason;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class TraceApiTest : public EventWorld {
 protected:
  TraceApiTest() : api_(*world_.store, *world_.log, index_, grants_, pool_) {
    CDGATE_EXPECT_OK(api_.Register(router_));
  }

  static TraceRequest Chain(const std::string& chain) {
    TraceRequest request;
    request.set_chain_id(chain);
    return request;
  }
  absl::StatusOr<TraceResponse> Trace(const TraceRequest& request) {
    return Call<TraceResponse>("Trace", request);
  }
  // Of one page: "id" where it is of the chain, "(id)" where links lead to it.
  std::vector<std::string> Ids(const TraceRequest& request) {
    const auto page = Trace(request);
    if (!page.ok()) return {page.status().ToString()};
    std::vector<std::string> ids;
    for (const TracedEvent& event : page->events()) {
      ids.push_back(event.in_chain() ? event.id() : absl::StrCat("(", event.id(), ")"));
    }
    return ids;
  }
  // The links of event `id`: "type id target sequences".
  std::vector<std::string> Links(const TraceRequest& request, const std::string& id) {
    const auto page = Trace(request);
    if (!page.ok()) return {page.status().ToString()};
    std::vector<std::string> links;
    for (const TracedEvent& event : page->events()) {
      if (event.id() != id) continue;
      for (const TracedLink& link : event.links()) {
        links.push_back(absl::StrCat(LinkType_Name(link.type()).substr(10), " ", link.context_id(),
                                     " ", LinkTarget_Name(link.target()).substr(12), " ",
                                     absl::StrJoin(link.sequences(), ",")));
      }
    }
    return links;
  }

  TraceApi api_;
};

TEST_F(TraceApiTest, FindsTheChainAndWhatItsLinksLeadTo) {
  Publish({.id = "ticket"});
  Publish({.id = "change", .chain = "c1", .links = {Relation("FIXES", "ticket")}});
  Publish({.id = "other", .chain = "c2"});
  Publish({.id = "build", .chain = "c1", .links = {Path("change")}});
  EXPECT_THAT(Ids(Chain("c1")), ElementsAre("build", "change", "(ticket)"));
  EXPECT_THAT(Links(Chain("c1"), "build"), ElementsAre("PATH change HELD 2"));
  EXPECT_THAT(Links(Chain("c1"), "change"), ElementsAre("RELATION ticket HELD 1"));
  EXPECT_THAT(Ids(Chain("c3")), IsEmpty());
}

TEST_F(TraceApiTest, BeginsWithAnEvent) {
  Publish({.id = "ticket"});
  Publish({.id = "change", .chain = "c1", .links = {Relation("FIXES", "ticket")}});
  Publish({.id = "build", .chain = "c1", .links = {Path("change")}});
  Publish({.id = "alone", .links = {Relation("USES", "build")}});
  TraceRequest request;
  request.mutable_event()->set_id("change");
  EXPECT_THAT(Ids(request), ElementsAre("change", "(ticket)", "build"));
  request.mutable_event()->set_id("alone");
  EXPECT_THAT(Ids(request), ElementsAre("(alone)", "(build)", "(change)", "(ticket)"))
      << "one of no chain: only what links lead to";
  request.mutable_event()->set_id("none");
  EXPECT_THAT(Trace(request), HasReason(Reason::kNotFound));
  request.Clear();
  EXPECT_THAT(Trace(request), HasReason(Reason::kInvalidArgument));
  request.set_chain_id("c1");
  request.set_max_depth(33);
  EXPECT_THAT(Trace(request), HasReason(Reason::kInvalidArgument));
}

TEST_F(TraceApiTest, LinksAreFollowedSoFarAndCirclesEnd) {
  Publish({.id = "a", .links = {Path("c")}});
  Publish({.id = "b", .links = {Path("a"), Path("b")}});
  Publish({.id = "c", .links = {Path("b")}});
  Publish({.id = "of-chain", .chain = "c1", .links = {Relation("USES", "c")}});
  TraceRequest request = Chain("c1");
  EXPECT_THAT(Ids(request), ElementsAre("of-chain", "(c)", "(b)", "(a)"));
  request.set_max_depth(2);
  EXPECT_THAT(Ids(request), ElementsAre("of-chain", "(c)", "(b)"));
  request.set_max_depth(0);
  EXPECT_THAT(Ids(request), ElementsAre("of-chain"));
  EXPECT_THAT(Links(request, "of-chain"), ElementsAre("RELATION c HELD 3")) << "said all the same";
}

TEST_F(TraceApiTest, ShowsWhereTheBoundaryIs) {
  Publish({.id = "theirs",
           .chain = "pseudonym",
           .links = {Path("p1"), Path("p2")},
           .origin = "beta.example",
           .substituted = {"/context/chainId", "/context/links/0/from/contextId"}});
  Publish({.id = "cut", .origin = "gamma.example", .withheld = {"/context/links"}});
  Publish({.id = "ours",
           .chain = "c1",
           .links = {Relation("USES", "theirs"), Relation("USES", "cut"), Path("nowhere"),
                     R"({"linkType":"RELATION","linkKind":"x","target":{"domainId":"d:1"}})"}});
  EXPECT_THAT(Ids(Chain("c1")), ElementsAre("ours", "(theirs)", "(cut)"));
  EXPECT_THAT(Links(Chain("c1"), "ours"),
              ElementsAre("RELATION theirs HELD 1", "RELATION cut HELD 2", "PATH nowhere NOT_HELD ",
                          "RELATION  UNSPECIFIED "));
  EXPECT_THAT(Links(Chain("c1"), "theirs"),
              ElementsAre("PATH p1 SUBSTITUTED ", "PATH p2 NOT_HELD "));
  CDGATE_ASSERT_OK_AND_ASSIGN(const TraceResponse page, Trace(Chain("c1")));
  EXPECT_EQ(page.events(0).links(3).domain_id(), "d:1");
  EXPECT_EQ(page.events(1).received_from(), "beta.example");
  EXPECT_THAT(page.events(1).path(), ElementsAre("beta.example"));
  EXPECT_TRUE(page.events(1).chain_substituted());
  EXPECT_FALSE(page.events(1).links_withheld());
  EXPECT_TRUE(page.events(2).links_withheld());
}

TEST_F(TraceApiTest, OneIdMayBeThatOfSeveralEvents) {
  Publish({.id = "same", .source = "/one"});
  Publish({.id = "same", .source = "/two"});
  Publish({.id = "same", .source = "/one", .origin = "beta.example"});
  Publish({.id = "e", .chain = "c1", .links = {Path("same")}});
  EXPECT_THAT(Links(Chain("c1"), "e"), ElementsAre("PATH same HELD 1,2,3"));
  EXPECT_THAT(Ids(Chain("c1")), ElementsAre("e", "(same)", "(same)", "(same)"));
}

TEST_F(TraceApiTest, WhatIsNotTheCallersIsNotHeld) {
  Publish({.id = "secret", .source = "/hidden", .chain = "c1", .links = {Path("far")}});
  Publish({.id = "far", .chain = "c1"});
  Publish({.id = "e", .chain = "c1", .links = {Path("secret"), Path("removed")}});
  Grant("source <> '/hidden'");
  EXPECT_THAT(Ids(Chain("c1")), ElementsAre("e", "far"));
  EXPECT_THAT(Links(Chain("c1"), "e"),
              ElementsAre("PATH secret NOT_HELD ", "PATH removed NOT_HELD "));
  TraceRequest request;
  request.mutable_event()->set_id("secret");
  EXPECT_THAT(Trace(request), HasReason(Reason::kNotFound));
}

TEST_F(TraceApiTest, SaysWhatRetentionRemovedToWhomMayReadEverything) {
  Publish({.id = "old"});
  world_.clock.Advance(absl::Hours(2));
  Publish({.id = "new", .chain = "c1", .links = {Path("old")}});
  CDGATE_ASSERT_OK(world_.store->ApplyRetention());
  ASSERT_THAT(world_.store->ReadEvent(base::Sequence(1)), HasReason(Reason::kTrimmed));
  EXPECT_THAT(Links(Chain("c1"), "new"), ElementsAre("PATH old REMOVED "));
  Grant("id = 'new'");
  EXPECT_THAT(Links(Chain("c1"), "new"), ElementsAre("PATH old NOT_HELD "));
}

TEST_F(TraceApiTest, AWindowBoundsTheSearchAndNotTheLinks) {
  Publish({.id = "a", .chain = "c1"});
  Publish({.id = "b", .chain = "c1"});
  Publish({.id = "c", .chain = "c1", .links = {Path("a")}});
  TraceRequest request = Chain("c1");
  *request.mutable_start_time() = [this] {
    google::protobuf::Timestamp time;
    time.set_seconds(absl::ToUnixSeconds(world_.clock.Now()));
    return time;
  }();
  EXPECT_THAT(Ids(request), ElementsAre("c", "a"));
}

TEST_F(TraceApiTest, PagesHaveTheWholeChain) {
  std::vector<std::string> expected;
  for (int i = 0; i < 3; ++i) {
    Publish({.id = absl::StrCat("e", i), .chain = "c1"});
    Fill(9000);
    expected.push_back(absl::StrCat("e", i));
  }
  TraceRequest request;
  request.mutable_event()->set_id("e1");
  request.set_page_size(1);
  std::map<std::string, int> found;
  uint64_t looked_at = 0;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const TraceResponse page, Trace(request));
    EXPECT_EQ(page.chain_id(), "c1");
    EXPECT_LE(page.looked_at(), 20'000u);
    looked_at += page.looked_at();
    for (const TracedEvent& event : page.events()) ++found[event.id()];
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(looked_at, 27'003u);
  EXPECT_EQ(found.size(), expected.size());
  TraceRequest other = Chain("c1");
  other.set_page_size(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const TraceResponse page, Trace(other));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(Trace(request), HasReason(Reason::kInvalidArgument)) << "of another query";
}

TEST_F(TraceApiTest, ASearchPassesOverWhatTheIndexKnows) {
  Publish({.id = "e", .chain = "c1"});
  for (int i = 0; i < 30; ++i) Fill(1000);
  CDGATE_ASSERT_OK(index_.Advance(absl::Hours(1)));
  CDGATE_ASSERT_OK_AND_ASSIGN(const TraceResponse page, Trace(Chain("c1")));
  ASSERT_EQ(page.events_size(), 1);
  EXPECT_EQ(page.events(0).id(), "e");
  EXPECT_EQ(page.next_page_token(), "") << "30,001 events in one call";
  EXPECT_LE(page.looked_at(), 3 * eventlog::SearchIndex::kBlockEvents);
}

// What whoever may publish can do at worst: many links, to many events of one id.
TEST_F(TraceApiTest, ForgedLinksAreBounded) {
  std::vector<std::string> links;
  for (int i = 0; i < 100; ++i) links.push_back(Path("same"));
  for (int i = 0; i < 20; ++i)
    Publish({.id = "same", .source = absl::StrCat("/", i), .links = links});
  for (int i = 0; i < 20; ++i) {
    Publish({.id = absl::StrCat("e", i), .chain = "c1", .links = links});
  }
  TraceRequest request = Chain("c1");
  std::map<std::string, int> found;
  int calls = 0;
  do {
    CDGATE_ASSERT_OK_AND_ASSIGN(const TraceResponse page, Trace(request));
    ++calls;
    for (const TracedEvent& event : page.events()) {
      ++found[event.id()];
      EXPECT_EQ(event.links_size(), 64);
      EXPECT_EQ(event.more_links(), 36u);
      for (const TracedLink& link : event.links()) EXPECT_LE(link.sequences_size(), 16);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_GT(calls, 2) << "ids that are looked up end a page";
  EXPECT_EQ(found.size(), 21u);
}

}  // namespace
}  // namespace cdgate::api
