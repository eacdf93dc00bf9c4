#include "gateway/state/identity_filter.h"

#include <algorithm>

namespace cdgate::state {
namespace {

constexpr size_t kLeastIdentities = 1 << 16;
constexpr size_t kMostIdentities = 1 << 23;

// Of a filter for so many identities. One that is wrong costs a look into the database; the first
// filters are asked about every event, and small.
constexpr size_t BitsPerIdentity(size_t identities) { return identities > 1 << 19 ? 12 : 20; }

// Odd, and otherwise of no meaning: those of Impala's and Parquet's filters.
constexpr std::array<uint32_t, 8> kSalts = {0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
                                            0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31};

}  // namespace

// Keys are keyed hashes already: their halves are as good as random.
size_t IdentityFilter::Part::IndexOf(const IdentityKey& key) const {
  return static_cast<size_t>((key.full_hash >> 32) * blocks.size() >> 32);
}

uint32_t IdentityFilter::BitOf(const IdentityKey& key, size_t word) {
  return 1U << (static_cast<uint32_t>(key.full_hash) * kSalts[word] >> 27);
}

bool IdentityFilter::Grow() {
  const size_t room = std::clamp(2 * identities_, kLeastIdentities, kMostIdentities);
  const size_t blocks = room * BitsPerIdentity(room) / 8 / sizeof(Block);
  if (bytes_ + blocks * sizeof(Block) > max_bytes_) {
    given_up_ = true;
    parts_ = {};
    return false;
  }
  bytes_ += blocks * sizeof(Block);
  identities_ = room;
  parts_.push_back({.blocks = std::vector<Block>(blocks), .room = room});
  return true;
}

void IdentityFilter::Add(const IdentityKey& key) {
  if (given_up_) return;
  if ((parts_.empty() || parts_.back().room == 0) && !Grow()) return;
  Part& part = parts_.back();
  --part.room;
  Block& block = part.BlockOf(key);
  for (size_t i = 0; i < block.words.size(); ++i) block.words[i] |= BitOf(key, i);
}

void IdentityFilter::Prefetch(const IdentityKey& key) const {
  for (const Part& part : parts_) __builtin_prefetch(&part.BlockOf(key), 1);
}

bool IdentityFilter::MayHold(const IdentityKey& key) const {
  if (given_up_) return true;
  for (const Part& part : parts_) {
    const Block& block = part.BlockOf(key);
    uint32_t missing = 0;
    for (size_t i = 0; i < block.words.size(); ++i) missing |= BitOf(key, i) & ~block.words[i];
    if (missing == 0) return true;
  }
  return false;
}

}  // namespace cdgate::state
