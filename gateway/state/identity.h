// The identity of an event, (origin, source, id), as the index keeps it: 16 bytes of
// keyed hash, so that rows stay small and nobody outside can make two meet.
//
//   const IdentityKey key = store.identities().Of(origin, source, id);
//
// The first half hashes the id alone, so that all events of one id are neighbours and
// one index answers "is it there" and "which events have this id".
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace cdgate::state {

struct IdentityKey {
  uint64_t id_hash = 0;
  uint64_t full_hash = 0;

  auto operator<=>(const IdentityKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const IdentityKey& key) {
    return H::combine(std::move(h), key.full_hash);
  }
};

// Immutable, thread-safe.
class IdentityHasher {
 public:
  // `key`: 32 random bytes, kept with the index.
  explicit IdentityHasher(absl::string_view key);

  // Of the CDEvent's own source and id. About 0.1 µs: done where the event is admitted,
  // not by the committer.
  IdentityKey Of(absl::string_view origin, absl::string_view source, absl::string_view id) const;
  uint64_t OfId(absl::string_view id) const;

 private:
  std::string id_key_;
  std::string full_key_;
};

// SipHash-2-4 (Aumasson, Bernstein) of `data` under a key of 16 bytes.
uint64_t SipHash24(absl::string_view key, absl::string_view data);

}  // namespace cdgate::state
