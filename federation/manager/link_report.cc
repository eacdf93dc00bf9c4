#include "federation/manager/link_report.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "federation/manager/timestamp.h"
#include "gateway/base/errors.h"

namespace cdgate::manager {
namespace {

void SayWhoHolds(const session::SessionStatus& session, absl::string_view own,
                 absl::string_view peer, admin::v1::LinkStatus* status) {
  if (!session.exports_held && !session.peer_exports_stopped) return;
  const std::string who = !session.exports_held           ? std::string(peer)
                          : !session.peer_exports_stopped ? std::string(own)
                                                          : absl::StrCat(own, " and ", peer);
  status->set_reason(base::ReasonLabel(base::Reason::kExportsStopped));
  status->set_message(absl::StrCat("all exports are stopped by the operator of ", who));
}

}  // namespace

void AddSession(const session::SessionStatus& session, absl::string_view own,
                absl::string_view peer, LinkReport* report) {
  admin::v1::LinkStatus& status = report->status;
  status.set_sent_position(session.sent.value());
  status.set_acknowledged_position(session.acknowledged.value());
  status.set_received_position(session.committed.value());
  if (session.peer_caught_up > absl::UnixEpoch()) {
    *status.mutable_peer_caught_up_as_of() = ToTimestamp(session.peer_caught_up);
  }
  report->sent_through = session.sent_through;
  report->acknowledged_through =
      std::max(report->acknowledged_through, session.acknowledged_through);
  report->interest = session.interest;
  report->import_stall = session.import_stall;
  if (status.state() == admin::v1::LINK_STATE_UP) SayWhoHolds(session, own, peer, &status);
}

}  // namespace cdgate::manager
