// What one decision costs: a policy of 20 rules on attributes, of which the last decides.
#include <benchmark/benchmark.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::policy {
namespace {

admin::v1::Policy TwentyRules() {
  admin::v1::Policy policy;
  policy.set_peer("beta.example");
  for (int i = 0; i < 19; ++i) {
    admin::v1::ExportRule* rule = policy.mutable_export_()->add_rules();
    rule->set_name(absl::StrCat("rule ", i));
    rule->set_when(
        i % 3 == 0 ? absl::StrCat("type LIKE 'dev.cdevents.testcaserun.%' AND source = '/", i, "'")
        : i % 3 == 1 ? absl::StrCat("SUBJECT_TYPE() = 'incident' AND HOPS() < ", i)
                     : absl::StrCat("source LIKE '/alpha/", i, "/%' OR subject = 'none'"));
    rule->set_action(admin::v1::ACTION_DENY);
  }
  admin::v1::ExportRule* last = policy.mutable_export_()->add_rules();
  last->set_name("releases");
  last->set_when("type LIKE 'dev.cdevents.artifact.%' AND source LIKE '/alpha/%'");
  last->set_action(admin::v1::ACTION_ALLOW);
  last->set_links(admin::v1::LINK_HANDLING_KEEP);
  return policy;
}

storage::v1::StoredEvent SomeEvent() {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("271069a8-fc18-44f1-b38f-9d70a1695819");
  event.set_source("/alpha/ci");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.artifact.packaged.0.3.0");
  (*event.mutable_attributes())["subject"].set_ce_string("pkg:oci/app@sha256%3Aabc");
  (*event.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  event.set_binary_data(absl::StrCat(R"({"context":{"specversion":"0.5.1"},"customData":{"x":")",
                                     std::string(900, 'x'), R"("}})"));
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  stored.set_origin("alpha.example");
  return stored;
}

void Decide(benchmark::State& state, const admin::v1::Policy& resource) {
  const auto policy = *CompiledPolicy::Compile(resource, 1);
  const std::string stored = SomeEvent().SerializeAsString();
  const event::Record record(base::Sequence(1), stored);
  filter::EventContext event;
  for (auto _ : state) {
    event.Reset(record);
    benchmark::DoNotOptimize(
        DecideExport(policy.get(), event, {.own_domain = "alpha.example"}).allow);
  }
}

void DecideTwentyRules(benchmark::State& state) { Decide(state, TwentyRules()); }
BENCHMARK(DecideTwentyRules);

// The same without KEEP: the data is parsed to look for links.
void DecideAndLookForLinks(benchmark::State& state) {
  admin::v1::Policy resource = TwentyRules();
  resource.mutable_export_()->mutable_rules(19)->clear_links();
  Decide(state, resource);
}
BENCHMARK(DecideAndLookForLinks);

}  // namespace
}  // namespace cdgate::policy
