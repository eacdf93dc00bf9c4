// What is known of one peer's link.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "federation/session/session.h"
#include "gateway/base/types.h"

namespace cdgate::manager {

struct LinkReport {
  admin::v1::LinkStatus status;
  base::Sequence sent_through;          // on the live session; 0: none
  base::Sequence acknowledged_through;  // of our log, as far as known
  session::InterestPtr interest;        // what the peer showed; null: nothing
  absl::Status import_stall;            // why what came waits; OK: it does not
};

// Adds what the live session between `own` and `peer` says of itself. A link that is up although
// an operator stopped all exports says so as its reason.
void AddSession(const session::SessionStatus& session, absl::string_view own,
                absl::string_view peer, LinkReport* report);

}  // namespace cdgate::manager
