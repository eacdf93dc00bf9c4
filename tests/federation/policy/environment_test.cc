#include "federation/policy/environment.h"

#include <gtest/gtest.h>

namespace cdgate::policy {
namespace {

TEST(EnvironmentTest, BuiltInKnowsLabelsAndNobody) {
  const Environment& environment = *Environment::BuiltIn();
  EXPECT_EQ(environment.version(), 0u);
  EXPECT_TRUE(environment.labels().Knows("TLP:AMBER"));
  EXPECT_TRUE(environment.KnowsRegulations("GDPR"));
  EXPECT_FALSE(environment.IsMember("core@eosc.example", "beta.example", absl::UnixEpoch()));
  EXPECT_FALSE(environment.IsMember("", "", absl::UnixEpoch()));
}

TEST(EnvironmentTest, GroupsEnd) {
  storage::v1::DecisionEnvironment stored;
  storage::v1::GroupMembers* core = stored.add_groups();
  core->set_group("core@eosc.example");
  core->add_members("beta.example");
  storage::v1::GroupMembers* short_lived = stored.add_groups();
  short_lived->set_group("event@eosc.example");
  short_lived->add_members("beta.example");
  short_lived->set_expire_time_nanos(500);
  const EnvironmentPtr environment = Environment::Make(stored, 3);
  EXPECT_EQ(environment->version(), 3u);
  EXPECT_TRUE(environment->IsMember("core@eosc.example", "beta.example", absl::Now()));
  EXPECT_FALSE(environment->IsMember("core@eosc.example", "gamma.example", absl::Now()));
  EXPECT_FALSE(environment->IsMember("core", "beta.example", absl::Now()));
  const auto in_event = [&](int64_t nanos) {
    return environment->IsMember("event@eosc.example", "beta.example", absl::FromUnixNanos(nanos));
  };
  EXPECT_TRUE(in_event(499));
  EXPECT_FALSE(in_event(500));
}

TEST(EnvironmentTest, AllRegulationsHaveToBeKnown) {
  storage::v1::DecisionEnvironment stored;
  stored.add_regulations("NIS2");
  const EnvironmentPtr environment = Environment::Make(stored, 1);
  EXPECT_TRUE(environment->KnowsRegulations(""));
  EXPECT_TRUE(environment->KnowsRegulations("NIS2"));
  EXPECT_TRUE(environment->KnowsRegulations("GDPR, NIS2,HIPAA"));
  EXPECT_FALSE(environment->KnowsRegulations("GDPR,SECRET"));
  EXPECT_FALSE(environment->KnowsRegulations("GDPR,"));
  EXPECT_FALSE(environment->KnowsRegulations("gdpr"));
  EXPECT_FALSE(environment->KnowsRegulations("\1"));
  EXPECT_FALSE(Environment::BuiltIn()->KnowsRegulations("NIS2"));
}

TEST(EnvironmentTest, ScalesOfItsOwnStandBesideTheBuiltInOnes) {
  storage::v1::DecisionEnvironment stored;
  storage::v1::ClassificationScale* scale = stored.add_scales();
  for (const char* label : {"open", "closed", "TLP:RED"}) scale->add_labels(label);
  const EnvironmentPtr environment = Environment::Make(stored, 1);
  const Classifications& labels = environment->labels();
  EXPECT_EQ(labels.Stricter("open", "closed"), "closed");
  EXPECT_EQ(labels.Stricter("open", "TLP:GREEN"), std::nullopt);
  // A label that is built in keeps its place.
  EXPECT_EQ(labels.Stricter("TLP:RED", "TLP:GREEN"), "TLP:RED");
  EXPECT_EQ(labels.Stricter("TLP:RED", "closed"), std::nullopt);
}

}  // namespace
}  // namespace cdgate::policy
