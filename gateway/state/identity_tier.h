// Rows of the identity index that memory has and the disk has not, or not for sure.
//
//   IdentityTier tier;
//   tier.Put(entry);
//   const IdentityRow* row = tier.Find(key);   // the latest of that key; null: none
//   IdentityTier::Sorted sorted(tier);         // all of them, in the order of the table
//   while (const IdentityEntry* next = sorted.Next()) ...
//
// Nearly all that is done with a row is to put it here and to write it out later, in order; who
// asks for one mostly hears from a filter that there is none (identity_filter.h). So rows stand in
// the order they came, in 2,048 buckets by the first bits of their key: to put one is to append it,
// sorting sorts a bucket at a time, and finding one walks through a bucket, a hundred rows where
// there are 200,000. A hash table costs twice as much for each row: a cache line of its own, at
// random.
//
// The first bits are those of the id, and events of many sources may all have one id. A bucket of
// more than kMostWalked rows has a hash table beside it, so that nobody can make others walk far.
//
// 56 bytes a row, as much again for one in a long bucket, and at most 1.7 MB for the ends of
// buckets. Not thread-safe; a const one may be read by several threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "gateway/state/identity.h"
#include "gateway/state/rows.h"

namespace cdgate::state {

class IdentityTier {
 public:
  class Sorted;
  static constexpr size_t kMostWalked = 1024;

  IdentityTier() = default;
  IdentityTier(const IdentityTier&) = delete;
  IdentityTier& operator=(const IdentityTier&) = delete;

  void Put(const IdentityEntry& entry);
  // Valid as long as the tier. Null: it has none of that key.
  const IdentityRow* Find(const IdentityKey& key) const;
  // Calls f(const IdentityEntry&) for each row whose key begins with `id_hash`, also for
  // those that a later one of the same key has replaced.
  template <typename F>
  void ForEachOfId(uint64_t id_hash, F&& f) const {
    ForEach(BucketOf(id_hash), [&](const IdentityEntry& entry) {
      if (entry.key.id_hash == id_hash) f(entry);
      return true;
    });
  }
  // As often as Put was called.
  size_t size() const { return size_; }

 private:
  static constexpr int kBucketBits = 11;
  static constexpr size_t kBuckets = size_t{1} << kBucketBits;
  static constexpr size_t kChunkEntries = 14;
  static constexpr size_t kSlabChunks = 64;
  // Part of a bucket.
  struct Chunk {
    Chunk* before;
    size_t used;
    std::array<IdentityEntry, kChunkEntries> entries;
  };

  static size_t BucketOf(uint64_t id_hash) { return id_hash >> (64 - kBucketBits); }
  Chunk* NewChunk(Chunk* before);
  bool IsLong(size_t bucket) const { return rows_[bucket] > kMostWalked; }
  // After a row was put there.
  void Index(size_t bucket);
  // Calls f(entry), the latest first, until it returns false.
  template <typename F>
  void ForEach(size_t bucket, F&& f) const {
    for (const Chunk* chunk = last_[bucket]; chunk != nullptr; chunk = chunk->before) {
      for (size_t i = chunk->used; i-- > 0;) {
        if (!f(chunk->entries[i])) return;
      }
    }
  }

  std::array<Chunk*, kBuckets> last_ = {};    // chunk of each bucket; null: it is empty
  std::array<uint32_t, kBuckets> rows_ = {};  // of each bucket
  absl::flat_hash_map<IdentityKey, const IdentityRow*> of_long_;  // the latest; of long buckets
  std::vector<std::unique_ptr<Chunk[]>> slabs_;
  size_t slab_used_ = kSlabChunks;
  size_t size_ = 0;
};

// A walk over a tier that does not change meanwhile and outlives it: by key, ascending, and of
// each key the latest row alone.
class IdentityTier::Sorted {
 public:
  explicit Sorted(const IdentityTier& tier) : tier_(tier) {}

  // Null after the last.
  const IdentityEntry* Next();

 private:
  void Sort();

  const IdentityTier& tier_;
  size_t bucket_ = 0;  // the next one
  std::vector<std::pair<IdentityKey, const IdentityEntry*>> sorted_;
  size_t next_ = 0;
};

}  // namespace cdgate::state
