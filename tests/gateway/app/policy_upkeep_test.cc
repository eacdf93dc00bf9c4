#include "gateway/app/policy_upkeep.h"

#include <gtest/gtest.h>

#include <string>

#include "cdgate/admin/v1/resources.pb.h"
#include "federation/session/pseudonym_keeper.h"
#include "gateway/base/errors.h"
#include "gateway/state/views.h"
#include "tests/gateway/state/store_fixture.h"

namespace cdgate::app {
namespace {

constexpr char kBeta[] = "beta.example";

// A policy with one export rule; `when` empty: none at all.
std::string PolicyText(const std::string& when) {
  admin::v1::Policy policy;
  policy.set_peer(kBeta);
  if (when.empty()) return policy.SerializeAsString();
  auto* const rule = policy.mutable_export_()->add_rules();
  rule->set_name("all");
  rule->set_when(when);
  rule->set_action(admin::v1::ACTION_ALLOW);
  return policy.SerializeAsString();
}

class PolicyUpkeepTest : public testing::Test {
 protected:
  void SetUp() override { world_.Open(); }

  void Put(const std::string& value) {
    CDGATE_ASSERT_OK(world_.Apply(test::Resource(state::kPolicyKind, kBeta, value)));
  }
  void Remove() {
    CDGATE_ASSERT_OK(world_.Apply(
        {.kind = state::kPolicyKind, .name = kBeta, .deleted = true, .author = "ann"}));
  }
  // Why nothing crosses; none: something may.
  std::optional<base::Reason> Why() { return base::ReasonOf(Upkeep().StateOf(kBeta)); }
  PolicyUpkeep& Upkeep() {
    if (!upkeep_) upkeep_.emplace(*world_.store, keeper_, world_.clock, absl::ZeroDuration());
    return *upkeep_;
  }

  test::StoreWorld world_;
  const session::PseudonymKeeper keeper_ = *session::PseudonymKeeper::Create(
      std::string(crypto::SivSealer::kKeyBytes, 's'), base::SystemRandom());
  std::optional<PolicyUpkeep> upkeep_;
};

TEST_F(PolicyUpkeepTest, NothingCrossesWithoutAPolicyThatAllows) {
  EXPECT_EQ(Why(), base::Reason::kNoPolicy);
  Put(PolicyText("TRUE"));
  EXPECT_EQ(Why(), std::nullopt);
  Put(PolicyText(""));
  EXPECT_EQ(Why(), base::Reason::kNoPolicy);
  Put(PolicyText("type LIKE"));
  EXPECT_EQ(Why(), base::Reason::kInvalidPolicy);
  Put("\xff\xff");
  EXPECT_EQ(Why(), base::Reason::kLogCorrupt);
}

TEST_F(PolicyUpkeepTest, ARemovedPolicyIsNotTakenForTheOneAfterIt) {
  Put(PolicyText("TRUE"));
  EXPECT_EQ(Why(), std::nullopt);
  Remove();
  EXPECT_EQ(Why(), base::Reason::kNoPolicy);
  Put(PolicyText(""));
  EXPECT_EQ(Why(), base::Reason::kNoPolicy);
}

// The labels that policies may name are of the environment.
TEST_F(PolicyUpkeepTest, ADamagedEnvironmentIsSeenAtOnce) {
  Put(PolicyText("TRUE"));
  EXPECT_EQ(Why(), std::nullopt);
  CDGATE_ASSERT_OK(world_.Apply(
      test::Resource(state::kEnvironmentKind, state::kEnvironmentName, "\xff\xff garbage")));
  EXPECT_EQ(Why(), base::Reason::kLogCorrupt);
}

}  // namespace
}  // namespace cdgate::app
