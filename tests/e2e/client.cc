// cdgate_e2e_client: what the end-to-end tests need of a client and the command line does
// not offer: speed, events made to a plan, calls no honest client makes.
//
//   publish    the events of a plan, each until it is acknowledged, through any number of
//              connections; prints a JSON summary
//   subscribe  the events of a plan into a file, which is also the position to resume from
//   latency    one event after the other, --rate a second, each a call of its own on one
//              connection; prints a JSON summary: count, failed, p50_ms, p99_ms, max_ms, measured
//              from the moment that the schedule says
//   send       CloudEvents as the lines of standard input say (protobuf JSON), one call
//              each; prints one JSON object per line: sequence, duplicate, code, reason
//
// A plan says which bytes event number n has: "chaos" (chaos_events.h), or "random", valid
// events of every type (tests/support/random_event.h).
//
// Exit status: 0 done, 1 gave up or refused.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "tests/e2e/chaos_events.h"
#include "tests/e2e/dial.h"
#include "tests/support/random_event.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using events::v1::EventsService;
using std::chrono::milliseconds;

constexpr uint64_t kBatch = 64;
constexpr size_t kBatchBytes = 1 << 20;

struct Options {
  std::string gateway;
  std::string identity;
  uint64_t seed = 1;
  uint64_t first = 0;     // index of the first event that is published
  uint64_t count = 1000;  // index after the last one
  uint64_t window = 1024;
  uint64_t rate = 0;   // events a second on average; 0: as fast as it goes
  uint64_t burst = 1;  // events at once where there is a rate
  std::string out;
  uint64_t until = 0;
  uint32_t outstanding = 1000;
  uint64_t linger_ms = 1500;
  std::string name;
  std::string plan = "chaos";
};

// Which events there are.
struct Plan {
  std::function<io::cloudevents::v1::CloudEvent(uint64_t)> make;
  std::function<std::optional<uint64_t>(absl::string_view)> index_of;  // of an id
};

io::cloudevents::v1::CloudEvent ToCloudEvent(const test::RandomEvent& random) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id(random.id);
  event.set_source(random.source);
  event.set_spec_version("1.0");
  event.set_type(random.type);
  event.set_binary_data(random.json);
  return event;
}

Plan PlanOf(const Options& options) {
  const uint64_t seed = options.seed;
  if (options.plan == "chaos") {
    return {[=](uint64_t index) { return MakeEvent(seed, index); },
            [=](absl::string_view id) { return IndexOf(seed, id); }};
  }
  const auto events = std::make_shared<const test::RandomEvents>(seed);
  return {[=](uint64_t index) { return ToCloudEvent(events->Make(index)); },
          [=](absl::string_view id) { return events->IndexOf(id); }};
}

void CheckMayRetry(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return;
    default:
      GiveUp(absl::StrCat("the stream ended: ", ReasonOf(status), " ", status.error_message()));
  }
}

// --- publish

class Publisher {
 public:
  explicit Publisher(const Options& options)
      : options_(options),
        plan_(PlanOf(options)),
        stub_(EventsService::NewStub(Dial(options.gateway, options.identity))) {}

  void Run() {
    began_ = Clock::now();
    answered_ = options_.first;
    while (answered_ < options_.count) {
      RunStream();
      ++streams_;
      if (answered_ < options_.count) std::this_thread::sleep_for(milliseconds(100));
    }
    const std::chrono::duration<double> took = Clock::now() - began_;
    std::cout << "{\"published\":" << answered_ - options_.first
              << ",\"duplicates\":" << duplicates_ << ",\"streams\":" << streams_
              << ",\"seconds\":" << took.count() << "}" << std::endl;
  }

 private:
  using Stream =
      grpc::ClientReaderWriter<events::v1::PublishStreamRequest, events::v1::PublishStreamResponse>;

