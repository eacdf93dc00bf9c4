// What decisions cost: rules on attributes, rules that read the data, what a realistic
// policy does to an event on its way out, and a hundred peers with the same rules.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/policy/policy.h"
#include "federation/policy/shared_decisions.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::policy {
namespace {

void AddRule(const std::string& name, const std::string& when, admin::v1::Action action,
             admin::v1::Policy* policy) {
  admin::v1::ExportRule* const rule = policy->mutable_export_()->add_rules();
  rule->set_name(name);
  rule->set_when(when);
  rule->set_action(action);
}

// The last rule decides.
admin::v1::Policy OnAttributes(int rules) {
  admin::v1::Policy policy;
  policy.set_peer("beta.example");
  for (int i = 1; i < rules; ++i) {
    AddRule(absl::StrCat("rule ", i),
            i % 3 == 0
                ? absl::StrCat("type LIKE 'dev.cdevents.testcaserun.%' AND source = '/", i, "'")
            : i % 3 == 1 ? absl::StrCat("SUBJECT_TYPE() = 'incident' AND HOPS() < ", i)
                         : absl::StrCat("source LIKE '/alpha/", i, "/%' OR subject = 'none'"),
            admin::v1::ACTION_DENY, &policy);
  }
  AddRule("releases", "type LIKE 'dev.cdevents.artifact.%' AND source LIKE '/alpha/%'",
          admin::v1::ACTION_ALLOW, &policy);
  policy.mutable_export_()->mutable_rules()->rbegin()->set_links(admin::v1::LINK_HANDLING_KEEP);
  return policy;
}

admin::v1::Policy OnData(int rules) {
  admin::v1::Policy policy;
  policy.set_peer("beta.example");
  for (int i = 1; i < rules; ++i) {
    AddRule(absl::StrCat("rule ", i),
            i % 2 == 0 ? absl::StrCat("CDEVENT('subject.content.change.id', '') = 'c", i, "'")
                       : absl::StrCat("CDEVENT('customData.team', '') = 'team ", i, "'"),
            admin::v1::ACTION_DENY, &policy);
  }
  AddRule("rest", "HAS_CDEVENT('subject.content.change')", admin::v1::ACTION_ALLOW, &policy);
  policy.mutable_export_()->mutable_rules()->rbegin()->set_links(admin::v1::LINK_HANDLING_KEEP);
  return policy;
}

// Links become pseudonyms, and one member goes.
admin::v1::Policy Realistic() {
  admin::v1::Policy policy = OnAttributes(20);
  admin::v1::ExportRule& last = *policy.mutable_export_()->mutable_rules()->rbegin();
  last.clear_links();
  last.add_redact("customData");
  return policy;
}

// An event of about a kilobyte.
std::string SomeEvent() {
  io::cloudevents::v1::CloudEvent event;
  event.set_id("271069a8-fc18-44f1-b38f-9d70a1695819");
  event.set_source("/alpha/ci");
  event.set_spec_version("1.0");
  event.set_type("dev.cdevents.artifact.packaged.0.3.0");
  (*event.mutable_attributes())["subject"].set_ce_string("pkg:oci/app@sha256%3Aabc");
  (*event.mutable_attributes())["time"].mutable_ce_timestamp()->set_seconds(1767225600);
  event.set_binary_data(absl::StrCat(
      R"({"context":{"specversion":"0.5.1","id":"271069a8-fc18-44f1-b38f-9d70a1695819",)"
      R"("source":"/alpha/ci","type":"dev.cdevents.artifact.packaged.0.3.0",)"
      R"("timestamp":"2026-01-01T00:00:00Z","chainId":"4c8cb7dd-3448-41de-8768-eec704e2829b",)"
      R"("links":[{"linkType":"PATH","from":{"contextId":"5328c37f-bb7e-4bb7-84ea-9f5f85e4a7ce"}}]},)"
      R"("subject":{"id":"pkg:oci/app@sha256%3Aabc","content":{"change":{"id":"change-1",)"
      R"("source":"/alpha/scm"}}},"customData":{"team":"red","notes":")",
      std::string(450, 'x'), R"("}})"));
  storage::v1::StoredEvent stored;
  stored.set_cloud_event(event.SerializeAsString());
  stored.set_origin("alpha.example");
  stored.set_accepted_time_nanos(1000);
  return stored.SerializeAsString();
}

