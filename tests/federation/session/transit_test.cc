// Several gateways in one process: events go on from domain to domain, over every way once, with
// what shows whose they are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cdgate/federation/v1/link.pb.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "federation/attestation/chain.h"
#include "gateway/event/record.h"
#include "gateway/event/relayed_view.h"
#include "tests/federation/session/test_node.h"

namespace cdgate {
namespace {

using test::Eventually;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
using testing::UnorderedElementsAre;

constexpr char kBuild[] = "dev.cdevents.build.finished.0.2.0";

// A federation of domains a, b, c, ... which all pass on everything of everybody.
class TransitTest : public testing::Test {
 protected:
  void Make(int domains, bool fields = false) {
    for (int i = 0; i < domains; ++i) {
      nodes_.push_back(&network_.Add(Name(i)));
      nodes_.back()->Stop();
      nodes_.back()->set_attests(true, fields);
      nodes_.back()->set_heartbeat(absl::Milliseconds(1000));
      nodes_.back()->Start();
    }
  }
  static std::string Name(int i) {
    return absl::StrCat(std::string(1, static_cast<char>('a' + i)), ".example");
  }
  test::TestNode& At(int i) { return *nodes_[static_cast<size_t>(i)]; }

  std::string TransitBetween(int from, int to) const {
    std::vector<std::string> others;
    for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) {
      if (i != from && i != to) others.push_back(absl::StrCat("'", Name(i), "'"));
    }
    return absl::StrCat("transit: [", absl::StrJoin(others, ", "), "]");
  }
  // What `from` gives to `to` and takes from it, with all domains in transit.
  void LetThrough(int from, int to, const std::string& how = "terms {onward: 30}") {
    const std::string transit = TransitBetween(from, to);
    At(from).ApplyPolicy(
        Name(to),
        absl::StrCat("export {rules {name: 'all' action: ACTION_ALLOW links: "
                     "LINK_HANDLING_KEEP ",
                     how, "} ", transit, "} import {rules {name: 'all' action: ACTION_ALLOW} ",
                     transit, "}"));
  }
  void Connect(int a, int b) {
    LetThrough(a, b);
    LetThrough(b, a);
    network_.Peer(Name(a), Name(b));
    ASSERT_TRUE(Eventually([&] { return At(a).IsUp(Name(b)) && At(b).IsUp(Name(a)); }));
  }
  bool Has(int i, size_t events) {
    return Eventually([&] { return At(i).Received().size() >= events; });
  }
  // Only takes from then on: what `from` has of others, `to` gets elsewhere or not at all.
  void GiveNothing(int from, int to) {
    At(from).ApplyPolicy(Name(to), absl::StrCat("import {rules {name: 'all' action: ACTION_ALLOW} ",
                                                TransitBetween(from, to), "}"));
  }
  // Everybody else has each of `ids` once.
  void ExpectEverybodyHas(int origin, const std::vector<std::string>& ids) {
    for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) {
      if (i == origin) continue;
      EXPECT_TRUE(Has(i, ids.size())) << Name(i);
      EXPECT_THAT(At(i).Received(), testing::UnorderedElementsAreArray(ids)) << Name(i);
    }
  }
  std::string RefusedAt(int i, const std::string& id) {
    const auto refusals = At(i).store().Refusals(id, "", "");
    if (!refusals.ok() || refusals->empty()) return "";
    return refusals->front().refusal().reason();
  }

  test::TestNetwork network_;
  std::vector<test::TestNode*> nodes_;
};

TEST_F(TransitTest, AChainOfSixPassesEventsToItsEnd) {
  Make(6);
  for (int i = 0; i < 5; ++i) Connect(i, i + 1);
  At(0).Publish("one", kBuild);
  At(0).Publish("two", kBuild);
  ExpectEverybodyHas(0, {"one", "two"});
  const storage::v1::StoredEvent at_end = At(5).Stored("one");
  EXPECT_EQ(at_end.origin(), "a.example");
  EXPECT_EQ(absl::StrJoin(at_end.path(), " "), "a.example b.example c.example d.example e.example");
  EXPECT_EQ(at_end.terms().onward(), 26u);
  EXPECT_EQ(at_end.statements_size(), 5);
  EXPECT_EQ(At(5).DataOf("one"), [&] { return At(1).DataOf("one"); }());
}

