#include "auth/crypto/digest.h"

#include <gtest/gtest.h>

#include <string>

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

TEST(Sha256HasherTest, IsReadyAfterConstructionAndMoves) {
  Sha256Hasher first;
  first.Update("ab");
  Sha256Hasher second = std::move(first);
  second.Update("c");
  EXPECT_EQ(second.Final(), Sha256("abc"));
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

TEST(ConstantTimeEqualsTest, ComparesContentAndLength) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "ab"));
  EXPECT_FALSE(ConstantTimeEquals("", "a"));
}

}  // namespace
}  // namespace cdgate::crypto
