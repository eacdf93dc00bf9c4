#include "federation/session/interest_history.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/gateway/state/store_fixture.h"

namespace cdgate::session {
namespace {

constexpr char kBeta[] = "beta.example";

class InterestHistoryTest : public testing::Test {
 protected:
  void SetUp() override { world_.Open(); }

  void Record(uint64_t version, size_t bytes = 10) {
    federation::v1::Interest shown;
    shown.set_version(version);
    shown.add_rules()->set_when("type = '" + std::string(bytes, 'x') + "'");
    RecordInterest(*world_.store, world_.clock.Now(), kBeta, shown);
    (void)world_.Publish("behind it");  // committed, or known to be
  }
  bool Keeps(uint64_t version) {
    const auto interest = InterestOf(*world_.store, kBeta, version);
    CDGATE_EXPECT_OK(interest);
    return interest.ok() && *interest != nullptr && (*interest)->version() == version;
  }
  uint64_t Changes() {
    const auto resource = world_.store->Resources()->Find(state::kInterestKind, kBeta);
    return resource == nullptr ? 0 : resource->version;
  }

  test::StoreWorld world_;
};

TEST_F(InterestHistoryTest, KeepsEachVersionThroughARestart) {
  Record(3);
  Record(4);
  Record(4);
  EXPECT_EQ(Changes(), 2u) << "the same again changes nothing";
  world_.Close();
  world_.Open();
  EXPECT_TRUE(Keeps(3));
  EXPECT_TRUE(Keeps(4));
  EXPECT_FALSE(Keeps(5));
}

TEST_F(InterestHistoryTest, WithoutAVersionEverythingIsWanted) { EXPECT_TRUE(Keeps(0)); }

TEST_F(InterestHistoryTest, TheOldestGoes) {
  for (uint64_t version = 1; version <= kInterestsKept + 2; ++version) {
    Record(version);
    world_.clock.Advance(kInterestAge);
  }
  EXPECT_FALSE(Keeps(1));
  EXPECT_FALSE(Keeps(2));
  EXPECT_TRUE(Keeps(3));
  EXPECT_TRUE(Keeps(kInterestsKept + 2));
}

TEST_F(InterestHistoryTest, APeerCannotFillTheLog) {
  for (uint64_t version = 1; version <= 100; ++version) Record(version, 60'000);
  const uint64_t most = kInterestBytesKept / 60'000;
  EXPECT_EQ(Changes(), most);
  EXPECT_TRUE(Keeps(most));
  EXPECT_FALSE(Keeps(most + 1));
  const auto resource = world_.store->Resources()->Find(state::kInterestKind, kBeta);
  EXPECT_LE(resource->value.size(), kInterestBytesKept);
  world_.clock.Advance(kInterestAge);
  Record(101, 60'000);
  EXPECT_TRUE(Keeps(101));
}

}  // namespace
}  // namespace cdgate::session
