// Resources in files, what of them is in force, and how they reach a gateway.
#pragma once

#include <optional>
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
  std::string plan = {};      // 32 bytes; empty: none
  std::optional<admin::v1::Since> backfill = {};
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

// Applies a resource of whatever kind; of the options only dry_run is for all kinds. Findings
// of a policy go to standard error.
absl::Status ApplyAny(const config::Resource& resource, const PolicyApplyOptions& options,
                      Invocation& run);

// What the gateway has in place of resources of files. Lists are fetched once.
class InForce {
 public:
  struct Found {
    std::string yaml;    // without what the gateway adds; to be compared
    std::string source;  // what its author wrote; empty where that is not kept
  };
  explicit InForce(Invocation& run) : run_(run) {}

  // None where there is none.
  absl::StatusOr<std::optional<Found>> Find(const config::Resource& resource);

 private:
  absl::StatusOr<std::optional<Found>> FindPolicy(const std::string& peer);
  absl::StatusOr<std::optional<Found>> FindSchema(const std::string& uri);
  absl::StatusOr<std::optional<Found>> FindGrant(const std::string& name);
  absl::StatusOr<std::optional<Found>> FindGroup(const std::string& name);

  Invocation& run_;
  std::optional<admin::v1::ListGrantsResponse> grants_;
  std::optional<admin::v1::ListGroupsResponse> groups_;
};

// A policy as it was written, or as it could have been.
std::string TextOf(const admin::v1::Policy& policy, const std::string& source);

}  // namespace cdgate::cli
