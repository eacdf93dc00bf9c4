// cdgate_bench_sub: the relay benchmark's subscriber (program contract: the benchmark's
// common.hpp). Each connection is a Subscribe stream with at most --prefetch events
// outstanding and a cumulative ack for every 64 events, 2 MiB (the gateway lets 8 be
// outstanding) or 100 ms. When its stream ends it opens another and resumes after the last
// event it has seen.
//
//   --name S   a durable subscription S-<connection>, whose position the gateway keeps;
//              without it the position is kept here
#include <malloc.h>

#include <mutex>
#include <utility>
#include <vector>
#include "bench/client.h"
#include "cdgate/events/v1/events.grpc.pb.h"

#include <grpcpp/generic/generic_stub.h>

BENCH_SUB_GLOBALS

namespace cdgate::bench_client {
namespace {

using bench::Args;
using bench::Recorder;
using bench::SubState;
using events::v1::SubscribeRequest;

constexpr char kMethod[] = "/cdgate.events.v1.EventsService/Subscribe";
constexpr uint64_t kAckEvents = 64;
constexpr uint64_t kAckBytes = 2 << 20;
constexpr uint64_t kAckNs = 100'000'000;
// Fields of cdgate.events.v1 and io.cloudevents.v1 that are read from the wire.
constexpr uint32_t kResponseStarted = 1, kResponseEvents = 2, kBatchEvents = 1;
constexpr uint32_t kEventSequence = 1, kEventAttempt = 3, kEventEvent = 4;
constexpr uint32_t kCloudEventBinaryData = 6, kCloudEventTextData = 7;

using Stub = grpc::TemplatedGenericStub<SubscribeRequest, grpc::ByteBuffer>;

// Where a connection stands and whom it tells. Outlives its streams; used by one of
// them at a time.
struct Progress {
  Recorder* recorder;
  std::string subscription;  // empty: unnamed
  uint32_t prefetch;
  std::string epoch;  // empty: nothing received yet
  uint64_t sequence = 0;
};

// One Subscribe call. Reads until it ends; Tick() acknowledges what waits too long.
class Stream final : public grpc::ClientBidiReactor<SubscribeRequest, grpc::ByteBuffer> {
 public:
  Stream(Progress* progress, Stub* stub) : progress_(*progress) {
    context_.set_wait_for_ready(true);
    stub->PrepareBidiStreamingCall(&context_, kMethod, {}, this);
    FillStart(request_.mutable_start());
    writing_ = true;
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }

  bool started() const { return started_; }
  bool ended() const { return ended_; }
  // After ended().
  const grpc::Status& status() const { return status_; }

  void Tick(uint64_t now) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (unacknowledged_ > 0 && now > waiting_since_ + kAckNs) Acknowledge();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    grpc::Slice slice;
    if (!response_.TrySingleSlice(&slice).ok()) (void)response_.DumpToSingleSlice(&slice);
    const uint64_t count =
        Receive(absl::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()));
    if (count > 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (unacknowledged_ == 0) waiting_since_ = bench::now_ns();
      unacknowledged_ += count;
      unacknowledged_bytes_ += slice.size();
      if (unacknowledged_ >= kAckEvents || unacknowledged_bytes_ >= kAckBytes) Acknowledge();
    }
    StartRead(&response_);
  }
  void OnWriteDone(bool ok) override {
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = !ok;  // a broken stream writes no more
  }
  void OnDone(const grpc::Status& status) override {
    status_ = status;
    ended_ = true;
  }

 private:
  void FillStart(events::v1::SubscribeStart* start) const {
    start->set_subscription(progress_.subscription);
    start->set_max_outstanding_events(progress_.prefetch);
    if (progress_.epoch.empty()) {
      start->mutable_from()->set_latest(true);
      return;
    }
    auto* after = start->mutable_from()->mutable_after();
    after->set_epoch(progress_.epoch);
    after->set_sequence(progress_.sequence);
  }

