#include "gateway/state/identity_tier.h"

#include <algorithm>

namespace cdgate::state {

IdentityTier::Chunk* IdentityTier::NewChunk(Chunk* before) {
  if (slab_used_ == kSlabChunks) {
    slabs_.push_back(std::make_unique<Chunk[]>(kSlabChunks));
    slab_used_ = 0;
  }
  Chunk* const chunk = &slabs_.back()[slab_used_++];
  chunk->before = before;
  chunk->used = 0;
  return chunk;
}

void IdentityTier::Put(const IdentityEntry& entry) {
  const size_t bucket = BucketOf(entry.key.id_hash);
  Chunk*& last = last_[bucket];
  if (last == nullptr || last->used == kChunkEntries) last = NewChunk(last);
  last->entries[last->used++] = entry;
  ++size_;
  ++rows_[bucket];
  if (IsLong(bucket)) Index(bucket);
}

void IdentityTier::Index(size_t bucket) {
  if (rows_[bucket] > kMostWalked + 1) {
    const IdentityEntry& latest = last_[bucket]->entries[last_[bucket]->used - 1];
    of_long_[latest.key] = &latest.row;
    return;
  }
  ForEach(bucket, [this](const IdentityEntry& entry) {
    of_long_.try_emplace(entry.key, &entry.row);  // the latest comes first
    return true;
  });
}

const IdentityRow* IdentityTier::Find(const IdentityKey& key) const {
  const size_t bucket = BucketOf(key.id_hash);
  if (IsLong(bucket)) {
    const auto it = of_long_.find(key);
    return it == of_long_.end() ? nullptr : it->second;
  }
  const IdentityRow* found = nullptr;
  ForEach(bucket, [&](const IdentityEntry& entry) {
    if (entry.key == key) found = &entry.row;
    return found == nullptr;
  });
  return found;
}

// The order of keys is that of the table: they are encoded big endian.
void IdentityTier::Sorted::Sort() {
  sorted_.clear();
  next_ = 0;
  tier_.ForEach(bucket_++, [this](const IdentityEntry& entry) {
    sorted_.emplace_back(entry.key, &entry);
    return true;
  });
  std::stable_sort(sorted_.begin(), sorted_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  // The latest came first.
  const auto end = std::unique(sorted_.begin(), sorted_.end(),
                               [](const auto& a, const auto& b) { return a.first == b.first; });
  sorted_.erase(end, sorted_.end());
}

const IdentityEntry* IdentityTier::Sorted::Next() {
  while (next_ == sorted_.size()) {
    if (bucket_ == kBuckets) return nullptr;
    Sort();
  }
  return sorted_[next_++].second;
}

}  // namespace cdgate::state
