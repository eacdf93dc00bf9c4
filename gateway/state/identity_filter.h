// Says of nearly every identity that the index does not have it, without looking: split
// block Bloom filters (Putze, Sanders, Singler: "Cache-, Hash- and Space-Efficient Bloom
// Filters"), one cache line for a question, 12 bits for an identity, and wrong, in that it
// says "maybe", about once in 200 times for each filter there is; the first million of identities
// have 20 bits, and are taken for others once in some thousand times.
//
//   IdentityFilter filter(64 << 20);
//   filter.Add(key);
//   if (!filter.MayHold(key)) ...   // certainly never added
//
// It grows by filters of double size, up to 12 MiB each, and only up to `max_bytes`: then
// it is given up, holds no memory, and every answer is "maybe". For one thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "gateway/state/identity.h"

namespace cdgate::state {

class IdentityFilter {
 public:
  explicit IdentityFilter(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Adding an identity again costs room, no more.
  void Add(const IdentityKey& key);
  bool MayHold(const IdentityKey& key) const;
  // Brings what the two read closer, for a key that is asked for or added soon.
  void Prefetch(const IdentityKey& key) const;
  bool given_up() const { return given_up_; }

 private:
  struct alignas(32) Block {
    std::array<uint32_t, 8> words = {};
  };
  struct Part {
    std::vector<Block> blocks;
    size_t room = 0;  // identities
    Block& BlockOf(const IdentityKey& key) { return blocks[IndexOf(key)]; }
    const Block& BlockOf(const IdentityKey& key) const { return blocks[IndexOf(key)]; }
    size_t IndexOf(const IdentityKey& key) const;
  };

  // The bit that the key has in that word.
  static uint32_t BitOf(const IdentityKey& key, size_t word);
  bool Grow();

  const size_t max_bytes_;
  std::vector<Part> parts_;  // the last one is filled
  size_t identities_ = 0;    // that one has room for
  size_t bytes_ = 0;
  bool given_up_ = false;
};

}  // namespace cdgate::state
