// Random events and random policies for two domains: event `index` and the policies of round
// `round` are the same wherever and whenever they are made with one seed.
//
//   const PolicyEvents events(seed);
//   events.Make(42).cloud_event;                 // what is published
//   const Policies policies = MakePolicies(events, /*round=*/3);
//   Write("export.yaml", ExportYaml(policies));  // alpha's policy for beta
//   Write("import.yaml", ImportYaml(policies));  // beta's policy for alpha
//
// What they come to together: policy_oracle.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>
#include "absl/strings/string_view.h"
#include "io/cloudevents/v1/cloudevents.pb.h"
#include "tests/gateway/filter/reference_evaluator.h"
#include "tests/support/random_event.h"

namespace cdgate::e2e {

// Planes of the two publishers; who publishes an event is in its index.
inline constexpr const char* kPlanes[] = {"integration-delivery", "observability"};
inline size_t PublisherOf(uint64_t index) { return index / 16 % 2; }

struct PolicyEvent {
  test::RandomEvent random;
  io::cloudevents::v1::CloudEvent cloud_event;
};

// Events of random_event.h, some of them with attributes: team, dataclassification (also labels
// that nobody knows), dataregulation, causationid, correlationid.
class PolicyEvents {
 public:
  explicit PolicyEvents(uint64_t seed) : seed_(seed), events_(seed) {}
  uint64_t seed() const { return seed_; }
  PolicyEvent Make(uint64_t index) const;
  std::optional<uint64_t> IndexOf(absl::string_view id) const { return events_.IndexOf(id); }

 private:
  const uint64_t seed_;
  const test::RandomEvents events_;
};

enum class Links { kUnset, kKeep, kDrop, kPseudonymise };

struct PolicyRule {
  std::string name;
  test::ExpressionPtr condition;  // null: every event
  std::string when;               // its text
  bool allow = false;
  // Export.
  std::vector<std::string> redact;
  std::vector<std::string> pseudonymise;
  Links links = Links::kUnset;
  uint32_t onward = 0;
  std::string label;
};

struct Policies {
  std::vector<PolicyRule> exports;
  std::vector<PolicyRule> imports;
  bool shows_interest = true;
  std::string reasons_to_peer;  // of the importer
};

// Conditions that can fail at run time are in one of three rounds: `round` % 3 == 2.
Policies MakePolicies(const PolicyEvents& events, uint64_t round);

std::string ExportYaml(const Policies& policies);
std::string ImportYaml(const Policies& policies);

// Paths of the data that conditions read.
const std::vector<std::string>& ConditionPaths();
// Paths of members that an event may lack whatever its type, and of texts without a form.
const std::vector<std::string>& RedactablePaths();
const std::vector<std::string>& PseudonymisablePaths();

}  // namespace cdgate::e2e
