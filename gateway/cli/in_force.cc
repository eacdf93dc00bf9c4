// What of the resources of files is in force, and what applies one of any kind.
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/resources.h"
#include "gateway/config/message_writer.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
using MaybeFound = absl::StatusOr<std::optional<InForce::Found>>;

bool IsNoSuch(const absl::Status& status) {
  return base::ReasonOf(status) == base::Reason::kNotFound;
}

// All pages of a list.
template <typename Request, typename Response>
absl::StatusOr<Response> AllPages(grpc::Status (Admin::*method)(grpc::ClientContext*,
                                                                const Request&, Response*),
                                  Invocation& run) {
  Response all;
  Request request;
  do {
    CDGATE_ASSIGN_OR_RETURN(const Response page, run.Admin(method, request));
    all.MergeFrom(page);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

}  // namespace

std::string TextOf(const admin::v1::Policy& policy, const std::string& source) {
  return source.empty() ? absl::StrCat("kind: policy\n", config::ToYaml(policy)) : source;
}

absl::Status ApplyAny(const config::Resource& resource, const PolicyApplyOptions& options,
                      Invocation& run) {
  if (resource.kind == "grant") {
    admin::v1::Grant grant;
    grant.CopyFrom(*resource.message);
    return ApplyGrant(grant, options.dry_run, run).status();
  }
  if (resource.kind == "schema") {
    admin::v1::Schema schema;
    schema.CopyFrom(*resource.message);
    return AddSchema(schema, options.dry_run, run).status();
  }
  if (resource.kind == "group") return ApplyGroup(resource, options.dry_run, run).status();
  CDGATE_ASSIGN_OR_RETURN(const auto applied, ApplyPolicy(resource, options, run));
  if (options.dry_run && run.table()) PrintFindings(applied.findings(), run.err());
  return absl::OkStatus();
}

MaybeFound InForce::Find(const config::Resource& resource) {
  if (resource.kind == "grant") return FindGrant(resource.name);
  if (resource.kind == "schema") return FindSchema(resource.name);
  if (resource.kind == "group") return FindGroup(resource.name);
  return FindPolicy(resource.name);
}

MaybeFound InForce::FindPolicy(const std::string& peer) {
  admin::v1::GetPolicyRequest request;
  request.set_peer(peer);
  const auto found = run_.Admin(&Admin::GetPolicy, request);
  if (IsNoSuch(found.status())) return std::nullopt;
  CDGATE_RETURN_IF_ERROR(found.status());
  return Found{config::ToYaml(found->policy()), found->source()};
}

MaybeFound InForce::FindSchema(const std::string& uri) {
  admin::v1::GetSchemaRequest request;
  request.set_uri(uri);
  auto found = run_.Admin(&Admin::GetSchema, request);
  if (IsNoSuch(found.status())) return std::nullopt;
  CDGATE_RETURN_IF_ERROR(found.status());
  found->clear_digest();
  found->clear_create_time();
  found->clear_author();
  found->clear_version();
  return Found{config::ToYaml(*found), ""};
}

MaybeFound InForce::FindGrant(const std::string& name) {
  if (!grants_) {
    CDGATE_ASSIGN_OR_RETURN(grants_, AllPages(&Admin::ListGrants, run_));
  }
  for (const admin::v1::Grant& grant : grants_->grants()) {
    if (grant.name() == name) return Found{config::ToYaml(grant), ""};
  }
  return std::nullopt;
}

// Lists of groups do not have their descriptions.
MaybeFound InForce::FindGroup(const std::string& name) {
  if (!groups_) {
    CDGATE_ASSIGN_OR_RETURN(groups_, AllPages(&Admin::ListGroups, run_));
  }
  for (const admin::v1::GroupStatus& status : groups_->groups()) {
    if (!status.own() || status.group().substr(0, status.group().find('@')) != name) continue;
    admin::v1::Group group;
    group.set_name(name);
    *group.mutable_members() = status.members();
    if (status.has_expire_time()) *group.mutable_expire_time() = status.expire_time();
    return Found{config::ToYaml(group), ""};
  }
  return std::nullopt;
}

}  // namespace cdgate::cli