  // Takes one SubscribeResponse; the number of events in it.
  uint64_t Receive(absl::string_view response) {
    uint64_t count = 0;
    WireReader fields(response);
    for (WireField field; fields.Next(&field);) {
      if (field.number == kResponseEvents) count += ReceiveBatch(field.bytes);
      if (field.number == kResponseStarted) Started(field.bytes);
    }
    if (!fields.ok()) bench::die("a response is malformed");
    return count;
  }
  void Started(absl::string_view bytes) {
    events::v1::SubscribeStarted message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      bench::die("SubscribeStarted is malformed");
    }
    progress_.epoch = message.position().epoch();
    progress_.sequence = message.position().sequence();
    started_ = true;
  }
  uint64_t ReceiveBatch(absl::string_view batch) {
    uint64_t count = 0;
    WireReader fields(batch);
    for (WireField field; fields.Next(&field);) {
      if (field.number != kBatchEvents) continue;
      ReceiveEvent(field.bytes);
      ++count;
    }
    return count;
  }
  void ReceiveEvent(absl::string_view event) {
    WireReader fields(event);
    for (WireField field; fields.Next(&field);) {
      switch (field.number) {
        case kEventSequence: progress_.sequence = field.value; break;
        case kEventAttempt: progress_.recorder->redelivered_flag += field.value > 1; break;
        case kEventEvent: ReceiveCloudEvent(field.bytes); break;
        default: break;
      }
    }
  }
  void ReceiveCloudEvent(absl::string_view event) {
    WireReader fields(event);
    for (WireField field; fields.Next(&field);) {
      if (field.number == kCloudEventBinaryData || field.number == kCloudEventTextData) {
        progress_.recorder->on(field.bytes.data(), field.bytes.size());
      }
    }
  }

  // mutex_ held.
  void Acknowledge() {
    if (writing_) return;
    request_.mutable_ack()->set_sequence(progress_.sequence);
    unacknowledged_ = 0;
    unacknowledged_bytes_ = 0;
    writing_ = true;
    StartWrite(&request_);
  }

  Progress& progress_;
  grpc::ClientContext context_;
  SubscribeRequest request_;
  grpc::ByteBuffer response_;
  grpc::Status status_;
  std::atomic<bool> started_{false}, ended_{false};
  std::mutex mutex_;
  uint64_t unacknowledged_ = 0;
  uint64_t unacknowledged_bytes_ = 0;
  uint64_t waiting_since_ = 0;
  bool writing_ = false;
};

// A channel and its current stream.
class Connection {
 public:
  Connection(const Args& args, int number, Recorder* recorder)
      : stub_(Dial(args, number)),
        progress_{recorder, Name(args, number), static_cast<uint32_t>(args.u("prefetch", 1000)), "",
                  0},
        stream_(std::make_unique<Stream>(&progress_, &stub_)) {}

  void WaitUntilStarted() {
    for (int tries = 0; tries < 4000 && !stream_->started(); ++tries) {
      Tick(bench::now_ns());
      usleep(5000);
    }
    if (!stream_->started()) bench::die("the subscription did not start");
  }
  // Every few milliseconds.
  void Tick(uint64_t now) {
    if (!stream_->ended()) return stream_->Tick(now);
    if (!MayRetry(stream_->status())) bench::die(stream_->status().error_message());
    if (now < retry_at_) return;
    retry_at_ = now + 50'000'000;
    ++progress_.recorder->reconnects;
    stream_ = std::make_unique<Stream>(&progress_, &stub_);
  }

 private:
  static std::string Name(const Args& args, int number) {
    const std::string name = args.s("name");
    return name.empty() ? "" : name + "-" + std::to_string(number);
  }
  static bool MayRetry(const grpc::Status& status) {
    switch (status.error_code()) {
      case grpc::StatusCode::INVALID_ARGUMENT:
      case grpc::StatusCode::NOT_FOUND:
      case grpc::StatusCode::PERMISSION_DENIED:
      case grpc::StatusCode::UNAUTHENTICATED:
      case grpc::StatusCode::FAILED_PRECONDITION:
      case grpc::StatusCode::UNIMPLEMENTED: return false;
      default: return true;
    }
  }

  Stub stub_;
  Progress progress_;
  std::unique_ptr<Stream> stream_;
  uint64_t retry_at_ = 0;
};

int Main(int argc, char** argv) {
  // Frames are larger than what malloc by itself keeps for the next.
  (void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
  (void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
  const Args args(argc, argv);
  SubState state(args);
  std::vector<std::unique_ptr<Connection>> connections;
  for (uint64_t i = 0; i < state.conns; ++i) {
    connections.push_back(
        std::make_unique<Connection>(args, static_cast<int>(i), state.rec[i].get()));
    connections.back()->WaitUntilStarted();
  }
  state.ready();
  std::string why;
  while ((why = state.why_stop()).empty()) {
    usleep(5000);
    const uint64_t now = bench::now_ns();
    for (auto& connection : connections) connection->Tick(now);
  }
  usleep(100'000);  // the last acks leave
  state.finish(why);
  _exit(0);
}

}  // namespace
}  // namespace cdgate::bench_client

int main(int argc, char** argv) { return cdgate::bench_client::Main(argc, argv); }
