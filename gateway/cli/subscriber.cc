#include "gateway/cli/subscriber.h"

#include <algorithm>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/random.h"
#include "gateway/base/status_macros.h"
#include "gateway/config/scalars.h"

namespace cdgate::cli {

using events::v1::SubscribeRequest;
using events::v1::SubscribeResponse;

Subscriber::Subscriber(const SubscriberOptions& options, Connection& connection,
                       DeliveryPrinter& printer, Invocation& run)
    : options_(options),
      connection_(connection),
      printer_(printer),
      run_(run),
      backoff_({.first = absl::Milliseconds(200), .cap = absl::Seconds(10)}),
      from_(options.from.position) {}

absl::Status Subscriber::Run() {
  if (options_.from.sequence != 0) CDGATE_RETURN_IF_ERROR(ResolveSequence());
  for (;;) {
    const absl::Status status = RunOnce();
    if (status.ok() || options_.no_resume || !stood_ || !absl::IsUnavailable(status)) {
      return status;
    }
    if (Complete()) return absl::OkStatus();
    if (!Wait(status)) return absl::OkStatus();
    connection_.ReloadIdentity();
  }
}

void Subscriber::Stop() {
  base::MutexLock lock(mu_);
  stop_ = true;
  stopped_.SignalAll();
  if (context_ != nullptr) context_->TryCancel();
}

std::string Subscriber::position() const {
  return position_.epoch().empty() ? "" : PositionText(position_);
}

bool Subscriber::Enter(grpc::ClientContext* context) {
  base::MutexLock lock(mu_);
  context_ = context;
  return !stop_;
}

void Subscriber::Leave() {
  base::MutexLock lock(mu_);
  context_ = nullptr;
}

bool Subscriber::Wait(const absl::Status& why) {
  const absl::Duration wait = backoff_.Next(base::SystemRandom().Unit());
  run_.Note(absl::StrCat("connection lost: ", why.message(), "; again in ",
                         config::FormatDuration(absl::Trunc(wait, absl::Milliseconds(1)))));
  const absl::Time until = absl::Now() + wait;
  base::MutexLock lock(mu_);
  while (!stop_ && absl::Now() < until) stopped_.WaitFor(mu_, until - absl::Now());
  return !stop_;
}

bool Subscriber::Complete() const {
  return options_.max_events != 0 && delivered_ >= options_.max_events;
}

// A sequence alone belongs to the present epoch, which a subscription's first answer
// tells: opens one, reads that, and ends it.
absl::Status Subscriber::ResolveSequence() {
  grpc::ClientContext context;
  if (!Enter(&context)) return absl::OkStatus();
  const auto call = connection_.events().Subscribe(&context);
  SubscribeRequest request;
  request.mutable_start()->set_auto_ack(true);
  SubscribeResponse response;
  const bool started = call->Write(request) && call->Read(&response) && response.has_started();
  context.TryCancel();
  Leave();
  const grpc::Status status = call->Finish();
  if (!started) return connection_.Explain(status);
  from_.mutable_after()->set_epoch(response.started().position().epoch());
  from_.mutable_after()->set_sequence(options_.from.sequence - 1);
  return absl::OkStatus();
}

SubscribeRequest Subscriber::Start() const {
  SubscribeRequest request;
  events::v1::SubscribeStart& start = *request.mutable_start();
  start.set_subscription(options_.name);
  start.set_filter(options_.filter);
  start.set_convert_to(options_.convert_to);
  start.set_auto_ack(options_.name.empty());
  start.set_wait(options_.wait);
  if (options_.max_events != 0) start.set_max_events(options_.max_events - delivered_);
  *start.mutable_from() = from_;
  return request;
}

absl::Status Subscriber::RunOnce() {
  grpc::ClientContext context;
  if (!Enter(&context)) return absl::OkStatus();
  const auto call = connection_.events().Subscribe(&context);
  if (call->Write(Start())) Read(*call);
  Leave();
  const grpc::Status status = call->Finish();
  {
    base::MutexLock lock(mu_);
    if (stop_) return absl::OkStatus();
  }
  if (!status.ok()) return connection_.Explain(status);
  return absl::OkStatus();
}

void Subscriber::Read(Call& call) {
  SubscribeResponse response;
  while (call.Read(&response)) {
    switch (response.response_case()) {
      case SubscribeResponse::kStarted:
        stood_ = true;
        backoff_.Reset();
        position_ = response.started().position();
        shared_ = response.started().shared();
        break;
      case SubscribeResponse::kEvents: OnEvents(response.events(), call); break;
      case SubscribeResponse::kHeartbeat:
        // What did not match is behind us, too.
        MoveTo(response.heartbeat().position().sequence(), call);
        break;
      case SubscribeResponse::kWaiting:
        stood_ = true;
        backoff_.Reset();
        run_.Note(absl::StrCat("waiting: ", Count(response.waiting().ahead(), "stream"),
                               response.waiting().ahead() == 1 ? " reads first" : " read first"));
        break;
      case SubscribeResponse::kGoAway:
      case SubscribeResponse::kAckConfirmed:
      case SubscribeResponse::RESPONSE_NOT_SET: break;  // the call's status says why it ends
    }
  }
}

void Subscriber::OnEvents(const events::v1::EventBatch& batch, Call& call) {
  for (const events::v1::DeliveredEvent& event : batch.events()) printer_.Print(event);
  run_.out().flush();
  if (batch.events().empty()) return;
  delivered_ += static_cast<uint64_t>(batch.events_size());
  if (shared_) {
    SubscribeRequest done;
    for (const auto& event : batch.events()) done.mutable_ack()->add_sequences(event.sequence());
    call.Write(done);  // where it fails, the reading side finds out why
  } else {
    MoveTo(batch.events().rbegin()->sequence(), call);
  }
  // The gateway ends a shared subscription's stream itself, once what was acknowledged is on disk.
  if (Complete() && !options_.name.empty() && !shared_) call.WritesDone();
}

void Subscriber::MoveTo(uint64_t sequence, Call& call) {
  if (sequence <= position_.sequence()) return;
  position_.set_sequence(sequence);
  if (options_.name.empty()) {
    *from_.mutable_after() = position_;
    return;
  }
  SubscribeRequest request;
  request.mutable_ack()->set_sequence(sequence);
  call.Write(request);  // where it fails, the reading side finds out why
}

}  // namespace cdgate::cli
