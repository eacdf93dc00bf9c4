// Deciding an event on its attributes allocates nothing.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/federation/policy/policy_text.h"
#include "tests/support/allocation_counter.h"
#include "tests/support/stored_events.h"

namespace cdgate::policy {
namespace {

std::string TwentyRules() {
  std::string rules;
  for (int i = 0; i < 19; ++i) {
    absl::StrAppend(&rules, "rules { name: 'rule ", i, "' action: ACTION_DENY when: \"source = '/",
                    i, "' OR SUBJECT_TYPE() = 'incident' AND HOPS() < 3\" }");
  }
  return rules + "rules { name: 'rest' action: ACTION_ALLOW links: LINK_HANDLING_KEEP }";
}

TEST(AllocationTest, DecisionsOnAttributesAllocateNothing) {
  const auto policy = test::CompilePolicy(absl::StrCat(
      "export { ", TwentyRules(),
      " } import { rules { name: 'all' when: \"ORIGIN() != ''\" action: ACTION_ALLOW } }"));
  io::cloudevents::v1::CloudEvent cloud_event;
  cloud_event.set_id("1");
  cloud_event.set_source("/alpha/ci");
  cloud_event.set_spec_version("1.0");
  cloud_event.set_type("dev.cdevents.build.finished.0.3.0");
  (*cloud_event.mutable_attributes())["subject"].set_ce_string("build-7");
  cloud_event.set_binary_data("{}");
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(cloud_event.SerializeAsString());
  stored.set_origin("alpha.example");
  const test::StoredRecord owner(stored);
  const event::Record& record = owner.record;
  filter::EventContext event;
  event.Reset(record);
  ASSERT_TRUE(DecideExport(policy.get(), event, {.own_domain = "alpha.example"}).allow);

  const size_t before = test::Allocations();
  for (int i = 0; i < 10; ++i) {
    event.Reset(record);
    DecideExport(policy.get(), event, {.own_domain = "alpha.example"});
    DecideImport(policy.get(), event, {.peer = "alpha.example"});
  }
  EXPECT_EQ(test::Allocations() - before, 0u);
}

}  // namespace
}  // namespace cdgate::policy
