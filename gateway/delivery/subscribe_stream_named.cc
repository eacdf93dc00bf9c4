// Of SubscribeStream: how it comes to read by an ordered subscription, at once, by taking over, or
// when its turn comes.
#include <algorithm>
#include <memory>
#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/start_position.h"
#include "gateway/delivery/subscribe_stream.h"
#include "gateway/delivery/subscription_settings.h"

namespace cdgate::delivery {

absl::Status SubscribeStream::OpenNamed(const events::v1::SubscribeStart& start,
                                        WindowLimits limits) {
  name_ = start.subscription();
  CDGATE_RETURN_IF_ERROR(CheckName(name_));
  const state::ResourcePtr resource =
      deps_.store.Resources()->Find(state::kSubscriptionKind, name_);
  if (resource != nullptr) {
    CDGATE_ASSIGN_OR_RETURN(const auto subscription, resource->As<admin::v1::Subscription>());
    CDGATE_RETURN_IF_ERROR(CheckOwner(subscription, stream_->call().principal));
    CDGATE_RETURN_IF_ERROR(CheckUnchanged(subscription, start));
    if (IsShared(subscription)) return OpenShared(subscription, start, limits);
    filter_ = subscription.filter();
    CDGATE_ASSIGN_OR_RETURN(converter_, Converter::Make(subscription.convert_to()));
  }
  CDGATE_ASSIGN_OR_RETURN(scope_,
                          ReadScope::Make(*granted_by_, stream_->call().principal, filter_));
  if (resource != nullptr) return TakeTurn(limits, /*made_now=*/false);
  CDGATE_ASSIGN_OR_RETURN(const base::Sequence after, ResolveStart(deps_.store, start.from()));
  CreateNamed(start, limits, after);
  return absl::OkStatus();
}

void SubscribeStream::CreateNamed(const events::v1::SubscribeStart& start, WindowLimits limits,
                                  base::Sequence after) {
  admin::v1::Subscription subscription;
  subscription.set_name(name_);
  subscription.set_owner(stream_->call().principal.id);
  subscription.set_filter(start.filter());
  subscription.set_convert_to(start.convert_to());
  subscription.mutable_create_time()->set_seconds(absl::ToUnixSeconds(deps_.clock.Now()));
  state::Proposal proposal;
  state::ResourceEdit edit;
  edit.kind = state::kSubscriptionKind;
  edit.name = name_;
  edit.value = subscription.SerializeAsString();
  edit.expected_version = 0;
  edit.author = subscription.owner();
  proposal.resources.push_back(std::move(edit));
  state::CursorEdit cursor;
  cursor.move = MakeCursor(name_, epoch_, after, after);
  proposal.cursors.push_back(std::move(cursor));
  const auto self = shared_from_this();
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [self, limits](state::Outcome outcome) {
        self->Post([self, limits, status = std::move(outcome.status)] {
          if (self->closed_) return;
          if (!status.ok()) return self->Close(status);
          const absl::Status taken = self->TakeTurn(limits, /*made_now=*/true);
          if (!taken.ok()) self->Close(taken);
        });
      });
  if (!queued.ok()) Close(queued);
}

absl::Status SubscribeStream::TakeTurn(const WindowLimits& limits, bool made_now) {
  const base::Sequence head = made_now ? base::Sequence() : deps_.store.head().sequence;
  CDGATE_ASSIGN_OR_RETURN(const SubscriptionHolders::Turn turn,
                          wait_ ? deps_.holders.TakeOrWait(name_, shared_from_this(), head)
                                : deps_.holders.Take(name_, shared_from_this(), head));
  holding_ = true;
  // Of one that was just made nothing was delivered, whoever had its name before.
  if (turn.ahead == 0) return OpenAtCursor(limits, made_now ? 0 : turn.delivered);
  turn_limits_ = limits;
  TellAhead(turn.ahead);
  ArmHeartbeat();
  return absl::OkStatus();
}

absl::Status SubscribeStream::OpenAtCursor(const WindowLimits& limits, uint64_t delivered) {
  redelivered_through_ = delivered;
  const auto cursor = deps_.store.Cursor(ReaderOf(name_));
  const base::Sequence after(cursor ? cursor->position() : 0);
  if (cursor) {
    CDGATE_RETURN_IF_ERROR(deps_.store.CheckPosition(base::Epoch(cursor->epoch()), after));
    redelivered_through_ = std::max(redelivered_through_, DeliveredThrough(*cursor));
  }
  Activate(limits, after);
  return absl::OkStatus();
}

// ------------------------------------------------------------- one that waits

void SubscribeStream::OnTurn(const SubscriptionHolders::Turn& turn) {
  Post([self = shared_from_this(), turn] {
    if (self->closed_ || self->closing_ || !self->turn_limits_) return;
    if (turn.ahead > 0) return self->TellAhead(turn.ahead);
    if (!self->StillGranted()) return;
    const WindowLimits limits = *std::exchange(self->turn_limits_, std::nullopt);
    if (self->heartbeat_ != 0) self->deps_.timers.Cancel(std::exchange(self->heartbeat_, 0));
    const absl::Status opened = self->OpenAtCursor(limits, turn.delivered);
    if (!opened.ok()) self->Close(opened);
  });
}

void SubscribeStream::TellAhead(uint32_t ahead) {
  if (ahead_ != 0 && ahead >= ahead_) return;  // an older word that came later
  ahead_ = ahead;
  events::v1::SubscribeResponse response;
  response.mutable_waiting()->set_ahead(ahead);
  control_.push_back(std::move(response));
  Pump();
}

void SubscribeStream::PumpWaiting() {
  if (!writing_) WriteControl();
  if (!control_.empty()) AwaitWritten();
}

bool SubscribeStream::StillWaits() {
  if (!StillGranted()) return false;
  deps_.holders.PassOn(name_);
  return true;
}

void SubscribeStream::LeaveOrdered() {
  // What it acknowledged has to be where the next one begins.
  if (!holding_ || persisting_) return;
  holding_ = false;
  deps_.holders.Leave(name_, this);
}

}  // namespace cdgate::delivery
