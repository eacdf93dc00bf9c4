#include "federation/manager/environment_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/federation/manager/group_testing.h"

namespace cdgate::manager {
namespace {

using base::Reason;
using test::GroupNode;
using test::HasReason;
using test::HasReasonAndMessage;
using testing::HasSubstr;

config::v1::ClassificationConfig Labels() {
  config::v1::ClassificationConfig labels;
  for (const char* name : {"impact", "access"}) {
    config::v1::Scale& scale = *labels.add_scales();
    scale.set_name(name);
    for (const char* rank : {"-low", "-high"}) scale.add_labels(std::string(name) + rank);
  }
  for (const char* name : {"NIS2", "DORA"}) labels.add_regulations(name);
  return labels;
}

class EnvironmentKeeperTest : public testing::Test {
 protected:
  bool IsMember(GroupNode& node, const char* group, const char* domain) {
    return node.Environment()->IsMember(group, domain, clock_.Now());
  }

  test::FakeClock clock_;
  GroupNode alpha_{"alpha.example", clock_};
};

TEST_F(EnvironmentKeeperTest, NothingToSayMakesNoVersion) {
  CDGATE_ASSERT_OK(alpha_.keeper().Start());
  EXPECT_EQ(alpha_.EnvironmentVersion(), 0u);
}

TEST_F(EnvironmentKeeperTest, LabelsAreInForceOnceStarted) {
  GroupNode node("beta.example", clock_, Labels());
  CDGATE_ASSERT_OK(node.keeper().Start());
  EXPECT_EQ(node.EnvironmentVersion(), 1u);
  const auto environment = node.Environment();
  EXPECT_EQ(environment->labels().Stricter("impact-low", "impact-high"), "impact-high");
  EXPECT_TRUE(environment->KnowsRegulations("NIS2,GDPR"));
  const auto stored = node.StoredEnvironment();
  EXPECT_EQ(stored.scales(0).name(), "access");
  EXPECT_THAT(stored.regulations(), testing::ElementsAre("DORA", "NIS2"));
  CDGATE_ASSERT_OK(node.keeper().Start());
  EXPECT_EQ(node.EnvironmentVersion(), 1u);
}

TEST_F(EnvironmentKeeperTest, ABuiltInLabelHasItsScaleAlready) {
  config::v1::ClassificationConfig labels = Labels();
  labels.mutable_scales(1)->add_labels("TLP:RED");
  GroupNode node("beta.example", clock_, labels);
  EXPECT_THAT(
      node.keeper().Start(),
      HasReasonAndMessage(Reason::kInvalidConfig, HasSubstr("classification.scales[1].labels[2]")));
  EXPECT_EQ(node.EnvironmentVersion(), 0u);
}

TEST_F(EnvironmentKeeperTest, AGroupAndItsEnvironmentAreOneCommit) {
  const auto outcome = alpha_.PutGroup("core", {"beta.example", "alpha.example"});
  CDGATE_ASSERT_OK(outcome.status);
  EXPECT_THAT(outcome.versions, testing::ElementsAre(1, 1));
  EXPECT_TRUE(IsMember(alpha_, "core@alpha.example", "beta.example"));
  EXPECT_FALSE(IsMember(alpha_, "core@alpha.example", "gamma.example"));
  const auto resources = alpha_.store().Resources();
  const auto group = resources->Find(state::kGroupKind, "core");
  const auto environment = resources->Find(state::kEnvironmentKind, state::kEnvironmentName);
  EXPECT_EQ(group->commit, environment->commit);
  EXPECT_EQ(environment->author, "ann");
  EXPECT_THAT(alpha_.StoredEnvironment().groups(0).members(),
              testing::ElementsAre("alpha.example", "beta.example"));
}

TEST_F(EnvironmentKeeperTest, EveryVersionIsKept) {
  alpha_.PutGroup("core", {"beta.example"});
  alpha_.PutGroup("core", {"beta.example", "gamma.example"});
  alpha_.DeleteGroup("core");
  CDGATE_ASSERT_OK_AND_ASSIGN(
      const auto environments,
      alpha_.store().History(state::kEnvironmentKind, state::kEnvironmentName));
  EXPECT_EQ(environments.size(), 3u);
  CDGATE_ASSERT_OK_AND_ASSIGN(const auto groups, alpha_.store().History(state::kGroupKind, "core"));
  EXPECT_EQ(groups.size(), 3u);
  EXPECT_FALSE(IsMember(alpha_, "core@alpha.example", "beta.example"));
  // A group of the same name later goes on counting.
  EXPECT_THAT(alpha_.PutGroup("core", {"beta.example"}).versions, testing::ElementsAre(4, 4));
  EXPECT_EQ(alpha_.StoredEnvironment().groups(0).version(), 4u);
}

TEST_F(EnvironmentKeeperTest, AnErrorOfAChangeChangesNothing) {
  const test::Answer<state::Outcome> answer;
  alpha_.keeper().Apply(
      [](const state::ResourceSnapshot&) -> absl::StatusOr<EnvironmentKeeper::Edits> {
        return base::MakeError(Reason::kNotFound, "no such group");
      },
      answer.Taker());
  EXPECT_THAT(answer.Wait()->status, HasReason(Reason::kNotFound));
  EXPECT_THAT(alpha_.DeleteGroup("none").status, HasReason(Reason::kNotFound));
  EXPECT_EQ(alpha_.EnvironmentVersion(), 0u);
}

TEST_F(EnvironmentKeeperTest, ChangesAtOnceAreJudgedInOrder) {
  std::vector<test::Answer<state::Outcome>> answers(20);
  for (size_t i = 0; i < answers.size(); ++i) {
    alpha_.keeper().Apply(
        [i](const state::ResourceSnapshot& now) -> absl::StatusOr<EnvironmentKeeper::Edits> {
          const auto held = now.Find(state::kGroupKind, "core");
          EXPECT_EQ(held == nullptr ? 0 : held->version, i);
          admin::v1::Group group = GroupNode::Group("core", {"beta.example"});
          group.add_members("d" + std::to_string(i) + ".example");
          return EnvironmentKeeper::Edits{{.kind = state::kGroupKind,
                                           .name = "core",
                                           .value = group.SerializeAsString(),
                                           .author = "ann"}};
        },
        answers[i].Taker());
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_THAT(answers[i].Wait()->versions, testing::ElementsAre(i + 1, i + 1));
  }
}

TEST_F(EnvironmentKeeperTest, AGroupThatExpiresIsTakenOut) {
  admin::v1::Group group = GroupNode::Group("core", {"beta.example"});
  group.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) + 60);
  alpha_.PutGroup(group);
  alpha_.keeper().Refresh();
  alpha_.Settle();
  clock_.Advance(absl::Seconds(59));
  alpha_.keeper().Refresh();
  alpha_.Settle();
  EXPECT_EQ(alpha_.EnvironmentVersion(), 1u);
  EXPECT_TRUE(IsMember(alpha_, "core@alpha.example", "beta.example"));
  clock_.Advance(absl::Seconds(1));
  EXPECT_FALSE(IsMember(alpha_, "core@alpha.example", "beta.example"));
  alpha_.keeper().Refresh();
  alpha_.Settle();
  EXPECT_EQ(alpha_.EnvironmentVersion(), 2u);
  EXPECT_EQ(alpha_.StoredEnvironment().groups_size(), 0);
  // Renewed, it is back.
  group.mutable_expire_time()->set_seconds(absl::ToUnixSeconds(clock_.Now()) + 60);
  alpha_.PutGroup(group);
  EXPECT_TRUE(IsMember(alpha_, "core@alpha.example", "beta.example"));
}

