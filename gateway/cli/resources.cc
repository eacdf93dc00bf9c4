#include "gateway/cli/resources.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/input.h"

namespace cdgate::cli {
namespace {

// `path` itself, or the YAML files of the folder it is.
absl::StatusOr<std::vector<std::string>> FilesOf(const std::string& path) {
  std::error_code error;
  if (path == "-" || !std::filesystem::is_directory(path, error)) return std::vector{path};
  std::vector<std::string> files;
  for (auto at = std::filesystem::directory_iterator(path, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string extension = at->path().extension().string();
    if (extension == ".yaml" || extension == ".yml") files.push_back(at->path().string());
  }
  if (error) {
    return base::MakeError(base::Reason::kFileUnreadable,
                           absl::StrCat("cannot read ", path, ": ", error.message()),
                           {{"path", path}});
  }
  if (files.empty()) return UsageError(absl::StrCat(path, " has no file *.yaml or *.yml"));
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::vector<config::Resource>> LoadFile(const std::string& file,
                                                       const Streams& streams) {
  if (file != "-") return config::LoadResources(file);
  CDGATE_ASSIGN_OR_RETURN(const std::string text, ArgumentOrInput(file, streams));
  return config::ParseResources(text, "standard input");
}

}  // namespace

absl::StatusOr<std::vector<config::Resource>> LoadResourceFiles(
    const std::vector<std::string>& paths, const Streams& streams) {
  std::vector<config::Resource> all;
  for (const std::string& path : paths) {
    CDGATE_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path));
    for (const std::string& file : files) {
      CDGATE_ASSIGN_OR_RETURN(std::vector<config::Resource> resources, LoadFile(file, streams));
      std::move(resources.begin(), resources.end(), std::back_inserter(all));
    }
  }
  if (all.empty()) return UsageError("the files have no resource");
  return all;
}

absl::StatusOr<std::vector<config::Resource>> LoadPolicies(const std::vector<std::string>& paths,
                                                           const Streams& streams) {
  CDGATE_ASSIGN_OR_RETURN(std::vector<config::Resource> all, LoadResourceFiles(paths, streams));
  for (const config::Resource& resource : all) {
    if (resource.kind != "policy") {
      return UsageError(absl::StrCat("the ", resource.kind, " ", resource.name,
                                     " is no policy; apply it with cdgate apply -f"));
    }
  }
  return all;
}

absl::StatusOr<admin::v1::ApplyPolicyResponse> ApplyPolicy(const config::Resource& policy,
                                                           const PolicyApplyOptions& options,
                                                           Invocation& run) {
  admin::v1::ApplyPolicyRequest request;
  request.mutable_policy()->CopyFrom(*policy.message);
  request.set_source(policy.source);
  request.set_unplanned(options.unplanned);
  request.set_base_version(options.base_version);
  request.set_validate_only(options.dry_run);
  request.set_plan(options.plan);
  if (options.backfill) *request.mutable_backfill() = *options.backfill;
  return run.Admin(&admin::v1::AdminService::Stub::ApplyPolicy, request);
}

absl::StatusOr<admin::v1::Grant> ApplyGrant(const admin::v1::Grant& grant, bool dry_run,
                                            Invocation& run) {
  admin::v1::ApplyGrantRequest request;
  *request.mutable_grant() = grant;
  request.set_validate_only(dry_run);
  return run.Admin(&admin::v1::AdminService::Stub::ApplyGrant, request);
}

absl::StatusOr<admin::v1::Group> ApplyGroup(const config::Resource& group, bool dry_run,
                                            Invocation& run) {
  admin::v1::ApplyGroupRequest request;
  request.mutable_group()->CopyFrom(*group.message);
  request.set_source(group.source);
  request.set_validate_only(dry_run);
  return run.Admin(&admin::v1::AdminService::Stub::ApplyGroup, request);
}

std::string GroupApplied(const admin::v1::Group& group, bool dry_run) {
  return absl::StrCat(
      "group ", group.name(), ": ",
      dry_run ? std::string("can be applied (dry run)") : absl::StrCat("version ", group.version()),
      ", ", group.members_size(), " members");
}

absl::StatusOr<admin::v1::Schema> AddSchema(const admin::v1::Schema& schema, bool dry_run,
                                            Invocation& run) {
  admin::v1::AddSchemaRequest request;
  *request.mutable_schema() = schema;
  request.set_validate_only(dry_run);
  return run.Admin(&admin::v1::AdminService::Stub::AddSchema, request);
}

std::string SchemaAdded(const admin::v1::Schema& schema, bool dry_run) {
  return absl::StrCat("schema ", schema.uri(),
                      dry_run ? std::string(": can be added (dry run)")
                              : absl::StrCat(": version ", schema.version()));
}

}  // namespace cdgate::cli
