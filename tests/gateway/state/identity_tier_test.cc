#include "gateway/state/identity_tier.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace cdgate::test {
namespace {

using base::Sequence;
using state::IdentityEntry;
using state::IdentityKey;
using state::IdentityTier;

IdentityEntry Entry(IdentityKey key, uint64_t sequence) {
  return {.key = key, .row = {.sequence = Sequence(sequence)}};
}

std::vector<IdentityEntry> AllOf(const IdentityTier& tier) {
  std::vector<IdentityEntry> out;
  IdentityTier::Sorted sorted(tier);
  while (const IdentityEntry* const next = sorted.Next()) out.push_back(*next);
  EXPECT_EQ(sorted.Next(), nullptr) << "it stays at the end";
  return out;
}

TEST(IdentityTierTest, AnEmptyOneHasNothing) {
  const IdentityTier tier;
  EXPECT_EQ(tier.size(), 0u);
  EXPECT_EQ(tier.Find({1, 2}), nullptr);
  EXPECT_TRUE(AllOf(tier).empty());
}

TEST(IdentityTierTest, TheLatestRowOfAKeyCounts) {
  IdentityTier tier;
  const IdentityKey key{0x123456789abcdef0, 7};
  tier.Put(Entry(key, 1));
  tier.Put(Entry({key.id_hash, 8}, 2));
  tier.Put(Entry(key, 3));
  EXPECT_EQ(tier.size(), 3u);
  EXPECT_EQ(tier.Find(key)->sequence, Sequence(3));
  EXPECT_EQ(tier.Find({key.id_hash, 8})->sequence, Sequence(2));
  EXPECT_EQ(tier.Find({key.id_hash, 9}), nullptr);
  const std::vector<IdentityEntry> all = AllOf(tier);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].row.sequence, Sequence(3));
  EXPECT_EQ(all[1].row.sequence, Sequence(2));
}

TEST(IdentityTierTest, OfAnIdAllRowsAreFoundAndOfItsNeighboursNone) {
  IdentityTier tier;
  tier.Put(Entry({40, 1}, 1));
  tier.Put(Entry({41, 1}, 2));
  tier.Put(Entry({40, 1}, 3));
  tier.Put(Entry({40, 2}, 4));
  std::set<uint64_t> found;
  tier.ForEachOfId(40,
                   [&](const IdentityEntry& entry) { found.insert(entry.row.sequence.value()); });
  EXPECT_EQ(found, (std::set<uint64_t>{1, 3, 4}));
}

// As events of many sources may have it: all in one bucket, which nobody walks through then.
TEST(IdentityTierTest, OfOneIdTheLatestRowIsFoundHoweverManyThereAre) {
  IdentityTier tier;
  const auto key = [](uint64_t source) { return IdentityKey{0xabcdef, source}; };
  const uint64_t most = IdentityTier::kMostWalked;
  for (uint64_t n = 1; n <= 3 * most; ++n) {
    tier.Put(Entry(key(n % (2 * most)), n));
    EXPECT_EQ(tier.Find(key(n % (2 * most)))->sequence, Sequence(n));
    EXPECT_EQ(tier.Find(key(1))->sequence, Sequence(n <= 2 * most ? 1 : 2 * most + 1));
  }
  EXPECT_EQ(tier.Find(key(2 * most)), nullptr);
  EXPECT_EQ(tier.Find({1, 1}), nullptr);
  EXPECT_EQ(AllOf(tier).size(), 2 * most);
}

// Against a map, with keys at the ends of buckets, keys that come again, and buckets that are
// longer than what memory is taken for at once.
TEST(IdentityTierTest, HasWhatAMapHasInItsOrder) {
  std::mt19937_64 random(1);
  const uint64_t ends[] = {0, 1, (uint64_t{1} << 53) - 1, uint64_t{1} << 53,
                           std::numeric_limits<uint64_t>::max()};
  IdentityTier tier;
  std::map<IdentityKey, uint64_t> expected;
  for (uint64_t sequence = 1; sequence <= 20'000; ++sequence) {
    const uint64_t id = sequence % 4 == 0 ? random() : ends[random() % 5];
    const IdentityKey key{id, random() % 1000};
    tier.Put(Entry(key, sequence));
    expected[key] = sequence;
  }
  EXPECT_EQ(tier.size(), 20'000u);
  const std::vector<IdentityEntry> all = AllOf(tier);
  ASSERT_EQ(all.size(), expected.size());
  size_t at = 0;
  for (const auto& [key, sequence] : expected) {
    EXPECT_EQ(all[at].key, key);
    EXPECT_EQ(all[at].row.sequence, Sequence(sequence));
    EXPECT_EQ(tier.Find(key)->sequence, Sequence(sequence));
    ++at;
  }
}

}  // namespace
}  // namespace cdgate::test
