// Whether a change lets anything cross that did not, or lets more of it be seen.
//
//   std::vector<std::string> why = WhyWidens(&in_force, candidate);
//   if (!why.empty()) AskForApproval(why);
//
// Empty: it is provably narrowing, or without effect. Whenever that is so, no event that was
// denied before is allowed afterwards, and none is allowed with more of its content or under
// looser terms. All else is widening, although some of it would let nothing more cross: what
// cannot be proved is named. Each reason names its place: "export.rules[2].redact
// (releases): customData is no longer removed".
//
// What is left out of account, because no change of ours decides it: what the peer shows of
// its own rules, and whether a pseudonym can be made. Both only ever withhold. Pure;
// thread-safe; for policies that check (CheckPolicy).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cdgate/admin/v1/resources.pb.h"
#include "federation/policy/classification.h"

namespace cdgate::policy {

// What else the answer depends on.
struct WideningContext {
  // The labels that the gateway knows.
  const Classifications& known = Classifications::BuiltIn();
  // Size of the largest event: a condition can fail on what is too much to look through.
  size_t max_event_bytes = 1'000'000;
};

// `before`: null where none is in force.
std::vector<std::string> WhyWidens(const admin::v1::Policy* before, const admin::v1::Policy& after,
                                   const WideningContext& context = {});

// What widens what crosses: planes, because conditions read them, and the roles that decide
// what crosses (operator, policy author, policy approver) for principals that did not have
// them, or for more peers than they had them.
std::vector<std::string> WhyWidens(const admin::v1::Grant* before, const admin::v1::Grant& after);

// New members, and members for longer.
std::vector<std::string> WhyWidens(const admin::v1::Group* before, const admin::v1::Group& after);

}  // namespace cdgate::policy
