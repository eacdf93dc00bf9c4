#include "gateway/webhook/pump.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/base/errors.h"
#include "gateway/webhook/push_request.h"

namespace cdgate::webhook {
namespace {

using admin::v1::PushStatus;
using base::Reason;

// After the subscription was changed, or moved; after anything else ended it.
constexpr absl::Duration kRejoinSoon = absl::Milliseconds(100);
constexpr absl::Duration kRejoinLater = absl::Seconds(5);
// Of events that wait for the target to be ready.
constexpr size_t kMaxHeldBytes = 8 << 20;

google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp out;
  out.set_seconds(absl::ToUnixSeconds(time));
  out.set_nanos(
      static_cast<int32_t>((time - absl::FromUnixSeconds(out.seconds())) / absl::Nanoseconds(1)));
  return out;
}

admin::v1::PushState StateOf(const Target& target, absl::Duration now) {
  if (target.gone()) return admin::v1::PUSH_STATE_ENDED;
  if (target.handshake() != Target::Handshake::kGranted) return admin::v1::PUSH_STATE_HANDSHAKE;
  if (target.Pauses(now)) return admin::v1::PUSH_STATE_PAUSED;
  if (target.breaker() != Target::Breaker::kClosed) return admin::v1::PUSH_STATE_BREAKER_OPEN;
  return admin::v1::PUSH_STATE_SENDING;
}

void SetFailure(const absl::Status& why, PushStatus* status) {
  if (why.ok()) return;
  status->set_reason(base::ReasonLabel(base::ReasonOf(why).value_or(Reason::kInternal)));
  status->set_message(std::string(why.message()));
}

}  // namespace

// What the subscription calls, on its strand; hands it over to the pump's thread.
class Pump::Consumer : public delivery::SharedConsumer,
                       public std::enable_shared_from_this<Consumer> {
 public:
  Consumer(std::weak_ptr<Pump> pump, std::shared_ptr<Inbox> inbox)
      : pump_(std::move(pump)), inbox_(std::move(inbox)) {}

  void OnEvents(std::string batch) override {
    Hand([batch = std::move(batch)](Pump& pump) { pump.OnEvents(batch); });
  }
  void OnConfirmed(std::vector<uint64_t>) override {}
  void OnSubscriptionEnded(const absl::Status& why) override {
    Hand([why](Pump& pump) { pump.OnEnded(why); });
  }

 private:
  void Hand(std::function<void(Pump&)> what) {
    inbox_->Post([self = shared_from_this(), what = std::move(what)] {
      const auto pump = self->pump_.lock();
      // Of an earlier joining nothing counts any more.
      if (pump != nullptr && pump->consumer_ == self) what(*pump);
    });
  }

  const std::weak_ptr<Pump> pump_;
  const std::shared_ptr<Inbox> inbox_;
};

Pump::Pump(PumpDeps deps, Pushed pushed, std::shared_ptr<Endpoint> endpoint)
    : deps_(std::move(deps)),
      pushed_(std::move(pushed)),
      settings_(delivery::PushSettingsOf(pushed_.subscription)),
      endpoint_(std::move(endpoint)) {}

Pump::~Pump() { Leave(); }

void Pump::Step() {
  if (!gone_.ok()) return;
  if (endpoint_->target().gone()) return OnGone(endpoint_->handshake_failure());
  if (draining_) return;
  if (joined_.subscription == nullptr) Join();
  if (joined_.subscription == nullptr) return;
  endpoint_->AskIfDue();
  SendHeld();
  AskForMore();
}

absl::Duration Pump::NextStep() const {
  if (!gone_.ok() || draining_) return absl::InfiniteDuration();
  if (joined_.subscription == nullptr) return join_at_;
  return endpoint_->target().NextTry(deps_.clock.Monotonic());
}

// --- the subscription

void Pump::Join() {
  if (deps_.clock.Monotonic() < join_at_) return;
  consumer_ = std::make_shared<Consumer>(weak_from_this(), deps_.inbox);
  auto joined =
      deps_.shared.Join(pushed_.subscription, pushed_.owner, consumer_,
                        {.max_events = settings_.max_concurrency, .max_bytes = kMaxHeldBytes});
  if (!joined.ok()) return OnEnded(joined.status());
  joined_ = *std::move(joined);
  stopped_ = absl::OkStatus();
}

void Pump::OnEnded(const absl::Status& why) {
  Drop();
  const bool changed = base::ReasonOf(why) == Reason::kSubscriptionChanged;
  stopped_ = changed ? absl::OkStatus() : why;
  join_at_ = deps_.clock.Monotonic() + (changed ? kRejoinSoon : kRejoinLater);
}

void Pump::Leave() { Drop(); }

