// cdgate_chaos_client: who publishes and subscribes while gateways are disturbed.
//
//   publish  events 0 to --count - 1 of the plan --seed (tests/e2e/chaos_events.h), --rate a
//   second, each
//            until it is acknowledged. The journal has a line for each: "index sequence duplicate"
//   follow   all events of a domain, for ever. The journal has, in order,
//              S epoch sequence          a stream began behind that position
//              E sequence id origin attempt content
//              A sequence                the gateway confirmed that it has our acknowledgement
//            With --name a durable subscription that acknowledges; without, one that resumes from
//            its own position
//   read     a domain's log from the beginning, into a file: "sequence id origin from content"
//
// "content" is "same" where the event is byte for byte the one of its plan, else "other". A journal
// is what a client goes on from after it was killed; a last line that was cut off is removed.
//
// Exit status: 0 done, 1 gave up: an answer that no fault explains.
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "tests/e2e/chaos_events.h"
#include "tests/e2e/dial.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {
namespace {

using Clock = std::chrono::steady_clock;
using events::v1::EventsService;
using std::chrono::milliseconds;

constexpr uint64_t kBatch = 64;
// Acknowledged when so many came, so that some are always open when a client is killed.
constexpr uint64_t kAckEvery = 10;
constexpr auto kPatience = std::chrono::seconds(5);

struct Options {
  std::string gateway, identity, journal, name;
  uint64_t seed = 1, count = 0, rate = 10;
};

std::string ContentOf(const io::cloudevents::v1::CloudEvent& event) {
  const std::vector<std::string> parts = absl::StrSplit(event.id(), '-');
  uint64_t seed = 0, index = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &seed) ||
      !absl::SimpleAtoi(parts[2], &index)) {
    return "other";
  }
  const auto published = MakeEvent(seed, index);
  return event.id() == published.id() && event.binary_data() == published.binary_data() &&
                 event.source() == published.source() && event.type() == published.type()
             ? "same"
             : "other";
}

// A file of lines that survives a kill.
class Journal {
 public:
  explicit Journal(const std::string& path) {
    std::string text = ReadFile(path);
    text.resize(text.find_last_of('\n') + 1);  // npos + 1 is 0
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) lines_.push_back(line);
    file_.open(path, std::ios::binary | std::ios::trunc);
    file_ << text << std::flush;
  }
  // Those that were there when it was opened.
  const std::vector<std::string>& lines() const { return lines_; }
  void Add(const std::string& line) { file_ << line << '\n'; }
  void Flush() { file_.flush(); }

 private:
  std::vector<std::string> lines_;
  std::ofstream file_;
};

void RequireExplained(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::OK:
    case grpc::StatusCode::CANCELLED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNKNOWN:
    case grpc::StatusCode::RESOURCE_EXHAUSTED: return;
    default: GiveUp(absl::StrCat(ReasonOf(status), " ", status.error_message()));
  }
}

// --- publish

class Publisher {
 public:
  explicit Publisher(const Options& options)
      : options_(options),
        stub_(EventsService::NewStub(Dial(options.gateway, options.identity))),
        journal_(options.journal),
        next_(journal_.lines().size()) {}

  void Run() {
    const auto began = Clock::now();
    const uint64_t first = next_;
    while (next_ < options_.count) {
      const std::chrono::duration<double> since = Clock::now() - began;
      const uint64_t due =
          first + static_cast<uint64_t>(since.count() * static_cast<double>(options_.rate));
      if (due <= next_) {
        std::this_thread::sleep_for(milliseconds(10));
        continue;
      }
      if (!Publish(std::min({due, options_.count, next_ + kBatch}))) {
        std::this_thread::sleep_for(milliseconds(100));
      }
    }
  }

 private:
  // Events next_ to end - 1; false where not all are acknowledged. Events are acknowledged
  // in order, so a journal's length says where to go on.
  bool Publish(uint64_t end) {
    events::v1::PublishBatchRequest request;
    for (uint64_t i = next_; i < end; ++i) *request.add_events() = MakeEvent(options_.seed, i);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    context.set_wait_for_ready(true);
    events::v1::PublishBatchResponse response;
    const grpc::Status status = stub_->PublishBatch(&context, request, &response);
    RequireExplained(status);
    if (!status.ok()) return false;
    for (const auto& result : response.results()) {
      if (result.has_error()) return CheckRefusal(result.error());
      journal_.Add(absl::StrCat(next_++, " ", result.sequence(), " ", result.duplicate() ? 1 : 0));
    }
    journal_.Flush();
    return next_ == end;
  }
  bool CheckRefusal(const google::rpc::Status& error) {
    journal_.Flush();
    static const std::set<std::string> kPassing = {"DISK_FULL", "LOG_WRITE_FAILED", "OVERLOADED",
                                                   "SHUTTING_DOWN", "DRAINING"};
    if (kPassing.count(ReasonOf(error)) == 0) {
      GiveUp(absl::StrCat("event ", next_, ": ", ReasonOf(error), " ", error.message()));
    }
    return false;
  }

