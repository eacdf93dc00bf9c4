// Our own events that a peer gave back after our log had lost them: instead of who published it,
// which is not known any more, such an event names the peer.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "gateway/event/stored_event.h"

namespace cdgate::event {

inline constexpr char kRecoveredPrefix[] = "recovered:";

// StoredEvent.publisher of an event that `peer` gave back.
inline std::string RecoveredFrom(absl::string_view peer) {
  return absl::StrCat(kRecoveredPrefix, peer);
}

// Whether it is one that `peer` gave back, which therefore has it.
inline bool IsRecoveredFrom(const StoredView& stored, absl::string_view peer) {
  absl::string_view publisher = stored.publisher();
  return absl::ConsumePrefix(&publisher, kRecoveredPrefix) && publisher == peer;
}

}  // namespace cdgate::event
