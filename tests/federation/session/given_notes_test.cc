#include "federation/session/given_notes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/stored_events.h"

namespace cdgate::session {
namespace {

using base::Sequence;
using testing::ElementsAre;
using testing::IsEmpty;

class Sink : public GivenSink {
 public:
  void Given(absl::string_view peer, const GivenKind& kind) override {
    told.push_back(absl::StrCat(peer, " ", kind.type, kind.source, kind.plane));
  }
  std::vector<std::string> Take() { return std::exchange(told, {}); }

  std::vector<std::string> told;
};

class GivenNotesTest : public testing::Test {
 protected:
  void Note(uint64_t sequence, const std::string& type, const std::string& plane = "") {
    io::cloudevents::v1::CloudEvent event;
    event.set_id(absl::StrCat(sequence));
    event.set_type(type);
    event.set_source("/s");
    event.set_spec_version("1.0");
    storage::v1::StoredEvent stored;
    stored.set_cloud_event(event.SerializeAsString());
    stored.set_plane(plane);
    const test::StoredRecord owner(stored, Sequence(sequence));
    notes_.Note(owner.record);
  }

  test::FakeClock clock_;
  Sink sink_;
  GivenNotes notes_{&sink_, "beta.example", clock_};
};

TEST_F(GivenNotesTest, TellsWhatIsAcknowledgedOnceADay) {
  Note(1, "a");
  Note(2, "b", "resource");
  Note(3, "a");
  EXPECT_THAT(sink_.told, IsEmpty());
  notes_.Acknowledged(Sequence(1));
  EXPECT_THAT(sink_.Take(), ElementsAre("beta.example a/s"));
  notes_.Acknowledged(Sequence(3));
  EXPECT_THAT(sink_.Take(), ElementsAre("beta.example b/sresource"));
  Note(4, "a");
  notes_.Acknowledged(Sequence(4));
  EXPECT_THAT(sink_.told, IsEmpty());
  clock_.Advance(absl::Hours(24));
  notes_.Drop(Sequence(5));
  Note(5, "a");
  notes_.Acknowledged(Sequence(5));
  EXPECT_THAT(sink_.Take(), ElementsAre("beta.example a/s"));
}

TEST_F(GivenNotesTest, WhatWasNotSentDoesNotCount) {
  Note(1, "a");
  Note(2, "b");
  notes_.Drop(Sequence(2));  // another policy: decided anew, and denied
  notes_.Acknowledged(Sequence(9));
  EXPECT_THAT(sink_.told, ElementsAre("beta.example a/s"));
}

TEST_F(GivenNotesTest, WaitingKindsAreBounded) {
  for (uint64_t i = 1; i <= kMaxGivenKinds + 5; ++i) Note(i, absl::StrCat("t", i));
  notes_.Acknowledged(Sequence(2 * kMaxGivenKinds));
  EXPECT_EQ(sink_.told.size(), kMaxGivenKinds);
}

TEST_F(GivenNotesTest, NobodyHasToListen) {
  GivenNotes notes(nullptr, "beta.example", clock_);
  storage::v1::StoredEvent stored;
  const test::StoredRecord owner(stored);
  notes.Note(owner.record);
  notes.Acknowledged(Sequence(1));
}

}  // namespace
}  // namespace cdgate::session
