// What an event costs on its way in and out: admission, its parts, a record of the log.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/event/cloud_event_writer.h"
#include "gateway/event/record.h"
#include "gateway/event/valid_event.h"

namespace cdgate::event {
namespace {

// A CDEvent of 1,024 bytes like those of real pipelines.
std::string SampleJson() {
  std::string json = R"({"context":{"version":"0.4.1","id":"271069a8-fc18-44f1-b38f-9d70a1695819",)"
                     R"("chainId":"4c8cb7dd-3448-41de-8768-eec704e2829b",)"
                     R"("source":"/alpha/jenkins/job/17","type":"dev.cdevents.pipelinerun.finished)"
                     R"(.0.2.0","timestamp":"2026-01-02T03:04:05.678901Z","schemaUri":)"
                     R"("https://myorg.example/schema/custom","links":[{"linkType":"RELATION",)"
                     R"("linkKind":"TRIGGER","target":{"contextId":"5328c37f-bb7e-4bb7-84ea-)"
                     R"(9f5f85e4a7ce"},"tags":{"foo1":"bar","foo2":"bar"}}]},"subject":{"id":)"
                     R"("/dev/pipeline/run/subject123","source":"/event/source/123","type":)"
                     R"("pipelineRun","content":{"pipelineName":"myPipeline","url":)"
                     R"("https://ci.alpha.example/job/17/console","outcome":"success","errors":)"
                     R"("none"}},"customData":{"branch":"main","attempt":3,"duration":12.75,)"
                     R"("labels":["a","b","c"],"pad":")";
  const absl::string_view end = R"("}})";
  json.append(1024 - end.size() - json.size(), 'x');
  return absl::StrCat(json, end);
}

std::string SampleEvent() {
  Admitter admitter;
  return std::string(admitter.AdmitCdEventJson(SampleJson())->cloud_event());
}

void BM_Admit(benchmark::State& state) {
  const std::string event = SampleEvent();
  Admitter admitter;
  for (auto _ : state) benchmark::DoNotOptimize(admitter.Admit(event));
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * event.size()));
}
BENCHMARK(BM_Admit);

void BM_AdmitIntoStored(benchmark::State& state) {
  const std::string event = SampleEvent();
  Admitter admitter;
  for (auto _ : state) {
    auto valid = admitter.Admit(event);
    benchmark::DoNotOptimize(std::move(*valid).IntoStored({}));
  }
}
BENCHMARK(BM_AdmitIntoStored);

void BM_ParseIJson(benchmark::State& state) {
  const std::string json = SampleJson();
  JsonParser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.ParseIJson(json));
}
BENCHMARK(BM_ParseIJson);

void BM_ParseAdmitted(benchmark::State& state) {
  const std::string json = SampleJson();
  JsonParser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.ParseAdmitted(json));
}
BENCHMARK(BM_ParseAdmitted);

void BM_CheckCdEvent(benchmark::State& state) {
  JsonParser parser;
  if (!parser.ParseIJson(SampleJson()).ok()) return state.SkipWithError("the sample is not JSON");
  for (auto _ : state) benchmark::DoNotOptimize(CheckCdEvent(parser.document()));
}
BENCHMARK(BM_CheckCdEvent);

void BM_ContentDigest(benchmark::State& state) {
  const std::string json = SampleJson();
  crypto::Sha256Hasher hasher;
  for (auto _ : state) {
    hasher.Reset();
    hasher.Update(json);
    benchmark::DoNotOptimize(hasher.FinalTo());
  }
}
BENCHMARK(BM_ContentDigest);

void BM_ScanView(benchmark::State& state) {
  const std::string event = SampleEvent();
  for (auto _ : state) benchmark::DoNotOptimize(CloudEventView::Scan(event));
}
BENCHMARK(BM_ScanView);

std::string SampleCommit(int events) {
  storage::v1::CommitRecord record;
  for (int i = 0; i < events; ++i) {
    storage::v1::StoredEvent* stored = record.add_events();
    stored->set_cloud_event(SampleEvent());
    stored->set_origin("alpha.example");
    stored->set_salt(std::string(16, 's'));
    stored->set_commitment(std::string(32, 'c'));
    stored->set_content_digest(std::string(32, 'd'));
    stored->set_publisher("spiffe://alpha.example/service/jenkins");
  }
  return record.SerializeAsString();
}

void BM_ParseCommitOf64(benchmark::State& state) {
  const std::string bytes = SampleCommit(64);
  for (auto _ : state) benchmark::DoNotOptimize(ParseCommit(OwnedBytes(bytes)));
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(BM_ParseCommitOf64);

void BM_MakeCommitOf64(benchmark::State& state) {
  const CommitPtr commit = *ParseCommit(OwnedBytes(SampleCommit(64)));
  std::vector<CommitEvent> events;
  for (const Record& event : commit->events) events.emplace_back(event.stored().bytes());
  for (auto _ : state) benchmark::DoNotOptimize(MakeCommit(commit->record, events));
  state.SetItemsProcessed(state.iterations() * 64);
}
BENCHMARK(BM_MakeCommitOf64);

}  // namespace
}  // namespace cdgate::event
