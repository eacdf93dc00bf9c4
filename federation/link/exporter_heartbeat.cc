// What the sending half says of itself when it says that it lives.
#include <algorithm>

#include "federation/link/exporter.h"

namespace cdgate::link {
namespace {

// Less than the shortest interval between heartbeats, with room for clocks that are slewed.
constexpr absl::Duration kLongestAccept = absl::Milliseconds(500);
static_assert(kLongestAccept < kLeastHeartbeat);

}  // namespace

void Exporter::FillHeartbeat(federation::v1::Heartbeat* heartbeat) {
  record_now_ = true;
  heartbeat->set_exports_stopped(held_);
  if (!place_known_) return;
  heartbeat->set_last_position(sent_.value());
  heartbeat->set_token(sealer_->Seal(sent_place_, Scope(log_epoch_, link_epoch_)));
  heartbeat->set_link_epoch(link_epoch_);
  UpdateCaughtUp();
  if (caught_up_ == absl::InfinitePast()) return;
  const int64_t seconds = absl::ToUnixSeconds(caught_up_);
  heartbeat->mutable_caught_up_as_of()->set_seconds(seconds);
}

// Whoever reads the head at a time does not see what was accepted just before and is
// being committed. So the claim for a head is the time of the heartbeat before the one
// that read it: an accept does not take an interval. A heartbeat that comes early, because
// exports were stopped or go on, makes no claim. Whole seconds, rounded down, are fine enough
// and of one size.
void Exporter::UpdateCaughtUp() {
  const auto redeem = [this] {
    if (!claim_ || sent_place_.sequence < claim_->head) return;
    caught_up_ = std::max(caught_up_, claim_->as_of);
    claim_.reset();
  };
  redeem();
  const absl::Duration since = head_.as_of - head_before_;
  if (since >= absl::ZeroDuration() && since < kLongestAccept) return;
  const bool counts = since > absl::ZeroDuration() && head_before_ != absl::InfinitePast();
  if (!claim_ && counts) claim_ = HeadMoved{head_.head, head_before_};
  redeem();
  head_before_ = head_.as_of;
}

}  // namespace cdgate::link
