#include "gateway/api/group_api.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/trust/spiffe_id.h"
#include "federation/manager/group_lists.h"
#include "federation/policy/widening.h"
#include "gateway/api/paging.h"
#include "gateway/api/unary.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::api {
namespace {

using admin::v1::Group;
using admin::v1::GroupStatus;
using Edits = manager::EnvironmentKeeper::Edits;

constexpr char kApply[] = "/cdgate.admin.v1.AdminService/ApplyGroup";
constexpr char kDelete[] = "/cdgate.admin.v1.AdminService/DeleteGroup";
constexpr char kList[] = "/cdgate.admin.v1.AdminService/ListGroups";

constexpr size_t kMaxDescriptionBytes = 1024;
// What all lists of one member may take, so that they fit in one message of a link.
constexpr size_t kMaxListBytesOfMember = 3 << 20;
// Of each, for its signature and certificates.
constexpr size_t kSignatureRoom = 8 << 10;

absl::Status Invalid(absl::string_view group, absl::string_view field, absl::string_view what) {
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("group ", base::Shorten(group), ": ", field, " ", what),
                         {{"field", absl::StrCat("group.", field)}});
}

absl::Status CheckMembers(const Group& group) {
  if (group.members().empty()) {
    return Invalid(group.name(), "members", "is empty; a group that nobody is in is one to delete");
  }
  if (group.members_size() > manager::kMaxGroupMembers) {
    return Invalid(group.name(), "members",
                   absl::StrCat("has ", group.members_size(), " domains; at most ",
                                manager::kMaxGroupMembers, " may be in"));
  }
  for (const std::string& member : group.members()) {
    if (trust::ValidTrustDomain(member)) continue;
    return Invalid(group.name(), "members",
                   absl::StrCat("has \"", base::Shorten(member),
                                "\", which is no domain such as beta.example"));
  }
  return absl::OkStatus();
}

absl::Status CheckExpiry(const Group& group) {
  if (!group.has_expire_time()) return absl::OkStatus();
  constexpr int64_t kYear2262 = 9'214'646'400;  // nanoseconds since 1970 go no further
  const auto& time = group.expire_time();
  if (time.seconds() > 0 && time.seconds() < kYear2262 && time.nanos() >= 0 &&
      time.nanos() < 1'000'000'000) {
    return absl::OkStatus();
  }
  return Invalid(group.name(), "expire_time", "is not a time from 1970 to 2261");
}

// All but what depends on other groups.
absl::Status CheckGroup(const Group& group) {
  if (!manager::ValidGroupName(group.name())) {
    return Invalid(group.name(), "name", "has 1 to 63 characters of a-z 0-9 and '-'");
  }
  if (group.description().size() > kMaxDescriptionBytes) {
    return Invalid(group.name(), "description",
                   absl::StrCat("has more than ", kMaxDescriptionBytes, " bytes"));
  }
  CDGATE_RETURN_IF_ERROR(CheckMembers(group));
  return CheckExpiry(group);
}

// As it is stored: members sorted, nothing that is output only.
absl::StatusOr<Group> Normalised(const Group& group) {
  CDGATE_RETURN_IF_ERROR(CheckGroup(group));
  Group out = group;
  out.clear_version();
  std::sort(out.mutable_members()->begin(), out.mutable_members()->end());
  const auto twice = std::adjacent_find(out.members().begin(), out.members().end());
  if (twice == out.members().end()) return out;
  return Invalid(group.name(), "members", absl::StrCat("has ", *twice, " twice"));
}

size_t ListBytesOf(const Group& group) {
  size_t bytes = kSignatureRoom;
  for (const std::string& member : group.members()) bytes += member.size() + 4;
  return bytes;
}

// How much one domain is told.
struct Told {
  int groups = 0;
  size_t bytes = 0;
};

