#include "gateway/cli/publish_stream.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::cli {
namespace {

constexpr size_t kBatchBytes = 128 << 10;
constexpr int kBatchEvents = 512;
// What a gateway takes as one message; see PublishStreamRequest.
constexpr size_t kMaxMessageBytes = 1 << 20;
constexpr size_t kMaxOnTheWay = 8192;

}  // namespace

PublishStream::PublishStream(Connection& connection, OnResult on_result)
    : connection_(connection),
      on_result_(std::move(on_result)),
      stream_(connection.events().PublishStream(&context_)),
      reader_([this] { ReadResults(); }) {}

PublishStream::~PublishStream() {
  if (finished_) return;
  context_.TryCancel();
  reader_.join();
  stream_->Finish().IgnoreError();
}

absl::Status PublishStream::Add(io::cloudevents::v1::CloudEvent event, std::string place) {
  const size_t bytes = event.ByteSizeLong() + 8;
  if (bytes > kMaxMessageBytes) {
    return base::MakeError(base::Reason::kTooLarge,
                           absl::StrCat("event ", base::Shorten(event.id()), " has ", bytes,
                                        " bytes, more than a message of ", kMaxMessageBytes));
  }
  if (batch_bytes_ + bytes > kMaxMessageBytes) CDGATE_RETURN_IF_ERROR(Flush());
  batch_events_.push_back({std::move(place), event.id(), event.type()});
  *batch_.add_events() = std::move(event);
  batch_bytes_ += bytes;
  if (batch_bytes_ >= kBatchBytes || batch_.events_size() >= kBatchEvents) return Flush();
  return absl::OkStatus();
}

absl::Status PublishStream::Flush() {
  if (batch_.events().empty()) return absl::OkStatus();
  {
    base::MutexLock lock(mu_);
    while (on_the_way_.size() >= kMaxOnTheWay && !ended_) changed_.Wait(mu_);
    std::move(batch_events_.begin(), batch_events_.end(), std::back_inserter(on_the_way_));
  }
  const bool written = stream_->Write(batch_);
  batch_.Clear();
  batch_events_.clear();
  batch_bytes_ = 0;
  return written ? absl::OkStatus() : Broken();
}

absl::Status PublishStream::Finish() {
  CDGATE_RETURN_IF_ERROR(Flush());
  stream_->WritesDone();
  return Broken();
}

// The call's status, once it has ended by itself or by WritesDone.
absl::Status PublishStream::Broken() {
  reader_.join();
  finished_ = true;
  const grpc::Status status = stream_->Finish();
  if (!status.ok()) return connection_.Explain(status);
  base::MutexLock lock(mu_);
  if (on_the_way_.empty()) return absl::OkStatus();
  return base::MakeError(base::Reason::kProtocolError,
                         absl::StrCat("the gateway ended the call without a result for ",
                                      on_the_way_.size(), " events; publish them again"));
}

void PublishStream::ReadResults() {
  events::v1::PublishStreamResponse response;
  while (stream_->Read(&response)) {
    for (const events::v1::PublishResult& result : response.results()) {
      SentEvent sent;
      {
        base::MutexLock lock(mu_);
        if (on_the_way_.empty()) break;  // more results than events: the status will tell
        sent = std::move(on_the_way_.front());
        on_the_way_.pop_front();
        changed_.Signal();
      }
      on_result_(sent, result);
    }
  }
  base::MutexLock lock(mu_);
  ended_ = true;
  changed_.SignalAll();
}

}  // namespace cdgate::cli
