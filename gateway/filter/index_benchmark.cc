// What one event costs against many conditions: looked up, and each evaluated.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/filter/filter_index.h"
#include "gateway/filter/program.h"

namespace cdgate::filter {
namespace {

constexpr const char* kSubjects[] = {"artifact",    "build",       "change",  "environment",
                                     "incident",    "pipelinerun", "service", "taskrun",
                                     "testcaserun", "testsuiterun"};
constexpr const char* kPredicates[] = {"finished", "started", "queued", "published", "detected"};

std::string TypeOf(size_t n) {
  return absl::StrCat("dev.cdevents.", kSubjects[n % 10], ".", kPredicates[n / 10 % 5], ".0.3.0");
}

// What teams ask for: their repository, their service, their artifact, their pipeline; now and
// then a field of the data, and one in two hundred something that can only be evaluated.
std::string Condition(size_t n) {
  if (n % 200 == 199) return absl::StrCat("source LIKE '%/team-", n, "'");
  switch (n % 8) {
    case 0: return absl::StrCat("subject = 'pkg:oci/app-", n, "'");
    case 1: return absl::StrCat("type = '", TypeOf(n), "' AND source = '/ci/team-", n, "'");
    case 2: return absl::StrCat("source LIKE '/ci/team-", n, "/%'");
    case 3: return absl::StrCat("SUBJECT_TYPE() = 'service' AND subject = '/svc/", n, "'");
    case 4:
      return absl::StrCat("type LIKE 'dev.cdevents.", kSubjects[n % 10],
                          ".%' AND source LIKE '/ci/team-", n, "/%'");
    case 5: return absl::StrCat("subject IN ('/svc/", n, "', '/svc/", n, "-canary')");
    case 6:
      return absl::StrCat("source = '/ci/team-", n,
                          "' AND CDEVENT('subject.content.user', '') = 'bob'");
    default:
      return absl::StrCat("subject LIKE 'pkg:oci/app-", n, "@%' OR subject = 'pkg:oci/app-", n,
                          "'");
  }
}

EventParts SomeEvent(const std::vector<Attribute>& attributes) {
  EventParts parts;
  parts.id = "271069a8-fc18-44f1-b38f-9d70a1695819";
  parts.source = "/ci/team-1002/main";
  parts.type = "dev.cdevents.service.published.0.3.0";
  parts.origin = "alpha.example";
  parts.attributes = attributes;
  parts.data = R"({"subject":{"content":{"user":"bob"}}})";
  return parts;
}

const std::vector<Attribute>& Attributes() {
  static const auto& attributes =
      *new std::vector<Attribute>{{"subject", Value::String("/svc/1003")}};
  return attributes;
}

void LookUp(benchmark::State& state) {
  FilterIndex index;
  for (uint32_t n = 0; n < static_cast<uint32_t>(state.range(0)); ++n) {
    (void)index.Add(n, Condition(n));
  }
  FilterIndex::Scratch scratch;
  EventContext event;
  size_t matched = 0;
  for (auto _ : state) {
    event.Reset(SomeEvent(Attributes()));
    matched = index.Match(event, &scratch).size();
  }
  state.counters["matched"] = static_cast<double>(matched);
  state.counters["always"] = static_cast<double>(index.evaluated_always());
}
BENCHMARK(LookUp)->Arg(100)->Arg(1000)->Arg(10000)->Arg(100000);

void EvaluateEach(benchmark::State& state) {
  std::vector<Program> programs;
  for (size_t n = 0; n < static_cast<size_t>(state.range(0)); ++n) {
    programs.push_back(*Program::Compile(Condition(n)));
  }
  EventContext event;
  size_t matched = 0;
  for (auto _ : state) {
    event.Reset(SomeEvent(Attributes()));
    matched = 0;
    for (const Program& program : programs) matched += program.Matches(event) ? 1 : 0;
  }
  state.counters["matched"] = static_cast<double>(matched);
}
BENCHMARK(EvaluateEach)->Arg(100)->Arg(1000)->Arg(10000);

}  // namespace
}  // namespace cdgate::filter