// Whether there is room for `group` beside the others.
absl::Status CheckRoom(const Group& group, const state::ResourceSnapshot& resources) {
  std::map<std::string, Told> members;
  for (const std::string& member : group.members()) members[member] = {1, ListBytesOf(group)};
  size_t groups = 1;
  for (const state::ResourcePtr& resource : resources.List(state::kGroupKind)) {
    if (resource->name == group.name()) continue;
    ++groups;
    CDGATE_ASSIGN_OR_RETURN(const Group other, resource->As<Group>());
    for (const std::string& member : other.members()) {
      const auto found = members.find(member);
      if (found == members.end()) continue;
      ++found->second.groups;
      found->second.bytes += ListBytesOf(other);
    }
  }
  if (groups > kMaxGroups) {
    return Invalid(group.name(), "name",
                   absl::StrCat("would be one group more than ", kMaxGroups, "; delete another"));
  }
  for (const auto& [member, told] : members) {
    if (told.groups > manager::kMaxGroupsOfMember || told.bytes > kMaxListBytesOfMember) {
      return Invalid(group.name(), "members",
                     absl::StrCat("puts ", member, " into ", told.groups, " groups with lists of ",
                                  told.bytes >> 10, " KiB; at most ", manager::kMaxGroupsOfMember,
                                  " groups and ", kMaxListBytesOfMember >> 10,
                                  " KiB may be; take it out of another"));
    }
  }
  return absl::OkStatus();
}

// In force as it is.
bool Unchanged(const Group& group, const state::ResourceSnapshot& resources) {
  const auto found = resources.Find(state::kGroupKind, group.name());
  return found != nullptr && found->value == group.SerializeAsString();
}

uint64_t VersionOf(const std::string& name, const state::ResourceSnapshot& resources) {
  const auto found = resources.Find(state::kGroupKind, name);
  return found == nullptr ? 0 : found->version;
}

// What becomes of applying `group`, given what is in force. Every change of a group that is
// asked for passes here, or through DeletionOf(), and can be refused here.
absl::StatusOr<Edits> EditsOf(const Group& group, const std::string& source,
                              const std::string& author, const state::ResourceSnapshot& resources) {
  CDGATE_RETURN_IF_ERROR(CheckRoom(group, resources));
  if (Unchanged(group, resources)) return Edits();
  return Edits{{.kind = state::kGroupKind,
                .name = group.name(),
                .value = group.SerializeAsString(),
                .author = author,
                .source = source}};
}

absl::StatusOr<Edits> DeletionOf(const std::string& name, const std::string& author,
                                 const state::ResourceSnapshot& resources) {
  if (resources.Find(state::kGroupKind, name) == nullptr) {
    return base::MakeError(base::Reason::kNotFound,
                           absl::StrCat("no group of ours is named ", base::Shorten(name),
                                        "; list them to see the names"),
                           {{"name", name}});
  }
  return Edits{{.kind = state::kGroupKind, .name = name, .deleted = true, .author = author}};
}

GroupStatus StatusOf(const Group& group, uint64_t version, absl::string_view domain,
                     absl::Time now) {
  GroupStatus status;
  status.set_group(manager::GroupId(group.name(), domain));
  status.set_version(version);
  if (manager::ExpiryOf(group) > now) *status.mutable_members() = group.members();
  if (group.has_expire_time()) *status.mutable_expire_time() = group.expire_time();
  status.set_own(true);
  return status;
}

GroupStatus StatusOf(const federation::v1::GroupList& list, absl::Time now) {
  GroupStatus status;
  status.set_group(list.group());
  status.set_version(list.version());
  if (manager::ExpiryOf(list) > now) *status.mutable_members() = list.members();
  *status.mutable_expire_time() = list.expire_time();
  return status;
}

}  // namespace

absl::Status GroupApi::Register(rpc::Router& router) {
  using namespace admin::v1;  // request and response names, here only
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<ApplyGroupRequest, Group>(
      kApply, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Apply(call, request, reply);
      })));
  CDGATE_RETURN_IF_ERROR(router.Register(OnPoolAsync<DeleteGroupRequest, DeleteGroupResponse>(
      kDelete, pool_, [this](const rpc::Call& call, const auto& request, const auto& reply) {
        Delete(call, request, reply);
      })));
  return router.Register(OnPool<ListGroupsRequest, ListGroupsResponse>(
      kList, pool_, [this](const rpc::Call&, const auto& request) { return List(request); }));
}

