// What the store's reads give.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"

namespace cdgate::state {

// One event with the commit that keeps it in memory.
struct EventRef {
  event::CommitPtr commit;
  const event::Record* record = nullptr;
};

// What one replay job did with an event.
struct ReplayFacts {
  // The job's range it lies in; row.replay() is the number of the job.
  storage::v1::LedgerRow row = {};
  std::optional<storage::v1::LedgerException> exception = {};
};

// What the ledger has about one event of ours and one peer.
struct LedgerFacts {
  // The acknowledged range of the live lane it lies in.
  std::optional<storage::v1::LedgerRow> acknowledged = {};
  std::optional<storage::v1::LedgerException> exception = {};
  // Nothing beyond this sequence was sent; 0: nothing ever.
  base::Sequence horizon = {};
  // Of an event that is not acknowledged: what decided it, if it was sent; none: unknown. And
  // the sequences for which that holds.
  std::optional<storage::v1::PolicyEpoch> sent_epoch = {};
  base::Sequence sent_epoch_first = {}, sent_epoch_through = {};
  // Of the jobs that offered it again, the last one at the end.
  std::vector<ReplayFacts> replays = {};
};

// What crossed with one peer since the log began; kept with the fold, so exact across restarts.
struct PeerCounters {
  uint64_t given = 0;     // our events that it acknowledged
  uint64_t received = 0;  // its events in our log
  uint64_t refused = 0;   // its events that we refused
  // Outcomes of our events for it, as the ledger's rows count them, the live lane's and those
  // of replay jobs; each state and reason once.
  std::vector<storage::v1::OutcomeCount> exported = {};
  // Outcomes of its events here: ("accepted", "allowed_by_rule") and ("refused", why).
  std::vector<storage::v1::OutcomeCount> imported = {};
};

}  // namespace cdgate::state
