#include "tests/gateway/state/fold_fixture.h"

namespace cdgate::test {
namespace {

TEST_F(FoldTest, ResourcesAreVersioned) {
  CDGATE_ASSERT_OK(world_.Apply(Resource("policy", "beta.example", "one")));
  (void)world_.Publish("a");
  state::ResourceEdit edit = Resource("policy", "beta.example", "two");
  edit.source = "peer: beta.example";
  edit.unplanned = true;
  Proposal proposal;
  proposal.resources.push_back(edit);
  const Outcome outcome = world_.Propose(std::move(proposal));
  EXPECT_EQ(outcome.versions, std::vector<uint64_t>{2});
  EXPECT_EQ(outcome.effective_sequence, Sequence(2));
  const ResourcePtr now = store().Resources()->Find("policy", "beta.example");
  ASSERT_NE(now, nullptr);
  EXPECT_EQ(now->value, "two");
  EXPECT_EQ(now->version, 2u);
  EXPECT_EQ(now->base_version, 1u);
  EXPECT_EQ(now->author, "local:root");
  EXPECT_EQ(now->source, "peer: beta.example");
  EXPECT_TRUE(now->unplanned);
  EXPECT_EQ(now->effective_sequence, Sequence(2));
  EXPECT_EQ(now->commit, outcome.commit);
  EXPECT_EQ(now->commit_time, store().head().commit_time);
}

TEST_F(FoldTest, APolicyKeepsEveryVersion) {
  for (const char* value : {"one", "two", "three"}) {
    CDGATE_ASSERT_OK(world_.Apply(Resource("policy", "beta.example", value)));
  }
  CDGATE_ASSERT_OK(world_.Apply(Resource("policy", "beta.example.org", "other")));
  world_.Crash();
  world_.Open();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto history, store().History("policy", "beta.example"));
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0]->value, "three");
  EXPECT_EQ(history[2]->value, "one");
  EXPECT_EQ(history[2]->version, 1u);
}

TEST_F(FoldTest, WhatDecisionsDependedOnKeepsEveryVersion) {
  for (const char* kind : {state::kPolicyKind, state::kGrantKind, state::kEnvironmentKind,
                           state::kGroupKind, state::kGroupListKind, state::kReplayKind}) {
    for (const char* value : {"one", "two"}) {
      CDGATE_ASSERT_OK(world_.Apply(Resource(kind, state::kEnvironmentName, value)));
    }
  }
  const auto versions = [this](const char* kind) {
    const auto history = store().History(kind, state::kEnvironmentName);
    EXPECT_TRUE(history.ok()) << history.status();
    return history.ok() ? history->size() : 0;
  };
  EXPECT_EQ(versions(state::kEnvironmentKind), 2u);
  EXPECT_EQ(versions(state::kGroupKind), 2u);
  EXPECT_EQ(versions(state::kGroupListKind), 1u);
  EXPECT_EQ(versions(state::kReplayKind), 1u);
}

TEST_F(FoldTest, AChangeSaysWhoApprovedWhichPlanAndWhatItRestores) {
  state::ResourceEdit edit = Resource("policy", "beta.example", "one");
  edit.plan = std::string(32, 'h');
  edit.approved_by = "spiffe://alpha.example/user/bob";
  edit.restored_version = 7;
  CDGATE_ASSERT_OK(world_.Apply(edit));
  CDGATE_ASSERT_OK(world_.Apply(Resource("policy", "beta.example", "two")));
  world_.Crash();
  world_.Open();
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto history, store().History("policy", "beta.example"));
  ASSERT_EQ(history.size(), 2u);
  EXPECT_EQ(history[1]->plan, edit.plan);
  EXPECT_EQ(history[1]->approved_by, edit.approved_by);
  EXPECT_EQ(history[1]->restored_version, 7u);
  EXPECT_EQ(history[0]->plan, "");
  EXPECT_EQ(history[0]->approved_by, "");
  EXPECT_EQ(history[0]->restored_version, 0u);
}

TEST_F(FoldTest, APlanThatIsDeletedLeavesItsVersionOnly) {
  CDGATE_ASSERT_OK(world_.Apply(Resource(state::kPlanKind, "aa", "a plan")));
  state::ResourceEdit removal = Resource(state::kPlanKind, "aa", "");
  removal.deleted = true;
  removal.source = "why";
  removal.approved_by = "somebody";
  CDGATE_ASSERT_OK(world_.Apply(removal));
  EXPECT_EQ(store().Resources()->Find(state::kPlanKind, "aa"), nullptr);
  const ResourcePtr left = store().Resources()->Latest(state::kPlanKind, "aa");
  ASSERT_NE(left, nullptr);
  EXPECT_TRUE(left->deleted);
  EXPECT_EQ(left->version, 2u);
  EXPECT_EQ(left->author + left->source + left->approved_by + left->value, "");
}

