#include "gateway/api/publish_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/api/publish_api.h"
#include "gateway/api/unary.h"
#include "gateway/base/errors.h"
#include "gateway/rpc/bytes.h"

namespace cdgate::api {

void PublishStream::Run(rpc::ServerStreamPtr stream, const PublishApiDeps& deps) {
  const std::shared_ptr<PublishStream> self(new PublishStream(std::move(stream), deps));
  // The callbacks keep the session alive until the stream has run on_closed.
  self->stream_->Start({.on_message = [self](grpc::ByteBuffer m) { self->OnMessage(std::move(m)); },
                        .on_end = [self] { self->OnEnd(); },
                        .on_closed = [self](const absl::Status&) {}});
}

PublishStream::PublishStream(rpc::ServerStreamPtr stream, const PublishApiDeps& deps)
    : stream_(std::move(stream)),
      deps_(deps),
      account_(deps_.rates.AccountOf(stream_->call().principal)),
      strand_(base::Strand::Create(deps_.pool)) {}

void PublishStream::OnMessage(grpc::ByteBuffer message) {
  uint64_t slot = 0;
  {
    base::MutexLock lock(mu_);
    slot = first_slot_ + slots_.size();
    slots_.emplace_back();
  }
  const bool small = rpc::IsSmall(message);
  auto task = [self = shared_from_this(), message = std::move(message), slot] {
    self->Admit(message, slot);
  };
  const bool accepted =
      small ? strand_->RunOrPost(std::move(task)) : strand_->Post(std::move(task));
  if (!accepted) return stream_->Close(Overloaded());
  {
    // Not before: an answer on another thread would read on, and the next message overtake
    // this one on its way to the strand.
    base::MutexLock lock(mu_);
    reading_ = false;
  }
  Advance();
}

void PublishStream::OnEnd() {
  {
    base::MutexLock lock(mu_);
    ended_ = true;
  }
  Advance();
}

void PublishStream::Admit(const grpc::ByteBuffer& message, uint64_t slot) {
  const rpc::FlatBytes bytes(message);
  const auto events = ReadEvents(bytes.view());
  if (!events.ok()) return stream_->Close(events.status());
  if (events->size() > kMaxBatchEvents) {
    return stream_->Close(base::MakeError(base::Reason::kTooLarge,
                                          absl::StrCat("a message with ", events->size(),
                                                       " events; send at most ", kMaxBatchEvents)));
  }
  if (account_ != nullptr) Charge(events->size());
  deps_.admission.Publish(
      stream_->call().principal, *events,
      [self = shared_from_this(), slot](std::vector<admission::Result> results) {
        self->Answer(slot, std::move(results));
      });
}

void PublishStream::Charge(uint64_t events) {
  const absl::Duration wait = deps_.rates.Charge(account_, events);
  if (wait == absl::ZeroDuration()) return;
  {
    // Messages that were read already may make a pause longer; the timer looks again.
    base::MutexLock lock(mu_);
    if (std::exchange(paused_, true)) return;
  }
  deps_.timers.At(deps_.clock.Monotonic() + wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Resume();
  });
}

void PublishStream::Resume() {
  const absl::Duration wait = deps_.rates.Wait(account_);
  if (wait > absl::ZeroDuration()) {
    deps_.timers.At(deps_.clock.Monotonic() + wait, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->Resume();
    });
    return;
  }
  {
    base::MutexLock lock(mu_);
    paused_ = false;
  }
  // Not in the timers' thread. A full pool is no reason to stay paused: the next answer, or this
  // one, goes on.
  if (!strand_->Post([self = shared_from_this()] { self->Advance(); })) Advance();
}

void PublishStream::Answer(uint64_t slot, std::vector<admission::Result> results) {
  {
    base::MutexLock lock(mu_);
    Slot& answered = slots_[slot - first_slot_];
    answered.answered = true;
    answered.results = std::move(results);
  }
  Advance();
}

std::optional<std::string> PublishStream::TakeReady() {
  if (slots_.empty() || !slots_.front().answered) return std::nullopt;
  std::string response;
  while (!slots_.empty() && slots_.front().answered) {
    for (const admission::Result& result : slots_.front().results) AppendResult(result, &response);
    slots_.pop_front();
    ++first_slot_;
  }
  return response;
}

void PublishStream::Advance() {
  std::optional<std::string> response;
  bool read = false;
  bool close = false;
  {
    base::MutexLock lock(mu_);
    if (closed_) return;
    if (!sending_) response = TakeReady();
    if (response) sending_ = true;
    read = !reading_ && !paused_ && !ended_ && slots_.size() < kMaxStreamMessages;
    if (read) reading_ = true;
    close = ended_ && slots_.empty() && !sending_;
    if (close) closed_ = true;
  }
  if (response) {
    stream_->Send(rpc::ToBytes(*std::move(response)), [self = shared_from_this()](bool) {
      {
        base::MutexLock lock(self->mu_);
        self->sending_ = false;
      }
      self->Advance();
    });
  }
  if (read) stream_->Read();
  if (close) stream_->Close(absl::OkStatus());
}

}  // namespace cdgate::api
