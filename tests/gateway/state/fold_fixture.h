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

inline storage::v1::LedgerRow Acknowledged(uint64_t first, uint64_t last, uint64_t policy) {
  storage::v1::LedgerRow row;
  row.set_peer("beta.example");
  row.set_first_sequence(first);
  row.set_last_sequence(last);
  row.mutable_policy_epoch()->set_policy_version(policy);
  return row;
}

}  // namespace cdgate::test
