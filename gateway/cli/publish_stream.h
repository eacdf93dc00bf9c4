// Publishes events over one PublishStream call, in batches, with a bounded number on
// their way.
//
//   PublishStream stream(connection, [](const SentEvent& sent, const PublishResult& result) {…});
//   for (…) CDGATE_RETURN_IF_ERROR(stream.Add(std::move(event), "events.ndjson:7"));
//   CDGATE_RETURN_IF_ERROR(stream.Finish());
//
// Used by one thread; results come on another, one at a time, in the order of the events.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/cli/connection.h"

namespace cdgate::cli {

// What is kept of an event on its way.
struct SentEvent {
  std::string place;  // where it came from: "events.ndjson:7"
  std::string id;     // empty, as the type, where the input was no event
  std::string type;
};

class PublishStream {
 public:
  using OnResult = std::function<void(const SentEvent&, const events::v1::PublishResult&)>;

  // `connection` must outlive the stream.
  PublishStream(Connection& connection, OnResult on_result);
  // Cancels what is not finished.
  ~PublishStream();

  // Queues one event; sends a batch when it is large enough, and waits while too much is
  // on its way. TOO_LARGE, and nothing happened, for an event larger than a message may
  // be; any other error is how the call ended.
  absl::Status Add(io::cloudevents::v1::CloudEvent event, std::string place);
  // Sends what is queued.
  absl::Status Flush();
  // Sends what is queued, waits for all results and ends the call.
  absl::Status Finish();

 private:
  void ReadResults();
  absl::Status Broken();

  Connection& connection_;
  const OnResult on_result_;
  grpc::ClientContext context_;
  const std::unique_ptr<
      grpc::ClientReaderWriter<events::v1::PublishStreamRequest, events::v1::PublishStreamResponse>>
      stream_;
  events::v1::PublishStreamRequest batch_;
  size_t batch_bytes_ = 0;
  std::deque<SentEvent> batch_events_;
  bool finished_ = false;

  base::Mutex mu_;
  base::CondVar changed_;
  std::deque<SentEvent> on_the_way_ CDGATE_GUARDED_BY(mu_);
  bool ended_ CDGATE_GUARDED_BY(mu_) = false;  // no more results will come
  std::thread reader_;
};

}  // namespace cdgate::cli