void Pump::Drop() {
  for (const auto& [id, sequence] : std::exchange(sent_, {})) endpoint_->Abandon(id);
  held_.clear();
  wanting_ = false;
  consumer_.reset();
  if (joined_.subscription == nullptr) return;
  // Nothing of it has failed.
  joined_.subscription->Leave(joined_.id, delivery::SharedQueue::Leaving::kSentAway);
  joined_ = {};
}

// --- what goes out

void Pump::AskForMore() {
  if (wanting_ || !held_.empty() || joined_.subscription == nullptr || !endpoint_->MaySend()) {
    return;
  }
  wanting_ = joined_.subscription->Want(joined_.id);
}

void Pump::OnEvents(const std::string& batch) {
  wanting_ = false;
  events::v1::EventBatch events;
  if (!events.ParseFromString(batch)) {
    return OnEnded(base::MakeError(Reason::kInternal, "a batch of events could not be read"));
  }
  for (events::v1::DeliveredEvent& event : *events.mutable_events()) {
    held_.push_back(std::move(event));
  }
}

void Pump::SendHeld() {
  while (!held_.empty() && sent_.size() < settings_.max_concurrency && endpoint_->MaySend()) {
    // Each may have one under way, however many the others have.
    if (!sent_.empty() && !deps_.has_room()) return;
    const events::v1::DeliveredEvent event = std::move(held_.front());
    held_.pop_front();
    SendOne(event);
  }
}

void Pump::SendOne(const events::v1::DeliveredEvent& event) {
  const HttpClient::Id id = endpoint_->Send(
      BodyOf(event, pushed_.subscription.push().format()), settings_.timeout, event.attempt(),
      [weak = weak_from_this()](HttpClient::Id sent, const auto& outcome) {
        if (const auto self = weak.lock()) self->OnOutcome(sent, outcome);
      });
  sent_.emplace(id, base::Sequence(event.sequence()));
}

// --- what comes back

void Pump::OnOutcome(HttpClient::Id id, const Endpoint::Outcome& outcome) {
  const auto sent = sent_.find(id);
  if (sent == sent_.end()) return;
  const base::Sequence sequence = sent->second;
  sent_.erase(sent);
  last_result_ = outcome.result;
  last_status_ = outcome.status;
  last_answer_ = deps_.clock.Now();
  ++(outcome.result.ok() ? delivered_ : failed_);
  if (!Report(sequence, outcome)) {
    return OnEnded(base::MakeError(Reason::kOverloaded, "the gateway is out of threads or ends"));
  }
  if (outcome.ruling.kind == Ruling::Kind::kGone) OnGone(outcome.result);
}

bool Pump::Report(base::Sequence sequence, const Endpoint::Outcome& outcome) {
  delivery::SharedSubscription& subscription = *joined_.subscription;
  switch (outcome.ruling.kind) {
    case Ruling::Kind::kTaken: {
      events::v1::Ack ack;
      ack.add_sequences(sequence.value());
      return subscription.Acknowledge(joined_.id, std::move(ack));
    }
    case Ruling::Kind::kFailed: return subscription.Reject(joined_.id, sequence, outcome.result);
    case Ruling::Kind::kReturned:
    case Ruling::Kind::kGone: break;
  }
  return subscription.GiveBack(joined_.id, sequence, outcome.ruling.delay);
}

void Pump::OnGone(const absl::Status& why) {
  if (!gone_.ok()) return;
  const bool said = base::ReasonOf(why) == Reason::kWebhookGone;
  gone_ =
      said ? why : base::MakeError(Reason::kWebhookGone, "the webhook answered 410 Gone before");
  Drop();
  last_result_ = gone_;
  deps_.on_gone(pushed_.subscription.name(), gone_);
}

// --- how it stands

PushStatus Pump::Status() const {
  const absl::Duration now = deps_.clock.Monotonic();
  const Target& target = endpoint_->target();
  PushStatus status;
  status.set_state(StateOf(target, now));
  SetFailure(status.state() == admin::v1::PUSH_STATE_HANDSHAKE ? endpoint_->handshake_failure()
                                                               : last_result_,
             &status);
  if (!stopped_.ok()) {
    status.set_state(admin::v1::PUSH_STATE_STOPPED);
    SetFailure(stopped_, &status);
  }
  status.set_last_status(static_cast<uint32_t>(last_status_));
  if (last_answer_ != absl::InfinitePast()) {
    *status.mutable_last_answer_time() = ToTimestamp(last_answer_);
  }
  const absl::Duration next = NextStep();
  const bool waits = status.state() != admin::v1::PUSH_STATE_SENDING;
  if (waits && next != absl::InfiniteDuration() && next > now) {
    *status.mutable_next_try_time() = ToTimestamp(deps_.clock.Now() + (next - now));
  }
  status.set_allowed_rate(target.allowed_rate());
  status.set_in_flight(static_cast<uint32_t>(sent_.size()));
  status.set_delivered(delivered_);
  status.set_failed(failed_);
  return status;
}

}  // namespace cdgate::webhook
