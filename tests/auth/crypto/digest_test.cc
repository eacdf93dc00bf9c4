#include "auth/crypto/digest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "auth/crypto/sha256_batch.h"

#include "gateway/base/encoding.h"

namespace cdgate::crypto {
namespace {

using base::HexEncode;

TEST(Sha256Test, KnownAnswers) {
  EXPECT_EQ(HexEncode(Sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexEncode(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256HasherTest, AgreesWithOneShotHowEverTheInputIsCut) {
  const std::string input(1000, 'x');
  Sha256Hasher hasher;
  for (const size_t cut : {0U, 1U, 64U, 999U, 1000U}) {
    hasher.Reset();
    hasher.Update(absl::string_view(input).substr(0, cut));
    hasher.Update(absl::string_view(input).substr(cut));
    EXPECT_EQ(hasher.Final(), Sha256(input)) << cut;
  }
}

TEST(Sha256HasherTest, HashesInOneGoWhateverTheLength) {
  Sha256Hasher hasher;
  for (size_t size = 0; size < 300; ++size) {
    const std::string input(size, static_cast<char>(size));
    hasher.Update("left over");
    const Sha256Digest digest = hasher.Hash(input);
    EXPECT_EQ(std::string(digest.begin(), digest.end()), Sha256(input)) << size;
  }
}

TEST(Sha256HasherTest, IsReadyAfterConstructionAndMoves) {
  Sha256Hasher first;
  first.Update("ab");
  Sha256Hasher second = std::move(first);
  second.Update("c");
  EXPECT_EQ(second.Final(), Sha256("abc"));
}

std::string Bytes(const Sha256Digest& digest) {
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

// Side by side, and one after the other.
class Sha256BatchTest : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(BothWays, Sha256BatchTest, testing::Bool());

// Texts of all lengths around the blocks of SHA-256, and some long ones between short ones.
TEST_P(Sha256BatchTest, AgreesWithHashingEachAlone) {
  std::vector<std::string> inputs;
  for (size_t size = 0; size < 300; ++size) {
    inputs.emplace_back(size, static_cast<char>('a' + size % 26));
    if (size % 37 == 0) inputs.emplace_back(size * 1001, '\xff');
  }
  for (const size_t size : {32 << 10, (32 << 10) + 1, 1 << 20}) inputs.emplace_back(size, 'l');
  inputs.emplace_back("the last one is short");
  const std::vector<absl::string_view> texts(inputs.begin(), inputs.end());
  Sha256Batch batch(GetParam());
  for (const size_t count : {size_t{0}, size_t{1}, size_t{3}, size_t{5}, size_t{6}, size_t{21},
                             size_t{64}, texts.size()}) {
    std::vector<Sha256Digest> digests(count);
    batch.Hash(absl::MakeConstSpan(texts).first(count), absl::MakeSpan(digests));
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(Bytes(digests[i]), Sha256(texts[i])) << i << " of " << count;
    }
  }
}

TEST_P(Sha256BatchTest, TextWithoutMemoryIsTheEmptyText) {
  Sha256Batch batch(GetParam());
  std::vector<Sha256Digest> digests(2);
  batch.Hash({absl::string_view(), "abc"}, absl::MakeSpan(digests));
  EXPECT_EQ(Bytes(digests[0]), Sha256(""));
  EXPECT_EQ(Bytes(digests[1]), Sha256("abc"));
}

TEST(HmacSha256Test, Rfc4231) {
  EXPECT_EQ(HexEncode(HmacSha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(HexEncode(HmacSha256(std::string(131, '\xaa'),
                                 "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256Test, TakesAnEmptyKeyAsAKey) {
  EXPECT_EQ(HexEncode(HmacSha256(absl::string_view(), absl::string_view())),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(HmacSha256KeyTest, TagsAsHmacSha256) {
  for (const size_t size : {0, 1, 32, 63, 64, 65, 131}) {
    const std::string secret(size, '\xaa');
    const HmacSha256Key key(secret);
    for (int use = 0; use < 2; ++use) {
      const Sha256Digest tag = key.Tag({"some ", "", "text"});
      EXPECT_EQ(HexEncode(Bytes(tag)), HexEncode(HmacSha256(secret, "some text"))) << size;
    }
    const HmacSha256Key copy = key;
    EXPECT_EQ(copy.Tag({}), key.Tag({absl::string_view()}));
    EXPECT_EQ(HexEncode(Bytes(copy.Tag({}))), HexEncode(HmacSha256(secret, "")));
  }
}

TEST(ConstantTimeEqualsTest, ComparesContentAndLength) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "ab"));
  EXPECT_FALSE(ConstantTimeEquals("", "a"));
}

}  // namespace
}  // namespace cdgate::crypto
