// Which events the log has or had, by identity, as long as the deduplication horizon.
//
// Rows are applied to a tier in memory (IdentityTier) and written to the KvStore in sorted runs:
// nearly every event brings a row and asks for one that is not there, so a question about one must
// cost no more than a cache line: a filter over all rows answers nearly every one (IdentityFilter).
// Rows from before the start are in it once Fill() has read them; until then the KvStore is asked.
//
// Memory: a row takes 56 bytes, so the 200,000 events after which the store writes them
// (StoreOptions::flush_events) take 12 MB in each of the two tiers there can be, however many
// identities the horizon has: those are on disk, 52 bytes each, and of their filters (10 bits each)
// the block cache holds what it has room for.
//
// The filter takes 12 bits for each identity, up to kFilterBytes (42 million identities);
// beyond, and where the disk has more than memory, every question is one to the KvStore.
//
// Find and FindById are thread-safe; Apply is called by one thread at a time, and so are
// Write and Fill, maybe others.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/state/identity.h"
#include "gateway/state/identity_filter.h"
#include "gateway/state/identity_tier.h"
#include "gateway/state/kv_store.h"
#include "gateway/state/rows.h"

namespace cdgate::state {

inline constexpr size_t kFilterBytes = 64 << 20;

class IdentityIndex {
 public:
  // `kv` outlives the index. `key`: 32 bytes, the same for all rows.
  IdentityIndex(KvStore& kv, absl::string_view key)
      : kv_(kv), hasher_(key), recent_(std::make_shared<IdentityTier>()) {}

  const IdentityHasher& hasher() const { return hasher_; }

  // Takes up the commit's events. `entries`: theirs, where the caller has them; empty
  // otherwise. Applying a commit again changes nothing.
  void Apply(const event::Commit& commit, absl::Span<const IdentityEntry> entries);

  // rows[i] is that of keys[i], where there is one.
  absl::Status Find(absl::Span<const IdentityKey> keys,
                    std::vector<std::optional<IdentityRow>>* rows) const;
  // Ascending.
  absl::StatusOr<std::vector<base::Sequence>> FindById(absl::string_view id) const;

  // Rows that only memory has.
  size_t unwritten() const;
  // Puts aside what was applied so far; not after an error of Write...
  void BeginWrite();
  // ...and writes it to the KvStore. On an error it stays in memory, for Find.
  absl::Status Write();

  // Takes the KvStore's rows into the filter, once, after RollBack. Blocks, for a second
  // per million rows or so; ends early, without effect, after StopFill() of any thread.
  absl::Status Fill();
  void StopFill() { stop_fill_ = true; }

  // Deletes the rows of `next` and later sequences. Only before the first Apply.
  absl::Status RollBack(base::Sequence next, KvBatch* batch) const;

 private:
  using Entries = std::vector<IdentityEntry>;
  using TierPtr = std::shared_ptr<IdentityTier>;

  // The row that memory has; null where it has none.
  const IdentityRow* FindInMemory(const IdentityKey& key) const CDGATE_REQUIRES(mu_);
  bool IsNew(const IdentityKey& key) const CDGATE_REQUIRES(mu_);
  bool AddToFilter(absl::Span<const IdentityKey> keys);
  Entries EntriesOf(const event::Commit& commit) const;
  absl::Status FindWritten(absl::Span<const IdentityKey> keys, const std::vector<size_t>& which,
                           std::vector<std::optional<IdentityRow>>* rows) const;

  KvStore& kv_;
  const IdentityHasher hasher_;
  mutable base::Mutex mu_;
  TierPtr recent_ CDGATE_GUARDED_BY(mu_);
  TierPtr writing_ CDGATE_GUARDED_BY(mu_);  // not changed any more; null: nothing
  // Of what was applied, and once filled_, of everything.
  IdentityFilter filter_ CDGATE_GUARDED_BY(mu_){kFilterBytes};
  bool filled_ CDGATE_GUARDED_BY(mu_) = false;
  std::atomic<bool> stop_fill_ = false;
};

}  // namespace cdgate::state
