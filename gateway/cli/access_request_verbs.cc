// Asking a peer for events that do not cross, and answering those who ask us.
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cdgate/admin/v1/catalogue.grpc.pb.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/plan_flags.h"
#include "gateway/cli/resources.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using admin::v1::AccessRequest;
using Admin = admin::v1::AdminService::Stub;
using Catalogues = admin::v1::CatalogueService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

std::string StateText(admin::v1::AccessState state) {
  switch (state) {
    case admin::v1::ACCESS_STATE_PENDING: return "pending";
    case admin::v1::ACCESS_STATE_APPROVED: return "approved";
    case admin::v1::ACCESS_STATE_DENIED: return "denied";
    default: return "unknown";
  }
}

bool IsIncoming(const AccessRequest& request) {
  return request.direction() == admin::v1::ACCESS_DIRECTION_INCOMING;
}

std::string WhatText(const AccessRequest& request) {
  return request.source().empty() ? request.type()
                                  : absl::StrCat(request.type(), " of ", request.source());
}

// ---------------------------------------------------------------- finding one

// By "PEER/ID", or by the first 4 or more digits of the ID where one request has them.
absl::StatusOr<AccessRequest> FindRequest(const std::string& name, bool incoming, Invocation& run) {
  const std::vector<std::string> parts = absl::StrSplit(name, absl::MaxSplits('/', 1));
  admin::v1::ListAccessRequestsRequest request;
  if (parts.size() == 2) request.set_peer(parts[0]);
  const std::string& id = parts.back();
  if (id.size() < 4) return UsageError("a request is named by PEER/ID, or 4 or more digits of ID");
  CDGATE_ASSIGN_OR_RETURN(const auto all, run.Call(&Catalogues::ListAccessRequests, request));
  const AccessRequest* found = nullptr;
  for (const AccessRequest& held : all.requests()) {
    if (IsIncoming(held) != incoming || !absl::StartsWith(held.id(), id)) continue;
    if (found != nullptr) return UsageError(absl::StrCat("several requests begin with ", id));
    found = &held;
  }
  if (found != nullptr) return *found;
  return base::MakeError(
      base::Reason::kNotFound,
      absl::StrCat("there is no request ", name, incoming ? " of a peer" : " of ours",
                   "; cdgate access list shows those there are"));
}

// --------------------------------------------------------------------- asking

absl::StatusOr<int> Ask(const admin::v1::RequestAccessRequest& request, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto made, run.Call(&Catalogues::RequestAccess, request));
  run.Print(made, [&] {
    run.out() << "asked " << made.peer() << " for " << WhatText(made) << " as " << made.id()
              << "\n";
    run.Note(absl::StrCat(made.peer(),
                          " learns of it while the link is up; cdgate access list shows its "
                          "answer"));
  });
  return kExitDone;
}

absl::StatusOr<int> Withdraw(const std::string& name, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto found, FindRequest(name, false, run));
  admin::v1::WithdrawAccessRequest request;
  request.set_peer(found.peer());
  request.set_id(found.id());
  CDGATE_ASSIGN_OR_RETURN(const auto taken, run.Call(&Catalogues::WithdrawAccess, request));
  run.Print(taken, [&] { run.out() << "took back " << taken.id() << "\n"; });
  return kExitDone;
}

absl::StatusOr<int> List(const std::string& peer, Invocation& run) {
  admin::v1::ListAccessRequestsRequest request;
  request.set_peer(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto all, run.Call(&Catalogues::ListAccessRequests, request));
  run.Print(all, [&] {
    Table table({{"ID"},
                 {"WHO ASKS", Table::kShrinks},
                 {"STATE"},
                 {"SINCE"},
                 {"TYPE", Table::kShrinks},
                 {"SOURCE", Table::kShrinks},
                 {"REASON", Table::kShrinks},
                 {"ANSWER", Table::kShrinks}});
    for (const AccessRequest& held : all.requests()) {
      table.AddRow(
          {held.id(), IsIncoming(held) ? held.peer() : absl::StrCat("we ask ", held.peer()),
           StateText(held.state()), DayText(absl::FromUnixSeconds(held.create_time().seconds())),
           held.type(), held.source(), held.reason(), held.answer()});
    }
    run.Print(table, "no requests: nobody asks for anything, and neither do we");
  });
  return kExitDone;
}

