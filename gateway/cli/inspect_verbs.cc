// What became of events, and how the gateway is.
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gateway/base/status_macros.h"
#include "gateway/cli/describe.h"
#include "gateway/cli/event_key.h"
#include "gateway/cli/verbs.h"

namespace cdgate::cli {
namespace {

using Admin = admin::v1::AdminService::Stub;
constexpr int kBoth = Verbs::kConnects | Verbs::kPrints;

void PrintOutcomes(const admin::v1::WhoGotResponse& answer, Invocation& run) {
  PrintEvent(answer.event(), run.out());
  if (answer.has_import()) {
    const admin::v1::ImportOutcome& in = answer.import();
    run.out() << "came from " << in.peer() << ": " << in.state()
              << (in.rule().empty() ? ", no rule" : absl::StrCat(", rule ", in.rule()))
              << (in.reason().empty() ? "" : absl::StrCat(" (", in.reason(), ")")) << "\n";
  }
  if (answer.outcomes().empty()) {
    run.Note("no other peers");
    return;
  }
  run.out() << "\n";
  Table table({{"PEER"}, {"STATE"}, {"RULE", Table::kShrinks}, {"REASON"}});
  for (const admin::v1::PeerOutcome& outcome : answer.outcomes()) {
    table.AddRow({outcome.peer(), outcome.state(), outcome.rule(), outcome.reason()});
  }
  table.Print(run.out(), run.streams().out_is_terminal);
}

absl::StatusOr<int> WhoGot(const EventKeyFlags& event, Invocation& run) {
  admin::v1::WhoGotRequest request;
  CDGATE_ASSIGN_OR_RETURN(*request.mutable_event(), ToEventKey(event));
  CDGATE_ASSIGN_OR_RETURN(const auto answer, run.Admin(&Admin::WhoGot, request));
  run.Print(answer, [&] { PrintOutcomes(answer, run); });
  return kExitDone;
}

void PrintStatus(const admin::v1::GetStatusResponse& status, Invocation& run) {
  std::ostream& out = run.out();
  out << "domain       " << status.domain() << "\n"
      << "instance     " << status.instance() << "\n"
      << "software     " << status.software() << "\n"
      << "started      " << TimeText(status.has_start_time(), status.start_time()) << "\n"
      << "certificate  valid until "
      << TimeText(status.has_certificate_expire_time(), status.certificate_expire_time()) << "\n"
      << "log          sequences " << status.first_sequence() << " to " << status.head_sequence()
      << ", " << status.log_bytes() << " bytes, epoch " << status.epoch() << "\n";
  for (const std::string& problem : status.problems()) out << "problem      " << problem << "\n";
  if (status.peers().empty()) return;
  out << "\n";
  PeerTable(status.peers()).Print(out, run.streams().out_is_terminal);
}

absl::StatusOr<int> Status(Invocation& run) {
  CDGATE_ASSIGN_OR_RETURN(const auto status,
                          run.Admin(&Admin::GetStatus, admin::v1::GetStatusRequest()));
  run.Print(status, [&] { PrintStatus(status, run); });
  return kExitDone;
}

absl::StatusOr<int> Version(Invocation& run) {
  Node node = Node::Object();
  node.Add("version", Node::Text(CDGATE_VERSION));
  run.Print(node, [&] { run.out() << "cdgate " << CDGATE_VERSION << "\n"; });
  return kExitDone;
}

}  // namespace

void AddInspectVerbs(Verbs& verbs) {
  const auto event = std::make_shared<EventKeyFlags>();
  CLI::App* const who_got = verbs.AddVerb(
      nullptr, "who-got", "Say for every peer what became of one event, and by which rule",
      "cdgate who-got 271069a8-fc18-44f1-b38f-9d70a1695819", kBoth,
      [event](Invocation& run) { return WhoGot(*event, run); });
  AddEventKeyFlags(who_got, event.get());
  verbs.AddVerb(nullptr, "status", "Say how the gateway and its links are", "cdgate status", kBoth,
                Status);
  verbs.AddVerb(nullptr, "version", "Print the release", "cdgate version", Verbs::kPrints, Version);
}

}  // namespace cdgate::cli