  // Sends from the first event without an answer until all have one or the stream ends.
  void RunStream() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    auto stream = stub_->PublishStream(&context);
    broken_ = false;
    sent_ = answered_;
    std::thread reader([&] { ReadResults(stream.get()); });
    while (WaitForTurn()) {
      if (!stream->Write(NextMessage())) break;
    }
    stream->WritesDone();
    reader.join();
    CheckMayRetry(stream->Finish());
  }

  void ReadResults(Stream* stream) {
    events::v1::PublishStreamResponse response;
    while (stream->Read(&response)) {
      std::lock_guard<std::mutex> lock(mutex_);
      for (const auto& result : response.results()) {
        if (result.has_error()) {
          GiveUp(absl::StrCat("event ", answered_, " was refused: ", ReasonOf(result.error()), " ",
                              result.error().message()));
        }
        ++answered_;
        duplicates_ += result.duplicate();
      }
      changed_.notify_all();
    }
    std::lock_guard<std::mutex> lock(mutex_);
    broken_ = true;
    changed_.notify_all();
  }

  // False once all events are sent and answered, or the stream is broken.
  bool WaitForTurn() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!broken_ && answered_ < options_.count) {
      if (sent_ < std::min(Due(), answered_ + options_.window)) return true;
      changed_.wait_for(lock, milliseconds(5));
    }
    return false;
  }
  // The end of what may be sent by now.
  uint64_t Due() const {
    if (options_.rate == 0) return options_.count;
    const std::chrono::duration<double> since = Clock::now() - began_;
    const auto due =
        options_.first + static_cast<uint64_t>(since.count() * static_cast<double>(options_.rate));
    return std::min(options_.count, (due / options_.burst + 1) * options_.burst);
  }
  events::v1::PublishStreamRequest NextMessage() {
    events::v1::PublishStreamRequest request;
    std::lock_guard<std::mutex> lock(mutex_);
    const uint64_t end = std::min({Due(), answered_ + options_.window, sent_ + kBatch});
    for (size_t bytes = 0; sent_ < end && bytes < kBatchBytes; ++sent_) {
      *request.add_events() = plan_.make(sent_);
      bytes += request.events().rbegin()->binary_data().size();
    }
    return request;
  }

  const Options options_;
  const Plan plan_;
  const std::unique_ptr<EventsService::Stub> stub_;
  Clock::time_point began_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t sent_ = 0;      // on this stream, or answered before
  uint64_t answered_ = 0;  // events 0 to answered_ - 1 are on the gateway's disk
  uint64_t duplicates_ = 0;
  uint64_t streams_ = 0;
  bool broken_ = false;
};

// --- subscribe

// The file of a subscriber: the epoch in the first line, then "sequence index attempt" for
// each event, with "index" "?" where the event is not of the run and "!" where its
// content is not what was published. A last line cut off by a kill is removed.
class Journal {
 public:
  explicit Journal(const std::string& path) {
    std::string text = ReadFile(path);
    text.resize(text.find_last_of('\n') + 1);  // npos + 1 is 0
    std::istringstream lines(text);
    std::string line;
    if (std::getline(lines, line)) position_.set_epoch(line);
    while (std::getline(lines, line)) {
      position_.set_sequence(std::stoull(line));
      last_ = line.substr(line.find(' ') + 1);
    }
    file_.open(path, std::ios::binary | std::ios::trunc);
    file_ << text << std::flush;
  }
  // No epoch: nothing yet.
  const events::v1::LogPosition& position() const { return position_; }
  // True where the last event in the file has this index.
  bool EndsWith(uint64_t index) const { return last_.rfind(absl::StrCat(index, " "), 0) == 0; }
  void Begin(const std::string& epoch) {
    if (position_.epoch() == epoch) return;
    if (!position_.epoch().empty()) GiveUp("the epoch changed");
    position_.set_epoch(epoch);
    file_ << epoch << '\n' << std::flush;
  }
  void Add(uint64_t sequence, const std::string& index, uint32_t attempt) {
    position_.set_sequence(sequence);
    file_ << sequence << ' ' << index << ' ' << attempt << '\n';
  }
  void Flush() { file_.flush(); }

 private:
  events::v1::LogPosition position_;
  std::string last_;  // "index attempt", as read at first
  std::ofstream file_;
};

class Subscriber {
 public:
  explicit Subscriber(const Options& options)
      : options_(options),
        plan_(PlanOf(options)),
        stub_(EventsService::NewStub(Dial(options.gateway, options.identity))),
        journal_(options.out) {
    if (journal_.EndsWith(options.until)) ended_ = Clock::now().time_since_epoch().count();
  }

  void Run() {
    std::thread([this] { ExitAfterLinger(); }).detach();
    for (;;) {
      RunStream();
      std::this_thread::sleep_for(milliseconds(100));
    }
  }

 private:
  void RunStream() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    auto stream = stub_->Subscribe(&context);
    events::v1::SubscribeRequest request;
    FillStart(request.mutable_start());
    stream->Write(request);
    events::v1::SubscribeResponse response;
    while (stream->Read(&response)) {
      if (response.has_started()) journal_.Begin(response.started().position().epoch());
      if (!response.has_events()) continue;
      Record(response.events());
      request.mutable_ack()->set_sequence(journal_.position().sequence());
      stream->Write(request);
    }
    CheckMayRetry(stream->Finish());
  }
  void FillStart(events::v1::SubscribeStart* start) const {
    start->set_subscription(options_.name);
    start->set_max_outstanding_events(options_.outstanding);
    if (journal_.position().epoch().empty()) {
      start->mutable_from()->set_earliest(true);
    } else {
      *start->mutable_from()->mutable_after() = journal_.position();
    }
  }
  void Record(const events::v1::EventBatch& batch) {
    bool last = false;
    for (const auto& delivered : batch.events()) {
      const auto index = plan_.index_of(delivered.event().id());
      journal_.Add(delivered.sequence(), Describe(delivered.event(), index), delivered.attempt());
      last = last || index == options_.until;
    }
    journal_.Flush();
    if (last) ended_ = Clock::now().time_since_epoch().count();
  }
  std::string Describe(const io::cloudevents::v1::CloudEvent& event,
                       std::optional<uint64_t> index) const {
    if (!index) return "?";
    const auto published = plan_.make(*index);
    const bool same = event.binary_data() == published.binary_data() &&
                      event.source() == published.source() && event.type() == published.type();
    return same ? absl::StrCat(*index) : "!";
  }
  // Whatever comes after the last expected event is recorded for a while, too.
  void ExitAfterLinger() {
    for (;;) {
      std::this_thread::sleep_for(milliseconds(20));
      if (ended_ == 0) continue;
      std::this_thread::sleep_for(milliseconds(options_.linger_ms));
      _exit(0);
    }
  }

  const Options options_;
  const Plan plan_;
  const std::unique_ptr<EventsService::Stub> stub_;
  Journal journal_;
  std::atomic<Clock::rep> ended_{0};  // when the last expected event came; 0: not yet
};

