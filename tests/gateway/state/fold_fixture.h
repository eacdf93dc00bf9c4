// The store over a log in memory, for the tests of what it folds.
#pragma once

// What the commits add up to, read through the store: cursors, resources, ledger,
// refusals, dead letters, positions, retention.
#include "gateway/state/fold.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cdgate/admin/v1/resources.pb.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::test {

using base::Reason;
using base::Sequence;
using state::Outcome;
using state::Proposal;
using state::ResourcePtr;

class FoldTest : public testing::Test {
 protected:
  void SetUp() override { world_.Open(); }
  state::Store& store() { return *world_.store; }
  StoreWorld world_;
};

// Ends the world and cuts the last `commits` off its log. A real log then begins an
// epoch, as SegmentLog does.
inline void LoseCommits(StoreWorld& world, size_t commits, bool new_epoch) {
  world.Close();
  base::MutexLock lock(world.log_storage->mu);
  auto& log = world.log_storage->commits;
  log.resize(log.size() - commits);
  if (!new_epoch) return;
  const auto last = *event::ParseCommit(event::OwnedBytes(log.back()));
  storage::v1::CommitRecord record;
  record.set_format_version(1);
  record.set_epoch("after-the-loss");
  record.set_number(last->number + 1);
  record.set_first_sequence(last->last_sequence.Next().value());
  record.set_commit_time_nanos(last->record.commit_time_nanos());
  log.push_back(record.SerializeAsString());
}

inline storage::v1::LedgerRow Acknowledged(uint64_t first, uint64_t last, uint64_t policy) {
  storage::v1::LedgerRow row;
  row.set_peer("beta.example");
  row.set_first_sequence(first);
  row.set_last_sequence(last);
  row.mutable_policy_epoch()->set_policy_version(policy);
  return row;
}

}  // namespace cdgate::test