  const Options options_;
  const std::unique_ptr<EventsService::Stub> stub_;
  Journal journal_;
  uint64_t next_;
};

// --- follow

class Follower {
 public:
  explicit Follower(const Options& options)
      : options_(options),
        stub_(EventsService::NewStub(Dial(options.gateway, options.identity))),
        journal_(options.journal) {
    for (const std::string& line : journal_.lines()) {
      const std::vector<std::string> words = absl::StrSplit(line, ' ');
      if (words[0] == "S") position_.set_epoch(words[1]);
      if (words[0] == "E") position_.set_sequence(std::stoull(words[1]));
    }
  }

  void Run() {
    for (;;) {
      RunStream();
      std::this_thread::sleep_for(milliseconds(100));
    }
  }

 private:
  using Stream =
      grpc::ClientReaderWriter<events::v1::SubscribeRequest, events::v1::SubscribeResponse>;

  void RunStream() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    const auto stream = stub_->Subscribe(&context);
    events::v1::SubscribeRequest request;
    auto& start = *request.mutable_start();
    start.set_subscription(options_.name);
    start.set_max_outstanding_events(200);
    if (!options_.name.empty() || position_.epoch().empty()) {
      start.mutable_from()->set_earliest(true);
    } else {
      *start.mutable_from()->mutable_after() = position_;
    }
    stream->Write(request);
    events::v1::SubscribeResponse response;
    while (stream->Read(&response)) Take(response, stream.get());
    RequireExplained(stream->Finish());
  }
  void Take(const events::v1::SubscribeResponse& response, Stream* stream) {
    if (response.has_started()) {
      const auto& position = response.started().position();
      position_.set_epoch(position.epoch());
      journal_.Add(absl::StrCat("S ", position.epoch(), " ", position.sequence()));
    }
    for (const auto& delivered : response.events().events()) {
      position_.set_sequence(delivered.sequence());
      journal_.Add(absl::StrCat("E ", delivered.sequence(), " ", delivered.event().id(), " ",
                                delivered.origin(), " ", delivered.attempt(), " ",
                                ContentOf(delivered.event())));
      ++open_;
    }
    if (response.has_ack_confirmed()) {
      journal_.Add(absl::StrCat("A ", response.ack_confirmed().sequence()));
    }
    journal_.Flush();
    const bool rest = response.has_heartbeat() && open_ > 0;
    if (open_ >= kAckEvery || rest) Acknowledge(stream);
  }
  void Acknowledge(Stream* stream) {
    events::v1::SubscribeRequest request;
    request.mutable_ack()->set_sequence(position_.sequence());
    request.mutable_ack()->set_confirm(!options_.name.empty());
    stream->Write(request);
    open_ = 0;
  }

  const Options options_;
  const std::unique_ptr<EventsService::Stub> stub_;
  Journal journal_;
  events::v1::LogPosition position_;
  uint64_t open_ = 0;  // came since the last acknowledgement
};

// --- read

int Read(const Options& options) {
  const auto stub = EventsService::NewStub(Dial(options.gateway, options.identity));
  std::ofstream out(options.journal);
  events::v1::ListEventsRequest request;
  request.set_page_size(500);
  do {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    events::v1::ListEventsResponse page;
    const grpc::Status status = stub->ListEvents(&context, request, &page);
    if (!status.ok()) GiveUp(absl::StrCat(ReasonOf(status), " ", status.error_message()));
    for (const auto& event : page.events()) {
      const std::string from = event.received_from().empty() ? "-" : event.received_from();
      out << event.sequence() << ' ' << event.event().id() << ' ' << event.origin() << ' ' << from
          << ' ' << ContentOf(event.event()) << '\n';
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return out.flush() ? 0 : 1;
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Options options;
  CLI::App app{"client of the chaos harness"};
  app.require_subcommand(1);
  const auto command = [&](const char* name) {
    auto* added = app.add_subcommand(name);
    added->add_option("--gateway", options.gateway)->required();
    added->add_option("--identity", options.identity)->required();
    added->add_option("--journal", options.journal)->required();
    return added;
  };
  auto* publish = command("publish");
  publish->add_option("--seed", options.seed)->required();
  publish->add_option("--count", options.count)->required();
  publish->add_option("--rate", options.rate, "events a second");
  auto* follow = command("follow");
  follow->add_option("--name", options.name);
  command("read");
  CLI11_PARSE(app, argc, argv);
  if (publish->parsed()) {
    Publisher(options).Run();
  } else if (follow->parsed()) {
    Follower(options).Run();
  } else {
    return Read(options);
  }
  return 0;
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
