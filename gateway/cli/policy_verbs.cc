// What crosses, and why.
#include <memory>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/event_key.h"
#include "gateway/cli/policy_verbs.h"
#include "gateway/cli/resources.h"
#include "gateway/cli/verbs.h"
#include "gateway/config/message_writer.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

absl::StatusOr<int> Check(const std::vector<std::string>& files, Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto policies, LoadPolicies(files, run.streams()));
  bool all_valid = true;
  for (const config::Resource& policy : policies) {
    admin::v1::CheckPolicyRequest request;
    request.mutable_policy()->CopyFrom(*policy.message);
    CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::CheckPolicy, request));
    all_valid = all_valid && answer.valid();
    run.Print(answer, [&] {
      PrintFindings(answer.findings(), run.out());
      run.out() << "policy for " << policy.name << (answer.valid() ? ": valid" : ": not valid")
                << "\n";
    });
  }
  return all_valid ? kExitDone : kExitNo;
}

// How it came into force: by a plan, knowingly without one, or neither is known.
std::string PlanText(const admin::v1::PolicyVersion& version) {
  if (!version.plan().empty()) return base::HexEncode(version.plan()).substr(0, 16);
  return version.unplanned() ? "none" : "";
}

Table VersionTable(const google::protobuf::RepeatedPtrField<admin::v1::PolicyVersion>& versions) {
  Table table({{"PEER"},
               {"VERSION"},
               {"BASE"},
               {"APPLIED"},
               {"FROM SEQ"},
               {"AUTHOR", Table::kShrinks},
               {"PLAN"},
               {"APPROVED BY", Table::kShrinks},
               {"RESTORES"}});
  for (const admin::v1::PolicyVersion& version : versions) {
    table.AddRow({version.policy().peer(), absl::StrCat(version.version()),
                  absl::StrCat(version.base_version()),
                  TimeText(version.has_apply_time(), version.apply_time()),
                  absl::StrCat(version.effective_sequence()), version.author(), PlanText(version),
                  version.approved_by(),
                  version.restored_version() == 0 ? "" : absl::StrCat(version.restored_version())});
  }
  return table;
}

absl::StatusOr<int> ListPolicies(Invocation& run) {
  admin::v1::ListPoliciesResponse all;
  admin::v1::ListPoliciesRequest request;
  do {
    CDGATE_ASSIGN_OR_RETURN(auto page, run.Admin(&Admin::ListPolicies, request));
    request.set_page_token(page.next_page_token());
    all.mutable_policies()->MergeFrom(page.policies());
  } while (!request.page_token().empty());
  run.Print(all, [&] {
    run.Print(VersionTable(all.policies()),
              "no policies, so nothing crosses; apply one with cdgate policy apply");
  });
  return kExitDone;
}

absl::StatusOr<int> Show(const std::string& peer, uint64_t version, Invocation& run) {
  if (peer.empty()) return ListPolicies(run);
  admin::v1::GetPolicyRequest request;
  request.set_peer(peer);
  request.set_version(version);
  CDGATE_ASSIGN_OR_RETURN(const auto found, run.Admin(&Admin::GetPolicy, request));
  run.Print(found, [&] {
    run.out() << "# version " << found.version() << " by " << found.author() << ", "
              << TimeText(found.has_apply_time(), found.apply_time()) << ", decides from sequence "
              << found.effective_sequence() << "\n"
              << (found.source().empty()
                      ? absl::StrCat("kind: policy\n", config::ToYaml(found.policy()))
                      : found.source());
    if (!found.source().empty() && found.source().back() != '\n') run.out() << "\n";
  });
  return kExitDone;
}

absl::StatusOr<int> History(const std::string& peer, Invocation& run) {
  admin::v1::ListPolicyVersionsRequest request;
  request.set_peer(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto versions, run.Admin(&Admin::ListPolicyVersions, request));
  run.Print(versions, [&] {
    run.Print(VersionTable(versions.versions()), absl::StrCat("no policy for ", peer));
  });
  return kExitDone;
}

std::string TermsText(const storage::v1::Terms& terms) {
  std::string text = absl::StrCat("onward ", terms.onward());
  for (const std::string& group : terms.groups()) absl::StrAppend(&text, ", group ", group);
  if (!terms.classification().empty()) absl::StrAppend(&text, ", ", terms.classification());
  return text;
}

