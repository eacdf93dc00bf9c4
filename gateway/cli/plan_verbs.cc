// What a policy would change, and who agrees to it.
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "gateway/base/encoding.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/plan_flags.h"
#include "gateway/cli/policy_verbs.h"
#include "gateway/cli/resources.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

struct PlanFlags {
  std::vector<std::string> files;
  std::string peer;
  uint64_t restore = 0;
  std::string since;
  bool backfill = false;
  bool identities = false;
};

// The three lists, as people name them.
struct ListName {
  admin::v1::PlanListKind kind;
  const char* text;
  const admin::v1::PlanList& (admin::v1::Plan::*list)() const;
};
constexpr ListName kLists[] = {
    {admin::v1::PLAN_LIST_KIND_NEWLY, "newly cross", &admin::v1::Plan::newly},
    {admin::v1::PLAN_LIST_KIND_NO_LONGER, "no longer cross", &admin::v1::Plan::no_longer},
    {admin::v1::PLAN_LIST_KIND_MORE_CONTENT, "cross with more content or looser terms",
     &admin::v1::Plan::more_content},
};

std::string HashText(const admin::v1::Plan& plan) { return base::HexEncode(plan.hash()); }

std::string RuleText(const std::string& rule, const std::string& reason) {
  return rule.empty() ? reason : absl::StrCat(rule, " (", reason, ")");
}

void PrintEvents(const google::protobuf::RepeatedPtrField<admin::v1::PlanEvent>& events,
                 Invocation& run) {
  Table table({{"SEQ"},
               {"ID", Table::kShrinks},
               {"NOW", Table::kShrinks},
               {"THEN", Table::kShrinks},
               {"SHOWS", Table::kShrinks}});
  for (const admin::v1::PlanEvent& event : events) {
    table.AddRow({absl::StrCat(event.event().sequence()), event.event().id(),
                  RuleText(event.rule_before(), event.reason_before()),
                  RuleText(event.rule_after(), event.reason_after()),
                  absl::StrJoin(event.leaks(), " ")});
  }
  if (!table.empty()) table.Print(run.out(), run.streams().out_is_terminal);
}

void PrintList(const ListName& name, const admin::v1::PlanList& list, Invocation& run) {
  run.out() << "\n" << name.text << ": " << Count(list.events(), "event") << "\n";
  Table table({{"EVENTS"}, {"TYPE"}, {"SOURCE", Table::kShrinks}});
  for (const admin::v1::PlanCount& count : list.counts()) {
    table.AddRow({absl::StrCat(count.events()), count.type(), count.source()});
  }
  if (!table.empty()) table.Print(run.out(), run.streams().out_is_terminal);
  PrintEvents(list.samples(), run);
}

}  // namespace

void PrintPlan(const admin::v1::Plan& plan, Invocation& run) {
  std::ostream& out = run.out();
  PrintFindings(plan.findings(), run.err());
  out << plan.kind() << " " << plan.name() << ", based on "
      << (plan.base_version() == 0 ? "none" : absl::StrCat("version ", plan.base_version()))
      << "\nby " << plan.author() << ", good until "
      << TimeText(plan.has_expire_time(), plan.expire_time()) << "\n";
  if (plan.kind() == "policy") {
    const bool any = plan.first_sequence() <= plan.last_sequence();
    out << (any ? absl::StrCat("sequences ", plan.first_sequence(), " to ", plan.last_sequence())
                : std::string("no events to look at"))
        << (plan.backfill() ? "; past events will be offered" : "; past events stay where they are")
        << "\n";
  }
  for (const std::string& why : plan.widens()) out << "widens " << why << "\n";
  if (plan.widens().empty()) out << "narrows, or changes nothing\n";
  if (plan.kind() != "policy") return;
  for (const ListName& name : kLists) PrintList(name, (plan.*name.list)(), run);
}