TEST_F(TransitTest, InAFullMeshEachHasEachEventOnce) {
  Make(5);
  for (int a = 0; a < 5; ++a) {
    for (int b = a + 1; b < 5; ++b) Connect(a, b);
  }
  for (int i = 0; i < 5; ++i) At(i).Publish(absl::StrCat("of ", Name(i)), kBuild);
  for (int i = 0; i < 5; ++i) {
    std::vector<std::string> expected;
    for (int o = 0; o < 5; ++o) {
      if (o != i) expected.push_back(absl::StrCat("of ", Name(o)));
    }
    EXPECT_TRUE(Has(i, 4)) << Name(i);
    EXPECT_THAT(At(i).Received(), testing::UnorderedElementsAreArray(expected)) << Name(i);
  }
}

TEST_F(TransitTest, ARingWithALinkCutStillReachesAll) {
  Make(5);
  for (int i = 0; i < 5; ++i) Connect(i, (i + 1) % 5);
  At(0).Publish("whole", kBuild);
  ExpectEverybodyHas(0, {"whole"});
  // Between the origin and its first neighbour nothing crosses any more.
  At(0).EditPeer(Name(1), [](admin::v1::Peer* peer) { peer->set_frozen(true); });
  ASSERT_TRUE(Eventually([&] { return !At(0).IsUp(Name(1)); }));
  At(0).Publish("cut", kBuild);
  ExpectEverybodyHas(0, {"whole", "cut"});
}

TEST_F(TransitTest, WhatIsRemovedOnTheWayIsGoneAndTheRestIsShown) {
  Make(4, /*fields=*/true);
  for (int i = 0; i < 3; ++i) Connect(i, i + 1);
  LetThrough(1, 2, "redact: 'customData.filler' terms {onward: 9}");
  At(0).Publish("one", kBuild, 40);
  ASSERT_TRUE(Has(3, 1));
  EXPECT_THAT(At(1).DataOf("one"), HasSubstr("xxxx"));
  EXPECT_THAT(At(3).DataOf("one"), Not(HasSubstr("filler")));
  EXPECT_THAT(At(3).DataOf("one"), HasSubstr(R"("id": "one")"));
  EXPECT_THAT(At(3).Stored("one").withheld(), ElementsAre("/customData/filler"));
  EXPECT_FALSE(At(3).Stored("one").field_proof().empty());
  EXPECT_EQ(At(3).Stored("one").commitment(), At(0).Stored("one").commitment());
}

// Two copies that differ in what was removed, over two ways. The last domain gives nothing on: it
// might be where one of the two in the middle has an event from, which then has nothing to give.
TEST_F(TransitTest, CopiesWithOtherRedactionsAreOneEvent) {
  Make(4, /*fields=*/true);
  Connect(0, 1);
  Connect(0, 2);
  Connect(1, 3);
  Connect(2, 3);
  LetThrough(1, 3, "redact: 'customData.filler' terms {onward: 9}");
  LetThrough(2, 3, "redact: 'customData' terms {onward: 9}");
  GiveNothing(3, 1);
  GiveNothing(3, 2);
  At(0).Publish("one", kBuild, 40);
  At(0).Publish("two", kBuild, 40);
  ASSERT_TRUE(Has(3, 2));
  ASSERT_TRUE(Eventually([&] {
    return At(3).LinkTo(Name(1)).received_position() >= 2 &&
           At(3).LinkTo(Name(2)).received_position() >= 2;
  }));
  EXPECT_THAT(At(3).Received(), UnorderedElementsAre("one", "two"));
  EXPECT_EQ(RefusedAt(3, "one"), "");
}

