// One-fault mutants of CDEvents, made from the catalogue: an event that has every member its
// release knows, and then the same event with one thing changed, where the mutant knows
// whether that breaks a rule and where.
//
//   const JsonTree event = CompleteEvent(form, official);
//   for (const Mutant& mutant : MutantsOf(form, event)) Judge(mutant.json) == mutant.valid;
//
// What the rules are is read in gateway/cdevents/catalogue.h, which is held against the
// official schemas by its own test. What a rule means is said here once more.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/cdevents/catalogue.h"
#include "tests/support/json_tree.h"

namespace cdgate::test {

struct Mutant {
  std::string what;  // "/subject/content/uri: \"a b\""
  std::string json;
  std::optional<bool> valid;  // none: left to the other validator
  // Of the fault, a JSON pointer; none where it is valid, or where one change makes faults
  // elsewhere.
  std::optional<std::string> path;
  // The schema it is judged by, as ajv_oracle.h names them; a change of what the event
  // declares changes that. Both empty: that of its type.
  std::string release, schema;
};

// `event` with each member that it lacks filled with a valid value, in open objects also
// ones that no release knows.
JsonTree CompleteEvent(const cdevents::Form& form, JsonTree event);
// The same of a link that stands alone.
JsonTree CompleteLink(const cdevents::Object& link);

// The event itself first.
std::vector<Mutant> MutantsOf(const cdevents::Form& form, const JsonTree& event);
// Of a link that stands alone; which schema judges it is left open.
std::vector<Mutant> LinkMutantsOf(const cdevents::Object& link,
                                  const std::vector<const cdevents::Object*>& alternatives);

// "v0.5.1", as the schemas of a family are called.
std::string SchemasOf(cdevents::Family family);

}  // namespace cdgate::test
