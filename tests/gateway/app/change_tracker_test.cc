#include "gateway/app/change_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace cdgate::app {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Resources that change one after the other, a commit each.
class ChangeTrackerTest : public testing::Test {
 protected:
  void Change(const std::string& kind, const std::string& name, const std::string& author,
              bool deleted = false) {
    auto resource = std::make_shared<state::StoredResource>();
    const state::ResourcePtr before = now_->Latest(kind, name);
    resource->kind = kind;
    resource->name = name;
    resource->author = author;
    resource->version = before == nullptr ? 1 : before->version + 1;
    resource->deleted = deleted;
    resource->commit = ++commit_;
    now_ = now_->With({resource});
  }
  static std::vector<std::string> Names(const std::vector<AuditedChange>& changes) {
    std::vector<std::string> out;
    for (const AuditedChange& change : changes) {
      out.push_back(absl::StrCat(change.after->name, " ",
                                 change.before == nullptr ? 0 : change.before->version, ">",
                                 change.after->version, change.after->deleted ? " deleted" : ""));
    }
    return out;
  }
  static bool Any(const state::StoredResource&) { return true; }
  static bool None(const state::StoredResource&) { return false; }

  uint64_t commit_ = 0;
  state::ResourceSnapshotPtr now_ = std::make_shared<state::ResourceSnapshot>();
  ChangeTracker tracker_;
};

TEST_F(ChangeTrackerTest, ACallGetsWhatItsAuthorChangedMeanwhile) {
  Change("grant", "old", "ann");
  tracker_.Start(now_, commit_, {});
  tracker_.BeginCall("ann");
  Change("grant", "old", "ann");
  Change("grant", "other", "bob");
  Change("grant", "new", "ann");
  tracker_.Observe(now_);
  EXPECT_THAT(Names(tracker_.TakeOrphans()), ElementsAre("other 0>1"));
  EXPECT_THAT(Names(tracker_.EndCall("ann", now_, None)), ElementsAre("old 1>2", "new 0>1"));
  EXPECT_THAT(tracker_.TakeOrphans(), IsEmpty());
}

TEST_F(ChangeTrackerTest, DeletionsAreChanges) {
  Change("token", "ci", "ann");
  tracker_.Start(now_, commit_, {});
  tracker_.BeginCall("ann");
  Change("token", "ci", "ann", true);
  EXPECT_THAT(Names(tracker_.EndCall("ann", now_, None)), ElementsAre("ci 1>2 deleted"));
}

TEST_F(ChangeTrackerTest, OfTwoCallsOfOneAuthorEachGetsWhatItNames) {
  tracker_.Start(now_, 0, {});
  tracker_.BeginCall("ann");
  tracker_.BeginCall("ann");
  Change("grant", "a", "ann");
  Change("grant", "b", "ann");
  const auto names_b = [](const state::StoredResource& r) { return r.name == "b"; };
  EXPECT_THAT(Names(tracker_.EndCall("ann", now_, names_b)), ElementsAre("b 0>1"));
  EXPECT_THAT(tracker_.TakeOrphans(), IsEmpty());
  EXPECT_THAT(Names(tracker_.EndCall("ann", now_, None)), ElementsAre("a 0>1"));
}

TEST_F(ChangeTrackerTest, WhatPeersSendByThemselvesIsNoAct) {
  tracker_.Start(now_, 0, {});
  Change(state::kInterestKind, "beta.example", "beta.example");
  Change(state::kEnvironmentKind, "decisions", "groups");
  Change(state::kPeerKind, "beta.example", "enrolment");
  tracker_.Observe(now_);
  EXPECT_THAT(Names(tracker_.TakeOrphans()), ElementsAre("beta.example 0>1"));
}

TEST_F(ChangeTrackerTest, AStartHandsOutWhatACrashLeftUnrecorded) {
  Change("grant", "recorded before", "ann");
  Change("grant", "recorded after", "ann");
  Change("grant", "lost", "ann");
  tracker_.Start(now_, 1, {{"grant", "recorded after", 1}});
  EXPECT_EQ(tracker_.recorded_commit(), 2u);
  const auto lost = tracker_.TakeOrphans();
  EXPECT_THAT(Names(lost), ElementsAre("lost 0>1"));
  EXPECT_EQ(tracker_.recorded_commit(), 2u);
  tracker_.Done(lost);
  EXPECT_EQ(tracker_.recorded_commit(), 3u);
}

TEST_F(ChangeTrackerTest, WhatCouldNotBeWrittenIsHandedOutAgain) {
  tracker_.Start(now_, 0, {});
  tracker_.BeginCall("ann");
  Change("grant", "a", "ann");
  const auto changes = tracker_.EndCall("ann", now_, Any);
  EXPECT_EQ(tracker_.recorded_commit(), 0u);
  tracker_.GiveBack(changes);
  EXPECT_EQ(tracker_.recorded_commit(), 0u);
  const auto again = tracker_.TakeOrphans();
  EXPECT_THAT(Names(again), ElementsAre("a 0>1"));
  tracker_.Done(again);
  EXPECT_EQ(tracker_.recorded_commit(), 1u);
}

}  // namespace
}  // namespace cdgate::app