void GroupApi::Apply(const rpc::Call& call, const admin::v1::ApplyGroupRequest& request,
                     const rpc::Reply<Group>& reply) {
  auto group = Normalised(request.group());
  if (!group.ok()) return reply(group.status());
  if (request.validate_only()) {
    const auto edits = EditsOf(*group, request.source(), call.principal.id, *store_.Resources());
    return edits.ok() ? reply(*std::move(group)) : reply(edits.status());
  }
  const state::ResourceSnapshotPtr resources = store_.Resources();
  absl::StatusOr<Edits> edits = EditsOf(*group, request.source(), call.principal.id, *resources);
  if (!edits.ok()) return reply(edits.status());
  group->set_version(VersionOf(group->name(), *resources));
  if (edits->empty()) return reply(*std::move(group));  // it is in force as it is
  edits->front().expected_version = VersionOf(group->name(), *resources);
  Group before;
  const state::ResourcePtr stored = resources->Find(state::kGroupKind, group->name());
  if (stored != nullptr && !before.ParseFromString(stored->value)) before.Clear();
  state::Proposal proposal;
  proposal.resources = *std::move(edits);
  gate_.Admit(call, policy::WhyWidens(&before, *group), std::move(proposal),
              [this, group = *group, reply](absl::StatusOr<state::Proposal> admitted) {
                if (!admitted.ok()) return reply(admitted.status());
                ApplyAdmitted(group, *std::move(admitted), reply);
              });
}

// With the environment that follows from it.
void GroupApi::ApplyAdmitted(const Group& group, state::Proposal admitted,
                             const rpc::Reply<Group>& reply) {
  keeper_.Apply([edits = std::move(admitted.resources)](
                    const state::ResourceSnapshot&) { return absl::StatusOr<Edits>(edits); },
                [group, reply](const state::Outcome& outcome) {
                  if (!outcome.status.ok()) return reply(outcome.status);
                  Group answer = group;
                  if (!outcome.versions.empty()) answer.set_version(outcome.versions.front());
                  reply(std::move(answer));
                });
}

void GroupApi::Delete(const rpc::Call& call, const admin::v1::DeleteGroupRequest& request,
                      const rpc::Reply<admin::v1::DeleteGroupResponse>& reply) {
  keeper_.Apply(
      [name = request.name(), author = call.principal.id](
          const state::ResourceSnapshot& resources) { return DeletionOf(name, author, resources); },
      [reply](const state::Outcome& outcome) {
        if (!outcome.status.ok()) return reply(outcome.status);
        reply(admin::v1::DeleteGroupResponse());
      });
}

absl::StatusOr<admin::v1::ListGroupsResponse> GroupApi::List(
    const admin::v1::ListGroupsRequest& request) const {
  CDGATE_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  CDGATE_ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  const state::ResourceSnapshotPtr resources = store_.Resources();
  const absl::Time now = clock_.Now();
  std::map<std::string, GroupStatus> all;
  for (const auto& resource : resources->List(state::kGroupKind)) {
    CDGATE_ASSIGN_OR_RETURN(const auto group, resource->As<Group>());
    GroupStatus status = StatusOf(group, resource->version, domain_, now);
    all[status.group()] = std::move(status);
  }
  for (const auto& resource : resources->List(state::kGroupListKind)) {
    CDGATE_ASSIGN_OR_RETURN(const auto list, manager::ListIn(*resource));
    all[list.group()] = StatusOf(list, now);
  }
  admin::v1::ListGroupsResponse response;
  for (auto it = all.upper_bound(after);
       it != all.end() && static_cast<size_t>(response.groups_size()) < size; ++it) {
    *response.add_groups() = std::move(it->second);
  }
  if (static_cast<size_t>(response.groups_size()) == size) {
    response.set_next_page_token(MakePageToken(kList, response.groups().rbegin()->group()));
  }
  return response;
}

}  // namespace cdgate::api
