#include "federation/policy/pseudonym.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"

namespace cdgate::policy {
namespace {

using ::testing::MatchesRegex;

Keyring::Key KeyOf(uint32_t version, int64_t start_nanos, char fill = 'k') {
  return {.version = version, .start_nanos = start_nanos, .secret = std::string(32, fill)};
}

TEST(KeyringTest, TheTimeOfAcceptanceChoosesTheKey) {
  const Keyring keys({KeyOf(1, 100), KeyOf(2, 200, 'l')});
  EXPECT_EQ(keys.For(99), nullptr);
  EXPECT_EQ(keys.For(100)->version, 1u);
  EXPECT_EQ(keys.For(199)->version, 1u);
  EXPECT_EQ(keys.For(200)->version, 2u);
  EXPECT_EQ(keys.For(std::numeric_limits<int64_t>::max())->version, 2u);
  EXPECT_EQ(Keyring({}).For(100), nullptr);
}

// What was sent before keys were rotated is sent again as it was.
TEST(KeyringTest, AnEventIsCalledTheSameAcrossARotation) {
  const Keyring before({KeyOf(1, 100)});
  const Keyring after({KeyOf(1, 100), KeyOf(2, 200, 'l')});
  EXPECT_EQ(MakePseudonym(*before.For(150), "user", "bob"),
            MakePseudonym(*after.For(150), "user", "bob"));
  EXPECT_NE(MakePseudonym(*before.For(250), "user", "bob"),
            MakePseudonym(*after.For(250), "user", "bob"));
}

TEST(PseudonymTest, HasItsForm) {
  const Keyring keys({KeyOf(12, 0)});
  EXPECT_THAT(MakePseudonym(*keys.For(0), "user", "bob"), MatchesRegex("p12\\.[a-z2-7]{26}"));
  EXPECT_THAT(MakePseudonym(*keys.For(0), "", ""), MatchesRegex("p12\\.[a-z2-7]{26}"));
}

// The first 130 bits of HMAC-SHA-256 over the kind, NUL and the value.
TEST(PseudonymTest, IsAnHmac) {
  const Keyring::Key key = KeyOf(3, 0);
  const std::string tag =
      crypto::HmacSha256(key.secret, absl::StrCat("user", std::string(1, '\0'), "bob"));
  EXPECT_EQ(MakePseudonym(key, "user", "bob"),
            absl::StrCat("p3.", base::Base32Encode(tag).substr(0, 26)));
  const Keyring keys({key});
  EXPECT_EQ(MakePseudonym(*keys.For(0), "user", "bob"), MakePseudonym(key, "user", "bob"));
}

TEST(PseudonymTest, DiffersByKeyKindAndValue) {
  const std::set<std::string> all = {
      MakePseudonym(KeyOf(1, 0), "user", "bob"),  MakePseudonym(KeyOf(1, 0, 'x'), "user", "bob"),
      MakePseudonym(KeyOf(2, 0), "user", "bob"),  MakePseudonym(KeyOf(1, 0), "use", "rbob"),
      MakePseudonym(KeyOf(1, 0), "other", "bob"), MakePseudonym(KeyOf(1, 0), "user", "bob "),
      MakePseudonym(KeyOf(1, 0), "user", ""),
  };
  EXPECT_EQ(all.size(), 7u);
}

TEST(PseudonymTest, AppendsToWhatIsThere) {
  std::string out = "urn:";
  AppendPseudonym(KeyOf(1, 0), "user", "bob", &out);
  EXPECT_EQ(out, absl::StrCat("urn:", MakePseudonym(KeyOf(1, 0), "user", "bob")));
}

}  // namespace
}  // namespace cdgate::policy
