// Policies put in force, taken back, and compared.
#include <map>
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/line_diff.h"
#include "gateway/cli/plan_flags.h"
#include "gateway/cli/policy_verbs.h"
#include "gateway/cli/resources.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

void PrintApplied(const admin::v1::ApplyPolicyResponse& answer, const std::string& peer,
                  bool dry_run, Invocation& run) {
  PrintFindings(answer.findings(), run.err());
  for (const std::string& why : answer.widens()) run.out() << "widens " << why << "\n";
  if (dry_run) {
    run.out() << "policy for " << peer << " can be applied\n";
    return;
  }
  run.out() << "policy for " << peer << " version " << answer.version().version()
            << " decides from sequence " << answer.version().effective_sequence() << "\n";
  if (answer.backfill_first() != 0) {
    run.out() << "past events are offered: sequences " << answer.backfill_first() << " to "
              << answer.backfill_last() << "\n";
  }
}

// --- apply

struct ApplyFlags {
  std::vector<std::string> files;
  std::vector<std::string> plans;
  std::string backfill;
  PolicyApplyOptions options;
};

absl::StatusOr<int> ApplyByPlans(const std::map<std::string, admin::v1::Plan>& plans, bool dry_run,
                                 Invocation& run) {
  for (const auto& [peer, plan] : plans) {
    admin::v1::ApplyPolicyRequest request;
    request.set_plan(plan.hash());
    request.set_validate_only(dry_run);
    CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::ApplyPolicy, request));
    run.Print(answer, [&, name = peer] { PrintApplied(answer, name, dry_run, run); });
  }
  return kExitDone;
}

absl::StatusOr<int> Apply(ApplyFlags flags, Invocation& run) {
  if (flags.files.empty() && flags.plans.empty()) {
    return UsageError("give files, or the hash of a plan with --plan");
  }
  if (!flags.backfill.empty()) {
    CDGATE_ASSIGN_OR_RETURN(flags.options.backfill,
                            ParseSince("--backfill", flags.backfill, absl::Now()));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto plans, FindPlans(flags.plans, run));
  if (flags.files.empty()) return ApplyByPlans(plans, flags.options.dry_run, run);
  CDGATE_ASSIGN_OR_RETURN(const auto policies, LoadPolicies(flags.files, run.streams()));
  for (const config::Resource& policy : policies) {
    PolicyApplyOptions options = flags.options;
    if (const auto plan = plans.find(policy.name); plan != plans.end()) {
      options.plan = plan->second.hash();
    }
    CDGATE_ASSIGN_OR_RETURN(const auto answer, ApplyPolicy(policy, options, run));
    run.Print(answer, [&] { PrintApplied(answer, policy.name, options.dry_run, run); });
  }
  return kExitDone;
}

// --- rollback

struct RollbackFlags {
  std::string peer;
  uint64_t version = 0;
  std::string plan;
  bool unplanned = false;
  bool dry_run = false;
};

absl::StatusOr<int> Rollback(const RollbackFlags& flags, Invocation& run) {
  admin::v1::ApplyPolicyRequest request;
  request.set_validate_only(flags.dry_run);
  if (flags.plan.empty()) {
    request.set_peer(flags.peer);
    request.set_restore_version(flags.version);
    request.set_unplanned(flags.unplanned);
  } else {
    CDGATE_ASSIGN_OR_RETURN(const auto plan, FindPlan(flags.plan, run));
    if (plan.name() != flags.peer) {
      return UsageError(absl::StrCat("the plan is for ", plan.kind(), " ", plan.name()));
    }
    admin::v1::GetPolicyRequest old;
    old.set_peer(flags.peer);
    old.set_version(flags.version);
    CDGATE_ASSIGN_OR_RETURN(const auto version, run.Admin(&Admin::GetPolicy, old));
    // The gateway refuses where the plan has another one.
    *request.mutable_policy() = version.policy();
    request.set_plan(plan.hash());
  }
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::ApplyPolicy, request));
  run.Print(answer, [&] { PrintApplied(answer, flags.peer, flags.dry_run, run); });
  return kExitDone;
}

// --- diff

struct DiffFlags {
  std::string peer;
  uint64_t from = 0;
  std::string to;
};

// A policy with what it is called.
struct Named {
  admin::v1::Policy policy;
  std::string source;
  std::string name;
};

absl::StatusOr<Named> Version(const std::string& peer, uint64_t version, Invocation& run) {
  admin::v1::GetPolicyRequest request;
  request.set_peer(peer);
  request.set_version(version);
  CDGATE_ASSIGN_OR_RETURN(const auto found, run.Admin(&Admin::GetPolicy, request));
  return Named{found.policy(), found.source(),
               absl::StrCat(peer, " version ", found.version(), " by ", found.author())};
}

absl::StatusOr<Named> InFile(const std::string& peer, const std::string& file, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto policies, LoadPolicies({file}, run.streams()));
  for (const config::Resource& policy : policies) {
    if (policy.name != peer) continue;
    Named out{{}, policy.source, file};
    out.policy.CopyFrom(*policy.message);
    return out;
  }
  return UsageError(absl::StrCat(file, " has no policy for ", peer));
}

