// Events that did not get where they were meant to: refused at import, or dead letters.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/event/record.h"
#include "gateway/state/identity.h"
#include "gateway/state/kv_store.h"

namespace cdgate::state {

// Thread-safe. Both outlive it.
class Letters {
 public:
  Letters(const KvStore& kv, const IdentityHasher& hasher) : kv_(kv), hasher_(hasher) {}

  void Apply(const event::Commit& commit, KvBatch* batch) const;

  absl::StatusOr<std::vector<storage::v1::RefusalRow>> Refusals(absl::string_view id,
                                                                absl::string_view source,
                                                                absl::string_view origin) const;
  absl::StatusOr<std::vector<storage::v1::DeadLetterRow>> DeadLetters(
      absl::string_view reader, const storage::v1::DeadLetterKey* after, size_t limit) const;

 private:
  const KvStore& kv_;
  const IdentityHasher& hasher_;
};

}  // namespace cdgate::state
