// Who may do what.
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/resources.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct GrantFlags {
  admin::v1::Grant grant;
  std::string role;
  std::vector<std::string> sources;
  std::vector<std::string> types;
  std::vector<std::string> peers;
  std::string schema_check;
  bool dry_run = false;
};

std::string RoleText(admin::v1::Role role) {
  return absl::AsciiStrToLower(ShortEnumName(*admin::v1::Role_descriptor(), role));
}

// The roles as --role takes them: "publisher", …
std::vector<std::string> RoleNames() {
  std::vector<std::string> names;
  for (int i = 1; i < admin::v1::Role_descriptor()->value_count(); ++i) {
    names.push_back(absl::AsciiStrToLower(ShortEnumName(*admin::v1::Role_descriptor()->value(i))));
  }
  return names;
}

absl::StatusOr<admin::v1::Role> ParseRole(const std::string& text) {
  admin::v1::Role role = admin::v1::ROLE_UNSPECIFIED;
  if (admin::v1::Role_Parse(absl::StrCat("ROLE_", absl::AsciiStrToUpper(text)), &role) &&
      role != admin::v1::ROLE_UNSPECIFIED) {
    return role;
  }
  return UsageError(absl::StrCat("'", base::Shorten(text), "' is no role; the roles are ",
                                 absl::StrJoin(RoleNames(), ", ")));
}

// "annotate", "refuse-invalid", "require"; empty leaves it to the gateway.
absl::StatusOr<admin::v1::SchemaCheck> ParseSchemaCheck(const std::string& text) {
  if (text.empty()) return admin::v1::SCHEMA_CHECK_UNSPECIFIED;
  const std::string name = absl::StrReplaceAll(absl::AsciiStrToUpper(text), {{"-", "_"}});
  admin::v1::SchemaCheck check = admin::v1::SCHEMA_CHECK_UNSPECIFIED;
  if (admin::v1::SchemaCheck_Parse(absl::StrCat("SCHEMA_CHECK_", name), &check) &&
      check != admin::v1::SCHEMA_CHECK_UNSPECIFIED) {
    return check;
  }
  return UsageError(
      absl::StrCat("'", base::Shorten(text), "' is none of annotate, refuse-invalid, require"));
}

std::string Applied(const admin::v1::Grant& grant, bool dry_run) {
  return absl::StrCat("grant ", grant.name(), ": ", grant.principal(), " is ",
                      RoleText(grant.role()), dry_run ? " (not applied: dry run)" : "");
}

absl::StatusOr<int> ApplyOne(const GrantFlags& flags, Invocation& run) {
  admin::v1::Grant grant = flags.grant;
  CDGATE_ASSIGN_OR_RETURN(const admin::v1::Role role, ParseRole(flags.role));
  grant.set_role(role);
  CDGATE_ASSIGN_OR_RETURN(const auto check, ParseSchemaCheck(flags.schema_check));
  grant.set_schema_check(check);
  for (const std::string& source : flags.sources) grant.add_sources(source);
  for (const std::string& type : flags.types) grant.add_types(type);
  for (const std::string& peer : flags.peers) grant.add_peers(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto applied, ApplyGrant(grant, flags.dry_run, run));
  run.Print(applied, [&] { run.out() << Applied(applied, flags.dry_run) << "\n"; });
  return kExitDone;
}

absl::StatusOr<int> List(Invocation& run) {
  admin::v1::ListGrantsResponse all;
  admin::v1::ListGrantsRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListGrants, request));
    request.set_page_token(page.next_page_token());
    all.mutable_grants()->MergeFrom(page.grants());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    Table table({{"NAME"}, {"PRINCIPAL"}, {"ROLE"}, {"LIMITED TO", Table::kShrinks}});
    for (const admin::v1::Grant& grant : all.grants()) {
      std::vector<std::string> limits(grant.sources().begin(), grant.sources().end());
      limits.insert(limits.end(), grant.types().begin(), grant.types().end());
      limits.insert(limits.end(), grant.peers().begin(), grant.peers().end());
      if (!grant.filter().empty()) limits.push_back(grant.filter());
      table.AddRow(
          {grant.name(), grant.principal(), RoleText(grant.role()), absl::StrJoin(limits, ", ")});
    }
    run.Print(table, "no grants; make one with cdgate grant apply");
  });
  return kExitDone;
}

absl::StatusOr<int> Delete(const std::string& name, Invocation& run) {
  admin::v1::DeleteGrantRequest request;
  request.set_name(name);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::DeleteGrant, request));
  run.Print(answer, [&] { run.out() << "deleted grant " << name << "\n"; });
  return kExitDone;
}

void AddApplyGrant(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<GrantFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "apply", "Create or replace a grant",
                    "cdgate grant apply jenkins --principal spiffe://alpha.example/service/jenkins "
                    "--role publisher --source '/alpha/jenkins/%'",
                    kBoth, [flags](Invocation& run) { return ApplyOne(*flags, run); });
  admin::v1::Grant& grant = flags->grant;
  verb->add_option("NAME", *grant.mutable_name(), "Name of the grant")->required();
  verb->add_option("--principal", *grant.mutable_principal(),
                   "SPIFFE ID or oidc:PROVIDER:SUBJECT, % for any characters")
      ->required()
      ->option_text("ID");
  verb->add_option("--role", flags->role, absl::StrJoin(RoleNames(), ", "))
      ->required()
      ->option_text("ROLE");
  verb->add_option("--source", flags->sources,
                   "Publisher: sources it may publish, % for any characters; may be repeated")
      ->option_text("PATTERN")
      ->expected(1)
      ->take_all();
  verb->add_option("--type", flags->types,
                   "Publisher: types it may publish; may be repeated; none: all")
      ->option_text("PATTERN")
      ->expected(1)
      ->take_all();
  verb->add_option("--peer", flags->peers,
                   "Other roles but subscriber: peers it is for, % for any characters; may be "
                   "repeated; none: all")
      ->option_text("DOMAIN")
      ->expected(1)
      ->take_all();
  verb->add_option("--plane", *grant.mutable_plane(), "Publisher: the component's platform plane")
      ->option_text("PLANE");
  verb->add_flag_function(
      "--accept-unknown", [flags](int64_t) { flags->grant.set_accept_unknown(true); },
      "Publisher: events of types that no release has may enter, unread");
  verb->add_option("--schema-check", flags->schema_check,
                   "Publisher: annotate, refuse-invalid or require by the events' schemaUri")
      ->option_text("CHECK");
  verb->add_option("--filter", *grant.mutable_filter(), "Subscriber: a filter and-ed to its own")
      ->option_text("EXPR");
  verb->add_option("--description", *grant.mutable_description(), "For people")
      ->option_text("TEXT");
  verb->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
}

}  // namespace

void AddGrantVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("grant", "Who may do what here");
  AddApplyGrant(verbs, group);
  verbs.AddVerb(group, "list", "List the grants", "cdgate grant list", kBoth, List);
  const auto name = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "delete", "Delete a grant; what it allowed ends at once",
               "cdgate grant delete jenkins", kBoth,
               [name](Invocation& run) { return Delete(*name, run); })
      ->add_option("NAME", *name, "The grant")
      ->required();
}

}  // namespace cdgate::cli
