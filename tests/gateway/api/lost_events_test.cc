// Which events a peer lost, over a store in memory that retention is applied to.
#include "gateway/api/lost_events.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/api/outcome_api.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::api {
namespace {

using admin::v1::ListLostEventsRequest;
using admin::v1::ListLostEventsResponse;
using base::Reason;
using base::Sequence;
using test::Received;
using test::Resource;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kBeta[] = "beta.example";
constexpr char kGamma[] = "gamma.example";

class LostEventsTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.options.retention = absl::Hours(1);
    world_.options.audit_retention = absl::Hours(100);
    world_.fold_outcomes = [this](absl::Span<const event::CommitPtr> commits) {
      session::Outcomes outcomes("alpha.example", *world_.store, keeper_,
                                 [](absl::string_view) { return session::LinkFacts(); });
      return FoldOutcomes(outcomes, *world_.store, commits);
    };
    world_.Open();
    admin::v1::Peer peer;
    peer.set_domain(kBeta);
    peer.set_state(admin::v1::PEER_STATE_APPROVED);
    CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPeerKind, kBeta, peer.SerializeAsString())));
    SetPolicy("export { rules { name: 'all' action: ACTION_ALLOW } }");
  }

  void SetPolicy(const std::string& text) {
    admin::v1::Policy policy;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy));
    policy.set_peer(kBeta);
    CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPolicyKind, kBeta, policy.SerializeAsString())));
  }
  // "1" to "n", each its own sequence in an empty log.
  void Publish(int n) {
    for (int i = 1; i <= n; ++i) (void)world_.Publish(absl::StrCat(i));
  }
  // All but the event that is published here.
  void RemoveByRetention() {
    world_.clock.Advance(absl::Hours(2));
    (void)world_.Publish(absl::StrCat("young-", ++young_));
    CDGATE_ASSERT_OK(world_.store->ApplyRetention());
  }
  void Record(uint64_t first, uint64_t last, const std::string& state = "",
              const std::string& peer = kBeta) {
    state::Proposal proposal;
    storage::v1::LedgerRow& row = proposal.ledger.emplace_back();
    row.set_peer(peer);
    row.set_first_sequence(first);
    row.set_last_sequence(last);
    row.mutable_policy_epoch()->set_policy_version(1);
    row.set_state(state);
    if (!state.empty()) row.set_reason("trimmed");
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  void Lose(uint64_t first, uint64_t last) { Record(first, last, "dead_lettered"); }

  absl::StatusOr<ListLostEventsResponse> List(int size = 0, const std::string& token = "",
                                              const std::string& peer = kBeta) {
    ListLostEventsRequest request;
    request.set_domain(peer);
    request.set_page_size(size);
    request.set_page_token(token);
    return ListLostEvents(*world_.store, request);
  }
  // "sequence id state" of events and "first-last" of what is forgotten, a text for each page.
  std::vector<std::string> Pages(int size) {
    std::vector<std::string> pages;
    std::string token;
    do {
      const auto page = List(size, token);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      std::string& text = pages.emplace_back();
      for (const auto& lost : page->events()) {
        absl::StrAppend(&text, lost.event().sequence(), " ", lost.event().id(), " ", lost.state(),
                        "\n");
      }
      for (const auto& range : page->forgotten()) {
        absl::StrAppend(&text, range.first_sequence(), "-", range.last_sequence(), "\n");
      }
      token = page->next_page_token();
    } while (!token.empty());
    return pages;
  }

  test::StoreWorld world_;
  session::PseudonymKeeper keeper_ = *session::PseudonymKeeper::Create(
      std::string(crypto::SivSealer::kKeyBytes, 'k'), base::SystemRandom());
  int young_ = 0;
};

TEST_F(LostEventsTest, ListsWhatARangeHadWithItsIdentity) {
  const absl::Time accepted = world_.clock.Now();
  Publish(4);
  Record(1, 1);
  RemoveByRetention();
  Lose(2, 4);
  Record(5, 5);
  CDGATE_ASSERT_OK_AND_ASSIGN(const ListLostEventsResponse lost, List());
  ASSERT_EQ(lost.events_size(), 3);
  const admin::v1::EventSummary& first = lost.events(0).event();
  EXPECT_EQ(first.sequence(), 2u);
  EXPECT_EQ(first.origin(), "alpha.example");
  EXPECT_EQ(first.source(), "/ci/builds");
  EXPECT_EQ(first.id(), "2");
  EXPECT_EQ(first.type(), "dev.cdevents.build.finished.0.3.0");
  EXPECT_EQ(first.accept_time().seconds(), absl::ToUnixSeconds(accepted));
  EXPECT_EQ(lost.next_page_token(), "");
  EXPECT_THAT(Pages(0), ElementsAre("2 2 dead_lettered\n3 3 dead_lettered\n4 4 dead_lettered\n"));
}

TEST_F(LostEventsTest, WhoLostNothingIsToldNothing) {
  Publish(2);
  Record(1, 2);
  RemoveByRetention();
  EXPECT_THAT(Pages(0), ElementsAre(""));
  Record(1, 2, "dead_lettered", kGamma);
  EXPECT_THAT(Pages(0), ElementsAre("")) << "another peer's";
}

