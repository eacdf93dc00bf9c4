#include "auth/crypto/siv_sealer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "gateway/base/encoding.h"
#include "tests/support/status_matchers.h"

namespace cdgate::crypto {
namespace {

using base::Reason;

SivSealer SealerOf(char fill) {
  return SivSealer::Create(std::string(SivSealer::kKeyBytes, fill)).value();
}

// The vector of github.com/miscreant/meta, vectors/aes_siv.tjson, for a 512-bit key.
TEST(SivSealerTest, KnownAnswer) {
  const std::string key = *base::HexDecode(
      "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f06f6e6d6c6b6a69686766656463626160"
      "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f");
  const std::string aad = *base::HexDecode("101112131415161718191a1b1c1d1e1f2021222324252627");
  const std::string plaintext = *base::HexDecode("112233445566778899aabbccddee");
  CDGATE_ASSERT_OK_AND_ASSIGN(const SivSealer sealer, SivSealer::Create(key));
  EXPECT_EQ(base::HexEncode(sealer.Seal(plaintext, aad)),
            "f125274c598065cfc26b0e71575029088b035217e380cac8919ee800c126");
}

TEST(SivSealerTest, OpensWhatItSealedUnderTheSameAssociatedData) {
  const SivSealer sealer = SealerOf('k');
  const std::string sealed = sealer.Seal("position 42", "peer=beta.example");
  EXPECT_EQ(sealed.size(), 11 + SivSealer::kOverhead);
  EXPECT_EQ(*sealer.Open(sealed, "peer=beta.example"), "position 42");
}

TEST(SivSealerTest, RefusesOtherAssociatedDataAndOtherKeys) {
  const std::string sealed = SealerOf('k').Seal("position 42", "peer=beta.example");
  EXPECT_THAT(SealerOf('k').Open(sealed, "peer=gamma.example"),
              test::HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(SealerOf('k').Open(sealed, ""), test::HasReason(Reason::kTokenInvalid));
  EXPECT_THAT(SealerOf('x').Open(sealed, "peer=beta.example"),
              test::HasReason(Reason::kTokenInvalid));
}

TEST(SivSealerTest, RefusesEveryChangedByteAndEveryPrefix) {
  const SivSealer sealer = SealerOf('k');
  const std::string sealed = sealer.Seal("position 42", "aad");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_THAT(sealer.Open(changed, "aad"), test::HasReason(Reason::kTokenInvalid)) << i;
    EXPECT_THAT(sealer.Open(absl::string_view(sealed).substr(0, i), "aad"),
                test::HasReason(Reason::kTokenInvalid))
        << i;
  }
}

TEST(SivSealerTest, IsDeterministicAndSurvivesMoves) {
  SivSealer first = SealerOf('k');
  const std::string sealed = first.Seal("x", "");
  const SivSealer second = std::move(first);
  EXPECT_EQ(second.Seal("x", ""), sealed);
}

TEST(SivSealerTest, RefusesKeysOfAnotherSize) {
  EXPECT_THAT(SivSealer::Create("short"), test::HasReason(Reason::kInvalidArgument));
}

}  // namespace
}  // namespace cdgate::crypto
