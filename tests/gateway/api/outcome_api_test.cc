// What who-got and explain say, from a store in memory and a link whose facts the test
// decides.
#include "gateway/api/outcome_api.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/session/interest_history.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::api {
namespace {

using base::Sequence;
using test::Published;
using test::Resource;

constexpr char kBeta[] = "beta.example";
constexpr char kAllowAll[] =
    "peer: 'beta.example' export { rules { name: 'all' action: ACTION_ALLOW } }";
constexpr char kDenyAll[] =
    "peer: 'beta.example' export { rules { name: 'none' action: ACTION_DENY } }";

class OutcomeApiTest : public testing::Test {
 protected:
  void SetUp() override {
    world_.options.retention = absl::Hours(1);
    world_.fold_outcomes = [this](absl::Span<const event::CommitPtr> commits) {
      session::Outcomes outcomes("alpha.example", *world_.store, keeper_,
                                 [this](absl::string_view) { return link_; });
      return FoldOutcomes(outcomes, *world_.store, commits);
    };
    world_.Open();
    admin::v1::Peer peer;
    peer.set_domain(kBeta);
    peer.set_state(admin::v1::PEER_STATE_APPROVED);
    CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPeerKind, kBeta, peer.SerializeAsString())));
    api_ = std::make_unique<OutcomeApi>(
        "alpha.example", *world_.store, keeper_, [this](absl::string_view) { return link_; },
        world_.pool);
  }

  void SetPolicy(const std::string& text) {
    admin::v1::Policy policy;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &policy));
    CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPolicyKind, kBeta, policy.SerializeAsString())));
  }
  // One rule; empty `when`: everything.
  static federation::v1::Interest Interest(uint64_t version, const std::string& when) {
    federation::v1::Interest interest;
    interest.set_version(version);
    interest.add_rules()->set_when(when);
    interest.mutable_rules(0)->set_allow(true);
    return interest;
  }
  void Show(const federation::v1::Interest& interest) {
    session::RecordInterest(*world_.store, world_.clock.Now(), kBeta, interest);
    (void)world_.Publish(absl::StrCat("after interest ", interest.version()));  // it is on disk
  }
  // The range [first, last] was decided under these versions, and acknowledged.
  static storage::v1::LedgerRow Row(uint64_t first, uint64_t last, uint64_t policy,
                                    uint64_t interest = 0) {
    storage::v1::LedgerRow row;
    row.set_peer(kBeta);
    row.set_first_sequence(first);
    row.set_last_sequence(last);
    row.mutable_policy_epoch()->set_policy_version(policy);
    row.mutable_policy_epoch()->set_interest_version(interest);
    return row;
  }
  void Record(const storage::v1::LedgerRow& row) {
    state::Proposal proposal;
    proposal.ledger.push_back(row);
    CDGATE_ASSERT_OK(world_.Propose(std::move(proposal)).status);
  }
  // "state reason rule" for beta.
  std::string Outcome(const std::string& id) {
    admin::v1::WhoGotRequest request;
    request.mutable_event()->set_id(id);
    const auto answer = api_->WhoGot(request);
    if (!answer.ok()) return answer.status().ToString();
    EXPECT_EQ(answer->outcomes_size(), 1);
    const admin::v1::PeerOutcome& outcome = answer->outcomes(0);
    EXPECT_EQ(outcome.peer(), kBeta);
    return absl::StrCat(outcome.state(), " ", outcome.reason(), " ", outcome.rule());
  }
  admin::v1::ExplainEventResponse Explain(const std::string& id) {
    admin::v1::ExplainEventRequest request;
    request.mutable_event()->set_id(id);
    request.set_peer(kBeta);
    const auto answer = api_->Explain(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : admin::v1::ExplainEventResponse();
  }

  test::StoreWorld world_;
  session::PseudonymKeeper keeper_ = *session::PseudonymKeeper::Create(
      std::string(crypto::SivSealer::kKeyBytes, 'k'), base::SystemRandom());
  session::LinkFacts link_;
  std::unique_ptr<OutcomeApi> api_;
};

TEST_F(OutcomeApiTest, WhatIsNotDecidedIsJudgedByWhatIsInForce) {
  (void)world_.Publish("e");
  EXPECT_EQ(Outcome("e"), "denied no_policy ");
  SetPolicy(kDenyAll);
  EXPECT_EQ(Outcome("e"), "denied denied_by_rule none@1");
  SetPolicy(kAllowAll);
  EXPECT_EQ(Outcome("e"), "waiting allowed_by_rule all@2");
  storage::v1::LedgerRow horizon;
  horizon.set_peer(kBeta);
  horizon.set_last_sequence(4096);
  horizon.set_horizon(true);
  Record(horizon);
  EXPECT_EQ(Outcome("e"), "possibly_sent allowed_by_rule all@2");
  link_.sent_through = Sequence(1);
  EXPECT_EQ(Outcome("e"), "sent allowed_by_rule all@2");
}

