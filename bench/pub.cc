// cdgate_bench_pub: the relay benchmark's publisher (program contract: the benchmark's
// common.hpp). One PublishStream; at most --batch events a message, and with a --rate
// whatever is due goes out, so that batches form only under load. With --burst N, N events
// are due at once.
//
// Every message is a serialised PublishStreamRequest in a buffer that is used again: all its fields
// have fixed widths, so an event costs a copy of its data.
#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>
#include "bench/client.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

#include <grpcpp/generic/generic_stub.h>

BENCH_SUB_GLOBALS

namespace cdgate::bench_client {
namespace {

using bench::Args;
using bench::PubState;

constexpr char kMethod[] = "/cdgate.events.v1.EventsService/PublishStream";

// The text between `before` and the next quote.
absl::string_view Member(absl::string_view json, absl::string_view before) {
  const size_t begin = json.find(before) + before.size();
  return json.substr(begin, json.find('"', begin) - begin);
}

// The CloudEvent around `json`, with what the CDEvents CloudEvents binding demands.
io::cloudevents::v1::CloudEvent Envelope(const std::string& json) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id(std::string(Member(json, "\"id\":\"")));
  event.set_source(std::string(Member(json, "\"source\":\"")));
  event.set_spec_version("1.0");
  event.set_type(std::string(Member(json, "\"type\":\"")));
  auto& attributes = *event.mutable_attributes();
  attributes["subject"].set_ce_string(std::string(Member(json, "\"subject\":{\"id\":\"")));
  attributes["datacontenttype"].set_ce_string("application/json");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1747736142);
  attributes["time"].mutable_ce_timestamp()->set_nanos(318000000);
  event.set_binary_data(json);
  return event;
}

// Fills buffers with events. A buffer goes back to the pool when gRPC lets go of its
// slice, on any thread.
class MessagePool {
 public:
  MessagePool(const std::string& run, size_t event_size, size_t batch)
      : event_(run, event_size), batch_(batch) {
    const std::string& json = event_.fill(0, 0);
    events::v1::PublishStreamRequest one;
    *one.add_events() = Envelope(json);
    unit_ = one.SerializeAsString();
    data_at_ = unit_.find(json);
    const absl::string_view id = Member(json, "\"id\":\"");
    const absl::string_view subject = Member(json, "\"subject\":{\"id\":\"");
    copies_ = {{unit_.find(std::string(id)), id.data() - json.data(), id.size()},
               {unit_.find(std::string(subject)), subject.data() - json.data(), subject.size()}};
  }

  // A message of `count` (at most `batch`) events, of which number k is `first` + k with
  // the send time sent_at(first + k).
  template <typename SentAt>
  grpc::ByteBuffer Make(uint64_t first, uint64_t count, const SentAt& sent_at) {
    Buffer* buffer = Take();
    for (uint64_t k = 0; k < count; ++k) {
      Write(event_.fill(first + k, sent_at(first + k)), &buffer->bytes[k * unit_.size()]);
    }
    const grpc::Slice slice(buffer->bytes.data(), count * unit_.size(), &MessagePool::Return,
                            buffer);
    return grpc::ByteBuffer(&slice, 1);
  }

 private:
  struct Buffer {
    MessagePool* pool;
    std::string bytes;
  };
  struct Copy {
    size_t to;
    ptrdiff_t from;
    size_t size;
  };

  void Write(const std::string& json, char* unit) const {
    memcpy(unit + data_at_, json.data(), json.size());
    for (const Copy& copy : copies_) memcpy(unit + copy.to, json.data() + copy.from, copy.size);
  }
  Buffer* Take() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (free_.empty()) {
      auto buffer = std::make_unique<Buffer>(Buffer{this, ""});
      for (size_t k = 0; k < batch_; ++k) buffer->bytes += unit_;
      free_.push_back(buffer.get());
      buffers_.push_back(std::move(buffer));
    }
    Buffer* buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  static void Return(void* user_data) {
    auto* buffer = static_cast<Buffer*>(user_data);
    std::lock_guard<std::mutex> lock(buffer->pool->mutex_);
    buffer->pool->free_.push_back(buffer);
  }