// A domain that commits to the content cannot show what is left of it.
TEST_F(TransitTest, WithoutCommitmentsToFieldsAnAlteredCopyShowsNothing) {
  Make(3);
  for (int i = 0; i < 2; ++i) Connect(i, i + 1);
  LetThrough(1, 2, "redact: 'customData.filler'");
  At(0).Publish("altered", kBuild, 40);
  ASSERT_TRUE(Eventually([&] { return RefusedAt(2, "altered") == "attestation_unproven"; }));
  EXPECT_THAT(At(2).Received(), IsEmpty());
}

// What the origin itself removed is what it says that it sent.
TEST_F(TransitTest, WhatTheOriginRemovedGoesOnAsItSentIt) {
  Make(3);
  for (int i = 0; i < 2; ++i) Connect(i, i + 1);
  LetThrough(0, 1, "redact: 'customData.filler' terms {onward: 5}");
  At(0).Publish("one", kBuild, 40);
  ASSERT_TRUE(Has(2, 1));
  EXPECT_THAT(At(2).DataOf("one"), Not(HasSubstr("filler")));
}

TEST_F(TransitTest, AnOriginThatIsNotTrustedProvesNothing) {
  Make(3);
  for (int i = 0; i < 2; ++i) Connect(i, i + 1);
  At(0).Publish("before", kBuild);
  ASSERT_TRUE(Has(2, 1));
  network_.attestors().Distrust(Name(0));
  At(1).Publish("of b", kBuild);
  ASSERT_TRUE(Has(2, 2));
  EXPECT_THAT(At(2).Received(), UnorderedElementsAre("before", "of b"));
}

TEST_F(TransitTest, TermsEndTheWay) {
  Make(4);
  for (int i = 0; i < 3; ++i) Connect(i, i + 1);
  LetThrough(0, 1, "terms {onward: 1}");
  At(0).Publish("one", kBuild);
  ASSERT_TRUE(Has(2, 1));
  ASSERT_TRUE(Eventually([&] {
    const auto counts = At(2).Counts(Name(3), 0);
    return counts.contains("denied:terms_exceeded");
  }));
  EXPECT_THAT(At(3).Received(), IsEmpty());
}

TEST_F(TransitTest, EventsGoOnThatWereAcceptedTogether) {
  Make(3);
  for (int i = 0; i < 2; ++i) Connect(i, i + 1);
  At(0).PublishMany("many", 300, kBuild);
  EXPECT_TRUE(Has(2, 300));
  EXPECT_EQ(At(2).Received().size(), 300u);
}

// Nothing leaves unsigned, or by a key that nobody was told of, whenever that changes.
TEST_F(TransitTest, EventsGoOnWhileKeysAreRenewed) {
  Make(3);
  for (int i = 0; i < 2; ++i) Connect(i, i + 1);
  for (int i = 0; i < 60; ++i) {
    At(0).Publish(absl::StrCat("of a ", i), kBuild);
    network_.attestors().Renew(Name(i % 2));
    At(1).Publish(absl::StrCat("of b ", i), kBuild);
  }
  EXPECT_TRUE(Has(2, 120));
  EXPECT_EQ(At(2).Received().size(), 120u);
  EXPECT_THAT(At(1).Counts(Name(2), 0), Not(Contains(Key("denied:attestation_unproven"))));
}

