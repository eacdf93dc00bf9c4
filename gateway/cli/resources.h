// Policies, grants, groups and schemas in files, and how they reach a gateway.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/cli/invocation.h"
#include "gateway/config/resource_file.h"

namespace cdgate::cli {

struct PolicyApplyOptions {
  bool unplanned = false;
  bool dry_run = false;
  uint64_t base_version = 0;  // 0: not checked
};

// The resources of the files, and of the *.yaml and *.yml files of the folders, in the
// order of their names; "-" is standard input. Nothing is applied where one is wrong.
absl::StatusOr<std::vector<config::Resource>> LoadResourceFiles(
    const std::vector<std::string>& paths, const Streams& streams);

// The policies among them; a usage error where there is anything else, or nothing.
absl::StatusOr<std::vector<config::Resource>> LoadPolicies(const std::vector<std::string>& paths,
                                                           const Streams& streams);

absl::StatusOr<admin::v1::ApplyPolicyResponse> ApplyPolicy(const config::Resource& policy,
                                                           const PolicyApplyOptions& options,
                                                           Invocation& run);
absl::StatusOr<admin::v1::Grant> ApplyGrant(const admin::v1::Grant& grant, bool dry_run,
                                            Invocation& run);

absl::StatusOr<admin::v1::Group> ApplyGroup(const config::Resource& group, bool dry_run,
                                            Invocation& run);
// One line for what became of it.
std::string GroupApplied(const admin::v1::Group& group, bool dry_run);

absl::StatusOr<admin::v1::Schema> AddSchema(const admin::v1::Schema& schema, bool dry_run,
                                            Invocation& run);
// One line for what became of it.
std::string SchemaAdded(const admin::v1::Schema& schema, bool dry_run);

}  // namespace cdgate::cli
