#include "gateway/state/identity.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "gateway/state/rows.h"

namespace cdgate::test {
namespace {

using state::IdentityHasher;
using state::IdentityKey;
using state::IdentityRow;
using state::SipHash24;

std::string Counting(size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out.push_back(static_cast<char>(i));
  return out;
}

// From the reference implementation's vectors (veorq/SipHash, vectors.h, 64 bits).
TEST(IdentityTest, SipHashIsTheReferenceOne) {
  const std::string key = Counting(16);
  EXPECT_EQ(SipHash24(key, Counting(0)), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(SipHash24(key, Counting(1)), 0x74f839c593dc67fdu);
  EXPECT_EQ(SipHash24(key, Counting(7)), 0xab0200f58b01d137u);
  EXPECT_EQ(SipHash24(key, Counting(8)), 0x93f5f5799a932462u);
  EXPECT_EQ(SipHash24(key, Counting(15)), 0xa129ca6149be45e5u);
}

TEST(IdentityTest, PartsDoNotRunTogether) {
  const IdentityHasher hasher(Counting(32));
  std::set<uint64_t> hashes;
  for (const auto& [origin, source, id] : std::vector<std::array<std::string, 3>>{
           {"a", "b", "c"}, {"ab", "", "c"}, {"", "ab", "c"}, {"a", "bc", ""}, {"abc", "", ""}}) {
    hashes.insert(hasher.Of(origin, source, id).full_hash);
  }
  EXPECT_EQ(hashes.size(), 5u);
}

std::string WithSize(const std::string& text) {
  std::string out(8, '\0');
  out[0] = static_cast<char>(text.size());
  return out + text;
}

// Whatever the lengths, so that rows are found by every release.
TEST(IdentityTest, IsTheHashOfItsPartsBehindTheirSizes) {
  const std::string key = Counting(32);
  const IdentityHasher hasher(key);
  for (size_t a = 0; a < 18; ++a) {
    for (size_t b = 0; b < 18; ++b) {
      const std::string origin = Counting(a);
      const std::string source = Counting(b);
      const std::string id = Counting(a + b);
      const IdentityKey identity = hasher.Of(origin, source, id);
      EXPECT_EQ(identity.id_hash, SipHash24(key.substr(0, 16), id));
      EXPECT_EQ(identity.full_hash,
                SipHash24(key.substr(16), WithSize(origin) + WithSize(source) + WithSize(id)));
    }
  }
}

TEST(IdentityTest, EventsOfOneIdAreNeighbours) {
  const IdentityHasher hasher(Counting(32));
  const IdentityKey a = hasher.Of("alpha.example", "/a", "id");
  const IdentityKey b = hasher.Of("alpha.example", "/b", "id");
  EXPECT_EQ(a.id_hash, b.id_hash);
  EXPECT_EQ(a.id_hash, hasher.OfId("id"));
  EXPECT_NE(a.full_hash, b.full_hash);
}

TEST(IdentityTest, AnotherKeyMakesOtherHashes) {
  const IdentityHasher one(Counting(32));
  const IdentityHasher other(std::string(32, 'k'));
  EXPECT_NE(one.Of("a", "b", "c"), other.Of("a", "b", "c"));
}

TEST(IdentityTest, RowsComeBackAsTheyWere) {
  storage::v1::StoredEvent stored;
  stored.set_accepted_time_nanos(1'767'225'600'999'999'999);
  stored.set_content_digest(std::string(32, 'd'));
  stored.set_commitment(std::string(32, 'c'));
  const std::string bytes = stored.SerializeAsString();
  event::StoredView view;
  ASSERT_TRUE(view.Assign(bytes));
  const IdentityRow row = IdentityRow::Of(view, base::Sequence(0x0102030405060708));
  const auto back = state::DecodeIdentityRow(state::ViewOf(state::EncodeIdentityRow(row)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->sequence, row.sequence);
  EXPECT_EQ(back->accepted_seconds, 1'767'225'600u);
  EXPECT_EQ(back->content, row.content);
  EXPECT_EQ(back->commitment, row.commitment);
  EXPECT_FALSE(state::DecodeIdentityRow("short"));
}

TEST(RowsTest, AfterPrefixIsTheLeastKeyBehind) {
  EXPECT_EQ(state::AfterPrefix("ab"), "ac");
  EXPECT_EQ(state::AfterPrefix("a\xff"), "b");
  EXPECT_EQ(state::AfterPrefix("\xff\xff"), "");
}

}  // namespace
}  // namespace cdgate::test