TEST_F(OutcomeApiTest, WhatWasDecidedStaysUnderItsPolicy) {
  for (const char* id : {"before", "denied", "allowed"}) (void)world_.Publish(id);
  SetPolicy(kDenyAll);
  SetPolicy(kAllowAll);
  Record(Row(1, 1, 0));
  Record(Row(2, 2, 1));
  Record(Row(3, 3, 2));
  SetPolicy(kDenyAll);
  EXPECT_EQ(Outcome("before"), "denied no_policy ") << "none was in force";
  EXPECT_EQ(Outcome("denied"), "denied denied_by_rule none@1");
  EXPECT_EQ(Outcome("allowed"), "accepted allowed_by_rule all@2");
  EXPECT_EQ(Explain("before").policy_epoch().policy_version(), 0u);
  EXPECT_FALSE(Explain("denied").allowed());
  EXPECT_EQ(Explain("denied").rule(), "none@1");
  EXPECT_TRUE(Explain("allowed").allowed());
  EXPECT_EQ(Explain("allowed").policy_epoch().policy_version(), 2u);
}

TEST_F(OutcomeApiTest, ARangeHasAStateOfItsOwn) {
  for (const char* id : {"a", "b", "c", "d"}) (void)world_.Publish(id);
  SetPolicy(kAllowAll);
  Record(Row(1, 1, 1));
  storage::v1::LedgerRow undisclosed = Row(2, 2, 1);
  undisclosed.set_state("acknowledged_undisclosed");
  Record(undisclosed);
  storage::v1::LedgerRow trimmed = Row(3, 3, 1);
  trimmed.set_state("dead_lettered");
  trimmed.set_reason("trimmed");
  Record(trimmed);
  Record(Row(4, 4, 1));
  EXPECT_EQ(Outcome("a"), "accepted allowed_by_rule all@1");
  EXPECT_EQ(Outcome("b"), "acknowledged_undisclosed  all@1");
  EXPECT_EQ(Outcome("c"), "dead_lettered trimmed all@1");
  EXPECT_EQ(Outcome("d"), "accepted allowed_by_rule all@1");
}

TEST_F(OutcomeApiTest, TheStateOfARangeIsNotThatOfWhatThePolicyDenies) {
  (void)world_.Publish("e");
  SetPolicy(kDenyAll);
  storage::v1::LedgerRow row = Row(1, 1, 1);
  row.set_state("acknowledged_undisclosed");
  Record(row);
  EXPECT_EQ(Outcome("e"), "denied denied_by_rule none@1");
}

TEST_F(OutcomeApiTest, AnExceptionSaysMoreThanItsRange) {
  (void)world_.Publish("e");
  SetPolicy(kAllowAll);
  storage::v1::LedgerRow row = Row(1, 1, 1);
  storage::v1::LedgerException& exception = *row.add_exceptions();
  exception.set_sequence(1);
  exception.set_state("refused");
  exception.set_reason("no_rule");
  exception.set_rule("theirs@7");
  Record(row);
  EXPECT_EQ(Outcome("e"), "refused no_rule theirs@7");
}

TEST_F(OutcomeApiTest, TheInterestThatDecidedIsKept) {
  for (const char* id : {"a", "b"}) (void)world_.Publish(id);
  SetPolicy(kAllowAll);
  Show(Interest(5, "id = 'b'"));
  Record(Row(1, 2, 1, 5));
  EXPECT_EQ(Outcome("a"), "not_wanted not_wanted all@1");
  EXPECT_EQ(Outcome("b"), "accepted allowed_by_rule all@1");
  world_.clock.Advance(absl::Hours(1));
  Show(Interest(6, "true"));
  EXPECT_EQ(Outcome("a"), "not_wanted not_wanted all@1") << "by what was shown then";
  EXPECT_EQ(Explain("a").reason(), "not_wanted");
  EXPECT_EQ(Explain("a").policy_epoch().interest_version(), 5u);
  EXPECT_TRUE(Explain("b").allowed());
}

TEST_F(OutcomeApiTest, WhatIsNotDecidedIsJudgedByWhatThePeerShowedLast) {
  (void)world_.Publish("e");
  SetPolicy(kAllowAll);
  Show(Interest(5, "id = 'other'"));
  EXPECT_EQ(Outcome("e"), "not_wanted not_wanted all@1");
}

TEST_F(OutcomeApiTest, AnInterestThatIsNotKeptIsNotGuessed) {
  (void)world_.Publish("e");
  SetPolicy(kAllowAll);
  Record(Row(1, 1, 1, 5));
  EXPECT_EQ(Outcome("e"), "acknowledged_undisclosed allowed_by_rule all@1");
}