namespace {

// The last line: the hash, and what comes next.
void PrintNext(const admin::v1::Plan& plan, Invocation& run) {
  const std::string hash = HashText(plan);
  run.out() << "\nplan " << hash << "\nnext: ";
  if (plan.needs_approval() && plan.approved_by().empty()) {
    run.out() << "another principal runs cdgate policy approve " << hash << "\n";
  } else {
    run.out() << "cdgate policy apply --plan " << hash << "\n";
  }
}

absl::Status PrintIdentities(const admin::v1::Plan& plan, Invocation& run) {
  for (const ListName& name : kLists) {
    run.out() << "\n" << name.text << ":\n";
    admin::v1::ListPlanEventsRequest request;
    request.set_hash(plan.hash());
    request.set_list(name.kind);
    request.set_page_size(1000);
    do {
      CDGATE_ASSIGN_OR_RETURN(const auto page,
                              run.Admin(&Admin::ListPlanEvents, request, kPlanTimeout));
      PrintEvents(page.events(), run);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
  }
  return absl::OkStatus();
}

absl::Status PlanOne(admin::v1::PlanPolicyRequest request, const PlanFlags& flags,
                     Invocation& run) {
  request.set_backfill(flags.backfill);
  if (!flags.since.empty()) {
    CDGATE_ASSIGN_OR_RETURN(*request.mutable_since(),
                            ParseSince("--since", flags.since, absl::Now()));
  }
  CDGATE_ASSIGN_OR_RETURN(const auto plan, run.Admin(&Admin::PlanPolicy, request, kPlanTimeout));
  run.Print(plan, [&] { PrintPlan(plan, run); });
  if (!run.table()) return absl::OkStatus();
  if (flags.identities) CDGATE_RETURN_IF_ERROR(PrintIdentities(plan, run));
  PrintNext(plan, run);
  return absl::OkStatus();
}

absl::StatusOr<int> Plan(const PlanFlags& flags, Invocation& run) {
  if (flags.files.empty() == (flags.restore == 0)) {
    return UsageError("give either files, or --peer with --restore");
  }
  if (flags.restore != 0) {
    admin::v1::PlanPolicyRequest request;
    request.set_peer(flags.peer);
    request.set_restore_version(flags.restore);
    CDGATE_RETURN_IF_ERROR(PlanOne(std::move(request), flags, run));
    return kExitDone;
  }
  CDGATE_ASSIGN_OR_RETURN(const auto policies, LoadPolicies(flags.files, run.streams()));
  for (const config::Resource& policy : policies) {
    admin::v1::PlanPolicyRequest request;
    request.mutable_policy()->CopyFrom(*policy.message);
    request.set_source(policy.source);
    CDGATE_RETURN_IF_ERROR(PlanOne(std::move(request), flags, run));
  }
  return kExitDone;
}

std::string ApprovalText(const admin::v1::Plan& plan) {
  if (!plan.approved_by().empty()) return plan.approved_by();
  return plan.needs_approval() ? "missing" : "not needed";
}

absl::StatusOr<int> Plans(const std::string& hash, Invocation& run) {
  if (!hash.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const auto plan, FindPlan(hash, run));
    run.Print(plan, [&] {
      PrintPlan(plan, run);
      run.out() << "\n" << plan.candidate();
      PrintNext(plan, run);
    });
    return kExitDone;
  }
  CDGATE_ASSIGN_OR_RETURN(const auto all, AllPlans(run));
  run.Print(all, [&] {
    Table table({{"PLAN"},
                 {"CHANGES"},
                 {"GOOD UNTIL"},
                 {"AUTHOR", Table::kShrinks},
                 {"APPROVAL", Table::kShrinks}});
    for (const admin::v1::Plan& plan : all.plans()) {
      table.AddRow({HashText(plan).substr(0, 16), absl::StrCat(plan.kind(), " ", plan.name()),
                    TimeText(plan.has_expire_time(), plan.expire_time()), plan.author(),
                    ApprovalText(plan)});
    }
    run.Print(table, "no plans; make one with cdgate policy plan");
  });
  return kExitDone;
}

absl::StatusOr<int> Approve(const std::string& hash, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto plan, FindPlan(hash, run));
  admin::v1::ApprovePlanRequest request;
  request.set_hash(plan.hash());
  CDGATE_ASSIGN_OR_RETURN(const auto approved, run.Admin(&Admin::ApprovePlan, request));
  run.Print(approved, [&] {
    run.out() << "approved " << approved.kind() << " " << approved.name() << " for "
              << approved.author() << "\n";
    for (const std::string& why : approved.widens()) run.out() << "widens " << why << "\n";
    if (approved.kind() == "policy") {
      run.out() << "next: somebody else runs cdgate policy apply --plan " << HashText(approved)
                << "\n";
    } else {
      run.out() << "next: " << approved.author() << " makes the change again\n";
    }
  });
  return kExitDone;
}

}  // namespace

void AddPlanVerbs(Verbs& verbs, CLI::App* group) {
  const auto flags = std::make_shared<PlanFlags>();
  CLI::App* const plan = verbs.AddVerb(
      group, "plan", "Show what a policy would change, by the events of the log, and keep the plan",
      "cdgate policy plan beta.yaml --since 30d --backfill\n"
      "cdgate policy plan --peer beta.example --restore 3",
      kBoth, [flags](Invocation& run) { return Plan(*flags, run); });
  plan->add_option("FILE", flags->files, "YAML files or folders; - reads standard input");
  const auto peer = plan->add_option("--peer", flags->peer, "The peer whose policy is restored")
                        ->option_text("DOMAIN");
  plan->add_option("--restore", flags->restore, "An earlier version instead of a file")
      ->needs(peer)
      ->option_text("VERSION");
  plan->add_option("--since", flags->since,
                   "Look at events from here on: a sequence, a time, or how long ago; without it "
                   "from the agreement on")
      ->option_text("SEQ|TIME|30d");
  plan->add_flag("--backfill", flags->backfill,
                 "Offer the past events that newly cross when the plan is applied");
  plan->add_flag("--identities", flags->identities, "List every event of the three lists");

  const auto listed = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "plans", "List the plans that are good, or show one with its candidate",
               "cdgate policy plans", kBoth,
               [listed](Invocation& run) { return Plans(*listed, run); })
      ->add_option("HASH", *listed, "A plan's hash, or its first 8 or more digits");

  const auto approved = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "approve", "Agree to a plan that somebody else made",
               "cdgate policy approve 9f86d081884c7d65", kBoth,
               [approved](Invocation& run) { return Approve(*approved, run); })
      ->add_option("HASH", *approved, "The plan's hash, or its first 8 or more digits")
      ->required();
}

}  // namespace cdgate::cli