// ------------------------------------------------------------------ answering

void PrintAnswered(const AccessRequest& answered, Invocation& run) {
  run.Print(answered, [&] {
    run.out() << StateText(answered.state()) << " " << answered.id() << ": " << answered.peer()
              << (answered.state() == admin::v1::ACCESS_STATE_APPROVED ? " gets "
                                                                       : " does not get ")
              << WhatText(answered) << "\n";
  });
}

struct AnswerFlags {
  std::string name, reason;
  bool apply = false;
};

absl::StatusOr<int> Deny(const AnswerFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto found, FindRequest(flags.name, true, run));
  admin::v1::DenyAccessRequest request;
  request.set_peer(found.peer());
  request.set_id(found.id());
  request.set_answer(flags.reason);
  CDGATE_ASSIGN_OR_RETURN(const auto answered, run.Call(&Catalogues::DenyAccess, request));
  PrintAnswered(answered, run);
  return kExitDone;
}

absl::StatusOr<AccessRequest> Approve(const AccessRequest& asked, const AnswerFlags& flags,
                                      Invocation& run) {
  admin::v1::ApproveAccessRequest request;
  request.set_peer(asked.peer());
  request.set_id(asked.id());
  request.set_answer(flags.reason);
  return run.Call(&Catalogues::ApproveAccess, request);
}

// A CESQL literal. None where the language has no way to write it.
absl::StatusOr<std::string> Literal(const std::string& text) {
  const char quote = absl::StrContains(text, '\'') ? '"' : '\'';
  if (absl::StrContains(text, quote) || absl::EndsWith(text, "\\")) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           absl::StrCat(text,
                                        " cannot be written as one literal; write a rule "
                                        "for it, or deny the request"));
  }
  return absl::StrCat(std::string(1, quote), text, std::string(1, quote));
}

// The policy in force and, behind its rules, one for exactly what was asked.
absl::StatusOr<admin::v1::Policy> WithRule(const AccessRequest& asked, Invocation& run) {
  admin::v1::GetPolicyRequest about;
  about.set_peer(asked.peer());
  CDGATE_ASSIGN_OR_RETURN(const auto in_force, run.Admin(&Admin::GetPolicy, about));
  admin::v1::Policy policy = in_force.policy();
  const std::string name = absl::StrCat("access-", asked.id());
  for (const admin::v1::ExportRule& rule : policy.export_().rules()) {
    if (rule.name() != name) continue;
    return base::MakeError(
        base::Reason::kInvalidPolicy,
        absl::StrCat("the policy for ", asked.peer(), " has the rule ", name,
                     ", and a rule before it decides; change the policy, then approve again"));
  }
  CDGATE_ASSIGN_OR_RETURN(const std::string type, Literal(asked.type()));
  CDGATE_ASSIGN_OR_RETURN(const std::string source, Literal(asked.source()));
  admin::v1::ExportRule& rule = *policy.mutable_export_()->add_rules();
  rule.set_name(name);
  rule.set_when(asked.source().empty() ? absl::StrCat("type = ", type)
                                       : absl::StrCat("type = ", type, " AND source = ", source));
  rule.set_action(admin::v1::ACTION_ALLOW);
  return policy;
}

absl::StatusOr<admin::v1::Plan> PlanFor(const AccessRequest& asked, Invocation& run) {
  admin::v1::PlanPolicyRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_policy(), WithRule(asked, run));
  request.set_source(TextOf(request.policy(), ""));
  return run.Admin(&Admin::PlanPolicy, request, kPlanTimeout);
}

void PrintNext(const admin::v1::Plan& plan, const AccessRequest& asked, Invocation& run) {
  const std::string hash = base::HexEncode(plan.hash());
  run.out() << "\nplan " << hash << "\n";
  if (plan.needs_approval() && plan.approved_by().empty()) {
    run.out() << "next: another principal runs cdgate policy approve " << hash << "\n";
  }
  run.out() << "next: cdgate policy apply --plan " << hash << "\n"
            << "then: cdgate access approve " << asked.peer() << "/" << asked.id() << "\n";
}

