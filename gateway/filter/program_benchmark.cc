// What one condition costs on one event, by what it reads.
#include <benchmark/benchmark.h>

#include <string>

#include "gateway/filter/program.h"

namespace cdgate::filter {
namespace {

constexpr Attribute kAttributes[] = {
    {"subject", Value::String("pkg:oci/app@sha256%3Aabc")},
    {"time", Value::String("2026-01-01T00:00:00Z")},
    {"datacontenttype", Value::String("application/json")},
    {"team", Value::String("core")},
};

// About 1 KiB, as the performance budget assumes.
std::string SomeData() {
  return R"({"context":{"specversion":"0.5.1","id":"271069a8-fc18-44f1-b38f-9d70a1695819",)"
         R"("source":"/alpha/ci","type":"dev.cdevents.artifact.packaged.0.3.0",)"
         R"("timestamp":"2026-01-01T00:00:00Z"},"subject":{"id":"pkg:oci/app@sha256%3Aabc",)"
         R"("content":{"change":{"id":"c1","source":"my-git.example/a"},"user":"bob"}},)"
         R"("customData":{"text":")" +
         std::string(600, 'x') + R"("}})";
}

EventParts SomeEvent(const std::string& data) {
  EventParts parts;
  parts.id = "271069a8-fc18-44f1-b38f-9d70a1695819";
  parts.source = "/alpha/ci";
  parts.type = "dev.cdevents.artifact.packaged.0.3.0";
  parts.origin = "alpha.example";
  parts.attributes = kAttributes;
  parts.data = data;
  return parts;
}

void Match(benchmark::State& state, const char* source) {
  const std::string data = SomeData();
  const EventParts parts = SomeEvent(data);
  const auto program = Program::Compile(source);
  EventContext event;
  for (auto _ : state) {
    event.Reset(parts);
    benchmark::DoNotOptimize(program->Matches(event));
  }
}
BENCHMARK_CAPTURE(Match, equal, "type = 'dev.cdevents.artifact.signed.0.3.0'");
BENCHMARK_CAPTURE(Match, prefix, "type LIKE 'dev.cdevents.artifact.%'");
BENCHMARK_CAPTURE(Match, function, "SUBJECT_TYPE() = 'artifact'");
BENCHMARK_CAPTURE(Match, extension, "EXISTS team AND team = 'core'");
BENCHMARK_CAPTURE(Match, four_attributes,
                  "type LIKE 'dev.cdevents.artifact.%' AND source LIKE '/alpha/%' AND "
                  "ORIGIN() = 'alpha.example' AND NOT (subject = 'x')");
BENCHMARK_CAPTURE(Match, one_field, "CDEVENT('subject.content.user') = 'bob'");
BENCHMARK_CAPTURE(
    Match, two_fields,
    "HAS_CDEVENT('subject.content.user') AND CDEVENT('subject.content.user') = 'bob'");

void Compile(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        Program::Compile("type LIKE 'dev.cdevents.artifact.%' AND source IN ('/a', '/b')"));
  }
}
BENCHMARK(Compile);

}  // namespace
}  // namespace cdgate::filter
