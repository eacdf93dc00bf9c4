// Deciding an event allocates nothing; changing it a bounded number of times.
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/federation/policy/policy_event.h"
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

constexpr char kData[] =
    R"({"context":{"id":"1","chainId":"a chain with a long name",)"
    R"("links":[{"linkType":"PATH","from":{"contextId":"5328c37f-bb7e-4bb7-84ea-9f5f85e4a7ce"}}]},)"
    R"("subject":{"id":"s","content":{"user":"somebody with a long name"}},)"
    R"("customData":{"team":"red","number":123456789012}})";

// What `decide` allocates in each of ten rounds on the average, once it is warm.
template <typename Decide>
double Allocated(Decide&& decide) {
  for (int i = 0; i < 3; ++i) decide();
  const size_t before = test::Allocations();
  for (int i = 0; i < 10; ++i) decide();
  return static_cast<double>(test::Allocations() - before) / 10;
}

TEST(AllocationTest, DecisionsOnDataAllocateNothing) {
  std::string rules;
  for (int i = 0; i < 20; ++i) {
    absl::StrAppend(&rules, "rules { name: 'r", i, "' action: ACTION_DENY when: \"",
                    i % 2 == 0 ? "CDEVENT('customData.team', '') = 'blue"
                               : "CDEVENT('customData.number', '') = '5",
                    i, "'\" }");
  }
  const auto policy = test::CompilePolicy(
      absl::StrCat("export { ", rules,
                   "rules { name: 'rest' action: ACTION_ALLOW links: LINK_HANDLING_KEEP "
                   "when: \"HAS_CDEVENT('subject.content.user')\" } }"));
  const CompiledInterest interest = CompiledInterest::Compile(
      BuildInterest(test::ParsePolicy("import { rules { name: 'r' action: ACTION_ALLOW "
                                      "when: \"CDEVENT('customData.team', '') = 'red'\" } }"),
                    1));
  test::PolicyEvent owner(kData);
  owner.attributes()["dataregulation"].set_ce_string("GDPR,HIPAA");
  const event::Record& record = owner.record();
  filter::EventContext event;
  EventTransformer transformer;
  for (const bool remembered : {false, true}) {
    DecisionMemo memo;
    const double allocated = Allocated([&] {
      event.Reset(record);
      EXPECT_TRUE(DecideExport(policy.get(), event,
                               {.own_domain = "alpha.example",
                                .interest = &interest,
                                .transformer = &transformer,
                                .memo = remembered ? &memo : nullptr})
                      .allow);
    });
    EXPECT_EQ(allocated, 0);
  }
}

TEST(AllocationTest, ChangingAnEventKeepsItsMemory) {
  const auto policy = test::CompilePolicy(
      "export { rules { name: 'all' action: ACTION_ALLOW redact: 'customData' "
      "pseudonymise: 'subject.content.user' } }");
  const Keyring keys({{.version = 1, .start_nanos = 0, .secret = std::string(32, 'k')}});
  test::PolicyEvent owner(kData);
  owner.attributes()["causationid"].set_ce_string("5328c37f-bb7e-4bb7-84ea-9f5f85e4a7ce");
  const event::Record& record = owner.record();
  filter::EventContext event;
  EventTransformer transformer;
  const double allocated = Allocated([&] {
    event.Reset(record);
    EXPECT_NE(
        DecideExport(policy.get(), event,
                     {.own_domain = "alpha.example", .keys = &keys, .transformer = &transformer})
            .outgoing,
        nullptr);
  });
  EXPECT_EQ(allocated, 0);
}

}  // namespace
}  // namespace cdgate::policy
