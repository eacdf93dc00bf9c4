#include "gateway/admission/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stored_events.h"

namespace cdgate::admission {
namespace {

using base::Reason;
using base::Sequence;
using test::AdmissionFixture;
using test::SampleCloudEvent;
using test::SampleJson;

std::string Event(const std::string& id) { return SampleCloudEvent(SampleJson(id)); }

// The event with a change to its envelope.
template <typename Change>
std::string Changed(const std::string& cloud_event, Change change) {
  io::cloudevents::v1::CloudEvent proto;
  EXPECT_TRUE(proto.ParseFromString(cloud_event));
  change(&proto);
  return proto.SerializeAsString();
}

TEST(AdmissionTest, StampsWhatTheGatewayAdds) {
  AdmissionFixture f;
  const std::string event = Changed(Event("1"), [](io::cloudevents::v1::CloudEvent* proto) {
    (*proto->mutable_attributes())["dataclassification"].set_ce_string("TLP:AMBER");
  });
  const auto results = f.Publish({event});
  ASSERT_EQ(results.size(), 1u);
  CDGATE_ASSERT_OK(results[0].status);
  EXPECT_FALSE(results[0].duplicate);
  const storage::v1::StoredEvent stored = f.Stored(results[0].sequence);
  EXPECT_EQ(stored.origin(), "alpha.example");
  EXPECT_EQ(absl::FromUnixNanos(stored.accepted_time_nanos()), f.clock.Now());
  EXPECT_EQ(stored.plane(), "integration-delivery");
  EXPECT_EQ(stored.classification(), "TLP:AMBER");
  EXPECT_EQ(stored.publisher(), "spiffe://alpha.example/service/jenkins");
  EXPECT_EQ(stored.content_digest(), crypto::Sha256(SampleJson("1")));
  EXPECT_EQ(stored.salt().size(), event::kSaltBytes);
  EXPECT_EQ(stored.commitment(), event::Commitment(stored.salt(), stored.content_digest()));
  EXPECT_EQ(stored.hops(), 0u);
  EXPECT_EQ(stored.path_size(), 0);
  EXPECT_EQ(stored.received_from(), "");
  EXPECT_EQ(stored.import_rule(), "");
  EXPECT_FALSE(stored.has_terms());
  EXPECT_EQ(stored.notes(), 0u);
  EXPECT_EQ(test::StoredRecord(stored).record.data(), SampleJson("1"));
}

TEST(AdmissionTest, EverySaltIsItsOwn) {
  AdmissionFixture f;
  std::vector<std::string> events;
  for (int i = 0; i < 600; ++i) events.push_back(Event(absl::StrCat(i)));
  std::set<std::string> salts;
  for (const Result& result : f.Publish(events)) {
    CDGATE_ASSERT_OK(result.status);
    salts.insert(f.Stored(result.sequence).salt());
  }
  EXPECT_EQ(salts.size(), 600u);
}

TEST(AdmissionTest, ResultsAreInTheOrderOfTheEventsAndAFaultyOneStopsNoOther) {
  AdmissionFixture f;
  const auto results = f.Publish({
      Event("1"),
      "\xff",
      SampleCloudEvent(SampleJson("2", "/alpha/gitlab/1")),
      Event("1"),
      SampleCloudEvent(
          SampleJson("3", "/alpha/jenkins/1", "dev.cdevents.artifact.published.0.2.0")),
      Event("4"),
      Changed(Event("5"), [](auto* proto) { proto->set_source("/alpha/jenkins/2"); }),
  });
  ASSERT_EQ(results.size(), 7u);
  CDGATE_EXPECT_OK(results[0].status);
  EXPECT_THAT(results[1].status, test::HasReason(Reason::kInvalidCloudEvent));
  EXPECT_THAT(results[2].status, test::HasReason(Reason::kSourceNotGranted));
  CDGATE_EXPECT_OK(results[3].status);
  EXPECT_TRUE(results[3].duplicate);
  EXPECT_EQ(results[3].sequence, results[0].sequence);
  EXPECT_THAT(results[4].status, test::HasReason(Reason::kTypeNotGranted));
  CDGATE_EXPECT_OK(results[5].status);
  EXPECT_EQ(results[5].sequence, results[0].sequence.Next());
  EXPECT_THAT(results[6].status, test::HasReason(Reason::kEnvelopeMismatch));
  for (const size_t refused : {1, 2, 4, 6}) {
    EXPECT_EQ(results[refused].sequence, Sequence(0)) << refused;
  }
  EXPECT_EQ(f.store->head().sequence, results[5].sequence);
}

TEST(AdmissionTest, NothingReachesTheLogWhereNothingIsAdmitted) {
  AdmissionFixture f;
  const Sequence head = f.store->head().sequence;
  bool done = false;
  const std::string bad = "\xff";
  const absl::string_view events[] = {bad, bad};
  f.admission->Publish(f.Jenkins(), events, [&](std::vector<Result> results) {
    done = true;
    EXPECT_EQ(results.size(), 2u);
  });
  EXPECT_TRUE(done);  // in the call
  EXPECT_TRUE(f.Publish({}).empty());
  EXPECT_EQ(f.store->head().sequence, head);
}

TEST(AdmissionTest, PublishingAgainIsADuplicateWhateverEnvelopeAndKeyOrder) {
  AdmissionFixture f;
  const Sequence first = f.Publish({Event("1")})[0].sequence;
  const std::string reordered = SampleCloudEvent(absl::StrReplaceAll(
      SampleJson("1"), {{R"("version":"0.4.1","id":"1")", R"("id": "1", "version": "0.4.1")"}}));
  const std::string other_envelope =
      Changed(Event("1"), [](auto* proto) { proto->set_id("random"); });
  for (const std::string& event : {Event("1"), reordered, other_envelope}) {
    const Result result = f.Publish({event})[0];
    CDGATE_EXPECT_OK(result.status);
    EXPECT_TRUE(result.duplicate);
    EXPECT_EQ(result.sequence, first);
  }
}

TEST(AdmissionTest, SameIdentityWithOtherContentIsAConflict) {
  AdmissionFixture f;
  CDGATE_EXPECT_OK(f.Publish({Event("1")})[0].status);
  const std::string other = SampleCloudEvent(SampleJson(
      "1", "/alpha/jenkins/1", "dev.cdevents.build.queued.0.2.0", R"(,"customData":{"n":1})"));
  EXPECT_THAT(f.Publish({other})[0].status, test::HasReason(Reason::kIdentityConflict));
  const std::string other_source = SampleCloudEvent(SampleJson("1", "/alpha/jenkins/2"));
  const Result result = f.Publish({other_source})[0];
  CDGATE_EXPECT_OK(result.status);
  EXPECT_FALSE(result.duplicate);
}

TEST(AdmissionTest, OnlyWhoIsGrantedPublishes) {
  AdmissionFixture f;
  authz::Principal other = f.Jenkins();
  other.id = "spiffe://alpha.example/service/gitlab";
  EXPECT_THAT(f.PublishAs(other, {Event("1")})[0].status, test::HasReason(Reason::kNotGranted));
  EXPECT_THAT(f.PublishAs(authz::Principal::Local("root"), {Event("1")})[0].status,
              test::HasReason(Reason::kNotGranted));
  f.grants.Replace(std::make_shared<const authz::Grants>());
  EXPECT_THAT(f.Publish({Event("1")})[0].status, test::HasReason(Reason::kNotGranted));
  EXPECT_EQ(f.store->head().sequence, Sequence(0));
}

// A type that no release has: only where the grant says so, and then stamped.
TEST(AdmissionTest, UnknownTypesEnterByTheirGrantOnly) {
  AdmissionFixture f;
  const std::string unknown = SampleCloudEvent(SampleJson(
      "1", "/alpha/jenkins/1", "dev.cdevents.build.queued.9.9.9", R"(,"customData":{"any":[1]})"));
  EXPECT_THAT(f.Publish({unknown})[0].status,
              test::HasReasonAndMessage(
                  Reason::kUnknownType,
                  testing::AllOf(testing::HasSubstr("dev.cdevents.build.queued.0.2.0"),
                                 testing::HasSubstr("accept_unknown in grant jenkins"))));
  EXPECT_EQ(f.store->head().sequence, Sequence(0));
  admin::v1::Grant grant;
  grant.set_name("jenkins");
  grant.set_principal("spiffe://alpha.example/service/jenkins");
  grant.set_role(admin::v1::ROLE_PUBLISHER);
  grant.add_sources("%");
  grant.set_accept_unknown(true);
  f.grants.Replace(*authz::Grants::Compile({grant}));
  CDGATE_EXPECT_OK(f.Publish({unknown, Event("2")})[0].status);
  EXPECT_EQ(f.Stored(Sequence(1)).notes(), event::kNoteUnknownType);
  EXPECT_EQ(f.Stored(Sequence(2)).notes(), 0u);
  // That of a known type which does not conform is no unknown type.
  const std::string faulty = absl::StrReplaceAll(unknown, {{"9.9.9", "0.3.0"}});
  EXPECT_THAT(f.Publish({faulty})[0].status, test::HasReason(Reason::kInvalidEvent));
}

TEST(AdmissionTest, ReservedAttributesAndLargeEventsAreRefused) {
  AdmissionFixture f({.max_event_bytes = 1000});
  const std::string reserved = Changed(Event("1"), [](auto* proto) {
    (*proto->mutable_attributes())["cdgateorigin"].set_ce_string("beta.example");
  });
  const std::string large = SampleCloudEvent(
      SampleJson("1", "/alpha/jenkins/1", "dev.cdevents.build.queued.0.2.0",
                 absl::StrCat(R"(,"customData":")", std::string(1000, 'x'), "\"")));
  EXPECT_THAT(f.Publish({reserved})[0].status, test::HasReason(Reason::kReservedAttribute));
  EXPECT_THAT(f.Publish({large})[0].status, test::HasReason(Reason::kTooLarge));
}

TEST(AdmissionTest, WhatTheStoreRefusesIsToldForEachEvent) {
  AdmissionFixture f;
  f.store->Shutdown();
  const auto results = f.Publish({Event("1"), "\xff", Event("2")});
  ASSERT_EQ(results.size(), 3u);
  EXPECT_THAT(results[0].status, test::HasReason(Reason::kDraining));
  EXPECT_THAT(results[1].status, test::HasReason(Reason::kInvalidCloudEvent));
  EXPECT_THAT(results[2].status, test::HasReason(Reason::kDraining));
}

TEST(AdmissionTest, CountsWhatBecameOfEvents) {
  AdmissionFixture f;
  EXPECT_EQ(f.Counted("cdgate_publish_refusals_total", {{"reason", "invalid_json"}}), 0);
  (void)f.Publish({Event("1"), Event("1"), "\xff", Event("2")});
  (void)f.Publish({"\xff"});
  EXPECT_EQ(f.Counted("cdgate_published_events_total", {{"outcome", "accepted"}}), 2);
  EXPECT_EQ(f.Counted("cdgate_published_events_total", {{"outcome", "duplicate"}}), 1);
  EXPECT_EQ(f.Counted("cdgate_publish_refusals_total", {{"reason", "invalid_cloud_event"}}), 2);
}

TEST(AdmissionTest, ManyThreadsPublishWithoutLosingOrMixingResults) {
  AdmissionFixture f;
  constexpr int kThreads = 4;
  constexpr int kBatches = 20;
  constexpr int kBatch = 10;
  std::vector<std::vector<Result>> results(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&f, &results, t] {
      for (int b = 0; b < kBatches; ++b) {
        std::vector<std::string> events;
        for (int i = 0; i < kBatch; ++i) events.push_back(Event(absl::StrCat(t, "-", b, "-", i)));
        for (Result& result : f.Publish(events)) results[t].push_back(std::move(result));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> sequences;
  for (int t = 0; t < kThreads; ++t) {
    ASSERT_EQ(results[t].size(), size_t{kBatches * kBatch});
    for (size_t i = 0; i < results[t].size(); ++i) {
      CDGATE_ASSERT_OK(results[t][i].status);
      sequences.insert(results[t][i].sequence.value());
      const storage::v1::StoredEvent stored = f.Stored(results[t][i].sequence);
      const test::StoredRecord owner(stored);
      EXPECT_EQ(owner.record.id(), absl::StrCat(t, "-", i / kBatch, "-", i % kBatch));
    }
  }
  EXPECT_EQ(sequences.size(), size_t{kThreads * kBatches * kBatch});
}

}  // namespace
}  // namespace cdgate::admission
