// What both gateways of a relay spend on an event before it is proposed, and on the
// commit it goes into: frames of 64 events of 1,024 bytes, as the relay benchmark's
// publisher makes them.
//
// CPU time is that of the calling thread: the committer, to which Publish proposes
// duplicates for all but the first frame, is not in it.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/federation/v1/link.pb.h"
#include "gateway/admission/admission.h"
#include "gateway/event/digests.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/state/memory_kv.h"
#include "io/cloudevents/v1/cloudevents.pb.h"

namespace cdgate::admission {
namespace {

constexpr int kFrame = 64;
constexpr char kOrigin[] = "ci.domain-a.example";
constexpr char kPublisher[] = "spiffe://ci.domain-a.example/service/bench";
constexpr char kSource[] = "/ci.domain-a.example/tekton/cluster-eu-1";
constexpr char kType[] = "dev.cdevents.pipelinerun.finished.0.2.0";

std::string EventId(int n) { return absl::StrCat("0f1e2d3c-4b5a-4978-8000-", 100'000'000'000 + n); }
std::string SubjectId(int n) {
  return absl::StrCat("/tekton/pipelineruns/build-and-release-", 100'000'000 + n);
}

// 1,024 bytes.
std::string Json(int n) {
  const std::string head = absl::StrCat(
      R"({"context":{"version":"0.4.1","id":")", EventId(n), R"(","source":")", kSource,
      R"(","type":")", kType, R"(","timestamp":"2025-05-20T10:15:42.318Z"},"subject":{"id":")",
      SubjectId(n), R"(","source":")", kSource,
      R"(","type":"pipelineRun","content":{"pipelineName":"build-and-release","url":)",
      R"("https://ci.domain-a.example/#/namespaces/team-payments/pipelineruns/build-and-release",)",
      R"("outcome":"success","errors":""}},"customDataContentType":"application/json",)",
      R"("customData":{"commit":"9f2b7c41d7e54e6fa0c1b8a3d5e2f6078c9d1a2b","branch":"main",)",
      R"("repository":"https://git.domain-a.example/payments/ledger.git","durationSeconds":412,)",
      R"("trigger":{"kind":"push","actor":"build-bot"},"log":")");
  const absl::string_view tail =
      R"(","bench":{"run":"0123456789abcdef","seq":"00000000000","sentNs":"1747736142318000000"}}})";
  return absl::StrCat(head, std::string(1024 - head.size() - tail.size(), 'x'), tail);
}

std::string CloudEvent(int n) {
  io::cloudevents::v1::CloudEvent event;
  event.set_id(EventId(n));
  event.set_source(kSource);
  event.set_spec_version("1.0");
  event.set_type(kType);
  auto& attributes = *event.mutable_attributes();
  attributes["subject"].set_ce_string(SubjectId(n));
  attributes["datacontenttype"].set_ce_string("application/json");
  attributes["time"].mutable_ce_timestamp()->set_seconds(1747736142);
  attributes["time"].mutable_ce_timestamp()->set_nanos(318000000);
  event.set_binary_data(Json(n));
  return event.SerializeAsString();
}

// What the origin sends of one event.
std::string Relayed(int n) {
  federation::v1::RelayedEvent relayed;
  event::Admitter admitter;
  relayed.set_cloud_event(std::string(admitter.Admit(CloudEvent(n))->cloud_event()));
  relayed.set_origin(kOrigin);
  relayed.set_accepted_time_nanos(1'747'736'142'318'000'000);
  relayed.set_salt(std::string(event::kSaltBytes, 's'));
  relayed.set_commitment(event::Commitment(relayed.salt(), crypto::Sha256(Json(n))));
  relayed.set_hops(1);
  relayed.add_path(kOrigin);
  return relayed.SerializeAsString();
}

// The admission of one domain.
struct World {
  explicit World(const std::string& domain)
      : log(std::make_shared<eventlog::MemoryLogStorage>(), base::SystemClock(),
            base::SystemRandom()) {
    admin::v1::Grant grant;
    grant.set_name("bench");
    grant.set_principal(kPublisher);
    grant.set_role(admin::v1::ROLE_PUBLISHER);
    grant.add_sources("/ci.domain-a.example/%");
    grants.Replace(*authz::Grants::Compile({grant}));
    store = *state::Store::Open({},
                                {.log = log,
                                 .clock = base::SystemClock(),
                                 .random = base::SystemRandom(),
                                 .metrics = metrics,
                                 .background = background},
                                std::make_unique<state::MemoryKv>());
    admission = std::make_unique<Admission>(AdmissionDeps{.domain = domain,
                                                          .limits = {},
                                                          .store = *store,
                                                          .grants = grants,
                                                          .schemas = schemas,
                                                          .clock = base::SystemClock(),
                                                          .random = base::SystemRandom(),
                                                          .metrics = metrics});
  }

  ~World() { store->Shutdown(); }

  base::Metrics metrics;
  authz::GrantRegistry grants;
  schema::SchemaRegistry schemas;
  eventlog::MemoryLog log;
  base::ThreadPool background{{.name = "background", .threads = 1}};
  std::unique_ptr<state::Store> store;
  std::unique_ptr<Admission> admission;
};

void BM_Publish(benchmark::State& state) {
  World world(kOrigin);
  const authz::Principal principal{
      .kind = authz::Principal::Kind::kSpiffe, .id = kPublisher, .domain = kOrigin};
  std::vector<std::string> events;
  for (int n = 0; n < kFrame; ++n) events.push_back(CloudEvent(n));
  const std::vector<absl::string_view> frame(events.begin(), events.end());
  for (auto _ : state) {
    absl::Notification done;
    world.admission->Publish(principal, frame, [&](const std::vector<Result>& results) {
      for (const Result& result : results) {
        if (!result.status.ok()) state.SkipWithError(result.status.ToString().c_str());
      }
      done.Notify();
    });
    done.WaitForNotification();
  }
  state.SetItemsProcessed(state.iterations() * kFrame);
}
BENCHMARK(BM_Publish);

// What an importing session does with a frame before its policy sees it.
void BM_Import(benchmark::State& state) {
  World world("ci.domain-b.example");
  std::vector<std::string> events;
  for (int n = 0; n < kFrame; ++n) events.push_back(Relayed(n));
  std::vector<event::RelayedView> frame(events.size());
  for (auto _ : state) {
    for (size_t i = 0; i < events.size(); ++i) frame[i].Assign(events[i]);
    std::vector<Imported> imported = world.admission->Import(kOrigin, frame);
    for (const Imported& in : imported) {
      if (!in.status.ok()) state.SkipWithError(in.status.ToString().c_str());
    }
    benchmark::DoNotOptimize(imported);
  }
  state.SetItemsProcessed(state.iterations() * kFrame);
}
BENCHMARK(BM_Import);

void BM_MakeCommit(benchmark::State& state) {
  World world("ci.domain-b.example");
  std::vector<std::string> relayed;
  for (int n = 0; n < kFrame; ++n) relayed.push_back(Relayed(n));
  std::vector<event::RelayedView> frame(relayed.size());
  for (size_t i = 0; i < relayed.size(); ++i) frame[i].Assign(relayed[i]);
  const std::vector<Imported> imported = world.admission->Import(kOrigin, frame);
  std::vector<event::CommitEvent> events;
  for (const Imported& in : imported) events.emplace_back(in.event.stored);
  for (auto _ : state) benchmark::DoNotOptimize(event::MakeCommit({}, events));
  state.SetItemsProcessed(state.iterations() * kFrame);
}
BENCHMARK(BM_MakeCommit);

}  // namespace
}  // namespace cdgate::admission
