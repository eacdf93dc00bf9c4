// Keys of the log's rows: first sequence and number of the commit, big endian, so that
// rows lie in the order of the log.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/base/types.h"

namespace cdgate::eventlog {

inline constexpr size_t kCommitKeyBytes = 16;

struct CommitKey {
  base::Sequence first_sequence = {};
  uint64_t number = 0;

  std::string Encode() const;
  // None where `bytes` is not such a key.
  static std::optional<CommitKey> Decode(absl::string_view bytes);
};

}  // namespace cdgate::eventlog
