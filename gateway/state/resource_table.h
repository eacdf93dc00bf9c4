// The resources in force, and the versions that are kept.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/mutex.h"
#include "gateway/event/record.h"
#include "gateway/state/kv_store.h"
#include "gateway/state/resources.h"

namespace cdgate::state {

// Thread-safe; Apply by one thread at a time.
class ResourceTable {
 public:
  // `kv` outlives the table.
  explicit ResourceTable(const KvStore& kv)
      : kv_(kv), snapshot_(std::make_shared<ResourceSnapshot>()) {}

  absl::Status Load();
  void Apply(const event::Commit& commit, KvBatch* batch);

  ResourceSnapshotPtr snapshot() const;
  // Newest first.
  absl::StatusOr<std::vector<ResourcePtr>> History(absl::string_view kind,
                                                   absl::string_view name) const;

 private:
  const KvStore& kv_;
  mutable base::Mutex mu_;
  ResourceSnapshotPtr snapshot_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::state
