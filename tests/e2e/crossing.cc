// cdgate_e2e_crossing: how long events take from one domain to another, at a steady rate.
//
//   cdgate_e2e_crossing --from ADDRESS --publisher FOLDER --to ADDRESS --subscriber FOLDER
//       --seed 7 --first 0 --rate 1000 --seconds 4 --settle 3
//
// Publishes events of the chaos plan (chaos_events.h) from `--first` on in one domain on a stream,
// each when it is due, and receives them in another. Prints "publishing" when it begins, and at the
// end a JSON summary: published, arrived,
// repeated, p50_ms, p99_ms and max_ms, measured from the moment that the schedule says, so that
// what waits behind a slow one was slow, too; and `next`, the index after the last. Those of the
// first `--settle` seconds must arrive, and are not measured. Exit status 1 where an event did not
// arrive within a minute.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "tests/e2e/chaos_events.h"
#include "tests/e2e/dial.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using events::v1::EventsService;

struct Options {
  std::string from, publisher, to, subscriber;
  uint64_t seed = 1, first = 0, rate = 1000, seconds = 4, settle = 0;

  uint64_t count() const { return rate * (settle + seconds); }
};

// When each event came first. Thread-safe.
class Arrivals {
 public:
  explicit Arrivals(const Options& options) : options_(options), at_(options.count()) {}

  void SetStarted() {
    const std::lock_guard<std::mutex> lock(mu_);
    started_ = true;
    changed_.notify_all();
  }
  void WaitForStart() {
    std::unique_lock<std::mutex> lock(mu_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [this] { return started_; })) {
      GiveUp("the subscription does not start");
    }
  }
  void Add(absl::string_view id) {
    const auto index = IndexOf(options_.seed, id);
    if (!index || *index < options_.first || *index >= options_.first + at_.size()) return;
    const std::lock_guard<std::mutex> lock(mu_);
    auto& at = at_[*index - options_.first];
    if (at) {
      ++repeated_;
      return;
    }
    at = Clock::now();
    if (++arrived_ == at_.size()) changed_.notify_all();
  }
  // Until all are there, or a minute.
  void WaitForAll() {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait_for(lock, std::chrono::minutes(1), [this] { return arrived_ == at_.size(); });
  }
  bool Print(Clock::time_point began) const;

 private:
  const Options options_;
  mutable std::mutex mu_;
  std::condition_variable changed_;
  bool started_ = false;
  std::vector<std::optional<Clock::time_point>> at_;
  size_t arrived_ = 0, repeated_ = 0;
};

Clock::time_point DueAt(const Options& options, Clock::time_point began, uint64_t i) {
  return began + std::chrono::nanoseconds(1'000'000'000 * i / options.rate);
}

bool Arrivals::Print(Clock::time_point began) const {
  const std::lock_guard<std::mutex> lock(mu_);
  std::vector<double> took;
  for (uint64_t i = options_.rate * options_.settle; i < at_.size(); ++i) {
    if (!at_[i]) continue;
    took.push_back(
        std::chrono::duration<double, std::milli>(*at_[i] - DueAt(options_, began, i)).count());
  }
  if (took.empty()) GiveUp("nothing arrived");
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) {
    return took[std::min(took.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(took.size())))];
  };
  std::cout << "{\"published\":" << at_.size() << ",\"arrived\":" << arrived_
            << ",\"repeated\":" << repeated_ << ",\"p50_ms\":" << at(0.5)
            << ",\"p99_ms\":" << at(0.99) << ",\"max_ms\":" << took.back()
            << ",\"next\":" << options_.first + at_.size() << "}" << std::endl;
  return arrived_ == at_.size();
}

void Subscribe(EventsService::Stub& stub, grpc::ClientContext& context, Arrivals& arrivals) {
  const auto stream = stub.Subscribe(&context);
  events::v1::SubscribeRequest request;
  request.mutable_start()->set_auto_ack(true);
  request.mutable_start()->set_max_outstanding_events(100'000);
  stream->Write(request);
  events::v1::SubscribeResponse response;
  while (stream->Read(&response)) {
    if (response.has_started()) arrivals.SetStarted();
    for (const auto& delivered : response.events().events()) arrivals.Add(delivered.event().id());
  }
}

Clock::time_point Publish(const Options& options, EventsService::Stub& stub) {
  grpc::ClientContext context;
  const auto stream = stub.PublishStream(&context);
  std::thread results([&] {
    events::v1::PublishStreamResponse response;
    while (stream->Read(&response)) {
      for (const auto& result : response.results()) {
        if (result.has_error()) GiveUp("refused: " + ReasonOf(result.error()));
      }
    }
  });
  std::cout << "publishing" << std::endl;
  const auto began = Clock::now();
  for (uint64_t i = 0; i < options.count();) {
    std::this_thread::sleep_until(DueAt(options, began, i));
    events::v1::PublishStreamRequest request;
    // With it whatever is due as well.
    do {
      *request.add_events() = MakeEvent(options.seed, options.first + i);
    } while (++i < options.count() && DueAt(options, began, i) <= Clock::now());
    if (!stream->Write(request)) break;
  }
  stream->WritesDone();
  results.join();
  const grpc::Status status = stream->Finish();
  if (!status.ok()) GiveUp("publishing ended: " + ReasonOf(status) + " " + status.error_message());
  return began;
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Options options;
  CLI::App app{"measures events from one domain to another"};
  app.add_option("--from", options.from)->required();
  app.add_option("--publisher", options.publisher)->required();
  app.add_option("--to", options.to)->required();
  app.add_option("--subscriber", options.subscriber)->required();
  app.add_option("--seed", options.seed);
  app.add_option("--first", options.first);
  app.add_option("--rate", options.rate)->check(CLI::Range(1, 100'000));
  app.add_option("--seconds", options.seconds)->check(CLI::Range(1, 3600));
  app.add_option("--settle", options.settle)->check(CLI::Range(0, 3600));
  CLI11_PARSE(app, argc, argv);
  Arrivals arrivals(options);
  const auto to = EventsService::NewStub(Dial(options.to, options.subscriber));
  grpc::ClientContext subscription;
  std::thread receiver([&] { Subscribe(*to, subscription, arrivals); });
  arrivals.WaitForStart();
  const auto from = EventsService::NewStub(Dial(options.from, options.publisher));
  const auto began = Publish(options, *from);
  arrivals.WaitForAll();
  subscription.TryCancel();
  receiver.join();
  return arrivals.Print(began) ? 0 : 1;
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
