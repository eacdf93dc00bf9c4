#include "gateway/cli/describe.h"

#include <algorithm>
#include <ostream>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gateway/cli/node.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {
namespace {

std::string LinkStateText(const admin::v1::LinkStatus& link) {
  return absl::AsciiStrToLower(ShortEnumName(*admin::v1::LinkState_descriptor(), link.state()));
}

std::string LagText(const admin::v1::PeerStatus& peer) {
  const std::string lost =
      peer.lost_events() == 0 ? "" : absl::StrCat("; ", peer.lost_events(), " lost to retention");
  if (peer.export_lag_events() == 0) return absl::StrCat("0", lost);
  const std::string removed =
      peer.has_loss_expected_time()
          ? absl::StrCat(", removed from ", TimeText(true, peer.loss_expected_time()), " on")
          : "";
  return absl::StrCat(
      peer.export_lag_events(), ", oldest ",
      config::FormatDuration(absl::Trunc(ToDuration(peer.export_lag()), absl::Seconds(1))), removed,
      lost);
}

// The day an agreement ends; tables have no room for more.
std::string EndText(const admin::v1::Peer& peer) {
  return TimeText(peer.has_expire_time(), peer.expire_time()).substr(0, sizeof("2026-12-03") - 1);
}

std::string PolicyText(const admin::v1::PeerStatus& peer) {
  return peer.policy_version() == 0 ? "none" : absl::StrCat("v", peer.policy_version());
}

// What became of events, the most frequent first.
void PrintOutcomes(absl::string_view title,
                   const google::protobuf::RepeatedPtrField<storage::v1::OutcomeCount>& counts,
                   std::ostream& out) {
  std::vector<storage::v1::OutcomeCount> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.count() > b.count(); });
  for (const storage::v1::OutcomeCount& count : sorted) {
    if (count.count() == 0) continue;
    out << title << std::string(15 - title.size(), ' ') << count.count() << " " << count.state();
    if (!count.reason().empty()) out << " (" << count.reason() << ")";
    out << "\n";
    title = "";
  }
}

}  // namespace

std::string PeerStateText(const admin::v1::PeerStatus& peer) {
  if (peer.peer().state() == admin::v1::PEER_STATE_PENDING) return "pending";
  if (peer.peer().frozen()) return "frozen";
  if (peer.link().reason() == "agreement_expired") return "expired";
  return LinkStateText(peer.link());
}

Table PeerTable(const google::protobuf::RepeatedPtrField<admin::v1::PeerStatus>& peers) {
  Table table({{"DOMAIN"},
               {"STATE"},
               {"SINCE"},
               {"UNTIL"},
               {"POLICY"},
               {"LAG"},
               {"REASON", Table::kShrinks}});
  for (const auto& peer : peers) {
    table.AddRow({peer.peer().domain(), PeerStateText(peer),
                  TimeText(peer.link().has_since(), peer.link().since()), EndText(peer.peer()),
                  PolicyText(peer), LagText(peer), peer.link().reason()});
  }
  return table;
}

void PrintPeer(const admin::v1::PeerStatus& status, std::ostream& out) {
  const admin::v1::Peer& peer = status.peer();
  const admin::v1::LinkStatus& link = status.link();
  out << "domain         " << peer.domain() << "\n"
      << "state          " << PeerStateText(status);
  if (!link.reason().empty()) out << ": " << absl::AsciiStrToLower(link.reason());
  out << "\n";
  if (!link.message().empty()) out << "because        " << link.message() << "\n";
  out << "since          " << TimeText(link.has_since(), link.since()) << "\n"
      << "next try       " << TimeText(link.has_next_try(), link.next_try()) << "\n"
      << "endpoint       " << (peer.endpoint().empty() ? "- (it dials us)" : peer.endpoint())
      << "\n"
      << "fingerprint    " << status.fingerprint() << "\n"
      << "purpose        " << (peer.purpose().empty() ? "-" : peer.purpose()) << "\n"
      << "contacts       " << (peer.contacts().empty() ? "-" : absl::StrJoin(peer.contacts(), ", "))
      << "\n"
      << "its sources    " << (peer.sources().empty() ? "any" : absl::StrJoin(peer.sources(), ", "))
      << "\n"
      << "agreement      " << peer.agreement_id() << ", from "
      << TimeText(peer.has_create_time(), peer.create_time()) << " to "
      << TimeText(peer.has_expire_time(), peer.expire_time()) << "\n"
      << "approved by    " << (peer.approved_by().empty() ? "-" : peer.approved_by()) << "\n"
      << "policy         " << PolicyText(status)
      << (status.policy_version() == 0 ? ": nothing crosses" : "") << "\n"
      << "sent           " << link.sent_position() << ", acknowledged "
      << link.acknowledged_position() << "\n"
      << "received       " << link.received_position() << "\n"
      << "lag            " << LagText(status) << "\n";
  if (status.lost_events() > 0) {
    out << "lost events    cdgate peer lost " << peer.domain() << " shows which\n";
  }
  if (status.replay_left() > 0) {
    out << "offered again  " << status.replay_left() << " left to look at\n";
  }
  PrintOutcomes("of our events", status.exported(), out);
  PrintOutcomes("of its events", status.imported(), out);
}

void PrintFindings(const google::protobuf::RepeatedPtrField<admin::v1::PolicyFinding>& findings,
                   std::ostream& out) {
  for (const auto& finding : findings) {
    out << (finding.error() ? "error   " : "warning ") << finding.path();
    if (!finding.rule().empty()) out << " (" << finding.rule() << ")";
    if (finding.line() > 0) out << " " << finding.line() << ":" << finding.column();
    out << ": " << finding.message() << "\n";
  }
}

void PrintEvent(const admin::v1::EventSummary& event, std::ostream& out) {
  out << "event     " << event.id() << "\n"
      << "type      " << event.type() << "\n"
      << "source    " << event.source() << "\n"
      << "origin    " << event.origin() << "\n"
      << "sequence  "
      << (event.sequence() == 0 ? std::string("- (not in our log)")
                                : absl::StrCat(event.sequence()))
      << "\n"
      << "accepted  " << TimeText(event.has_accept_time(), event.accept_time()) << "\n";
}

}  // namespace cdgate::cli
