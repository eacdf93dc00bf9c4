// cdgate_e2e_policies: the heavy part of the tests of policies.
//
//   policies   writes the policies of a round (policy_plan.h): OUT/export.yaml, OUT/import.yaml
//   publish    the events of a plan from --first to --end, those of one publisher of two
//   read       all events in a domain's log, as a subscriber gets them, into a file: a line
//              each, "sequence<TAB>id<TAB>origin<TAB>attempt<TAB>import rule<TAB>notes"
//   verdicts   what a gateway says became of a range of its events (verdicts.h), into a file
//   plan-events  the events of one list of a plan, into a file: "sequence<TAB>id" a line
//   health     prints what the gateway's health service says of --service: SERVING, NOT_SERVING
//              or the code of the refusal
//   verify     compares what random policies let cross with what they had to: JSON on
//              standard output, status 1 where anything differs
//
// Exit status: 0 done, 1 gave up, refused or different.
#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>
#include "CLI/CLI.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "cdgate/admin/v1/admin.grpc.pb.h"
#include "cdgate/events/v1/events.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/e2e/dial.h"
#include "tests/e2e/policy_oracle.h"
#include "tests/e2e/policy_plan.h"
#include "tests/e2e/verdicts.h"

#include <grpcpp/grpcpp.h>

namespace cdgate::e2e {
namespace {

using events::v1::EventsService;
using test::JsonTree;

constexpr size_t kBatchBytes = 600 << 10;
constexpr int kBatchEvents = 256;
constexpr size_t kFaultsShown = 20;

struct Options {
  std::string gateway;
  std::string identity;
  std::string peer = "beta.example";
  std::string peer_gateway;
  std::string peer_identity;
  uint64_t seed = 1;
  uint64_t round = 0;
  uint64_t first = 0;
  uint64_t end = 0;
  uint64_t last = 0;
  int publisher = -1;
  bool no_explain = false;
  std::string out;
  std::string rounds;
  std::string service;
  std::string hash;  // hexadecimal
  std::string list;
};

std::string OneLine(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\t", " "}, {"\n", " "}});
}

// --- policies

int WritePolicies(const Options& options) {
  const Policies policies = MakePolicies(PolicyEvents(options.seed), options.round);
  std::ofstream(options.out + "/export.yaml") << ExportYaml(policies);
  std::ofstream(options.out + "/import.yaml") << ImportYaml(policies);
  return 0;
}

// --- publish

void PublishBatch(EventsService::Stub& stub, const events::v1::PublishBatchRequest& request) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  events::v1::PublishBatchResponse response;
  const grpc::Status status = stub.PublishBatch(&context, request, &response);
  if (!status.ok()) GiveUp(absl::StrCat(ReasonOf(status), " ", status.error_message()));
  for (const auto& result : response.results()) {
    if (result.has_error()) {
      GiveUp(absl::StrCat("refused: ", ReasonOf(result.error()), " ", result.error().message()));
    }
  }
}

int Publish(const Options& options) {
  const auto stub = EventsService::NewStub(Dial(options.gateway, options.identity));
  const PolicyEvents events(options.seed);
  events::v1::PublishBatchRequest request;
  size_t bytes = 0;
  for (uint64_t index = options.first; index < options.end; ++index) {
    if (PublisherOf(index) != static_cast<size_t>(options.publisher)) continue;
    *request.add_events() = events.Make(index).cloud_event;
    bytes += request.events().rbegin()->ByteSizeLong();
    if (bytes < kBatchBytes && request.events_size() < kBatchEvents) continue;
    PublishBatch(*stub, request);
    request.Clear();
    bytes = 0;
  }
  if (request.events_size() > 0) PublishBatch(*stub, request);
  return 0;
}

// --- read

// Gives every event that is in the log when the call begins.
void ReadLog(EventsService::Stub& stub,
             const std::function<void(const events::v1::DeliveredEvent&)>& take) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  auto stream = stub.Subscribe(&context);
  events::v1::SubscribeRequest request;
  request.mutable_start()->mutable_from()->set_earliest(true);
  request.mutable_start()->set_auto_ack(true);
  stream->Write(request);
  events::v1::SubscribeResponse response;
  uint64_t head = 0;
  while (stream->Read(&response)) {
    if (response.has_started()) head = response.started().head();
    uint64_t seen = response.has_heartbeat() ? response.heartbeat().position().sequence() : 0;
    for (const auto& delivered : response.events().events()) {
      seen = delivered.sequence();
      if (seen <= head) take(delivered);
    }
    if (head == 0 || seen >= head) return context.TryCancel();
  }
  const grpc::Status status = stream->Finish();
  GiveUp(absl::StrCat("the stream ended: ", ReasonOf(status), " ", status.error_message()));
}

