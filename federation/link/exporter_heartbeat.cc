// What the sending half says of itself when it says that it lives.
#include <algorithm>

#include "federation/link/exporter.h"

namespace cdgate::link {

void Exporter::FillHeartbeat(federation::v1::Heartbeat* heartbeat) {
  record_now_ = true;
  heartbeat->set_exports_stopped(held_);
  if (!place_known_) return;
  heartbeat->set_last_position(sent_.value());
  heartbeat->set_token(sealer_->Seal(sent_place_, Scope(link_epoch_)));
  heartbeat->set_link_epoch(link_epoch_);
  UpdateCaughtUp();
  if (caught_up_ == absl::InfinitePast()) return;
  const int64_t seconds = absl::ToUnixSeconds(caught_up_);
  heartbeat->mutable_caught_up_as_of()->set_seconds(seconds);
}

// Whoever reads the head at a time does not see what was accepted just before and is
// being committed. So the claim for a head is the time of the heartbeat before the one
// that read it: an accept does not take an interval. Whole seconds, rounded down, are
// fine enough and of one size.
void Exporter::UpdateCaughtUp() {
  const auto redeem = [this] {
    if (!claim_ || sent_place_.sequence < claim_->head) return;
    caught_up_ = std::max(caught_up_, claim_->as_of);
    claim_.reset();
  };
  redeem();
  if (!claim_ && head_before_ != absl::InfinitePast()) claim_ = HeadMoved{head_.head, head_before_};
  redeem();
  head_before_ = head_.as_of;
}

}  // namespace cdgate::link