// Tells the peer where a rule allows it; else plans the rule, and with --apply applies it.
absl::StatusOr<int> ApproveOrPlan(const AnswerFlags& flags, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto asked, FindRequest(flags.name, true, run));
  auto approved = Approve(asked, flags, run);
  if (!approved.ok() && base::ReasonOf(approved.status()) == base::Reason::kNoRule) {
    CDGATE_ASSIGN_OR_RETURN(const auto plan, PlanFor(asked, run));
    const bool waits = plan.needs_approval() && plan.approved_by().empty();
    if (!flags.apply || waits) {
      run.Print(plan, [&] {
        PrintPlan(plan, run);
        PrintNext(plan, asked, run);
      });
      return flags.apply ? kExitNo : kExitDone;  // what was to be applied is not
    }
    admin::v1::ApplyPolicyRequest apply;
    apply.set_plan(plan.hash());
    CDGATE_RETURN_IF_ERROR(run.Admin(&Admin::ApplyPolicy, apply).status());
    approved = Approve(asked, flags, run);
  }
  CDGATE_RETURN_IF_ERROR(approved.status());
  PrintAnswered(*approved, run);
  return kExitDone;
}

// ------------------------------------------------------------------ the verbs

void AddAsking(Verbs& verbs, CLI::App* group) {
  const auto request = std::make_shared<admin::v1::RequestAccessRequest>();
  CLI::App* const ask = verbs.AddVerb(
      group, "request", "Ask a peer for events that we do not get",
      "cdgate access request beta.example --type dev.cdevents.build.finished.0.2.0 \\\n"
      "    --source /beta/ci --reason 'joint release of the portal'",
      kBoth, [request](Invocation& run) { return Ask(*request, run); });
  ask->add_option("PEER", *request->mutable_peer(), "The peer")->required();
  ask->add_option("--type", *request->mutable_type(), "The type of the events")
      ->required()
      ->option_text("TYPE");
  ask->add_option("--source", *request->mutable_source(), "Their source; without it any")
      ->option_text("SOURCE");
  ask->add_option("--reason", *request->mutable_reason(), "What for; the other side reads it")
      ->required()
      ->option_text("TEXT");

  const auto name = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "withdraw", "Take a request of ours back",
               "cdgate access withdraw beta.example/0123456789abcdef", kBoth,
               [name](Invocation& run) { return Withdraw(*name, run); })
      ->add_option("ID", *name, "PEER/ID, or 4 or more digits of the ID")
      ->required();

  const auto peer = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "list", "List requests, those of peers and our own", "cdgate access list",
               kBoth, [peer](Invocation& run) { return List(*peer, run); })
      ->add_option("--peer", *peer, "Of this peer alone")
      ->option_text("DOMAIN");
}

void AddAnswering(Verbs& verbs, CLI::App* group) {
  const auto approved = std::make_shared<AnswerFlags>();
  CLI::App* const approve = verbs.AddVerb(
      group, "approve",
      "Plan the export rule that a peer's request needs, or tell the peer that it is in force",
      "cdgate access approve beta.example/0123456789abcdef\n"
      "cdgate access approve 0123 --apply",
      kBoth, [approved](Invocation& run) { return ApproveOrPlan(*approved, run); });
  approve->add_option("ID", approved->name, "PEER/ID, or 4 or more digits of the ID")->required();
  approve->add_option("--reason", approved->reason, "What the peer is told with it")
      ->option_text("TEXT");
  approve->add_flag("--apply", approved->apply,
                    "Apply the plan at once, where nobody has to approve it");

  const auto denied = std::make_shared<AnswerFlags>();
  CLI::App* const deny =
      verbs.AddVerb(group, "deny", "Tell a peer that it does not get what it asked for",
                    "cdgate access deny 0123 --reason 'not before the release'", kBoth,
                    [denied](Invocation& run) { return Deny(*denied, run); });
  deny->add_option("ID", denied->name, "PEER/ID, or 4 or more digits of the ID")->required();
  deny->add_option("--reason", denied->reason, "What the peer is told with it")
      ->option_text("TEXT");
}

}  // namespace

void AddAccessRequestVerbs(Verbs& verbs) {
  CLI::App* const group =
      verbs.AddGroup("access", "Ask peers for events, and answer those who ask us");
  AddAsking(verbs, group);
  AddAnswering(verbs, group);
}

}  // namespace cdgate::cli
