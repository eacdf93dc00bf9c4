// What it costs to admit a CDEvent and to view it typed, beside what parsing the same bytes
// costs with nlohmann::json, a parser in wide use. Events of 1,024 bytes.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cdevents/v1/core.pb.h"
#include "gateway/cdevents/typed.h"
#include "gateway/cdevents/validator.h"
#include "gateway/event/bridge.h"
#include "gateway/event/digests.h"
#include "gateway/event/valid_event.h"
#include "gateway/state/identity.h"
#include "tests/support/allocation_counter.h"

namespace cdgate::event {
namespace {

using cdevents::Family;

std::string Padded(std::string head, absl::string_view tail) {
  head.append(1024 - head.size() - tail.size(), 'x');
  return absl::StrCat(head, tail);
}

// As a pipeline sends them: links, a chain, custom data.
std::string Json() {
  return Padded(
      R"({"context":{"version":"0.4.1","id":"271069a8-fc18-44f1-b38f-9d70a1695819",)"
      R"("chainId":"4c8cb7dd-3448-41de-8768-eec704e2829b","source":"/alpha/jenkins/job/17",)"
      R"("type":"dev.cdevents.pipelinerun.finished.0.2.0","timestamp":"2026-01-02T03:04:05.678Z",)"
      R"("schemaUri":"https://myorg.example/schema/custom","links":[{"linkType":"RELATION",)"
      R"("linkKind":"TRIGGER","target":{"contextId":"5328c37f-bb7e-4bb7-84ea-9f5f85e4a7ce"},)"
      R"("tags":{"foo1":"bar","foo2":"bar"}}]},"subject":{"id":"/dev/pipeline/run/subject123",)"
      R"("source":"/event/source/123","type":"pipelineRun","content":{"pipelineName":"myPipeline",)"
      R"("url":"https://ci.alpha.example/job/17/console","outcome":"success","errors":"none"}},)"
      R"("customData":{"branch":"main","attempt":3,"duration":12.75,"labels":["a","b"],"pad":")",
      R"("}})");
}

std::string CloudEvent() {
  Admitter admitter;
  return std::string(admitter.AdmitCdEventJson(Json())->cloud_event());
}

const cdevents::Form& FormOf(const std::string& json) {
  JsonParser parser;
  cdevents::Envelope envelope;
  if (!parser.ParseIJson(json).ok()) std::abort();
  if (cdevents::Judge(parser.document(), &envelope) != cdevents::Verdict::kValid) std::abort();
  return *envelope.form;
}

// Bounds, parse, validation, identity, content digest, commitment, and the bytes to store.
void BM_Admission(benchmark::State& state) {
  const std::string event = CloudEvent();
  const state::IdentityHasher identities(std::string(16, 'k'));
  const std::string salt(kSaltBytes, 's');
  Admitter admitter;
  crypto::Sha256Hasher hasher;
  const size_t before = test::Allocations();
  for (auto _ : state) {
    auto valid = admitter.Admit(event);
    benchmark::DoNotOptimize(identities.Of("alpha.example", valid->source(), valid->id()));
    const auto commitment = Commitment(salt, valid->content_digest(), hasher);
    StoredFields fields;
    fields.origin = "alpha.example";
    fields.salt = salt;
    fields.commitment = AsBytes(commitment);
    benchmark::DoNotOptimize(std::move(*valid).IntoStored(fields));
  }
  state.counters["allocations"] = benchmark::Counter(
      static_cast<double>(test::Allocations() - before) / static_cast<double>(state.iterations()));
}
BENCHMARK(BM_Admission);

void BM_NlohmannParse(benchmark::State& state) {
  const std::string json = Json();
  for (auto _ : state) benchmark::DoNotOptimize(nlohmann::json::parse(json));
}
BENCHMARK(BM_NlohmannParse);

void BM_Parse(benchmark::State& state) {
  const std::string json = Json();
  JsonParser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.ParseIJson(json));
}
BENCHMARK(BM_Parse);

void BM_Judge(benchmark::State& state) {
  JsonParser parser;
  if (!parser.ParseIJson(Json()).ok()) return state.SkipWithError("not JSON");
  cdevents::Envelope envelope;
  for (auto _ : state) benchmark::DoNotOptimize(cdevents::Judge(parser.document(), &envelope));
}
BENCHMARK(BM_Judge);

void BM_TypedView(benchmark::State& state) {
  const std::string json = Json();
  const cdevents::Form& form = FormOf(json);
  cdevents::TypedReader reader;
  for (auto _ : state) {
    ::cdevents::v1::PipelineRunFinished message;
    benchmark::DoNotOptimize(reader.Read(json, form, &message));
  }
}
BENCHMARK(BM_TypedView);

void BM_WriteJson(benchmark::State& state) {
  const std::string json = Json();
  const cdevents::Form& form = FormOf(json);
  ::cdevents::v1::PipelineRunFinished message;
  if (!cdevents::TypedReader().Read(json, form, &message).ok()) {
    return state.SkipWithError("not read");
  }
  for (auto _ : state) benchmark::DoNotOptimize(cdevents::WriteJson(message, form.family));
}
BENCHMARK(BM_WriteJson);

void BM_Convert(benchmark::State& state) {
  const std::string json = Json();
  Bridge bridge;
  for (auto _ : state) benchmark::DoNotOptimize(bridge.Convert(json, Family::k05));
}
BENCHMARK(BM_Convert);

}  // namespace
}  // namespace cdgate::event