TEST_F(LostEventsTest, WhatThePeerSentItselfIsLeftOut) {
  Publish(1);
  storage::v1::StoredEvent back = Received("back", "{}", world_.clock.Now());
  (void)world_.Propose(world_.OfEvents({back}));
  // Its own event, that came by another way.
  storage::v1::StoredEvent around = Received("around", "{}", world_.clock.Now());
  around.set_received_from(kGamma);
  (void)world_.Propose(world_.OfEvents({around}));
  storage::v1::StoredEvent through = Received("through", "{}", world_.clock.Now());
  through.set_origin(kGamma);
  through.set_received_from(kGamma);
  (void)world_.Propose(world_.OfEvents({through}));
  RemoveByRetention();
  Lose(1, 4);
  CDGATE_ASSERT_OK_AND_ASSIGN(const ListLostEventsResponse lost, List());
  ASSERT_EQ(lost.events_size(), 2);
  EXPECT_EQ(lost.events(0).event().id(), "1");
  EXPECT_EQ(lost.events(1).event().id(), "through");
  EXPECT_EQ(lost.forgotten_size(), 0);
}

TEST_F(LostEventsTest, TellsWhatWouldNotHaveCrossedAndWhatMayHave) {
  Publish(1);
  RemoveByRetention();  // 2 is young
  SetPolicy("export { rules { name: 'none' action: ACTION_DENY } }");
  RemoveByRetention();
  Lose(1, 1);
  Record(2, 2, "acknowledged_undisclosed");
  EXPECT_THAT(Pages(0), ElementsAre("1 1 dead_lettered\n2 young-1 denied\n"));
  SetPolicy("export { rules { name: 'all' action: ACTION_ALLOW } }");
  RemoveByRetention();
  Record(3, 3, "acknowledged_undisclosed");
  EXPECT_THAT(Pages(0), ElementsAre(HasSubstr("3 young-2 acknowledged_undisclosed\n")));
}

TEST_F(LostEventsTest, PagesGoOnWithinAndAcrossRanges) {
  Publish(8);
  RemoveByRetention();
  Lose(1, 3);
  Record(4, 5);
  Lose(6, 8);
  EXPECT_THAT(Pages(2), ElementsAre("1 1 dead_lettered\n2 2 dead_lettered\n",
                                    "3 3 dead_lettered\n6 6 dead_lettered\n",
                                    "7 7 dead_lettered\n8 8 dead_lettered\n", ""));
  EXPECT_THAT(Pages(5), ElementsAre("1 1 dead_lettered\n2 2 dead_lettered\n3 3 dead_lettered\n"
                                    "6 6 dead_lettered\n7 7 dead_lettered\n",
                                    "8 8 dead_lettered\n"));
}

TEST_F(LostEventsTest, WhatIsNoLongerKnownIsTold) {
  Publish(3);
  RemoveByRetention();
  world_.clock.Advance(absl::Hours(97));  // and two more: the rows of 1 to 3 are too old
  RemoveByRetention();
  Lose(1, 4);
  EXPECT_THAT(Pages(0), ElementsAre("4 young-1 dead_lettered\n1-3\n"));
  EXPECT_THAT(Pages(1), ElementsAre("1-1\n", "2-2\n", "3-3\n", "4 young-1 dead_lettered\n", ""));
}

TEST_F(LostEventsTest, APageLooksAtSoMuchAndNoMore) {
  Publish(1);
  RemoveByRetention();
  Lose(1, 25'000);  // as a ledger would have it after audit_retention
  const std::vector<std::string> pages = Pages(1000);
  EXPECT_THAT(pages, ElementsAre("1 1 dead_lettered\n2-10000\n", "10001-20000\n", "20001-25000\n"));
}

TEST_F(LostEventsTest, ManyRangesOfOthersAreReadInTurns) {
  Publish(1);
  RemoveByRetention();
  Lose(1, 1);
  // Ranges that differ are not one row.
  state::Proposal proposal;
  for (uint64_t i = 2; i <= 5000; ++i) {
    storage::v1::LedgerRow& row = proposal.ledger.emplace_back();
    row.set_peer(kBeta);
    row.set_first_sequence(i);
    row.set_last_sequence(i);
    row.mutable_policy_epoch()->set_policy_version(i % 2 + 1);
  }
  CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  EXPECT_THAT(Pages(10), ElementsAre("1 1 dead_lettered\n", ""));
}

TEST_F(LostEventsTest, ATokenIsOfOneListAndPeer) {
  Publish(2);
  RemoveByRetention();
  Lose(1, 2);
  CDGATE_ASSERT_OK_AND_ASSIGN(const ListLostEventsResponse page, List(1));
  EXPECT_THAT(page.next_page_token(), testing::Not(IsEmpty()));
  CDGATE_EXPECT_OK(List(1, page.next_page_token()));
  EXPECT_THAT(List(1, "bad"), test::HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(List(1, page.next_page_token(), kGamma), test::HasReason(Reason::kInvalidArgument));
  EXPECT_THAT(List(-1), test::HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::api