int Read(const Options& options) {
  const auto stub = EventsService::NewStub(Dial(options.gateway, options.identity));
  std::ofstream out(options.out);
  ReadLog(*stub, [&](const events::v1::DeliveredEvent& delivered) {
    out << delivered.sequence() << '\t' << OneLine(delivered.event().id()) << '\t'
        << delivered.origin() << '\t' << delivered.attempt() << '\t' << delivered.import_rule()
        << '\t' << absl::StrJoin(delivered.notes(), ",") << '\n';
  });
  return out.flush() ? 0 : 1;
}

// --- verdicts

int Verdicts(const Options& options) {
  std::ofstream out(options.out);
  ReadVerdicts(Dial(options.gateway, options.identity), options.peer, options.first, options.last,
               !options.no_explain,
               [&](const Verdict& verdict) { out << LineOf(verdict) << '\n'; });
  return out.flush() ? 0 : 1;
}

// --- plan-events

int PlanEvents(const Options& options) {
  const std::map<std::string, admin::v1::PlanListKind> kinds = {
      {"newly", admin::v1::PLAN_LIST_KIND_NEWLY},
      {"no-longer", admin::v1::PLAN_LIST_KIND_NO_LONGER},
      {"more-content", admin::v1::PLAN_LIST_KIND_MORE_CONTENT}};
  const auto stub = admin::v1::AdminService::NewStub(Dial(options.gateway, options.identity));
  std::ofstream out(options.out);
  admin::v1::ListPlanEventsRequest request;
  request.set_hash(absl::HexStringToBytes(options.hash));
  request.set_list(kinds.at(options.list));
  request.set_page_size(1000);
  do {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    admin::v1::ListPlanEventsResponse page;
    const grpc::Status status = stub->ListPlanEvents(&context, request, &page);
    if (!status.ok()) GiveUp(absl::StrCat(ReasonOf(status), " ", status.error_message()));
    for (const auto& one : page.events()) {
      out << one.event().sequence() << '\t' << OneLine(one.event().id()) << '\n';
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return out.flush() ? 0 : 1;
}

// --- health

int Health(const Options& options) {
  using HealthService = grpc::health::v1::Health;
  const auto stub = HealthService::NewStub(Dial(options.gateway, options.identity));
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(options.service);
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status = stub->Check(&context, request, &response);
  if (status.ok()) {
    std::cout << grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response.status());
  } else {
    std::cout << status.error_code();
  }
  std::cout << std::endl;
  return 0;
}

// --- verify

// The events from `first` on were decided under these versions of the round's policies.
struct Round {
  uint64_t end = 0;
  Versions versions;
  Policies policies;
};

class Verifier {
 public:
  explicit Verifier(const Options& options) : options_(options), events_(options.seed) {
    std::ifstream file(options.rounds);
    Round round;
    while (file >> round.end >> round.versions.exporter >> round.versions.importer) {
      round.policies = MakePolicies(events_, rounds_.size());
      rounds_.push_back(std::move(round));
      round = Round();
    }
    if (rounds_.empty()) GiveUp("no rounds in " + options.rounds);
  }

  int Run() {
    for (uint64_t index = 0; index < rounds_.back().end; ++index) Expect(index);
    CompareArrivals();
    CompareVerdicts();
    Print();
    return faults_ == 0 ? 0 : 1;
  }

 private:
  struct One {
    Expected expected;
    uint64_t arrived = 0;
    uint64_t told = 0;
  };

  const Round& RoundOf(uint64_t index) const {
    return *std::find_if(rounds_.begin(), rounds_.end(),
                         [&](const Round& round) { return index < round.end; });
  }
  void Expect(uint64_t index) {
    const Round& round = RoundOf(index);
    One one;
    one.expected = Decide(events_.Make(index), PublisherOf(index), round.policies, round.versions);
    ++counts_[absl::StrCat(one.expected.state, " ", one.expected.reason)];
    all_.push_back(std::move(one));
  }
  // Without what differs from event to event.
  static std::string KindOf(std::string what) {
    std::erase_if(what, [](unsigned char c) { return absl::ascii_isdigit(c); });
    return what;
  }
  void Fault(uint64_t index, const std::string& what) {
    ++faults_;
    // The first of each kind: a thousand of one say no more.
    if (++kinds_[KindOf(what)] > 1 || kinds_.size() > kFaultsShown) return;
    std::cerr << "event " << index << " (round of versions " << RoundOf(index).versions.exporter
              << ", " << RoundOf(index).versions.importer << "): " << what << "\n";
  }

  void CompareArrivals() {
    const auto stub = EventsService::NewStub(Dial(options_.peer_gateway, options_.peer_identity));
    ReadLog(*stub, [this](const events::v1::DeliveredEvent& delivered) { Arrived(delivered); });
    for (uint64_t index = 0; index < all_.size(); ++index) {
      const bool wanted = all_[index].expected.state == "accepted";
      if (wanted && all_[index].arrived == 0) Fault(index, "did not arrive");
    }
  }
  void Arrived(const events::v1::DeliveredEvent& delivered) {
    const auto index = events_.IndexOf(delivered.event().id());
    if (!index || *index >= all_.size()) {
      others_ += 1;
      return;
    }
    One& one = all_[*index];
    if (++one.arrived > 1) Fault(*index, "arrived twice");
    if (one.expected.state != "accepted") {
      return Fault(*index, absl::StrCat("arrived, was to be ", one.expected.state, " ",
                                        one.expected.reason));
    }
    ++arrived_;
    for (const std::string& fault :
         arrivals_.Compare(events_.Make(*index), one.expected, delivered)) {
      Fault(*index, fault);
    }
  }

  void CompareVerdicts() {
    ReadVerdicts(Dial(options_.gateway, options_.identity), options_.peer, 1, options_.last, true,
                 [this](const Verdict& verdict) { Told(verdict); });
    for (uint64_t index = 0; index < all_.size(); ++index) {
      if (all_[index].told != 1) Fault(index, absl::StrCat("told ", all_[index].told, " times"));
    }
  }
  void Told(const Verdict& verdict) {
    const auto index = events_.IndexOf(verdict.event.id());
    if (!verdict.error.empty()) {
      Fault(0, absl::StrCat("sequence ", verdict.sequence, ": ", verdict.error));
    }
    if (!index || *index >= all_.size()) return;
    One& one = all_[*index];
    ++one.told;
    const Expected& expected = one.expected;
    const std::string wanted =
        absl::StrCat(expected.state, " ", expected.reason, " ", expected.rule);
    // The rule of a refused event is the importer's, where it tells it.
    const bool telling = expected.state != "refused" || !expected.rule.empty();
    const auto& got = verdict.outcome;
    const std::string is =
        absl::StrCat(got.state(), " ", got.reason(), " ", telling ? got.rule() : "");
    if (is != wanted) Fault(*index, absl::StrCat("who-got: ", is, "; was to be ", wanted));
    Explained(*index, expected, verdict.explained);
  }
  void Explained(uint64_t index, const Expected& expected,
                 const admin::v1::ExplainEventResponse& explained) {
    const bool leaves = expected.state == "accepted" || expected.state == "refused";
    if (explained.state() != expected.state) {
      Fault(index,
            absl::StrCat("explain: state ", explained.state(), ", was to be ", expected.state));
    }
    if (explained.allowed() != leaves) Fault(index, "explain: allowed is wrong");
    if (leaves) return;
    if (explained.reason() != expected.reason || explained.rule() != expected.rule) {
      Fault(index, absl::StrCat("explain: ", explained.reason(), " ", explained.rule(),
                                "; was to be ", expected.reason, " ", expected.rule));
    }
  }

  void Print() const {
    JsonTree counts = JsonTree::Object();
    for (const auto& [name, count] : counts_) counts.Set(name, JsonTree::Raw(absl::StrCat(count)));
    JsonTree out = JsonTree::Object();
    const auto number = [&](const char* name, uint64_t value) {
      out.Set(name, JsonTree::Raw(absl::StrCat(value)));
    };
    number("events", all_.size());
    number("arrived", arrived_);
    number("others", others_);
    number("pseudonyms", arrivals_.pseudonyms());
    number("withheld", arrivals_.withheld());
    number("faults", faults_);
    for (const auto& [kind, count] : kinds_) std::cerr << count << " times: " << kind << "\n";
    out.Set("expected", std::move(counts));
    std::cout << out.ToText() << std::endl;
  }

  const Options options_;
  const PolicyEvents events_;
  std::vector<Round> rounds_;
  std::vector<One> all_;
  Arrivals arrivals_;
  std::map<std::string, uint64_t> counts_;  // by "state reason"
  uint64_t arrived_ = 0;
  uint64_t others_ = 0;  // in beta's log, not of the run
  uint64_t faults_ = 0;
  std::map<std::string, uint64_t> kinds_;  // of faults
};

// --- command line

void AddCommands(CLI::App& app, Options& options, std::function<int()>* run) {
  const auto add = [&](const char* name, int (*command)(const Options&)) {
    CLI::App* const added = app.add_subcommand(name);
    added->callback(
        [&options, run, command] { *run = [&options, command] { return command(options); }; });
    added->add_option("--seed", options.seed);
    return added;
  };
  const auto connected = [&](CLI::App* command) {
    command->add_option("--gateway", options.gateway)->required();
    command->add_option("--identity", options.identity)->required();
    return command;
  };
  CLI::App* const policies = add("policies", WritePolicies);
  policies->add_option("--round", options.round);
  policies->add_option("--out", options.out)->required();
  CLI::App* const publish = connected(add("publish", Publish));
  publish->add_option("--first", options.first);
  publish->add_option("--end", options.end)->required();
  publish->add_option("--publisher", options.publisher)->required();
  connected(add("read", Read))->add_option("--out", options.out)->required();
  CLI::App* const verdicts = connected(add("verdicts", Verdicts));
  verdicts->add_option("--peer", options.peer);
  verdicts->add_option("--first", options.first)->required();
  verdicts->add_option("--last", options.last)->required();
  verdicts->add_flag("--no-explain", options.no_explain);
  verdicts->add_option("--out", options.out)->required();
  CLI::App* const plan = connected(add("plan-events", PlanEvents));
  plan->add_option("--hash", options.hash)->required();
  plan->add_option("--list", options.list)
      ->required()
      ->check(CLI::IsMember({"newly", "no-longer", "more-content"}));
  plan->add_option("--out", options.out)->required();
  connected(add("health", Health))->add_option("--service", options.service)->required();
  CLI::App* const verify =
      connected(add("verify", [](const Options& given) { return Verifier(given).Run(); }));
  verify->add_option("--peer", options.peer);
  verify->add_option("--peer-gateway", options.peer_gateway)->required();
  verify->add_option("--peer-identity", options.peer_identity)->required();
  verify->add_option("--last", options.last)->required();
  verify->add_option("--rounds", options.rounds, "lines: end, export version, import version")
      ->required();
}

int Main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Options options;
  std::function<int()> run;
  CLI::App app{"policies in the end-to-end tests"};
  app.require_subcommand(1);
  AddCommands(app, options, &run);
  CLI11_PARSE(app, argc, argv);
  return run();
}

}  // namespace
}  // namespace cdgate::e2e

int main(int argc, char** argv) { return cdgate::e2e::Main(argc, argv); }
