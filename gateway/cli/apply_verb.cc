// `apply`: resources of all kinds from files, compared with what is in force and checked before
// the first is changed.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/line_diff.h"
#include "gateway/cli/plan_flags.h"
#include "gateway/cli/resources.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/message_writer.h"

namespace cdgate::cli {
namespace {

struct ApplyFlags {
  std::vector<std::string> files;
  std::vector<std::string> plans;
  bool diff = false;
  PolicyApplyOptions options;
};

// A resource of the files and how it differs from what is in force.
struct Step {
  const config::Resource* resource = nullptr;
  bool exists = false;
  bool changes = false;
  std::string diff = {};
};

// As InForce gives it.
std::string ComparableYaml(const config::Resource& resource) {
  if (resource.kind != "group") return config::ToYaml(*resource.message);
  admin::v1::Group group;
  group.CopyFrom(*resource.message);
  group.clear_description();
  return config::ToYaml(group);
}

absl::StatusOr<Step> Compare(const config::Resource& resource, InForce& in_force) {
  Step step{.resource = &resource};
  CDGATE_ASSIGN_OR_RETURN(const auto now, in_force.Find(resource));
  step.exists = now.has_value();
  const std::string after = ComparableYaml(resource);
  step.changes = !now || now->yaml != after;
  if (!step.changes) return step;
  const std::string name = absl::StrCat(resource.kind, " ", resource.name);
  const bool as_written = now && !now->source.empty();
  step.diff = UnifiedDiff(!now         ? ""
                          : as_written ? now->source
                                       : now->yaml,
                          as_written ? resource.source : after,
                          now ? absl::StrCat(name, " in force") : "nothing", name);
  return step;
}

absl::Status Send(const Step& step, const ApplyFlags& flags, bool dry_run,
                  const std::map<std::string, admin::v1::Plan>& plans, Invocation& run) {
  const config::Resource& resource = *step.resource;
  PolicyApplyOptions options = flags.options;
  options.dry_run = dry_run;
  if (resource.kind == "policy") {
    const auto plan = plans.find(resource.name);
    if (plan != plans.end()) {
      options.plan = plan->second.hash();
      options.unplanned = false;
    } else if (!dry_run && !options.unplanned) {
      return base::MakeError(base::Reason::kPlanRequired,
                             "it is applied with --plan and the hash of its plan, or --unplanned");
    }
  }
  return ApplyAny(resource, options, run);
}

void Report(const Step& step, bool dry_run, bool diff, Invocation& run) {
  run.out() << step.resource->kind << " " << step.resource->name << ": "
            << (!step.changes ? "unchanged"
                : step.exists ? "changed"
                              : "created")
            << (dry_run && step.changes ? " (dry run)" : "") << "\n";
  if (diff) run.out() << step.diff;
}

Node NodeOf(const Step& step) {
  Node node = Node::Object();
  node.Add("kind", Node::Text(step.resource->kind));
  node.Add("name", Node::Text(step.resource->name));
  node.Add("change", Node::Text(!step.changes ? "unchanged" : step.exists ? "changed" : "created"));
  if (!step.diff.empty()) node.Add("diff", Node::Text(step.diff));
  return node;
}

absl::Status InContext(const absl::Status& status, const Step& step) {
  return base::Annotate(status, absl::StrCat(step.resource->kind, " ", step.resource->name));
}

absl::StatusOr<int> ApplyFiles(const ApplyFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto resources, LoadResourceFiles(flags.files, run.streams()));
  CDGATE_ASSIGN_OR_RETURN(const auto plans, FindPlans(flags.plans, run));
  InForce in_force(run);
  std::vector<Step> steps;
  bool changes = false;
  for (const config::Resource& resource : resources) {
    CDGATE_ASSIGN_OR_RETURN(steps.emplace_back(), Compare(resource, in_force));
    changes = changes || steps.back().changes;
    if (!steps.back().changes) continue;
    const absl::Status checked = Send(steps.back(), flags, true, plans, run);
    if (!checked.ok()) return InContext(checked, steps.back());
  }
  const bool dry_run = flags.options.dry_run;
  // A change of a grant would make the plans stale.
  std::stable_partition(steps.begin(), steps.end(), [&plans](const Step& step) {
    return step.resource->kind == "policy" && plans.count(step.resource->name) > 0;
  });
  for (const Step& step : steps) {
    if (step.changes && !dry_run) {
      const absl::Status applied = Send(step, flags, false, plans, run);
      if (!applied.ok()) return InContext(applied, step);
    }
    run.Print(NodeOf(step), [&] { Report(step, dry_run, flags.diff || dry_run, run); });
  }
  return dry_run && changes ? kExitNo : kExitDone;
}

}  // namespace

void AddApplyVerb(Verbs& verbs) {
  const auto flags = std::make_shared<ApplyFlags>();
  CLI::App* const verb = verbs.AddVerb(
      nullptr, "apply", "Apply grants, groups, policies and schemas from files, where they differ",
      "cdgate apply -f domain/ --dry-run\n"
      "cdgate apply -f domain/ --diff --unplanned",
      Verbs::kConnects | Verbs::kPrints,
      [flags](Invocation& run) { return ApplyFiles(*flags, run); });
  verb->add_option("-f,--file", flags->files,
                   "YAML files or folders; - reads standard input; may be repeated")
      ->required()
      ->option_text("FILE")
      ->expected(1)
      ->take_all();
  verb->add_flag("--dry-run", flags->options.dry_run,
                 "Check and compare, change nothing; exit code 1 where something would change");
  verb->add_flag("--diff", flags->diff, "Show how what changes differs from what is in force");
  verb->add_option("--plan", flags->plans,
                   "Policies: the plan of one, its hash or the first 8 or more digits; may be "
                   "repeated")
      ->option_text("HASH")
      ->expected(1)
      ->take_all();
  verb->add_flag("--unplanned", flags->options.unplanned,
                 "Policies without a plan of their own: apply them all the same; recorded");
}

}  // namespace cdgate::cli