TEST_F(OutcomeApiTest, WhatRetentionRemovedIsStillTold) {
  for (const char* id : {"denied", "accepted", "refused", "waiting"}) (void)world_.Publish(id);
  SetPolicy(kDenyAll);
  SetPolicy(kAllowAll);
  Record(Row(1, 1, 1));
  storage::v1::LedgerRow row = Row(2, 3, 2);
  row.add_exceptions()->set_sequence(3);
  row.mutable_exceptions(0)->set_state("refused");
  Record(row);
  std::vector<std::string> before;
  for (const char* id : {"denied", "accepted", "refused"}) before.push_back(Outcome(id));
  // Whatever the peer did with it, our own decision is what is explained.
  EXPECT_EQ(Explain("refused").reason(), "allowed_by_rule");
  world_.clock.Advance(absl::Hours(2));
  (void)world_.Publish("young");
  CDGATE_ASSERT_OK(world_.store->ApplyRetention());
  ASSERT_THAT(world_.store->ReadEvent(Sequence(4)), test::HasReason(base::Reason::kTrimmed));

  EXPECT_EQ(Outcome("denied"), before[0]);
  EXPECT_EQ(Outcome("accepted"), before[1]);
  EXPECT_EQ(Outcome("refused"), before[2]);
  EXPECT_EQ(before[2], "refused  all@2");
  EXPECT_TRUE(Explain("denied").trimmed());
  EXPECT_FALSE(Explain("denied").allowed());
  EXPECT_EQ(Explain("denied").rule(), "none@1");
  EXPECT_EQ(Explain("denied").policy_epoch().policy_version(), 1u);
  EXPECT_EQ(Explain("denied").reason(), "denied_by_rule");
  EXPECT_EQ(Explain("accepted").state(), "accepted");
  EXPECT_EQ(Explain("refused").state(), "refused");
  EXPECT_EQ(Explain("refused").reason(), "allowed_by_rule");
  EXPECT_TRUE(Explain("refused").allowed());
  EXPECT_FALSE(Explain("young").trimmed());

  // What was on its way is told by the row that comes later.
  EXPECT_EQ(Outcome("waiting"), "waiting allowed_by_rule all@2");
  storage::v1::LedgerRow gone = Row(4, 4, 2);
  gone.set_state("dead_lettered");
  gone.set_reason("trimmed");
  Record(gone);
  EXPECT_EQ(Outcome("waiting"), "dead_lettered trimmed all@2");
}

TEST_F(OutcomeApiTest, WhatIsOfferedAgainHasAnotherOutcome) {
  for (const char* id : {"a", "b", "c"}) (void)world_.Publish(id);
  SetPolicy(kDenyAll);
  Record(Row(1, 3, 1));
  SetPolicy(kAllowAll);
  EXPECT_EQ(Outcome("a"), "denied denied_by_rule none@1");
  storage::v1::LedgerRow row = Row(1, 2, 2);
  row.set_replay(7);
  row.add_exceptions()->set_sequence(2);
  row.mutable_exceptions(0)->set_state("refused");
  row.mutable_exceptions(0)->set_reason("no_rule");
  Record(row);
  EXPECT_EQ(Outcome("a"), "accepted allowed_by_rule all@2");
  EXPECT_EQ(Outcome("b"), "refused no_rule all@2");
  EXPECT_EQ(Outcome("c"), "denied denied_by_rule none@1");
  // A later job tells nothing of what the peer has.
  SetPolicy(kDenyAll);
  row = Row(1, 3, 3);
  row.set_replay(8);
  Record(row);
  EXPECT_EQ(Outcome("a"), "accepted allowed_by_rule all@2");
  EXPECT_EQ(Outcome("c"), "denied denied_by_rule none@1");
}

TEST_F(OutcomeApiTest, AnImportIsExplainedByTheVersionThatTookIt) {
  SetPolicy("peer: 'beta.example' import { rules { name: 'builds' action: ACTION_ALLOW } }");
  const Sequence taken =
      world_.Propose(world_.OfEvents({test::Received("e", "{}", world_.clock.Now())}))
          .events.at(0)
          .sequence;
  ASSERT_EQ(taken, Sequence(1));
  SetPolicy("peer: 'beta.example' import { rules { name: 'builds' action: ACTION_DENY } }");
  const admin::v1::ExplainEventResponse answer = Explain("e");
  EXPECT_EQ(answer.direction(), "import");
  EXPECT_TRUE(answer.allowed());
  EXPECT_EQ(answer.rule(), "builds@1");
  EXPECT_EQ(answer.policy_epoch().policy_version(), 1u);
}

TEST_F(OutcomeApiTest, UnknownEventsAndPeersAreSaidToBe) {
  admin::v1::WhoGotRequest who;
  who.mutable_event()->set_id("none");
  EXPECT_THAT(api_->WhoGot(who), test::HasReason(base::Reason::kNotFound));
  admin::v1::ExplainEventRequest explain;
  explain.mutable_event()->set_id("none");
  explain.set_peer("gamma.example");
  EXPECT_THAT(api_->Explain(explain), test::HasReason(base::Reason::kNoAgreement));
}

}  // namespace
}  // namespace cdgate::api
