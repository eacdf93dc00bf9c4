// Groups of domains, for the terms that events travel under.
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/format.h"
#include "gateway/cli/resources.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using admin::v1::GroupStatus;
using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct GroupFlags {
  std::vector<std::string> files;
  bool dry_run = false;
};

absl::StatusOr<int> Apply(const GroupFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto resources, LoadResourceFiles(flags.files, run.streams()));
  for (const config::Resource& resource : resources) {
    if (resource.kind == "group") continue;
    return UsageError(absl::StrCat("the ", resource.kind, " ", resource.name,
                                   " is no group; apply it with cdgate apply -f"));
  }
  for (const config::Resource& resource : resources) {
    const auto applied = ApplyGroup(resource, flags.dry_run, run);
    if (!applied.ok()) {
      return base::Annotate(applied.status(), absl::StrCat("group ", resource.name));
    }
    run.Print(*applied, [&] { run.out() << GroupApplied(*applied, flags.dry_run) << "\n"; });
  }
  return kExitDone;
}

absl::StatusOr<admin::v1::ListGroupsResponse> ListAll(Invocation& run) {
  admin::v1::ListGroupsResponse all;
  admin::v1::ListGroupsRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListGroups, request));
    request.set_page_token(page.next_page_token());
    all.mutable_groups()->MergeFrom(page.groups());
  } while (!request.page_token().empty());
  return all;
}

std::string ExpiryText(const GroupStatus& group) {
  return group.has_expire_time() ? TimeText(ToTime(group.expire_time())) : "never";
}

absl::StatusOr<int> List(Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto all, ListAll(run));
  run.Print(all, [&] {
    Table table({{"GROUP"}, {"VERSION"}, {"MEMBERS"}, {"EXPIRES"}, {"OURS"}});
    for (const GroupStatus& group : all.groups()) {
      table.AddRow({group.group(), absl::StrCat(group.version()),
                    absl::StrCat(group.members_size()), ExpiryText(group),
                    group.own() ? "yes" : ""});
    }
    run.Print(table, "no groups; make one with cdgate group apply");
  });
  return kExitDone;
}

// "core@eosc.example", or "core" for one of ours.
bool IsNamed(const GroupStatus& group, const std::string& name) {
  return group.group() == name || (group.own() && absl::StartsWith(group.group(), name + "@"));
}

absl::StatusOr<int> Show(const std::string& name, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto all, ListAll(run));
  for (const GroupStatus& group : all.groups()) {
    if (!IsNamed(group, name)) continue;
    run.Print(group, [&] {
      run.out() << group.group() << ", version " << group.version()
                << (group.own() ? ", ours" : ", received from its owner") << ", expires "
                << ExpiryText(group) << "\n";
      for (const std::string& member : group.members()) run.out() << "  " << member << "\n";
    });
    return kExitDone;
  }
  return base::MakeError(base::Reason::kNotFound,
                         absl::StrCat("this gateway knows no group ", base::Shorten(name),
                                      "; list them to see the names"),
                         {{"name", name}});
}

absl::StatusOr<int> Delete(const std::string& name, Invocation& run) {
  admin::v1::DeleteGroupRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::DeleteGroup, request));
  run.Print(answer, [&] { run.out() << "deleted group " << name << "\n"; });
  return kExitDone;
}

}  // namespace

void AddGroupVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("group", "Groups of domains, for the terms of events");
  const auto flags = std::make_shared<GroupFlags>();
  CLI::App* const apply =
      verbs.AddVerb(group, "apply", "Create or replace groups of ours from YAML files",
                    "cdgate group apply groups/core.yaml", kBoth,
                    [flags](Invocation& run) { return Apply(*flags, run); });
  apply->add_option("FILE", flags->files, "File or folder of *.yaml; - reads standard input")
      ->required();
  apply->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  verbs.AddVerb(group, "list", "List the groups that decisions know", "cdgate group list", kBoth,
                List);
  const auto shown = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "show", "Show who is in a group", "cdgate group show core@eosc.example",
               kBoth, [shown](Invocation& run) { return Show(*shown, run); })
      ->add_option("NAME", *shown, "NAME@DOMAIN, or the name of one of ours")
      ->required();
  const auto deleted = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "delete", "Delete a group of ours: nobody is in it any more",
               "cdgate group delete core", kBoth,
               [deleted](Invocation& run) { return Delete(*deleted, run); })
      ->add_option("NAME", *deleted, "The group")
      ->required();
}

}  // namespace cdgate::cli