// --- send

void PrintOutcome(const grpc::Status& status, const events::v1::PublishResult& result) {
  google::protobuf::Struct outcome;
  auto& fields = *outcome.mutable_fields();
  fields["sequence"].set_number_value(static_cast<double>(result.sequence()));
  fields["duplicate"].set_bool_value(result.duplicate());
  fields["code"].set_number_value(status.error_code());
  fields["reason"].set_string_value(ReasonOf(status));
  fields["message"].set_string_value(status.error_message());
  std::string json;
  (void)google::protobuf::util::MessageToJsonString(outcome, &json);
  std::cout << json << std::endl;
}

int Send(const Options& options) {
  const auto stub = EventsService::NewStub(Dial(options.gateway, options.identity));
  bool refused = false;
  for (std::string line; std::getline(std::cin, line);) {
    events::v1::PublishRequest request;
    const auto parsed = google::protobuf::util::JsonStringToMessage(line, request.mutable_event());
    if (!parsed.ok()) GiveUp("a line of the input is not a CloudEvent: " + parsed.ToString());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    events::v1::PublishResponse response;
    const grpc::Status status = stub->Publish(&context, request, &response);
    PrintOutcome(status, response.result());
    refused = refused || !status.ok();
  }
  return refused ? 1 : 0;
}

// --- latency

// The call's time counts from when it was due: what waits behind a slow one was slow, too.
int MeasureLatency(const Options& options) {
  const Plan plan = PlanOf(options);
  const auto stub = EventsService::NewStub(Dial(options.gateway, options.identity));
  std::vector<double> took;
  uint64_t failed = 0;
  const auto began = Clock::now();
  for (uint64_t i = options.first; i < options.count; ++i) {
    const std::chrono::duration<double> after(static_cast<double>(i - options.first) /
                                              static_cast<double>(options.rate));
    const auto due = began + std::chrono::duration_cast<Clock::duration>(after);
    std::this_thread::sleep_until(due);
    events::v1::PublishRequest request;
    *request.mutable_event() = plan.make(i);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    events::v1::PublishResponse response;
    failed += stub->Publish(&context, request, &response).ok() ? 0 : 1;
    took.push_back(std::chrono::duration<double, std::milli>(Clock::now() - due).count());
  }
  if (took.empty()) GiveUp("--count is not above --first");
  std::sort(took.begin(), took.end());
  const auto at = [&](double share) {
    return took[std::min(took.size() - 1,
                         static_cast<size_t>(share * static_cast<double>(took.size())))];
  };
  std::cout << "{\"count\":" << took.size() << ",\"failed\":" << failed << ",\"p50_ms\":" << at(0.5)
            << ",\"p99_ms\":" << at(0.99) << ",\"max_ms\":" << took.back() << "}" << std::endl;
  return failed == 0 ? 0 : 1;
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Options options;
  CLI::App app{"client of the end-to-end tests"};
  app.require_subcommand(1);
  const auto connection = [&](CLI::App* command) {
    command->add_option("--gateway", options.gateway)->required();
    command->add_option("--identity", options.identity)->required();
    command->add_option("--seed", options.seed);
    command->add_option("--plan", options.plan)->check(CLI::IsMember({"chaos", "random"}));
    return command;
  };
  auto* publish = connection(app.add_subcommand("publish"));
  publish->add_option("--first", options.first);
  publish->add_option("--count", options.count, "index after the last event");
  publish->add_option("--window", options.window);
  publish->add_option("--rate", options.rate);
  publish->add_option("--burst", options.burst);
  auto* subscribe = connection(app.add_subcommand("subscribe"));
  subscribe->add_option("--out", options.out)->required();
  subscribe->add_option("--until", options.until, "index of the last event expected")->required();
  subscribe->add_option("--outstanding", options.outstanding);
  subscribe->add_option("--linger-ms", options.linger_ms);
  subscribe->add_option("--name", options.name);
  connection(app.add_subcommand("send"));
  auto* latency = connection(app.add_subcommand("latency"));
  latency->add_option("--first", options.first);
  latency->add_option("--count", options.count, "index after the last event");
  latency->add_option("--rate", options.rate)->required();
  CLI11_PARSE(app, argc, argv);
  if (publish->parsed()) {
    Publisher(options).Run();
  } else if (subscribe->parsed()) {
    Subscriber(options).Run();
  } else if (latency->parsed()) {
    return MeasureLatency(options);
  } else {
    return Send(options);
  }
  return 0;
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
