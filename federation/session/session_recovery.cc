// What a session does where the peer stands in a life of our log that is over.
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "federation/session/lost_ranges.h"
#include "federation/session/session.h"
#include "gateway/base/logging.h"

namespace cdgate::session {

std::vector<link::EarlierEpoch> Session::EarlierEpochs() const {
  const std::vector<storage::v1::EpochStart> lives = deps_.store.Epochs();
  std::vector<link::EarlierEpoch> out;
  for (size_t next = lives.size(); next-- > 1;) {
    const base::Sequence first(lives[next].first_sequence());
    out.push_back({base::Epoch(lives[next - 1].epoch()), base::Sequence(first.value() - 1)});
  }
  return out;
}

void Session::Do(link::PeerIsAhead ahead) {
  base::Log(base::LogLevel::kWarning, "the peer has events of ours that the log lost",
            {{"peer", peer_},
             {"epoch", ahead.epoch.value()},
             {"first", absl::StrCat(ahead.first.value())},
             {"last", absl::StrCat(ahead.last.value())}});
  RecordLost(deps_.store, deps_.clock.Now(), peer_, ahead);
}

}  // namespace cdgate::session
