// Until when agreements hold, and what is said of their end before it comes: 30, 7 and 1 days
// before, and when it has come.
//
//   EndNotices notices;
//   for (const EndNotice& notice : notices.Due(peers, clock.Now())) Log(EndText(notice...));
//
// Each side has an end of its own and both count: the link stops at the earlier one. Pure: no
// I/O, no clock of its own.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cdgate/admin/v1/resources.pb.h"

namespace cdgate::manager {

// How near an end is; later values are nearer.
enum class EndStage { kDistant, kMonth, kWeek, kDay, kEnded };

// When the agreement ends on our side; the infinite future where it does not. Whole seconds.
absl::Time EndOf(const admin::v1::Peer& peer);
// The stage begins 30, 7 and 1 days before the end; at the end itself it has ended.
EndStage StageOf(absl::Time end, absl::Time now);

// "the agreement with beta.example ends in 6 days, at 2026-12-03T00:00:00Z: …", with what to do.
std::string EndText(absl::string_view domain, absl::Time end, absl::Time now);

// An end that is to be announced.
struct EndNotice {
  std::string domain;
  EndStage stage = EndStage::kDistant;
  absl::Time end;
};

// Remembers what was announced. A stage of one end is announced once in the life of this object,
// and one that was passed over (nobody looked meanwhile) not at all; another end begins anew. Not
// thread-safe.
class EndNotices {
 public:
  // What is to be announced at `now`, by the order of `peers`. Agreements that are pending are
  // left out, and those that are gone are forgotten.
  std::vector<EndNotice> Due(const std::vector<admin::v1::Peer>& peers, absl::Time now);

 private:
  struct Told {
    absl::Time end;
    EndStage stage = EndStage::kDistant;
  };
  std::map<std::string, Told> told_;
};

}  // namespace cdgate::manager
