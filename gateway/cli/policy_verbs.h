// The verbs of the group policy that are in files of their own.
#pragma once

#include "gateway/cli/verbs.h"

namespace cdgate::cli {

void AddPlanVerbs(Verbs& verbs, CLI::App* group);          // plan, plans, approve
void AddPolicyChangeVerbs(Verbs& verbs, CLI::App* group);  // apply, rollback, diff, …

}  // namespace cdgate::cli