TEST_F(FoldTest, APeerThatIsRemovedIsForgotten) {
  CDGATE_ASSERT_OK(world_.Apply(Resource("peer", "beta.example", "its bundle")));
  state::ResourceEdit removal = Resource("peer", "beta.example", "");
  removal.deleted = true;
  CDGATE_ASSERT_OK(world_.Apply(removal));
  EXPECT_EQ(store().Resources()->Find("peer", "beta.example"), nullptr);
  EXPECT_TRUE(store().Resources()->List("peer").empty());
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto history, store().History("peer", "beta.example"));
  ASSERT_EQ(history.size(), 1u);
  EXPECT_TRUE(history[0]->deleted);
  EXPECT_EQ(history[0]->value, "");
  EXPECT_THAT(world_.Apply(removal), HasReason(Reason::kNotFound));
  CDGATE_ASSERT_OK(world_.Apply(Resource("peer", "beta.example", "again", 0)));
  const ResourcePtr again = store().Resources()->Find("peer", "beta.example");
  EXPECT_EQ(again->version, 3u) << "a version is never used twice";
  EXPECT_EQ(again->base_version, 0u);
}

TEST_F(FoldTest, PreconditionsOfResources) {
  EXPECT_THAT(world_.Apply(Resource("grant", "g", "v", 1)), HasReason(Reason::kEtagMismatch));
  CDGATE_EXPECT_OK(world_.Apply(Resource("grant", "g", "v", 0)));
  EXPECT_THAT(world_.Apply(Resource("grant", "g", "v", 0)), HasReason(Reason::kAlreadyExists));
  EXPECT_THAT(world_.Apply(Resource("grant", "g", "v", 2)), HasReason(Reason::kEtagMismatch));
  CDGATE_EXPECT_OK(world_.Apply(Resource("grant", "g", "w", 1)));
  CDGATE_EXPECT_OK(world_.Apply(Resource("grant", "g", "x")));
  EXPECT_EQ(store().Resources()->Find("grant", "g")->version, 3u);
}

TEST_F(FoldTest, TwoChangesOfOneVersionInOneCommitDoNotBothGoThrough) {
  StoreWorld remote(eventlog::MemoryLog::Mode::kRemote);
  remote.Open();
  auto busy = remote.Begin(remote.OfEvents({Published("a", "{}", remote.clock.Now())}));
  while (remote.log->outstanding() == 0) std::this_thread::yield();
  std::vector<StoreWorld::Waiting> waiting;
  for (const char* value : {"mine", "yours"}) {
    Proposal proposal;
    proposal.resources.push_back(Resource("grant", "g", value, 0));
    waiting.push_back(remote.Begin(std::move(proposal)));
  }
  remote.log->Complete(1);
  (void)busy.Get();
  while (remote.log->outstanding() == 0) std::this_thread::yield();
  remote.log->Complete(1);
  CDGATE_EXPECT_OK(waiting[0].Get().status);
  EXPECT_THAT(waiting[1].Get().status, HasReason(Reason::kAlreadyExists));
  EXPECT_EQ(remote.store->Resources()->Find("grant", "g")->value, "mine");
}

TEST_F(FoldTest, ListsResourcesByNameInPages) {
  for (const char* name : {"c", "a", "b", "d"}) {
    CDGATE_ASSERT_OK(world_.Apply(Resource("grant", name, name)));
  }
  const auto names = [](const std::vector<ResourcePtr>& list) {
    std::string out;
    for (const ResourcePtr& resource : list) out += resource->name;
    return out;
  };
  const auto snapshot = store().Resources();
  EXPECT_EQ(names(snapshot->List("grant")), "abcd");
  EXPECT_EQ(names(snapshot->List("grant", "", 2)), "ab");
  EXPECT_EQ(names(snapshot->List("grant", "b", 2)), "cd");
  EXPECT_EQ(names(snapshot->List("grant", "bb", 1)), "c");
  EXPECT_EQ(names(snapshot->List("policy")), "");
}

TEST_F(FoldTest, ASnapshotStaysAsItIs) {
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "one")));
  const auto before = store().Resources();
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "two")));
  EXPECT_EQ(before->Find("grant", "g")->value, "one");
  EXPECT_EQ(store().Resources()->Find("grant", "g")->value, "two");
  EXPECT_LT(before->commit(), store().Resources()->commit());
}

TEST_F(FoldTest, AResourceIsReadAsItsMessage) {
  admin::v1::Grant grant;
  grant.set_name("g");
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", grant.SerializeAsString())));
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "bad", "\xff\xff")));
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto back,
                              store().Resources()->Find("grant", "g")->As<admin::v1::Grant>());
  EXPECT_EQ(back.name(), "g");
  EXPECT_THAT(store().Resources()->Find("grant", "bad")->As<admin::v1::Grant>(),
              HasReason(Reason::kLogCorrupt));
}

TEST_F(FoldTest, WatchersGetTheNewestSnapshot) {
  base::Mutex mu;
  base::CondVar changed;
  std::string seen;
  const uint64_t id = store().Watch([&](const state::ResourceSnapshotPtr& snapshot) {
    base::MutexLock lock(mu);
    const ResourcePtr grant = snapshot->Find("grant", "g");
    seen = grant == nullptr ? "none" : grant->value;
    changed.SignalAll();
  });
  const auto wait_for = [&](const std::string& value) {
    base::MutexLock lock(mu);
    while (seen != value) changed.Wait(mu);
  };
  wait_for("none");
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "one")));
  wait_for("one");
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "two")));
  wait_for("two");
  store().Unwatch(id);
  CDGATE_ASSERT_OK(world_.Apply(Resource("grant", "g", "three")));
  world_.store->Shutdown();
  base::MutexLock lock(mu);
  EXPECT_EQ(seen, "two");
}

// --- ledger

}  // namespace
}  // namespace cdgate::test