// The version before the one in force; 0 where there is none.
absl::StatusOr<uint64_t> VersionBefore(const std::string& peer, Invocation& run) {
  admin::v1::ListPolicyVersionsRequest request;
  request.set_peer(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto all, run.Admin(&Admin::ListPolicyVersions, request));
  return all.versions_size() < 2 ? 0 : all.versions(1).version();
}

absl::StatusOr<int> Diff(const DiffFlags& flags, Invocation& run) {
  uint64_t version = 0;
  const bool is_version = absl::SimpleAtoi(flags.to, &version);
  const bool is_file = !flags.to.empty() && !is_version;
  uint64_t from = flags.from;
  Named before{{}, "", "nothing"};
  if (from == 0 && flags.to.empty()) {
    CDGATE_ASSIGN_OR_RETURN(from, VersionBefore(flags.peer, run));
  }
  if (from != 0 || !flags.to.empty()) {
    CDGATE_ASSIGN_OR_RETURN(before, Version(flags.peer, from, run));
  }
  CDGATE_ASSIGN_OR_RETURN(const Named after, is_file ? InFile(flags.peer, flags.to, run)
                                                     : Version(flags.peer, version, run));
  const std::string diff = UnifiedDiff(TextOf(before.policy, before.source),
                                       TextOf(after.policy, after.source), before.name, after.name);
  Node node = Node::Object();
  node.Add("diff", Node::Text(diff));
  run.Print(node, [&] {
    run.out() << diff;
    if (diff.empty()) run.Note("no difference");
  });
  return diff.empty() ? kExitDone : kExitNo;
}

// --- pseudonyms

absl::StatusOr<int> Rotate(const std::string& peer, Invocation& run) {
  admin::v1::RotatePseudonymsRequest request;
  request.set_peer(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::RotatePseudonyms, request));
  run.Print(answer, [&] {
    run.out() << "pseudonyms for " << peer << " have key " << answer.version() << " from sequence "
              << answer.effective_sequence() << " on\n";
  });
  return kExitDone;
}

void AddApply(Verbs& verbs, CLI::App* group) {
  const auto apply = std::make_shared<ApplyFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "apply", "Put policies in force, as planned or unplanned",
                    "cdgate policy apply --plan 9f86d081884c7d65\n"
                    "cdgate policy apply beta.yaml --unplanned --backfill 30d",
                    kBoth, [apply](Invocation& run) { return Apply(*apply, run); });
  verb->add_option("FILE", apply->files,
                   "YAML files or folders; - reads standard input; with --plan they may be left "
                   "out");
  const auto plan = verb->add_option("--plan", apply->plans,
                                     "The plan of a policy, its hash or the first 8 or more "
                                     "digits; may be repeated")
                        ->option_text("HASH")
                        ->expected(1)
                        ->take_all();
  const auto unplanned = verb->add_flag("--unplanned", apply->options.unplanned,
                                        "Without a plan of what would newly cross; recorded")
                             ->excludes(plan);
  verb->add_option("--backfill", apply->backfill,
                   "Offer past events that newly cross, from here on: a sequence, a time, or how "
                   "long ago; a plan says for itself")
      ->needs(unplanned)
      ->option_text("SEQ|TIME|30d");
  verb->add_flag("--dry-run", apply->options.dry_run, "Check everything, change nothing");
  verb->add_option("--base", apply->options.base_version,
                   "The version it is based on; fails where another is in force")
      ->option_text("VERSION");
}

void AddRollback(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<RollbackFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "rollback", "Put an earlier version of a policy in force again",
                    "cdgate policy rollback beta.example 3 --unplanned", kBoth,
                    [flags](Invocation& run) { return Rollback(*flags, run); });
  verb->add_option("PEER", flags->peer, "The peer")->required();
  verb->add_option("VERSION", flags->version, "The version; history lists them")->required();
  const auto plan =
      verb->add_option("--plan", flags->plan, "The plan that was made with --restore, its hash")
          ->option_text("HASH");
  verb->add_flag("--unplanned", flags->unplanned, "Without a plan; recorded")->excludes(plan);
  verb->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
}

void AddDiff(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<DiffFlags>();
  CLI::App* const verb =
      verbs.AddVerb(group, "diff",
                    "Compare two versions of a policy, or one with a file; exit code 1 where they "
                    "differ",
                    "cdgate policy diff beta.example --from 2 --to 4\n"
                    "cdgate policy diff beta.example --to beta.yaml",
                    kBoth, [flags](Invocation& run) { return Diff(*flags, run); });
  verb->add_option("PEER", flags->peer, "The peer")->required();
  verb->add_option("--from", flags->from,
                   "The version that is compared; without it the one in force, or without --to "
                   "the one before that")
      ->option_text("VERSION");
  verb->add_option("--to", flags->to, "With this version or file; without it the one in force")
      ->option_text("VERSION|FILE");
}

}  // namespace

void AddPolicyChangeVerbs(Verbs& verbs, CLI::App* group) {
  AddApply(verbs, group);
  AddRollback(verbs, group);
  AddDiff(verbs, group);
  const auto peer = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "rotate-pseudonyms",
               "Give a peer's pseudonyms a new key; those of earlier events stay as they are",
               "cdgate policy rotate-pseudonyms beta.example", kBoth,
               [peer](Invocation& run) { return Rotate(*peer, run); })
      ->add_option("PEER", *peer, "The peer")
      ->required();
}

}  // namespace cdgate::cli
