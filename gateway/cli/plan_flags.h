// How plans and places in history are named on the command line.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/cli/invocation.h"

namespace cdgate::cli {

// "42", "2026-11-22T15:30:52Z", or "30d": that long before `now`. A usage error otherwise.
absl::StatusOr<admin::v1::Since> ParseSince(const std::string& flag, const std::string& text,
                                            absl::Time now);

// The plan with this hash in hex, or the one good plan whose hash begins with it, where it has
// at least 8 digits. PLAN_UNKNOWN for none, a usage error for several.
absl::StatusOr<admin::v1::Plan> FindPlan(const std::string& hash, Invocation& run);
// Several, by the name of what they change. A usage error where two are for one.
absl::StatusOr<std::map<std::string, admin::v1::Plan>> FindPlans(
    const std::vector<std::string>& hashes, Invocation& run);

// What it would change, and whether that widens; without its hash.
void PrintPlan(const admin::v1::Plan& plan, Invocation& run);

// All that are good, newest first.
absl::StatusOr<admin::v1::ListPlansResponse> AllPlans(Invocation& run);

}  // namespace cdgate::cli
