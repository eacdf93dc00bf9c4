// What the store's reads give.
#pragma once

#include <cstdint>
#include <optional>

#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"

namespace cdgate::state {

// One event with the commit that keeps it in memory.
struct EventRef {
  event::CommitPtr commit;
  const event::Record* record = nullptr;
};

// What the ledger has about one event of ours and one peer.
struct LedgerFacts {
  // The acknowledged range it lies in.
  std::optional<storage::v1::LedgerRow> acknowledged = {};
  std::optional<storage::v1::LedgerException> exception = {};
  // Nothing beyond this sequence was sent; 0: nothing ever.
  base::Sequence horizon = {};
};

struct PeerCounters {
  uint64_t given = 0;     // our events that it acknowledged
  uint64_t received = 0;  // its events in our log
  uint64_t refused = 0;   // its events that we refused
};

}  // namespace cdgate::state
