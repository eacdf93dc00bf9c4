#include "gateway/api/event_queries.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "gateway/api/paging.h"
#include "gateway/base/errors.h"
#include "tests/gateway/api/event_world.h"

namespace cdgate::api {
namespace {

using base::Reason;
using events::v1::ListEventsRequest;
using events::v1::ListEventsResponse;
using test::HasReason;
using testing::ElementsAre;
using testing::IsEmpty;

class EventQueriesTest : public EventWorld {
 protected:
  EventQueriesTest() : api_(*world_.store, *world_.log, index_, grants_, pool_) {
    CDGATE_EXPECT_OK(api_.Register(router_));
  }

  absl::StatusOr<ListEventsResponse> List(const ListEventsRequest& request) {
    return Call<ListEventsResponse>("ListEvents", request);
  }
  static std::vector<std::string> IdsOf(const ListEventsResponse& page) {
    std::vector<std::string> ids;
    for (const auto& event : page.events()) ids.push_back(event.event().id());
    return ids;
  }
  // Of all pages; what went wrong where something did.
  std::vector<std::string> Ids(ListEventsRequest request) {
    std::vector<std::string> ids;
    do {
      const auto page = List(request);
      if (!page.ok()) return {page.status().ToString()};
      for (std::string& id : IdsOf(*page)) ids.push_back(std::move(id));
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return ids;
  }
  void PublishFour() {
    Publish({.id = "a", .type = "dev.cdevents.build.queued.0.3.0", .plane = "observability"});
    Publish({.id = "b", .source = "/ci/nightly", .subject = "build-2"});
    Publish({.id = "c", .type = "dev.cdevents.artifact.signed.0.3.0", .origin = "beta.example"});
    Publish({.id = "d", .source = "/cd"});
  }

  EventQueries api_;
};

// What the grants do not cover is not told of: not that it is there, nor whose it is.
TEST_F(EventQueriesTest, AnEventThatIsNotCoveredIsAsIfItWereNotThere) {
  Publish({.id = "a", .source = "/secret"});
  Grant("source = '/open'");
  const auto get = [this](const std::string& id) {
    events::v1::GetEventRequest request;
    request.set_id(id);
    return Call<events::v1::DeliveredEvent>("GetEvent", request);
  };
  const absl::Status hidden = get("a").status();
  const absl::Status missing = get("x").status();
  EXPECT_THAT(hidden, HasReason(Reason::kNotFound));
  EXPECT_EQ(absl::StrReplaceAll(hidden.message(), {{"id a", "id x"}}), missing.message());
  EXPECT_EQ(base::MetadataOf(hidden).size(), base::MetadataOf(missing).size());
  // Of several with one id the one that is covered is the one.
  Publish({.id = "a", .source = "/open"});
  const auto covered = get("a");
  ASSERT_TRUE(covered.ok()) << covered.status();
  EXPECT_EQ(covered->event().source(), "/open");
  Grant("source = '/elsewhere'");
  EXPECT_THAT(get("a"), HasReason(Reason::kNotFound)) << "not AMBIGUOUS_ID, which names them";
}

TEST_F(EventQueriesTest, ListsWhatFitsEachField) {
  PublishFour();
  ListEventsRequest request;
  EXPECT_THAT(Ids(request), ElementsAre("a", "b", "c", "d"));
  request.set_type("dev.cdevents.build.queued.0.3.0");
  EXPECT_THAT(Ids(request), ElementsAre("a"));
  request.set_type("dev.cdevents.build.%");
  EXPECT_THAT(Ids(request), ElementsAre("a", "b", "d"));
  request.set_source("/ci%");
  EXPECT_THAT(Ids(request), ElementsAre("a", "b"));
  request.set_subject("build-2");
  EXPECT_THAT(Ids(request), ElementsAre("b"));
  request.Clear();
  request.set_origin("beta.example");
  EXPECT_THAT(Ids(request), ElementsAre("c"));
  request.Clear();
  request.set_plane("observability");
  EXPECT_THAT(Ids(request), ElementsAre("a"));
  request.Clear();
  request.set_filter("id = 'd' OR id = 'b'");
  request.set_source("/cd");
  EXPECT_THAT(Ids(request), ElementsAre("d"));
}

TEST_F(EventQueriesTest, TheNewestComeFirstWhereThatIsAsked) {
  PublishFour();
  Fill(1500);  // more than one piece of the walk
  ListEventsRequest request;
  request.set_newest_first(true);
  request.set_page_size(3);
  request.set_source("/c%");
  const auto ids = Ids(request);
  ASSERT_EQ(ids.size(), 1504u);
  EXPECT_EQ(ids.front(), "fill-1500");
  EXPECT_EQ(ids[1499], "fill-1");
  EXPECT_EQ(ids.back(), "a");
}

TEST_F(EventQueriesTest, TimesAreThoseOfTheCommits) {
  const int64_t before = absl::ToUnixSeconds(world_.clock.Now());
  PublishFour();  // one second each
  ListEventsRequest request;
  request.mutable_start_time()->set_seconds(before + 2);
  EXPECT_THAT(Ids(request), ElementsAre("b", "c", "d"));
  request.mutable_end_time()->set_seconds(before + 4);
  EXPECT_THAT(Ids(request), ElementsAre("b", "c"));
  request.set_newest_first(true);
  request.set_page_size(1);
  EXPECT_THAT(Ids(request), ElementsAre("c", "b"));
  request.mutable_end_time()->set_seconds(before + 1);
  EXPECT_THAT(Ids(request), IsEmpty()) << "an end before the start";
  request.mutable_end_time()->set_nanos(-1);
  EXPECT_THAT(List(request), HasReason(Reason::kInvalidArgument));
  request.mutable_end_time()->set_nanos(0);
  request.mutable_end_time()->set_seconds(int64_t{1} << 60);
  EXPECT_THAT(List(request), HasReason(Reason::kInvalidArgument));
}

TEST_F(EventQueriesTest, ATokenStaysGoodWhileEventsArrive) {
  PublishFour();
  ListEventsRequest request;
  request.set_page_size(2);
  request.set_newest_first(true);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto first, List(request));
  EXPECT_THAT(IdsOf(first), ElementsAre("d", "c"));
  Publish({.id = "e"});
  request.set_page_token(first.next_page_token());
  request.set_page_size(10);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto second, List(request));
  EXPECT_THAT(IdsOf(second), ElementsAre("b", "a")) << "none twice, none missed";
  EXPECT_EQ(second.next_page_token(), "");
}

TEST_F(EventQueriesTest, ATokenIsOfItsQueryAndOfItsLog) {
  PublishFour();
  ListEventsRequest request;
  request.set_page_size(2);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto page, List(request));
  ListEventsRequest other = request;
  other.set_page_token(page.next_page_token());
  other.set_type("dev.%");
  EXPECT_THAT(List(other), HasReason(Reason::kInvalidArgument));
  other = request;
  std::string altered = page.next_page_token();
  altered[altered.size() / 2] = altered[altered.size() / 2] == 'A' ? 'B' : 'A';
  other.set_page_token(altered);
  EXPECT_THAT(List(other), HasReason(Reason::kInvalidArgument));