  bench::EventTemplate event_;
  const size_t batch_;
  std::string unit_;  // one serialised event with its tag and length
  size_t data_at_ = 0;
  std::vector<Copy> copies_;  // from the data to the envelope
  std::mutex mutex_;
  std::vector<Buffer*> free_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

using Stub = grpc::TemplatedGenericStub<grpc::ByteBuffer, events::v1::PublishStreamResponse>;

// The stream. Writes while the window has room, reads results as they come.
class Publisher final
    : public grpc::ClientBidiReactor<grpc::ByteBuffer, events::v1::PublishStreamResponse> {
 public:
  Publisher(PubState* state, const Args& args, Stub* stub)
      : state_(*state),
        batch_(args.u("batch", 128)),
        burst_(std::max<uint64_t>(1, args.u("burst", 1))),
        pool_(state->run, args.u("size", 1024), batch_) {
    stub->PrepareBidiStreamingCall(&context_, kMethod, {}, this);
    StartRead(&response_);
    StartCall();
  }

  // When event `i` is due; now for a closed loop.
  uint64_t Due(uint64_t i) const { return state_.due(i - i % burst_); }
  // Closed loop: as fast as the window allows. Open loop: the first `due` events.
  void Go(uint64_t due) {
    std::lock_guard<std::mutex> lock(mutex_);
    due_ = due;
    Pump();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    done_changed_.wait(lock, [&] { return done_; });
  }

  void OnWriteDone(bool ok) override {
    std::lock_guard<std::mutex> lock(mutex_);
    writing_ = false;
    if (ok) Pump();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& result : response_.results()) {
      if (result.has_error()) state_.note = result.error().message();
      state_.ack(answered_++, !result.has_error());
    }
    Pump();
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!status.ok()) state_.note = status.error_message();
    done_ = true;
    done_changed_.notify_all();
  }

 private:
  // mutex_ held.
  void Pump() {
    if (writing_ || half_closed_) return;
    if (answered_ == state_.count) {
      half_closed_ = true;
      StartWritesDone();
      return;
    }
    const uint64_t count = Sendable();
    if (count == 0) return;
    message_ = pool_.Make(state_.published, count,
                          [this](uint64_t i) { return state_.sent_at[i] = Due(i); });
    state_.published += count;
    state_.t_last_pub = bench::now_ns();
    writing_ = true;
    StartWrite(&message_);
  }
  // Events for the next message. At full speed part of a batch waits for the results
  // that make room for a whole one.
  uint64_t Sendable() const {
    const uint64_t end = std::min({state_.count, answered_ + state_.window, due_});
    const uint64_t count = std::min(batch_, end - state_.published);
    const bool partial = count < batch_ && end < state_.count;
    return state_.rate == 0 && partial && answered_ < state_.published ? 0 : count;
  }

  PubState& state_;
  const uint64_t batch_;
  const uint64_t burst_;
  MessagePool pool_;
  grpc::ClientContext context_;
  grpc::ByteBuffer message_;
  events::v1::PublishStreamResponse response_;
  std::mutex mutex_;
  std::condition_variable done_changed_;
  uint64_t due_ = 0;
  uint64_t answered_ = 0;
  bool writing_ = false;
  bool half_closed_ = false;
  bool done_ = false;
};

// Lets each event go at its time.
void RunOpenLoop(PubState* state, Publisher* publisher) {
  for (uint64_t i = 0; i < state->count;) {
    const uint64_t due = publisher->Due(i);
    uint64_t now = bench::now_ns();
    if (due > now) {
      bench::sleep_until_ns(due);
      now = bench::now_ns();
    }
    state->max_lag = std::max(state->max_lag, now - due);
    while (i < state->count && publisher->Due(i) <= now) ++i;
    publisher->Go(i);
  }
}

int Main(int argc, char** argv) {
  const Args args(argc, argv);
  PubState state(args);
  const auto channel = Dial(args, 0);
  if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
    bench::die("cannot connect");
  }
  Stub stub(channel);
  Publisher publisher(&state, args, &stub);
  state.start();
  if (state.rate == 0) {
    publisher.Go(state.count);
  } else {
    RunOpenLoop(&state, &publisher);
  }
  publisher.Wait();
  state.finish();
  _exit(0);
}

}  // namespace
}  // namespace cdgate::bench_client

int main(int argc, char** argv) { return cdgate::bench_client::Main(argc, argv); }
