// Signatures that were found to fit, so that one over a tree is verified once and not for each of
// its events.
//
//   const Digest key = SignatureKey(domain, key_id, text, signature);
//   if (!roots.Knows(key)) { ...verify...; roots.Add(key); }
//
// Bounded: holds at least the `capacity` that were asked for last, and never more than twice as
// many. Not thread-safe.
#pragma once

#include <cstddef>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "federation/attestation/merkle.h"

namespace cdgate::attestation {

// Of the whole of what was verified, the signature too: one that was altered is another.
Digest SignatureKey(absl::string_view domain, absl::string_view key_id, absl::string_view text,
                    absl::string_view signature);

class VerifiedRoots {
 public:
  explicit VerifiedRoots(size_t capacity = 4096) : capacity_(capacity) {}

  bool Knows(const Digest& key);
  void Add(const Digest& key);
  size_t size() const { return recent_.size() + older_.size(); }

 private:
  const size_t capacity_;
  // What is asked for moves to the first; where that is full, it becomes the second.
  absl::flat_hash_set<Digest> recent_;
  absl::flat_hash_set<Digest> older_;
};

}  // namespace cdgate::attestation