  ListEventsRequest plain;
  const std::string arguments =
      absl::StrCat("/cdgate.events.v1.EventsService/ListEvents ", plain.SerializeAsString());
  plain.set_page_token(MakePageToken(arguments, "another-life 2"));
  EXPECT_THAT(List(plain), HasReason(Reason::kWrongEpoch));
  const std::string epoch(world_.store->head().epoch.value());
  plain.set_page_token(MakePageToken(arguments, absl::StrCat(epoch, " 99")));
  EXPECT_THAT(List(plain), HasReason(Reason::kEpochRegressed));
  plain.set_page_token(MakePageToken(arguments, "99"));
  EXPECT_THAT(List(plain), HasReason(Reason::kInvalidArgument));
}

TEST_F(EventQueriesTest, OneCallLooksAtABoundedNumber) {
  for (int i = 0; i < 5; ++i) Fill(9000);
  Publish({.id = "last", .type = "dev.cdevents.change.merged.0.3.0"});
  ListEventsRequest request;
  request.set_type("dev.cdevents.change.%");
  for (const bool newest_first : {false, true}) {
    request.set_newest_first(newest_first);
    request.clear_page_token();
    std::vector<std::string> found;
    uint64_t looked_at = 0;
    int calls = 0;
    do {
      CDGATE_ASSERT_OK_AND_ASSIGN(const auto page, List(request));
      ++calls;
      EXPECT_LE(page.looked_at(), 20'000u);
      EXPECT_TRUE(page.has_reached_time());
      looked_at += page.looked_at();
      for (std::string& id : IdsOf(page)) found.push_back(std::move(id));
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(looked_at, 45'001u) << "each once";
    EXPECT_THAT(found, ElementsAre("last"));
  }
}

TEST_F(EventQueriesTest, TheIndexChangesHowMuchIsLookedAtAndNothingElse) {
  for (int i = 0; i < 5; ++i) {
    Fill(1800);
    Publish({.id = absl::StrCat("rare-", i),
             .type = "dev.cdevents.change.merged.0.3.0",
             .source = "/rare",
             .subject = "pr-1"});
  }
  std::vector<ListEventsRequest> requests(5);
  requests[0].set_type("dev.cdevents.change.%");
  requests[1].set_type("dev.cdevents.change.merged.0.3.0");
  requests[2].set_source("/rare");
  requests[3].set_subject("pr-1");
  requests[4].set_subject("pr-%");
  std::vector<std::vector<std::string>> before;
  for (const ListEventsRequest& request : requests) before.push_back(Ids(request));
  CDGATE_ASSERT_OK(index_.Advance(absl::Hours(1)));
  ASSERT_EQ(index_.blocks(), 2u);
  for (size_t i = 0; i < requests.size(); ++i) {
    for (const bool newest_first : {false, true}) {
      requests[i].set_newest_first(newest_first);
      std::vector<std::string> ids = Ids(requests[i]);
      if (newest_first) std::reverse(ids.begin(), ids.end());
      EXPECT_EQ(ids, before[i]) << i;
      EXPECT_EQ(ids.size(), 5u);
    }
  }
}

TEST_F(EventQueriesTest, WhatNoGrantCoversIsNotListed) {
  PublishFour();
  Grant("source = '/cd'");
  ListEventsRequest request;
  EXPECT_THAT(Ids(request), ElementsAre("d"));
  request.set_type("dev.cdevents.build.queued.%");
  EXPECT_THAT(Ids(request), IsEmpty());
  grants_.Replace(*authz::Grants::Compile({}));
  EXPECT_THAT(List(request), HasReason(Reason::kNotGranted));
}

TEST_F(EventQueriesTest, WhatRetentionRemovedIsPassedOver) {
  PublishFour();
  ListEventsRequest request;
  request.set_page_size(1);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto page, List(request));
  world_.clock.Advance(absl::Hours(2));
  Publish({.id = "e"});
  CDGATE_ASSERT_OK(world_.store->ApplyRetention());
  ASSERT_THAT(world_.store->ReadEvent(base::Sequence(4)), HasReason(Reason::kTrimmed));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(Ids(request), ElementsAre("e"));
  request.clear_page_token();
  request.set_newest_first(true);
  EXPECT_THAT(Ids(request), ElementsAre("e"));
}

}  // namespace
}  // namespace cdgate::api