const Keyring& Keys() {
  static const auto* const keys =
      new Keyring({{.version = 1, .start_nanos = 0, .secret = std::string(32, 'k')}});
  return *keys;
}

void Decide(benchmark::State& state, const admin::v1::Policy& resource, DecisionMemo* memo) {
  const auto policy = *CompiledPolicy::Compile(resource, 1);
  const std::string stored = SomeEvent();
  const event::Record record(base::Sequence(1), stored);
  filter::EventContext event;
  EventTransformer transformer;
  for (auto _ : state) {
    event.Reset(record);
    const Decision decision = DecideExport(policy.get(), event,
                                           {.own_domain = "alpha.example",
                                            .keys = &Keys(),
                                            .transformer = &transformer,
                                            .memo = memo});
    if (!decision.allow) state.SkipWithError("denied");
  }
}

void DecideTwentyRules(benchmark::State& state) { Decide(state, OnAttributes(20), nullptr); }
BENCHMARK(DecideTwentyRules);

void DecideHundredRules(benchmark::State& state) { Decide(state, OnAttributes(100), nullptr); }
BENCHMARK(DecideHundredRules);

// How the cost grows with the rules.
void DecideRules(benchmark::State& state) {
  Decide(state, OnAttributes(static_cast<int>(state.range(0))), nullptr);
}
BENCHMARK(DecideRules)->Arg(1)->Arg(10)->Arg(20)->Arg(100)->Arg(1000);

void DecideRulesOnData(benchmark::State& state) {
  Decide(state, OnData(static_cast<int>(state.range(0))), nullptr);
}
BENCHMARK(DecideRulesOnData)->Arg(1)->Arg(10)->Arg(20)->Arg(100)->Arg(1000);

void DecideHundredRulesWithMemo(benchmark::State& state) {
  DecisionMemo memo;
  Decide(state, OnAttributes(100), &memo);
}
BENCHMARK(DecideHundredRulesWithMemo);

void DecideHundredRulesOnData(benchmark::State& state) { Decide(state, OnData(100), nullptr); }
BENCHMARK(DecideHundredRulesOnData);

void DecideAndTransform(benchmark::State& state) {
  DecisionMemo memo;
  Decide(state, Realistic(), &memo);
}
BENCHMARK(DecideAndTransform);

// One event for a hundred peers, `shared` or each for itself; the time is that of all.
void DecideForHundredPeers(benchmark::State& state, const admin::v1::Policy& resource,
                           bool shared) {
  std::vector<std::shared_ptr<const CompiledPolicy>> policies;
  for (int i = 0; i < 100; ++i) policies.push_back(*CompiledPolicy::Compile(resource, 1));
  constexpr int kEvents = 64;
  storage::v1::CommitRecord head;
  head.set_epoch("e");
  head.set_first_sequence(1);
  for (int i = 0; i < kEvents; ++i) head.add_events()->ParseFromString(SomeEvent());
  SharedDecisions decisions("alpha.example");
  filter::EventContext event;
  EventTransformer transformer;
  uint64_t number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    head.set_number(++number);
    const event::CommitPtr commit = event::MakeCommit(head);
    state.ResumeTiming();
    for (const auto& policy : policies) {
      const RuleOutcomesPtr rules =
          shared ? decisions.Of(policy->exports(), *commit, event, nullptr) : nullptr;
      for (const event::Record& record : commit->events) {
        event.Reset(record);
        const Decision decision = DecideExport(policy.get(), event,
                                               {.own_domain = "alpha.example",
                                                .keys = &Keys(),
                                                .transformer = &transformer,
                                                .rules = OutcomeOf(rules, record.sequence())});
        if (!decision.allow) state.SkipWithError("denied");
      }
    }
  }
  state.counters["per_decision"] = benchmark::Counter(
      100.0 * kEvents, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK_CAPTURE(DecideForHundredPeers, alone_on_data, OnData(100), false);
BENCHMARK_CAPTURE(DecideForHundredPeers, shared_on_data, OnData(100), true);
BENCHMARK_CAPTURE(DecideForHundredPeers, shared_on_attributes, OnAttributes(100), true);

}  // namespace
}  // namespace cdgate::policy
