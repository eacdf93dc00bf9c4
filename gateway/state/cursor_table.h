// Where each reader stands.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/event/record.h"
#include "gateway/state/kv_store.h"

namespace cdgate::state {

// Thread-safe.
class CursorTable {
 public:
  absl::Status Load(const KvStore& kv);
  void Apply(const event::Commit& commit, KvBatch* batch);

  std::optional<storage::v1::CursorMove> Find(absl::string_view reader) const;
  // By reader.
  std::vector<storage::v1::CursorMove> List(absl::string_view prefix) const;

  // Forgets the cursors of links: what they account for is no longer in the log, and
  // sending it again is harmless.
  void RollBack(KvBatch* batch);

 private:
  mutable base::Mutex mu_;
  std::map<std::string, storage::v1::CursorMove, std::less<>> cursors_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::state
