// What is left of identities after a crash, on a disk that is slow, and on one that fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "tests/gateway/state/fold_fixture.h"

namespace cdgate::test {
namespace {

size_t IndexOf(state::Table table) { return static_cast<size_t>(table); }

class DurabilityTest : public FoldTest {
 protected:
  void OpenWith(size_t flush_events) {
    world_.Close();
    world_.options.flush_events = flush_events;
    world_.Open();
  }
  state::MemoryTables Disk() {
    base::MutexLock lock(world_.kv_storage->mu);
    return world_.kv_storage->tables;
  }
  void SetDisk(state::MemoryTables tables) {
    base::MutexLock lock(world_.kv_storage->mu);
    world_.kv_storage->tables = std::move(tables);
  }
};

// Keeps both threads of the world's pool busy.
class BusyPool {
 public:
  explicit BusyPool(base::ThreadPool& pool) {
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(pool.TryPost([gate = gate_] {
        base::MutexLock lock(gate->mu);
        while (!gate->open) gate->opened.Wait(gate->mu);
      }));
    }
  }
  ~BusyPool() {
    base::MutexLock lock(gate_->mu);
    gate_->open = true;
    gate_->opened.SignalAll();
  }

 private:
  struct Gate {
    base::Mutex mu;
    base::CondVar opened;
    bool open CDGATE_GUARDED_BY(mu) = false;
  };
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(DurabilityTest, DuplicatesAndConflictsStayWhatTheyAre) {
  for (const bool flushed : {false, true}) {
    const std::string id = flushed ? "flushed" : "replayed";
    (void)world_.Publish(id, R"({"x":1,"y":2})");
    if (flushed) {
      CDGATE_ASSERT_OK(store().Flush());
    }
    world_.Crash();
    world_.Open();
    EXPECT_TRUE(world_.Publish(id, R"({"x":1,"y":2})").duplicate) << id;
    EXPECT_TRUE(world_.Publish(id, R"({"y":2,"x":1})").duplicate) << id;
    EXPECT_THAT(world_.Publish(id, R"({"x":2,"y":2})").status, HasReason(Reason::kIdentityConflict))
        << id;
  }
}

TEST_F(DurabilityTest, MemoryIsBoundedWhereNothingIsWritten) {
  OpenWith(10);
  {
    const BusyPool busy(world_.pool);
    for (int i = 0; i < 100; ++i) (void)world_.Publish(absl::StrCat(i));
    EXPECT_GE(Disk()[IndexOf(state::Table::kIdentity)].size(), 80u) << "the committer writes";
  }
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(world_.Publish(absl::StrCat(i)).duplicate) << i;
}

TEST_F(DurabilityTest, AStartWithoutTheStateKeepsItsMemoryBounded) {
  for (int i = 0; i < 100; ++i) (void)world_.Publish(absl::StrCat(i));
  world_.Close();
  world_.kv_storage = std::make_shared<state::MemoryKvStorage>();
  world_.options.flush_events = 10;
  const BusyPool busy(world_.pool);
  world_.Open();
  EXPECT_FALSE(Disk()[IndexOf(state::Table::kIdentity)].empty());
  EXPECT_TRUE(world_.Publish("0").duplicate);
  EXPECT_TRUE(world_.Publish("99").duplicate);
}

TEST_F(DurabilityTest, WhatCouldNotBeWrittenIsNotTakenForWritten) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(store().Flush());
  (void)world_.Publish("b");
  world_.kv->FailWrites();
  EXPECT_THAT(store().Flush(), HasReason(Reason::kLogWriteFailed));
  (void)world_.Publish("c");
  world_.kv->FailWrites(false);
  EXPECT_THAT(store().Flush(), HasReason(Reason::kLogWriteFailed)) << "never tried again";
  world_.Close();
  world_.Open();
  for (const char* id : {"a", "b", "c"}) EXPECT_TRUE(world_.Publish(id).duplicate) << id;
}

TEST_F(DurabilityTest, RowsThatCouldNotBeWrittenAreAppliedAgain) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(store().Flush());
  world_.kv->FailWrites();
  (void)world_.Move(Cursor("subscription/s", 1));
  world_.kv->FailWrites(false);
  world_.Close();
  world_.Open();
  ASSERT_TRUE(store().Cursor("subscription/s"));
  EXPECT_EQ(store().Cursor("subscription/s")->position(), 1u);
}

// Identities are durable before the row that says so. Where the log then loses its end,
// they are of events that are not there.
TEST_F(DurabilityTest, IdentitiesAheadOfALogThatLostItsEndAreForgotten) {
  (void)world_.Publish("a");
  CDGATE_ASSERT_OK(store().Flush());
  state::MemoryTables disk = Disk();
  for (const char* id : {"b", "c"}) (void)world_.Publish(id);
  CDGATE_ASSERT_OK(store().Flush());
  disk[IndexOf(state::Table::kIdentity)] = Disk()[IndexOf(state::Table::kIdentity)];
  world_.Close();
  SetDisk(disk);
  LoseCommits(world_, 1, /*new_epoch=*/true);
  world_.Open();
  EXPECT_TRUE(world_.Publish("a").duplicate);
  EXPECT_TRUE(world_.Publish("b").duplicate);
  const state::EventResult c = world_.Publish("c");
  EXPECT_FALSE(c.duplicate) << "it is not in the log any more";
  EXPECT_EQ(c.sequence, Sequence(3));
}

}  // namespace
}  // namespace cdgate::test
