// Which events the log has or had, by identity, as long as the deduplication horizon.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/state/identity.h"
#include "gateway/state/kv_store.h"
#include "gateway/state/rows.h"

namespace cdgate::state {

// Find and FindById are thread-safe.
class IdentityIndex {
 public:
  // `kv` outlives the index. `key`: 32 bytes, the same for all rows.
  IdentityIndex(const KvStore& kv, absl::string_view key) : kv_(kv), hasher_(key) {}

  const IdentityHasher& hasher() const { return hasher_; }

  // Puts the rows of the commit's events into `batch`. `identities`: theirs, where the
  // caller has them; empty otherwise.
  void Apply(const event::Commit& commit, absl::Span<const IdentityKey> identities,
             KvBatch* batch) const;

  // rows[i] is that of keys[i], where there is one.
  absl::Status Find(absl::Span<const IdentityKey> keys,
                    std::vector<std::optional<IdentityRow>>* rows) const;
  // Ascending.
  absl::StatusOr<std::vector<base::Sequence>> FindById(absl::string_view id) const;

  // Deletes the rows of `next` and later sequences.
  absl::Status RollBack(base::Sequence next, KvBatch* batch) const;

 private:
  const KvStore& kv_;
  const IdentityHasher hasher_;
};

}  // namespace cdgate::state
