// cdgate_e2e_fanout: many live subscribers, each with a filter of its own, and a publisher beside
// them.
//
//   cdgate_e2e_fanout --gateway HOST:PORT --publisher DIR --subscriber DIR --subscribers 1000
//                     --connections 25 --rate 1000 --count 10000 --seed 1
//
// The events are those of chaos_events.h, whose subjects are 97; subscriber n asks for the events
// of one of them, in words that are nobody else's; with --everything all ask for all. With --silent
// so many more ask for what never comes, each for something else. With --idle so many named
// subscriptions are made before, which nobody reads by. Prints a JSON summary once all have come:
// events, deliveries, wrong (not asked for, twice or out of order), missing, and in ms p50 and p99
// from when a subscriber could have had an event (it was confirmed to its publisher) to when it had
// it, and the same to the last of its subscribers.
//
// Exit status: 0 all came and nothing else, 1 not so.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/subscription.grpc.pb.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "gateway/event/wire_reader.h"
#include "tests/e2e/chaos_events.h"
#include "tests/e2e/dial.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {
namespace {

using events::v1::EventsService;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kSubjects = 97;  // of MakeEvent
constexpr auto kPatience = std::chrono::seconds(60);

struct Options {
  std::string gateway, publisher, subscriber;
  uint64_t subscribers = 1000;
  uint64_t connections = 25;
  uint64_t rate = 1000;
  uint64_t count = 10'000;
  uint64_t seed = 1;
  uint64_t silent = 0;
  uint64_t idle = 0;
  bool everything = false;
};

double Milliseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// When each event was confirmed, and when its last subscriber had it.
struct Event {
  std::atomic<Clock::rep> confirmed{0};
  std::atomic<Clock::rep> last{0};
};
using Events = std::vector<Event>;

Clock::rep Now() { return Clock::now().time_since_epoch().count(); }

// Looks at no more of what comes than it must: the processors are the gateway's as well.
class Subscriber final
    : public grpc::ClientBidiReactor<events::v1::SubscribeRequest, grpc::ByteBuffer> {
 public:
  using Stub = grpc::TemplatedGenericStub<events::v1::SubscribeRequest, grpc::ByteBuffer>;

  Subscriber(Stub& stub, const Options& options, uint64_t number, Events& events)
      : options_(options),
        subject_(number % kSubjects),
        silent_(number >= options.subscribers),
        events_(events) {
    auto& start = *request_.mutable_start();
    if (silent_) {
      start.set_filter(absl::StrCat("subject = 'silent-", number, "'"));
    } else if (!options.everything) {
      start.set_filter(
          absl::StrCat("subject = 's", subject_, "' AND NOT (source = '/nobody-", number, "')"));
    }
    start.mutable_from()->set_latest(true);
    start.set_auto_ack(true);
    context_.set_wait_for_ready(true);  // the gateway takes so many new connections a second
    stub.PrepareBidiStreamingCall(&context_, "/cdgate.events.v1.EventsService/Subscribe", {}, this);
    StartWrite(&request_);
    StartRead(&response_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    const Clock::rep now = Now();
    grpc::Slice slice;
    if (!response_.TrySingleSlice(&slice).ok()) (void)response_.DumpToSingleSlice(&slice);
    event::WireReader fields(
        absl::string_view(reinterpret_cast<const char*>(slice.begin()), slice.size()));
    while (fields.Next()) {
      if (fields.field() == events::v1::SubscribeResponse::kStartedFieldNumber) started = true;
      if (fields.field() == events::v1::SubscribeResponse::kEventsFieldNumber)
        TakeBatch(fields.bytes(), now);
    }
    if (!fields.ok()) ++wrong;
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    if (status.error_code() != grpc::StatusCode::CANCELLED) {
      std::cerr << "a stream ended: " << status.error_message() << std::endl;
    }
    done = true;
  }
  void Cancel() { context_.TryCancel(); }
  uint64_t Expected() const {
    if (silent_) return 0;
    if (options_.everything) return options_.count;
    return options_.count / kSubjects + (options_.count % kSubjects > subject_ ? 1 : 0);
  }

  std::atomic<bool> started{false}, done{false};
  std::atomic<uint64_t> count{0};
  uint64_t wrong = 0;
  std::vector<std::pair<uint64_t, Clock::rep>> got;  // index, when

 private:
  void TakeBatch(absl::string_view batch, Clock::rep now) {
    event::WireReader fields(batch);
    while (fields.Next()) {
      if (fields.field() == events::v1::EventBatch::kEventsFieldNumber)
        TakeEvent(fields.bytes(), now);
    }
    if (!fields.ok()) ++wrong;
  }
  void TakeEvent(absl::string_view delivered, Clock::rep now) {
    absl::string_view event, id;
    event::WireReader fields(delivered);
    while (fields.Next()) {
      if (fields.field() == events::v1::DeliveredEvent::kEventFieldNumber) event = fields.bytes();
    }
    event::WireReader attributes(event);
    while (attributes.Next() && id.empty()) {
      if (attributes.field() == io::cloudevents::v1::CloudEvent::kIdFieldNumber)
        id = attributes.bytes();
    }
    Take(std::string(id), now);
  }
  bool Wants(uint64_t index) const {
    return !silent_ && (options_.everything || index % kSubjects == subject_);
  }
  void Take(const std::string& id, Clock::rep now) {
    const auto index = IndexOf(options_.seed, id);
    if (!index || !Wants(*index) || *index < next_) {
      ++wrong;
      return;
    }
    next_ = *index + 1;
    got.emplace_back(*index, now);
    std::atomic<Clock::rep>& last = events_[*index].last;
    for (Clock::rep before = last; before < now && !last.compare_exchange_weak(before, now);) {
    }
    ++count;
  }

  const Options& options_;
  const uint64_t subject_;
  const bool silent_;
  Events& events_;
  grpc::ClientContext context_;
  events::v1::SubscribeRequest request_;
  grpc::ByteBuffer response_;
  uint64_t next_ = 0;
};

// Each event in a message of its own, when it is due.
void Publish(const Options& options, Events& events) {
  const auto stub = EventsService::NewStub(Dial(options.gateway, options.publisher));
  grpc::ClientContext context;
  const auto stream = stub->PublishStream(&context);
  std::thread confirmations([&] {
    events::v1::PublishStreamResponse response;
    uint64_t index = 0;
    while (stream->Read(&response)) {
      for (const auto& result : response.results()) {
        if (result.has_error()) GiveUp("refused: " + result.error().message());
        events[index++].confirmed = Now();
      }
    }
  });
  const auto began = Clock::now();
  for (uint64_t i = 0; i < options.count; ++i) {
    std::this_thread::sleep_until(began +
                                  std::chrono::nanoseconds(1'000'000'000 / options.rate * i));
    events::v1::PublishStreamRequest request;
    *request.add_events() = MakeEvent(options.seed, i);
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  confirmations.join();
  if (const grpc::Status status = stream->Finish(); !status.ok()) GiveUp(status.error_message());
}

template <typename Claim>
bool Eventually(const Claim& claim) {
  const auto end = Clock::now() + kPatience;
  while (!claim()) {
    if (Clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return true;
}

double At(std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto place = static_cast<size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(sorted.size() - 1, place)];
}

std::string Summary(const Events& events, const std::vector<std::unique_ptr<Subscriber>>& all,
                    bool* complete) {
  std::vector<double> each, last;
  uint64_t wrong = 0, missing = 0;
  for (const auto& subscriber : all) {
    wrong += subscriber->wrong;
    missing += subscriber->Expected() - subscriber->count;
    for (const auto& [index, when] : subscriber->got) {
      each.push_back(Milliseconds(Clock::duration(when - events[index].confirmed)));
    }
  }
  for (const Event& event : events) {
    if (event.last != 0)
      last.push_back(Milliseconds(Clock::duration(event.last - event.confirmed)));
  }
  std::sort(each.begin(), each.end());
  std::sort(last.begin(), last.end());
  *complete = wrong == 0 && missing == 0;
  return absl::StrCat("{\"events\":", events.size(), ",\"deliveries\":", each.size(),
                      ",\"wrong\":", wrong, ",\"missing\":", missing, ",\"p50_ms\":", At(each, 0.5),
                      ",\"p99_ms\":", At(each, 0.99), ",\"last_p50_ms\":", At(last, 0.5),
                      ",\"last_p99_ms\":", At(last, 0.99), "}");
}

// Named subscriptions with filters of their own; every other one is shared.
class Idle {
 public:
  explicit Idle(const Options& options)
      : options_(options),
        stub_(admin::v1::SubscriptionService::NewStub(
            DialAlone(options.gateway, options.subscriber))) {}

  void MakeAll() {
    std::vector<std::thread> makers;
    for (int i = 0; i < kAtOnce; ++i) {
      makers.emplace_back([this] {
        for (uint64_t n = next_++; n < options_.idle; n = next_++) Make(n);
      });
    }
    for (std::thread& maker : makers) maker.join();
  }

 private:
  static constexpr int kAtOnce = 32;

  void Make(uint64_t n) {
    admin::v1::CreateSubscriptionRequest request;
    admin::v1::Subscription& subscription = *request.mutable_subscription();
    subscription.set_name(absl::StrCat("idle-", n));
    subscription.set_filter(
        absl::StrCat("subject = 's", n % kSubjects, "' AND NOT (source = '/idle-", n, "')"));
    subscription.set_mode(n % 2 == 0 ? admin::v1::SUBSCRIPTION_MODE_ORDERED
                                     : admin::v1::SUBSCRIPTION_MODE_SHARED);
    grpc::ClientContext context;
    admin::v1::SubscriptionStatus made;
    const grpc::Status status = stub_->CreateSubscription(&context, request, &made);
    if (!status.ok()) GiveUp(absl::StrCat("idle-", n, ": ", status.error_message()));
  }

  const Options& options_;
  const std::unique_ptr<admin::v1::SubscriptionService::Stub> stub_;
  std::atomic<uint64_t> next_{0};
};

int Run(const Options& options) {
  Idle(options).MakeAll();
  std::vector<std::unique_ptr<Subscriber::Stub>> stubs;
  for (uint64_t i = 0; i < options.connections; ++i) {
    stubs.push_back(
        std::make_unique<Subscriber::Stub>(DialAlone(options.gateway, options.subscriber)));
  }
  Events events(options.count);
  std::vector<std::unique_ptr<Subscriber>> all;
  for (uint64_t i = 0; i < options.subscribers + options.silent; ++i) {
    all.push_back(std::make_unique<Subscriber>(*stubs[i % stubs.size()], options, i, events));
  }
  const auto all_are = [&](const auto& claim) {
    return Eventually([&] { return std::all_of(all.begin(), all.end(), claim); });
  };
  if (!all_are([](const auto& s) { return s->started.load(); })) GiveUp("not all streams began");
  std::cout << "ready" << std::endl;
  std::string go;
  std::getline(std::cin, go);
  Publish(options, events);
  (void)all_are([](const auto& s) { return s->count >= s->Expected(); });
  for (const auto& subscriber : all) subscriber->Cancel();
  (void)all_are([](const auto& s) { return s->done.load(); });
  bool complete = false;
  std::cout << Summary(events, all, &complete) << std::endl;
  return complete ? 0 : 1;
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) {
  cdgate::e2e::Options options;
  CLI::App app{"many live subscribers"};
  app.add_option("--gateway", options.gateway)->required();
  app.add_option("--publisher", options.publisher)->required();
  app.add_option("--subscriber", options.subscriber)->required();
  app.add_option("--subscribers", options.subscribers);
  app.add_option("--connections", options.connections)->check(CLI::PositiveNumber);
  app.add_option("--rate", options.rate)->check(CLI::PositiveNumber);
  app.add_option("--count", options.count);
  app.add_option("--seed", options.seed);
  app.add_option("--silent", options.silent);
  app.add_option("--idle", options.idle);
  app.add_flag("--everything", options.everything);
  CLI11_PARSE(app, argc, argv);
  return cdgate::e2e::Run(options);
}