TEST_F(EnvironmentKeeperTest, ListsOfADomainThatIsNoPeerAnyMoreAreForgotten) {
  GroupNode beta("beta.example", clock_);
  beta.PeerWith(alpha_);
  alpha_.PutGroup("core", {"beta.example", "gamma.example"});
  CDGATE_ASSERT_OK(beta.Receive("alpha.example", alpha_.exchange().ListsFor("beta.example")));
  EXPECT_TRUE(IsMember(beta, "core@alpha.example", "gamma.example"));
  beta.EndPeeringWith(alpha_);
  beta.keeper().Refresh();
  beta.Settle();
  EXPECT_FALSE(IsMember(beta, "core@alpha.example", "gamma.example"));
  EXPECT_EQ(beta.store().Resources()->List(state::kGroupListKind).size(), 0u);
}

TEST_F(EnvironmentKeeperTest, TheSameMakesTheSameBytes) {
  alpha_.PutGroup("b", {"beta.example", "alpha.example"});
  alpha_.PutGroup("a", {"beta.example"});
  const auto resources = alpha_.store().Resources();
  absl::Time end;
  const auto once = EnvironmentOf("alpha.example", Labels(), *resources, clock_.Now(), &end);
  config::v1::ClassificationConfig turned = Labels();
  turned.mutable_scales()->SwapElements(0, 1);
  turned.mutable_regulations()->SwapElements(0, 1);
  turned.add_regulations("NIS2");
  const auto again = EnvironmentOf("alpha.example", turned, *resources, clock_.Now(), &end);
  EXPECT_EQ(once.SerializeAsString(), again.SerializeAsString());
  EXPECT_EQ(end, absl::InfiniteFuture());
  EXPECT_EQ(once.groups(0).group(), "a@alpha.example");
}

}  // namespace
}  // namespace cdgate::manager
