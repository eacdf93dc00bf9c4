// Our own events that a peer gives back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cdgate/federation/v1/link.pb.h"
#include "gateway/event/digests.h"
#include "gateway/event/recovered.h"
#include "tests/gateway/admission/admission_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/stored_events.h"

namespace cdgate::admission {
namespace {

using base::Reason;
using federation::v1::RelayedEvent;
using test::AdmissionFixture;

constexpr char kPeer[] = "beta.example";

// As alpha sent it to beta.
RelayedEvent Own(const std::string& id) {
  const std::string json = test::SampleJson(id);
  RelayedEvent relayed;
  relayed.set_cloud_event(test::SampleCloudEvent(json));
  relayed.set_origin("alpha.example");
  relayed.set_accepted_time_nanos(1'767'225'600'000'000'000);  // the fixture's time
  relayed.set_salt(std::string(16, 's'));
  relayed.set_commitment(event::Commitment(relayed.salt(), crypto::Sha256(json)));
  relayed.set_plane("resource");
  relayed.set_hops(1);
  relayed.add_path("alpha.example");
  relayed.mutable_export_()->mutable_terms();
  return relayed;
}

Imported RecoverOne(AdmissionFixture& f, const RelayedEvent& relayed) {
  const std::string bytes = relayed.SerializeAsString();
  event::RelayedView view;
  EXPECT_TRUE(view.Assign(bytes));
  std::vector<Imported> recovered = f.admission->Recover(kPeer, {&view, 1});
  EXPECT_EQ(recovered.size(), 1u);
  return std::move(recovered[0]);
}

TEST(AdmissionRecoverTest, ItBecomesAnEventAsItWasPublished) {
  AdmissionFixture f;
  Imported in = RecoverOne(f, Own("1"));
  CDGATE_ASSERT_OK(in.status);
  const storage::v1::StoredEvent stored = test::ParseStored(in.event.stored);
  EXPECT_EQ(stored.origin(), "alpha.example");
  EXPECT_EQ(stored.received_from(), "");
  EXPECT_EQ(stored.hops(), 0u);
  EXPECT_EQ(stored.path_size(), 0);
  EXPECT_FALSE(stored.has_terms());
  EXPECT_EQ(stored.salt(), std::string(16, 's'));
  EXPECT_EQ(stored.commitment(), Own("1").commitment());
  EXPECT_EQ(stored.accepted_time_nanos(), 1'767'225'600'000'000'000);
  EXPECT_EQ(stored.plane(), "resource");
  EXPECT_TRUE(event::IsRecoveredFrom(state::ViewOf(in.event), kPeer));
  EXPECT_FALSE(event::IsRecoveredFrom(state::ViewOf(in.event), "gamma.example"));
}

TEST(AdmissionRecoverTest, WhatIsNotOurOwnIsRefused) {
  AdmissionFixture f;
  RelayedEvent other = Own("1");
  other.set_origin(kPeer);
  EXPECT_THAT(RecoverOne(f, other).status, test::HasReason(Reason::kProtocolError));
  RelayedEvent far = Own("1");
  far.add_path("gamma.example");
  EXPECT_THAT(RecoverOne(f, far).status, test::HasReason(Reason::kProtocolError));
}

TEST(AdmissionRecoverTest, WhatIsNotAllThereIsRefused) {
  AdmissionFixture f;
  RelayedEvent redacted = Own("1");
  redacted.clear_salt();
  redacted.mutable_export_()->add_withheld("/customData");
  EXPECT_THAT(RecoverOne(f, redacted).status, test::HasReason(Reason::kAttestationInvalid));
  RelayedEvent altered = Own("1");
  altered.set_cloud_event(test::SampleCloudEvent(test::SampleJson("2")));
  EXPECT_THAT(RecoverOne(f, altered).status, test::HasReason(Reason::kAttestationInvalid));
}

}  // namespace
}  // namespace cdgate::admission
