#include "federation/session/pseudonym_keeper.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/gateway/state/store_fixture.h"

namespace cdgate::session {
namespace {

constexpr char kBeta[] = "beta.example";

PseudonymKeeper Keeper(char secret = 's') {
  return *PseudonymKeeper::Create(std::string(crypto::SivSealer::kKeyBytes, secret),
                                  base::SystemRandom());
}

class PseudonymKeeperTest : public testing::Test {
 protected:
  void SetUp() override { world_.Open(); }

  // What an event accepted at `time` has in place of "bob".
  std::string Pseudonym(const PseudonymKeeper& keeper, absl::Time time,
                        const std::string& peer = kBeta) {
    const auto keys = keeper.KeysOf(*world_.store->Resources(), peer);
    if (!keys.ok()) return keys.status().ToString();
    const policy::Keyring::Key* const key = (*keys)->For(absl::ToUnixNanos(time));
    return key == nullptr ? "no key" : policy::MakePseudonym(*key, "subject.content.user", "bob");
  }
  void Rotate(uint32_t expected) {
    uint32_t version = 0;
    auto edit = keeper_.Rotate(*world_.store->Resources(), kBeta, "ann", &version);
    CDGATE_ASSERT_OK(edit.status());
    EXPECT_EQ(version, expected);
    CDGATE_ASSERT_OK(world_.Apply(*edit));
  }

  test::StoreWorld world_;
  const PseudonymKeeper keeper_ = Keeper();
};

TEST_F(PseudonymKeeperTest, APeerHasAKeyFromTheStart) {
  const std::string now = Pseudonym(keeper_, world_.clock.Now());
  EXPECT_EQ(now.substr(0, 3), "p1.");
  EXPECT_EQ(now.size(), 3u + 26);
  EXPECT_EQ(now, Pseudonym(keeper_, absl::UnixEpoch())) << "of whenever";
  EXPECT_EQ(now, Pseudonym(Keeper(), world_.clock.Now())) << "the same after a restart";
}

TEST_F(PseudonymKeeperTest, PeersAndGatewaysHaveOthers) {
  const std::string now = Pseudonym(keeper_, world_.clock.Now());
  EXPECT_NE(now, Pseudonym(keeper_, world_.clock.Now(), "gamma.example"));
  EXPECT_NE(now, Pseudonym(Keeper('t'), world_.clock.Now()));
}

TEST_F(PseudonymKeeperTest, AnEventKeepsTheKeyOfItsTime) {
  const absl::Time before = world_.clock.Now();
  const std::string first = Pseudonym(keeper_, before);
  world_.clock.Advance(absl::Hours(1));
  Rotate(2);
  const absl::Time between = world_.clock.Now() + absl::Minutes(1);
  const std::string second = Pseudonym(keeper_, between);
  world_.clock.Advance(absl::Hours(1));
  Rotate(3);
  EXPECT_EQ(second.substr(0, 3), "p2.");
  EXPECT_NE(first.substr(3), second.substr(3));
  EXPECT_EQ(Pseudonym(keeper_, before), first);
  EXPECT_EQ(Pseudonym(keeper_, between), second);
  EXPECT_EQ(Pseudonym(keeper_, world_.clock.Now() + absl::Minutes(1)).substr(0, 3), "p3.");
  world_.Close();
  world_.Open();
  EXPECT_EQ(Pseudonym(keeper_, before), first);
  EXPECT_EQ(Pseudonym(keeper_, between), second);
}

TEST_F(PseudonymKeeperTest, KeysThatNoEventNeedsAreForgotten) {
  const absl::Time begin = world_.clock.Now();
  world_.clock.Advance(absl::Hours(1));
  Rotate(2);
  const absl::Time second = world_.clock.Now();
  world_.clock.Advance(absl::Hours(1));
  Rotate(3);
  const auto forget = [&](absl::Time oldest) {
    return keeper_.Forget(*world_.store->Resources(), kBeta, oldest);
  };
  EXPECT_FALSE(forget(begin));
  const auto edit = forget(second + absl::Minutes(1));
  ASSERT_TRUE(edit.has_value());
  CDGATE_ASSERT_OK(world_.Apply(*edit));
  EXPECT_EQ(Pseudonym(keeper_, begin), "no key");
  EXPECT_EQ(Pseudonym(keeper_, second + absl::Minutes(1)).substr(0, 3), "p2.");
  EXPECT_FALSE(forget(second + absl::Minutes(1))) << "nothing is left to forget";
  Rotate(4);
}

TEST_F(PseudonymKeeperTest, WithoutItsSecretNothingIsMade) {
  Rotate(2);
  EXPECT_THAT(Keeper('t').KeysOf(*world_.store->Resources(), kBeta),
              test::HasReason(base::Reason::kTokenInvalid));
}

TEST_F(PseudonymKeeperTest, ADamagedRowMakesNothing) {
  CDGATE_ASSERT_OK(world_.Apply(test::Resource(state::kPseudonymKind, kBeta, "\xff")));
  EXPECT_THAT(keeper_.KeysOf(*world_.store->Resources(), kBeta),
              test::HasReason(base::Reason::kLogCorrupt));
}

}  // namespace
}  // namespace cdgate::session
