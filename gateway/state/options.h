// What a store is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "auth/crypto/digest.h"
#include "cdgate/storage/v1/state.pb.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/random.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/space.h"

namespace cdgate::state {

// Digest of data in canonical JSON (event::CanonicalJsonDigest): tells a publisher's
// retry with another key order from other content. Called off the committer.
using CanonicalDigest = absl::StatusOr<std::string> (*)(absl::string_view data);

// What became of every event of the commits for each peer, before retention removes them: one
// row for each event, in order, begun with MakeOutcomeRow (gateway/state/outcomes.h). Called on
// the thread of Store::ApplyRetention, for a bounded number of events, maybe again for events
// that it was asked for before; it may read the store. After an error nothing was removed, and
// the same events come again with the next ApplyRetention.
using FoldOutcomes = std::function<absl::StatusOr<std::vector<storage::v1::OutcomeRow>>(
    absl::Span<const event::CommitPtr> commits)>;

// Signs the tree over the leaves of the events of one commit that were published here, in order;
// none: they are not signed. Called on the committer's thread: some 30 µs.
using SignOrigin = std::function<std::optional<storage::v1::TreeSignature>(
    absl::Span<const crypto::Sha256Digest> leaves)>;

struct StoreOptions {
  absl::Duration dedup_horizon = absl::Hours(24 * 90);
  absl::Duration retention = absl::Hours(24 * 30);
  // How long it is told what became of events that retention removed, and which were refused at
  // import, from when they were committed. Rows beyond it are not read any more; ExpiredRows
  // removes them from the disk.
  absl::Duration audit_retention = absl::Hours(24 * 400);
  uint64_t retention_bytes = 0;  // 0: no bound
  uint32_t min_free_percent = 5;
  // Bounds of what waits for the committer; beyond, Propose says OVERLOADED.
  size_t max_pending_events = 16384;
  size_t max_pending_bytes = 64 << 20;
  // A commit takes whole proposals until it has so much. A larger proposal is alone.
  size_t max_commit_events = 2048;
  size_t max_commit_bytes = 4 << 20;
  // The fold is flushed after so much. At twice as much commits wait for it, so that a
  // start after a crash applies at most three times this again.
  size_t flush_events = 200'000;
  size_t flush_bytes = 64 << 20;
};

// All outlive the store.
struct StoreDeps {
  eventlog::EventLog& log;
  base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
  // Blocking work: flushes, retention, comparing contents.
  base::Executor& background;
  // Runs `done` callbacks and watchers, in order. Null: `done` runs on the committer's
  // thread and must be short; watchers run on `background`.
  base::Executor* callbacks = nullptr;
  CanonicalDigest canonical_digest = nullptr;  // null: other bytes are other content
  SpaceProbe space = {};                       // empty: space is never short
  // Null: rows of removed events do not say what became of them for peers.
  FoldOutcomes fold_outcomes = {};
  SignOrigin sign_origin = {};  // null: nothing is signed
  // How long the calling thread has been kept from running (base::ThreadRunDelay). Null: commits
  // never wait for more events.
  absl::Duration (*run_delay)() = nullptr;
  // Called once where the log or the fold cannot be written any more. Everything that
  // waits has been refused with LOG_WRITE_FAILED; the process has to end.
  std::function<void(absl::Status)> on_fatal = {};
};

}  // namespace cdgate::state