void PrintExplanation(const admin::v1::ExplainEventResponse& answer, const std::string& peer,
                      std::ostream& out) {
  PrintEvent(answer.event(), out);
  out << "\n";
  for (const admin::v1::RuleTrace& rule : answer.rules()) {
    out << "rule " << rule.rule() << ": " << rule.verdict() << (rule.error().empty() ? "" : ": ")
        << rule.error() << "\n"
        << "  when " << (rule.when().empty() ? "(every event)" : rule.when()) << "\n";
    for (const admin::v1::ValueRead& value : rule.values()) {
      out << "  " << value.expression() << " = " << value.value() << "\n";
    }
  }
  out << (answer.rules().empty() ? "" : "\n") << answer.direction()
      << (answer.direction() == "import" ? " from " : " to ") << peer << ": "
      << (answer.allowed() ? "allowed" : "denied")
      << (answer.rule().empty() ? ", no rule" : absl::StrCat(", rule ", answer.rule())) << " ("
      << answer.reason() << ")\n";
  for (const std::string& pointer : answer.withheld()) out << "  removed   " << pointer << "\n";
  for (const std::string& pointer : answer.substituted()) out << "  pseudonym " << pointer << "\n";
  if (answer.has_terms()) out << "  terms     " << TermsText(answer.terms()) << "\n";
  if (!answer.state().empty()) out << "became of it: " << answer.state() << "\n";
  if (answer.replayed()) out << "offered again later, by a backfill or a redrive: decided then\n";
  if (answer.trimmed()) {
    out << "retention removed the event: this is what was kept, rules cannot be tried again\n";
  }
}

absl::StatusOr<int> Explain(const EventKeyFlags& event, const std::string& peer, Invocation& run) {
  admin::v1::ExplainEventRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_event(), ToEventKey(event));
  request.set_peer(peer);
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::ExplainEvent, request));
  run.Print(answer, [&] { PrintExplanation(answer, peer, run.out()); });
  return kExitDone;
}

void AddCheck(Verbs& verbs, CLI::App* group) {
  const auto files = std::make_shared<std::vector<std::string>>();
  verbs
      .AddVerb(group, "check", "Parse, check and lint policies without applying them",
               "cdgate policy check beta.yaml", kBoth,
               [files](Invocation& run) { return Check(*files, run); })
      ->add_option("FILE", *files, "YAML files or folders; - reads standard input")
      ->required();
}

void AddReading(Verbs& verbs, CLI::App* group) {
  const auto event = std::make_shared<EventKeyFlags>();
  const auto explain_peer = std::make_shared<std::string>();
  CLI::App* const explain = verbs.AddVerb(
      group, "explain", "Show how the policy in force decides one event, rule by rule",
      "cdgate policy explain 271069a8-fc18-44f1-b38f-9d70a1695819 --peer beta.example", kBoth,
      [event, explain_peer](Invocation& run) { return Explain(*event, *explain_peer, run); });
  AddEventKeyFlags(explain, event.get());
  explain->add_option("--peer", *explain_peer, "The peer")->required()->option_text("DOMAIN");

  const auto show_peer = std::make_shared<std::string>();
  const auto version = std::make_shared<uint64_t>(0);
  CLI::App* const show = verbs.AddVerb(
      group, "show", "Show a policy as it was written, or list those in force",
      "cdgate policy show beta.example", kBoth,
      [show_peer, version](Invocation& run) { return Show(*show_peer, *version, run); });
  show->add_option("PEER", *show_peer, "The peer; without it, the list of policies");
  show->add_option("--version", *version, "An older version")->option_text("N");

  const auto history_peer = std::make_shared<std::string>();
  verbs
      .AddVerb(group, "history", "List all versions of a policy, newest first",
               "cdgate policy history beta.example", kBoth,
               [history_peer](Invocation& run) { return History(*history_peer, run); })
      ->add_option("PEER", *history_peer, "The peer")
      ->required();
}

}  // namespace

void AddPolicyVerbs(Verbs& verbs) {
  CLI::App* const group = verbs.AddGroup("policy", "What crosses between us and a peer, and why");
  AddCheck(verbs, group);
  AddPlanVerbs(verbs, group);
  AddPolicyChangeVerbs(verbs, group);
  AddReading(verbs, group);
}

}  // namespace cdgate::cli