// What d was sent of a's event by c, as c would send it, and what c could make of it.
class LiarTest : public TransitTest {
 protected:
  void SetUp() override {
    Make(4, /*fields=*/true);
    for (int i = 0; i < 3; ++i) Connect(i, i + 1);
    LetThrough(1, 2, "redact: 'customData.filler' terms {onward: 7}");
    At(0).Publish("one", kBuild, 40);
    ASSERT_TRUE(Has(3, 1));
    const storage::v1::StoredEvent stored = At(3).Stored("one");
    event_.set_cloud_event(stored.cloud_event());
    event_.set_origin(stored.origin());
    event_.set_accepted_time_nanos(stored.accepted_time_nanos());
    event_.set_salt(stored.salt());
    event_.set_commitment(stored.commitment());
    event_.set_plane(stored.plane());
    event_.set_classification(stored.classification());
    event_.set_hops(stored.hops());
    *event_.mutable_path() = stored.path();
    *event_.mutable_statements() = stored.statements();
    event_.set_notes(stored.notes() & event::kNoteFieldsCommitted);
    *event_.mutable_export_()->mutable_terms() = stored.terms();
    *event_.mutable_export_()->mutable_withheld() = stored.withheld();
    event_.set_field_proof(stored.field_proof());
  }

  absl::Status Verify(const federation::v1::RelayedEvent& event) {
    const std::string bytes = event.SerializeAsString();
    event::RelayedView relayed;
    event::CloudEventView view;
    if (!relayed.Assign(bytes) || !view.Assign(relayed.cloud_event())) {
      return absl::InternalError("cannot be read");
    }
    attestation::ChainVerifier verifier(network_.attestors());
    const auto strict = [](absl::string_view, absl::string_view) { return false; };
    return verifier.Verify(relayed, view, {.domain = Name(3), .at_least_as_strict = strict})
        .status();
  }
  // `lie` alters a copy of the event, which is refused then.
  void ExpectRefused(const char* what,
                     const std::function<void(federation::v1::RelayedEvent*)>& lie) {
    federation::v1::RelayedEvent event = event_;
    lie(&event);
    const auto reason = base::ReasonOf(Verify(event));
    EXPECT_TRUE(reason == base::Reason::kAttestationInvalid ||
                reason == base::Reason::kAttestationUnproven ||
                reason == base::Reason::kTermsExceeded)
        << what;
  }
  static void Replace(std::string* text, absl::string_view what, absl::string_view by) {
    *text = absl::StrReplaceAll(*text, {{what, by}});
  }

  federation::v1::RelayedEvent event_;
};

TEST_F(LiarTest, TheTruthIsTaken) { EXPECT_TRUE(Verify(event_).ok()) << Verify(event_); }

TEST_F(LiarTest, NothingFalseIsTaken) {
  using Event = federation::v1::RelayedEvent;
  ExpectRefused("other data", [](Event* e) {
    Replace(e->mutable_cloud_event(), "2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z");
  });
  ExpectRefused("another source", [](Event* e) {
    Replace(e->mutable_cloud_event(), "/a.example/ci", "/z.example/ci");
  });
  ExpectRefused("accepted later",
                [](Event* e) { e->set_accepted_time_nanos(e->accepted_time_nanos() + 1); });
  ExpectRefused("another plane", [](Event* e) { e->set_plane("cdn"); });
  ExpectRefused("a label", [](Event* e) { e->set_classification("TLP:CLEAR"); });
  ExpectRefused("another commitment", [](Event* e) { e->set_commitment(std::string(32, 'c')); });
  ExpectRefused("commitment to the content", [](Event* e) { e->set_notes(0); });
  ExpectRefused("outer disagrees", [](Event* e) { e->set_notes(e->notes() | 1); });
  ExpectRefused("no proof", [](Event* e) { e->clear_field_proof(); });
  ExpectRefused("nothing withheld", [](Event* e) { e->mutable_export_()->clear_withheld(); });
}

