// What random policies (policy_plan.h) do to random events, said a second time: conditions by
// the reference evaluator, transformations on a tree of the JSON. Nothing of the gateway's
// own decisions is used, so that the two can be compared.
//
//   const Expected expected = Decide(event, policies, {.own_version = 3, .peer_version = 2});
//   expected.state;                                      // "accepted"
//   Arrival arrival(...);
//   for (const std::string& fault : arrival.Compare(event, expected, delivered)) ...
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>
#include "cdgate/events/v1/events.pb.h"
#include "tests/e2e/policy_plan.h"

namespace cdgate::e2e {

// Versions that the policies of a round were given when they were applied.
struct Versions {
  uint64_t exporter = 0;
  uint64_t importer = 0;
};

// What becomes of one event.
struct Expected {
  // As the exporter's who-got has it: accepted, denied, not_wanted, refused.
  std::string state;
  std::string reason;  // empty: the importer does not tell
  // "rule@version" as who-got has it; empty where none decided or it is not told.
  std::string rule;
  // Where it arrives.
  const PolicyRule* transformed_by = nullptr;
  std::string import_rule;
};

Expected Decide(const PolicyEvent& event, size_t publisher, const Policies& policies,
                const Versions& versions);

// The event as it leaves under `rule`: what is removed is not there; in place of what becomes a
// pseudonym there is Placeholder() of it.
test::JsonTree Transformed(const PolicyEvent& event, const PolicyRule& rule);
std::string Placeholder(const std::string& text);

// Compares arrivals with what was to arrive, and pseudonyms with those seen before.
class Arrivals {
 public:
  // What is wrong with it; empty: nothing.
  std::vector<std::string> Compare(const PolicyEvent& event, const Expected& expected,
                                   const events::v1::DeliveredEvent& delivered);
  size_t pseudonyms() const { return pseudonyms_.size(); }
  uint64_t withheld() const { return withheld_; }

 private:
  void CompareTree(const test::JsonTree& wanted, const test::JsonTree& got,
                   const std::string& path);
  void CompareText(const test::JsonTree& wanted, const test::JsonTree& got,
                   const std::string& path);
  void CompareAttributes(const PolicyEvent& event, const PolicyRule& rule,
                         const io::cloudevents::v1::CloudEvent& got);
  void CompareAttribute(const std::string& name, const std::string& wanted, Links links,
                        const io::cloudevents::v1::CloudEvent& got);
  void ExpectPseudonym(const std::string& kind, const std::string& value, const std::string& got);
  void Fault(const std::string& what) { faults_.push_back(what); }

  // (kind of place, value) -> pseudonym; and back.
  std::map<std::pair<std::string, std::string>, std::string> pseudonyms_;
  std::map<std::string, std::pair<std::string, std::string>> values_;
  std::vector<std::string> faults_;
  uint64_t withheld_ = 0;
};

}  // namespace cdgate::e2e
