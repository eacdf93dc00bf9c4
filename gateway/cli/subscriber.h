// One `cdgate subscribe`: reads a subscription to its end, across connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/base/backoff.h"
#include "gateway/base/mutex.h"
#include "gateway/cli/connection.h"
#include "gateway/cli/delivery_printer.h"
#include "gateway/cli/invocation.h"
#include "gateway/cli/start_flag.h"

namespace cdgate::cli {

struct SubscriberOptions {
  std::string name;    // empty: unnamed, positions are ours to keep
  std::string filter;  // CESQL; empty: all
  StartFlag from;
  uint64_t max_events = 0;  // 0: no end
  std::string convert_to;   // CDEvents release; empty: as published
  bool no_resume = false;
  bool wait = false;  // for the turn of an ordered subscription, rather than take over
};

class Subscriber {
 public:
  // What is given must outlive it.
  Subscriber(const SubscriberOptions& options, Connection& connection, DeliveryPrinter& printer,
             Invocation& run);

  // OK after max_events, after Stop(), and where the gateway ended the subscription without
  // an error. A connection that ends after it once stood is made again, with backoff, and
  // the subscription goes on behind the last printed event.
  absl::Status Run();

  // Ends Run() soon. Thread-safe.
  void Stop();

  // Where to go on, "EPOCH:SEQ"; empty before the first connection stood.
  std::string position() const;

 private:
  using Call =
      grpc::ClientReaderWriter<events::v1::SubscribeRequest, events::v1::SubscribeResponse>;

  absl::Status ResolveSequence();
  absl::Status RunOnce();
  void Read(Call& call);
  void OnEvents(const events::v1::EventBatch& batch, Call& call);
  // Everything up to `sequence` is done with: ours to remember, or acknowledged.
  void MoveTo(uint64_t sequence, Call& call);
  events::v1::SubscribeRequest Start() const;
  // Waits before the next try; false where Stop() was called.
  bool Wait(const absl::Status& why);
  bool Complete() const;
  // Makes `context` the one that Stop() cancels; false where it was called already.
  bool Enter(grpc::ClientContext* context);
  void Leave();

  const SubscriberOptions options_;
  Connection& connection_;
  DeliveryPrinter& printer_;
  Invocation& run_;
  base::Backoff backoff_;
  events::v1::StartPosition from_;
  events::v1::LogPosition position_;
  uint64_t delivered_ = 0;
  bool stood_ = false;
  bool shared_ = false;

  base::Mutex mu_;
  base::CondVar stopped_;
  grpc::ClientContext* context_ CDGATE_GUARDED_BY(mu_) = nullptr;
  bool stop_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::cli
