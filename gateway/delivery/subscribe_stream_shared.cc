// Of SubscribeStream: what is between a client and a shared subscription.
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "gateway/delivery/frames.h"
#include "gateway/delivery/subscribe_stream.h"

namespace cdgate::delivery {
namespace {

absl::Status Overloaded() {
  return base::MakeError(base::Reason::kOverloaded,
                         "the gateway has more work queued than it accepts");
}

// Of one message.
constexpr int kMaxSequences = 10'000;

absl::Status Invalid(absl::string_view field, absl::string_view why) {
  return base::MakeError(base::Reason::kInvalidArgument,
                         absl::StrCat("Subscribe: ", field, " ", why),
                         {{"field", std::string(field)}});
}

absl::Status CheckBetween(absl::string_view field, const google::protobuf::Duration& duration,
                          int64_t least_seconds) {
  const int64_t seconds = duration.seconds();
  const bool fits = seconds >= least_seconds && duration.nanos() >= 0 &&
                    (seconds < 3600 || (seconds == 3600 && duration.nanos() == 0));
  if (fits) return absl::OkStatus();
  return Invalid(field, absl::StrCat("is ", least_seconds, " s to 1 h"));
}

// What a client may say of events of a shared subscription.
absl::Status CheckShared(const events::v1::SubscribeRequest& request) {
  if (request.has_ack() && request.ack().sequence() != 0) {
    return Invalid("ack.sequence", "is of ordered subscriptions; say ack.sequences");
  }
  const int count = request.has_ack()    ? request.ack().sequences_size()
                    : request.has_nack() ? request.nack().sequences_size()
                                         : request.extend().sequences_size();
  if (count == 0 || count > kMaxSequences) {
    return Invalid("sequences", absl::StrCat("are 1 to ", kMaxSequences, "; there are ", count));
  }
  if (request.has_nack() && request.nack().has_retry_after()) {
    return CheckBetween("nack.retry_after", request.nack().retry_after(), 0);
  }
  return request.has_extend() ? CheckBetween("extend.by", request.extend().by(), 1)
                              : absl::OkStatus();
}

}  // namespace

absl::Status SubscribeStream::OpenShared(const admin::v1::Subscription& subscription,
                                         const events::v1::SubscribeStart& start,
                                         const WindowLimits& limits) {
  if (subscription.has_push()) {
    return Invalid("subscription", absl::StrCat(subscription.name(),
                                                " is pushed to a webhook, and no stream reads by "
                                                "it; take its push away, or use another"));
  }
  if (start.auto_ack()) return Invalid("auto_ack", "is not of shared subscriptions; acknowledge");
  if (start.wait()) return Invalid("wait", "is of ordered subscriptions; all streams read at once");
  scope_.emplace();  // started; what may be read is the subscription's to know
  CDGATE_ASSIGN_OR_RETURN(
      shared_,
      deps_.shared.Join(
          subscription, stream_->call().principal, shared_from_this(),
          {.max_events = limits.max_events, .max_bytes = limits.max_bytes, .total = limits.total}));
  const auto cursor = deps_.store.Cursor(ReaderOf(name_));
  Activate(limits, base::Sequence(cursor ? cursor->position() : 0));
  return absl::OkStatus();
}

void SubscribeStream::OnSharedMessage(events::v1::SubscribeRequest request) {
  if (const absl::Status checked = CheckShared(request); !checked.ok()) return Close(checked);
  SharedSubscription& shared = *shared_.subscription;
  const bool taken =
      request.has_ack()    ? shared.Acknowledge(shared_.id, std::move(*request.mutable_ack()))
      : request.has_nack() ? shared.Reject(shared_.id, std::move(*request.mutable_nack()))
                           : shared.Extend(shared_.id, std::move(*request.mutable_extend()));
  if (!taken) Close(Overloaded());
}

void SubscribeStream::OnEvents(std::string batch) {
  Post([self = shared_from_this(), batch = std::move(batch)]() mutable {
    self->wanting_ = false;
    self->frame_ = std::move(batch);
    self->Pump();
  });
}

void SubscribeStream::OnConfirmed(std::vector<uint64_t> sequences) {
  Post([self = shared_from_this(), sequences = std::move(sequences)] {
    events::v1::SubscribeResponse response;
    response.mutable_ack_confirmed()->mutable_sequences()->Add(sequences.begin(), sequences.end());
    self->control_.push_back(std::move(response));
    self->Pump();
  });
}

void SubscribeStream::OnSubscriptionEnded(const absl::Status& why) {
  Post([self = shared_from_this(), why] {
    if (!why.ok()) return self->GoAway(why);
    self->sent_away_ = self->through_ = true;
    self->Pump();
  });
}

void SubscribeStream::PumpShared() {
  if (!writing_ && !WriteControl() && !frame_.empty()) {
    Write(AsSubscribeResponse(std::exchange(frame_, {})));
  }
  if (writing_) return AwaitWritten();
  if (through_) return Close(absl::OkStatus());
  if (wanting_) return;
  wanting_ = true;
  if (!shared_.subscription->Want(shared_.id)) Close(Overloaded());
}

void SubscribeStream::LeaveShared() {
  if (shared_.subscription == nullptr) return;
  const auto leaving = sent_away_ ? SharedQueue::Leaving::kSentAway : SharedQueue::Leaving::kFailed;
  std::exchange(shared_.subscription, nullptr)->Leave(shared_.id, leaving);
}

}  // namespace cdgate::delivery
