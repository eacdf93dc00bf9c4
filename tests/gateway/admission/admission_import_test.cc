#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "cdgate/federation/v1/link.pb.h"
#include "gateway/admission/admission.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stored_events.h"

namespace cdgate::admission {
namespace {

using base::Reason;
using federation::v1::RelayedEvent;
using test::AdmissionFixture;
using test::SampleCloudEvent;
using test::SampleJson;
using testing::HasSubstr;

constexpr char kPeer[] = "beta.example";

// What beta, its origin, sends of one event.
RelayedEvent Relayed(const std::string& json) {
  RelayedEvent relayed;
  relayed.set_cloud_event(SampleCloudEvent(json));
  relayed.set_origin(kPeer);
  relayed.set_accepted_time_nanos(1'767'225'600'000'000'000);  // the fixture's time
  relayed.set_salt(std::string(16, 's'));
  relayed.set_commitment(event::Commitment(relayed.salt(), crypto::Sha256(json)));
  relayed.set_plane("resource");
  relayed.set_classification("TLP:GREEN");
  relayed.set_hops(1);
  relayed.add_path(kPeer);
  relayed.mutable_export_()->mutable_terms()->set_onward(1);
  return relayed;
}

RelayedEvent Relayed() { return Relayed(SampleJson("1", "/beta/ci")); }

// The events as they come, and views of them.
struct Batch {
  explicit Batch(const std::vector<RelayedEvent>& events) {
    for (const RelayedEvent& event : events) bytes.push_back(event.SerializeAsString());
    for (const std::string& event : bytes) EXPECT_TRUE(views.emplace_back().Assign(event));
  }
  std::vector<std::string> bytes;
  std::vector<event::RelayedView> views;
};

Imported ImportOne(AdmissionFixture& f, const RelayedEvent& relayed,
                   absl::string_view peer = kPeer) {
  const Batch batch({relayed});
  std::vector<Imported> imported = f.admission->Import(peer, batch.views);
  EXPECT_EQ(imported.size(), 1u);
  return std::move(imported[0]);
}

TEST(AdmissionImportTest, GoodEventIsReadyToBeProposed) {
  AdmissionFixture f;
  Imported in = ImportOne(f, Relayed());
  CDGATE_ASSERT_OK(in.status);
  const storage::v1::StoredEvent stored = test::ParseStored(in.event.stored);
  EXPECT_EQ(stored.origin(), kPeer);
  EXPECT_EQ(stored.received_from(), kPeer);
  EXPECT_EQ(stored.accepted_time_nanos(), 1'767'225'600'000'000'000);
  EXPECT_EQ(stored.salt(), std::string(16, 's'));
  EXPECT_EQ(stored.commitment(), Relayed().commitment());
  EXPECT_EQ(stored.content_digest(), crypto::Sha256(SampleJson("1", "/beta/ci")));
  EXPECT_EQ(stored.plane(), "resource");
  EXPECT_EQ(stored.classification(), "TLP:GREEN");
  EXPECT_EQ(stored.hops(), 1u);
  EXPECT_EQ(stored.path(0), kPeer);
  EXPECT_EQ(stored.terms().onward(), 1u);
  EXPECT_EQ(stored.publisher(), "");
  EXPECT_EQ(stored.cloud_event(), Relayed().cloud_event());
  EXPECT_EQ(in.event.identity, f.store->identities().Of(kPeer, "/beta/ci", "1"));

  state::Proposal proposal;
  proposal.events.push_back(std::move(in.event));
  std::promise<state::Outcome> promise;
  CDGATE_ASSERT_OK(f.store->Propose(std::move(proposal), [&promise](state::Outcome outcome) {
    promise.set_value(std::move(outcome));
  }));
  const state::Outcome outcome = promise.get_future().get();
  CDGATE_ASSERT_OK(outcome.status);
  EXPECT_EQ(f.Stored(outcome.events[0].sequence).origin(), kPeer);
}

TEST(AdmissionImportTest, SameIdentityOfAnotherOriginIsAnotherEvent) {
  AdmissionFixture f;
  const std::string json = SampleJson("1");
  CDGATE_ASSERT_OK(f.Publish({SampleCloudEvent(json)})[0].status);
  const Imported in = ImportOne(f, Relayed(json));
  CDGATE_ASSERT_OK(in.status);
  EXPECT_NE(in.event.identity, f.store->identities().Of("alpha.example", "/alpha/jenkins/1", "1"));
}

TEST(AdmissionImportTest, CommitmentThatDoesNotFitIsRefused) {
  AdmissionFixture f;
  const std::function<void(RelayedEvent*)> kChanges[] = {
      [](RelayedEvent* r) { r->set_commitment(std::string(32, 'c')); },
      [](RelayedEvent* r) { r->clear_commitment(); },
      [](RelayedEvent* r) { r->set_salt(std::string(16, 'S')); },
      [](RelayedEvent* r) { r->clear_salt(); },
      [](RelayedEvent* r) {  // a salt that would move bytes between salt and digest
        r->set_salt(r->salt() + crypto::Sha256(SampleJson("1", "/beta/ci")).substr(0, 1));
      },
      [](RelayedEvent* r) {
        const std::string json = SampleJson("1", "/beta/ci", "dev.cdevents.build.queued.0.2.0",
                                            R"(,"customData":{"n":1})");
        r->set_cloud_event(SampleCloudEvent(json));
      },
  };
  for (const auto& change : kChanges) {
    RelayedEvent relayed = Relayed();
    change(&relayed);
    const Imported in = ImportOne(f, relayed);
    EXPECT_THAT(in.status, test::HasReason(Reason::kAttestationInvalid));
  }
}

TEST(AdmissionImportTest, PathHopsAndLabelsMustMakeSense) {
  AdmissionFixture f;
  const struct {
    const char* name;
    std::function<void(RelayedEvent*)> change;
    const char* message;
  } kCases[] = {
      {"no path", [](RelayedEvent* r) { r->clear_path(); }, "hops 1 with a path of 0"},
      {"no hops", [](RelayedEvent* r) { r->set_hops(0); }, "hops 0 with a path of 1"},
      {"hops of nothing",
       [](RelayedEvent* r) {
         r->set_hops(0);
         r->clear_path();
       },
       "hops 0 with a path of 0"},
      {"too far",
       [](RelayedEvent* r) {
         for (int i = 1; i < 33; ++i) r->add_path(i == 32 ? kPeer : "gamma.example");
         r->set_hops(33);
       },
       "at most 32"},
      {"path begins elsewhere", [](RelayedEvent* r) { r->set_origin("gamma.example"); },
       "does not lead from its origin"},
      {"path ends elsewhere",
       [](RelayedEvent* r) {
         r->add_path("gamma.example");
         r->set_hops(2);
       },
       "does not lead from its origin to the sender"},
      {"loop",
       [](RelayedEvent* r) {
         r->add_path("alpha.example");
         r->add_path(kPeer);
         r->set_hops(3);
       },
       "through this domain"},
      {"our own event back",
       [](RelayedEvent* r) {
         r->set_origin("alpha.example");
         r->set_path(0, "alpha.example");
         r->add_path(kPeer);
         r->set_hops(2);
       },
       "through this domain"},
      {"origin is no domain", [](RelayedEvent* r) { r->set_origin("Beta Example"); },
       "origin is not a domain"},
      {"no origin", [](RelayedEvent* r) { r->clear_origin(); }, "origin is not a domain"},
      {"long plane", [](RelayedEvent* r) { r->set_plane(std::string(256, 'p')); },
       "longer than 255"},
      {"long classification", [](RelayedEvent* r) { r->set_classification(std::string(256, 'p')); },
       "longer than 255"},
  };
  for (const auto& c : kCases) {
    RelayedEvent relayed = Relayed();
    c.change(&relayed);
    EXPECT_THAT(ImportOne(f, relayed).status,
                test::HasReasonAndMessage(Reason::kProtocolError, HasSubstr(c.message)))
        << c.name;
  }
}

TEST(AdmissionImportTest, EventOfAThirdDomainKeepsItsPath) {
  AdmissionFixture f;
  RelayedEvent relayed = Relayed();
  relayed.set_origin("gamma.example");
  relayed.set_path(0, "gamma.example");
  relayed.add_path(kPeer);
  relayed.set_hops(2);
  const Imported in = ImportOne(f, relayed);
  CDGATE_ASSERT_OK(in.status);  // whether transit is agreed, policy decides
  EXPECT_EQ(ViewOf(in.event).origin(), "gamma.example");
  EXPECT_EQ(ViewOf(in.event).received_from(), kPeer);
  EXPECT_EQ(test::ParseStored(in.event.stored).path_size(), 2);
}

TEST(AdmissionImportTest, NeverTrustsThatThePeerValidated) {
  AdmissionFixture f;
  const struct {
    const char* name;
    std::function<void(RelayedEvent*)> change;
    Reason reason;
  } kCases[] = {
      {"no CloudEvent", [](RelayedEvent* r) { r->set_cloud_event("\xff"); },
       Reason::kInvalidCloudEvent},
      {"no data", [](RelayedEvent* r) { r->clear_cloud_event(); }, Reason::kInvalidCloudEvent},
      {"ambiguous",
       [](RelayedEvent* r) {
         io::cloudevents::v1::CloudEvent event;
         event.ParseFromString(r->cloud_event());
         event.set_binary_data(R"({"context":{},"context":{}})");
         r->set_cloud_event(event.SerializeAsString());
       },
       Reason::kAmbiguousJson},
      {"spoofed source",
       [](RelayedEvent* r) {
         io::cloudevents::v1::CloudEvent event;
         event.ParseFromString(r->cloud_event());
         event.set_source("/alpha/jenkins/1");
         r->set_cloud_event(event.SerializeAsString());
       },
       Reason::kEnvelopeMismatch},
      {"reserved attribute",
       [](RelayedEvent* r) {
         io::cloudevents::v1::CloudEvent event;
         event.ParseFromString(r->cloud_event());
         (*event.mutable_attributes())["cdgatehops"].set_ce_integer(0);
         r->set_cloud_event(event.SerializeAsString());
       },
       Reason::kReservedAttribute},
      {"from the future",
       [](RelayedEvent* r) {
         r->set_accepted_time_nanos(r->accepted_time_nanos() +
                                    absl::ToInt64Nanoseconds(absl::Minutes(61)));
       },
       Reason::kInvalidEvent},
  };
  for (const auto& c : kCases) {
    RelayedEvent relayed = Relayed();
    c.change(&relayed);
    const Imported in = ImportOne(f, relayed);
    EXPECT_THAT(in.status, test::HasReason(c.reason)) << c.name;
  }
}

TEST(AdmissionImportTest, ClocksMayDifferALittle) {
  AdmissionFixture f;
  RelayedEvent relayed = Relayed();
  relayed.set_accepted_time_nanos(relayed.accepted_time_nanos() +
                                  absl::ToInt64Nanoseconds(absl::Minutes(59)));
  CDGATE_EXPECT_OK(ImportOne(f, relayed).status);
}

TEST(AdmissionImportTest, WhatTheOriginNotedOfTheEnvelopeStays) {
  AdmissionFixture f;
  RelayedEvent relayed = Relayed();
  relayed.set_notes(event::kNoteOuterDisagrees | event::kNoteRedacted | 1024);
  EXPECT_EQ(ViewOf(ImportOne(f, relayed).event).notes(), event::kNoteOuterDisagrees);
}

TEST(AdmissionImportTest, OneFaultyEventStopsNoOther) {
  AdmissionFixture f;
  std::vector<RelayedEvent> events;
  for (const char* id : {"1", "2", "3"}) events.push_back(Relayed(SampleJson(id, "/beta/ci")));
  events[1].set_cloud_event("\xff");
  const Batch batch(events);
  const auto imported = f.admission->Import(kPeer, batch.views);
  ASSERT_EQ(imported.size(), 3u);
  CDGATE_EXPECT_OK(imported[0].status);
  EXPECT_THAT(imported[1].status, test::HasReason(Reason::kInvalidCloudEvent));
  CDGATE_EXPECT_OK(imported[2].status);
  EXPECT_EQ(event::Record(base::Sequence(0), imported[2].event.stored).id(), "3");
}

TEST(AdmissionImportTest, TheSchemaIsJudgedByOurOwnRegistryAndRefusesNothing) {
  AdmissionFixture f;
  const std::vector<schema::SchemaDocument> documents = {{"urn:known", R"({"maxProperties": 1})"}};
  f.schemas.Replace(schema::SchemaSet::Compile(documents).set);
  const auto note_of = [&f](const std::string& uri, uint32_t theirs) {
    RelayedEvent relayed = Relayed(
        absl::StrReplaceAll(SampleJson("1", "/beta/ci"),
                            {{R"("context":{)", R"("context":{"schemaUri":")" + uri + R"(",)"}}));
    relayed.set_notes(theirs);
    const Imported in = ImportOne(f, relayed);
    CDGATE_EXPECT_OK(in.status);
    return state::ViewOf(in.event).notes();
  };
  EXPECT_EQ(note_of("urn:known", event::kNoteSchemaValid), event::kNoteSchemaInvalid);
  EXPECT_EQ(note_of("urn:other", event::kNoteSchemaValid | event::kNoteOuterDisagrees),
            event::kNoteSchemaUnresolved | event::kNoteOuterDisagrees);
}

}  // namespace
}  // namespace cdgate::admission
