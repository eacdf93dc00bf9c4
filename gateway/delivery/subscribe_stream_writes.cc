// Of SubscribeStream: what is written, and when that has ended.
#include <utility>

#include "gateway/delivery/frames.h"
#include "gateway/delivery/subscribe_stream.h"

namespace cdgate::delivery {

bool SubscribeStream::WriteControl() {
  if (control_.empty()) return false;
  const events::v1::SubscribeResponse response = std::move(control_.front());
  control_.erase(control_.begin());
  Write(response.SerializeAsString());
  return true;
}

bool SubscribeStream::WriteNext() {
  if (WriteControl()) return true;
  const std::optional<Window::Frame> frame = window_->Next(*scope_, frame_room_.bytes());
  if (frame) {
    AllowAcks();
    WriteFrame(*frame);
  }
  // A consumer that does not read holds a frame of its own, and nothing of the log.
  window_->Release();
  return frame.has_value();
}

// What is in memory is had without a task for it.
bool SubscribeStream::WriteFromTail() {
  if (asking_ || !window_->hungry() || !IsBehind()) return false;
  auto commits = deps_.feed.FromTail(window_->next(), kFeedLimits);
  if (commits.empty()) return false;
  window_->Offer(std::move(commits));
  return WriteNext();
}

// Those of a named subscription move its position, and are looked at one by one.
void SubscribeStream::AllowAcks() {
  if (name_.empty()) acks_.Allow(window_->delivered());
}

void SubscribeStream::WriteFrame(const Window::Frame& frame) {
  if (!name_.empty()) deps_.holders.Delivered(name_, frame.records.back()->sequence());
  if (kind_ == Kind::kWatch) {
    const event::Record& record = *frame.records.front();
    return Write(AsWatchResponse(record, converter_.Render(record), epoch_));
  }
  if (IsForMany(frame)) return Write(deps_.delivered.Response(frame.records));
  std::string batch;
  batch.reserve(frame.bytes + frame.records.size() * 64);
  for (const event::Record* record : frame.records) {
    const bool again = record->sequence().value() <= redelivered_through_;
    AppendDelivered(*record, again ? 2 : 1, converter_.Render(*record), &batch);
  }
  Write(AsSubscribeResponse(std::move(batch)));
}

bool SubscribeStream::IsForMany(const Window::Frame& frame) const {
  return frame.records.size() <= DeliveredCache::kMostRecords && !converter_.converts() &&
         frame.records.front()->sequence().value() > redelivered_through_;
}

void SubscribeStream::Write(grpc::ByteBuffer bytes) {
  writing_ = true;
  wrote_since_heartbeat_ = true;
  write_.Begin();
  // Where it was not written nobody reads any more: nothing further is made for the stream, nor
  // acknowledged for it, until OnClosed().
  stream_->Send(std::move(bytes), [self = shared_from_this()](bool written) {
    if (written && self->write_.Finish()) self->Post([self] { self->OnWritten(); });
  });
}

void SubscribeStream::OnWritten() {
  TakeWritten();
  if (auto_ack_ && !name_.empty()) PersistAck();
  if (closing_ && !writing_) return Close(close_status_);
  Pump();
}

void SubscribeStream::TakeWritten() {
  if (!writing_ || !write_.Take()) return;
  writing_ = false;
  if (window_) written_ = window_->delivered();
}

bool SubscribeStream::IsBehind() const {
  const base::Sequence next = window_->next();
  return rounds_ == nullptr ? next <= deps_.feed.head() : rounds_->IsBehind(next);
}

// What it is behind of can be had at once, and could not be used. What was offered and not looked
// at is there already: something else was written before it.
bool SubscribeStream::WaitsForWrite() const {
  if (!writing_) return false;
  const bool acknowledges = auto_ack_ && !name_.empty();
  const bool behind = window_->hungry() ? IsBehind() : !window_->blocked();
  return acknowledges || behind || !control_.empty() || window_->complete();
}

void SubscribeStream::AwaitWritten() {
  if (write_.Await()) return;
  Post([self = shared_from_this()] { self->OnWritten(); });
}

}  // namespace cdgate::delivery
