// Trees over the leaves of many events, so that one signature is enough for all of them
// (docs/attestation.md).
//
//   MerkleTree tree;                                   // one per worker
//   tree.Build(leaves, seed);                          // in the order of the batch
//   Sign(tree.root());
//   const Inclusion inclusion = tree.Prove(i);         // of leaves[i]
//   ...elsewhere:
//   RootOf(leaf, inclusion.index, inclusion.path, hasher) == root
//
// Leaves are padded to a power of two and sorted, so that an inclusion tells nothing of the other
// events. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "auth/crypto/digest.h"

namespace cdgate::attestation {

using Digest = crypto::Sha256Digest;

inline constexpr size_t kMaxLeaves = 4096;
inline constexpr size_t kSeedBytes = 16;
// Siblings on the way from a leaf to the root of the largest tree.
inline constexpr size_t kMaxPathDigests = 12;

// Where a leaf is in a tree.
struct Inclusion {
  uint32_t index = 0;
  std::string path;  // siblings from the leaf upwards, 32 bytes each
};

// Keeps its memory from one tree to the next. Not thread-safe.
class MerkleTree {
 public:
  // `leaves`: 1 to kMaxLeaves; `seed`: kSeedBytes.
  void Build(absl::Span<const Digest> leaves, absl::string_view seed);

  // Of the last Build().
  const Digest& root() const { return nodes_[1]; }
  size_t leaf_count() const { return leaf_count_; }
  // Of the i-th of the leaves that Build() was given.
  Inclusion Prove(size_t i) const;

 private:
  void AddPads(absl::string_view seed, size_t width);
  void Place();

  size_t leaf_count_ = 0;
  std::vector<Digest> leaves_;  // pads behind them
  struct Ranked {
    uint64_t begin;  // of the digest
    uint32_t leaf;   // its number
  };
  std::vector<Ranked> sorted_;    // by the bytes of the leaves
  std::vector<uint32_t> places_;  // of the i-th leaf among them
  // Node i has the children 2i and 2i+1; the root is node 1.
  std::vector<Digest> nodes_;
  crypto::Sha256Hasher hasher_;
};

// The root that `leaf` leads to; none where `index` and `path` are of no tree.
std::optional<Digest> RootOf(const Digest& leaf, uint32_t index, absl::string_view path,
                             crypto::Sha256Hasher& hasher);

// Leaves one behind the other, as ImportStatement has them; empty where `bytes` are none, or more
// than kMaxLeaves.
std::vector<Digest> ReadLeaves(absl::string_view bytes);
// The digest in `bytes`, which are 32; none where they are more or less.
std::optional<Digest> ReadDigest(absl::string_view bytes);

}  // namespace cdgate::attestation