TEST_F(LiarTest, NobodyIsLeftOutOrPutIn) {
  using Event = federation::v1::RelayedEvent;
  ExpectRefused("origin is b", [](Event* e) {
    e->set_origin("b.example");
    e->mutable_path()->DeleteSubrange(0, 1);
    e->mutable_statements()->DeleteSubrange(0, 1);
  });
  ExpectRefused("b is left out", [](Event* e) {
    e->mutable_path()->DeleteSubrange(1, 1);
    e->mutable_statements()->DeleteSubrange(1, 1);
  });
  ExpectRefused("somebody is put in", [](Event* e) { e->set_path(1, "z.example"); });
  ExpectRefused("statements are exchanged",
                [](Event* e) { e->mutable_statements()->SwapElements(1, 2); });
  ExpectRefused("a statement is gone", [](Event* e) { e->mutable_statements()->RemoveLast(); });
  for (int i = 0; i < event_.statements_size(); ++i) {
    ExpectRefused("a statement is altered", [i](Event* e) {
      std::string* const bytes = e->mutable_statements(i);
      federation::v1::Statement statement;
      ASSERT_TRUE(statement.ParseFromString(*bytes));
      statement.set_sign_time_nanos(statement.sign_time_nanos() + 1);
      *bytes = statement.SerializeAsString();
    });
  }
}

TEST_F(LiarTest, TermsAreNotLoosened) {
  using Event = federation::v1::RelayedEvent;
  ExpectRefused("as far as it came",
                [](Event* e) { e->mutable_export_()->mutable_terms()->set_onward(7); });
  ExpectRefused("in the statement before", [](Event* e) {
    federation::v1::Statement statement;
    ASSERT_TRUE(statement.ParseFromString(e->statements(2)));
    statement.mutable_export_()->mutable_terms()->set_onward(20);
    e->set_statements(2, statement.SerializeAsString());
  });
  ExpectRefused("no terms",
                [](Event* e) { e->mutable_export_()->mutable_terms()->set_onward(100); });
}

// The receiver signs what it has, and the sender keeps that.
TEST_F(TransitTest, ReceiptsAreKept) {
  Make(2);
  Connect(0, 1);
  At(0).PublishMany("e", 10, kBuild);
  ASSERT_TRUE(Has(1, 10));
  const std::string reader = absl::StrCat("link/", Name(1), "/receipt");
  ASSERT_TRUE(Eventually([&] {
    const auto cursor = At(0).store().Cursor(reader);
    return cursor && cursor->position() == 10;
  }));
  federation::v1::Receipt receipt;
  ASSERT_TRUE(receipt.ParseFromString(At(0).store().Cursor(reader)->receipt()));
  const auto imported = At(1).store().Cursor(absl::StrCat("link/", Name(0), "/import"));
  EXPECT_EQ(receipt.digest(), imported->digest());
  EXPECT_EQ(receipt.digest().size(), 32u);
}

// The digest goes on over a restart of either side.
TEST_F(TransitTest, WhatWasSentGoesOnBeingProvedAfterARestart) {
  Make(2);
  Connect(0, 1);
  for (int round = 0; round < 3; ++round) {
    At(0).Publish(absl::StrCat("round ", round), kBuild);
    ASSERT_TRUE(Has(1, static_cast<size_t>(round) + 1));
    At(round % 2).Stop();
    At(round % 2).Start();
    ASSERT_TRUE(Eventually([&] { return At(0).IsUp(Name(1)) && At(1).IsUp(Name(0)); }));
  }
}

TEST_F(TransitTest, APeerSpeaksForTheSourcesOfItsAgreement) {
  Make(2);
  Connect(0, 1);
  At(1).EditPeer(Name(0), [](admin::v1::Peer* peer) { peer->add_sources("/other/%"); });
  At(0).Publish("not its own", kBuild);
  ASSERT_TRUE(Eventually([&] { return RefusedAt(1, "not its own") == "source_not_owned"; }));
  At(1).EditPeer(Name(0), [](admin::v1::Peer* peer) {
    peer->clear_sources();
    peer->add_sources("/a.example/%");
  });
  At(0).Publish("its own", kBuild);
  ASSERT_TRUE(Has(1, 1));
  EXPECT_THAT(At(1).Received(), ElementsAre("its own"));
}

}  // namespace
}  // namespace cdgate
