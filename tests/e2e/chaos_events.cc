#include "tests/e2e/chaos_events.h"

#include <iterator>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cdgate::e2e {
namespace {

constexpr absl::string_view kSource = "/event/source/chaos";

struct Kind {
  absl::string_view type;
  absl::string_view subject;
  absl::string_view content;
};

constexpr Kind kKinds[] = {
    {"artifact.packaged.0.2.0", "artifact", R"({"change":{"id":"c1","source":"/git"}})"},
    {"artifact.published.0.2.0", "artifact", "{}"},
    {"service.deployed.0.2.0", "service",
     R"({"environment":{"id":"prod"},"artifactId":"pkg:oci/app@sha256:0f1e2d3c"})"},
    {"service.removed.0.2.0", "service", R"({"environment":{"id":"prod"}})"},
    {"change.created.0.3.0", "change", R"({"description":"Größer, schneller"})"},
    {"change.merged.0.2.0", "change", R"({"repository":{"id":"ledger"}})"},
    {"pipelinerun.finished.0.2.0", "pipelineRun", R"({"outcome":"success"})"},
    {"build.finished.0.2.0", "build", R"({"artifactId":"pkg:oci/app@sha256:0f1e2d3c"})"},
    {"taskrun.started.0.2.0", "taskRun", R"({"taskName":"compile"})"},
    {"incident.detected.0.2.0", "incident", R"({"environment":{"id":"prod"}})"},
};
static_assert(std::size(kKinds) == 10);

// SplitMix64: well mixed and the same everywhere.
uint64_t Mix(uint64_t seed, uint64_t index) {
  uint64_t value = seed * 0x9e3779b97f4a7c15 + index;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

std::string IdPrefix(uint64_t seed) { return absl::StrCat("chaos-", seed, "-"); }

}  // namespace

int TypeOf(uint64_t seed, uint64_t index) {
  return static_cast<int>((index + Mix(seed, index / 10)) % std::size(kKinds));
}

io::cloudevents::v1::CloudEvent MakeEvent(uint64_t seed, uint64_t index) {
  const Kind& kind = kKinds[TypeOf(seed, index)];
  const std::string id = absl::StrCat(IdPrefix(seed), index);
  const std::string type = absl::StrCat("dev.cdevents.", kind.type);
  const std::string padding(Mix(seed, index) % 2048, 'x');
  io::cloudevents::v1::CloudEvent event;
  event.set_id(id);
  event.set_source(std::string(kSource));
  event.set_spec_version("1.0");
  event.set_type(type);
  event.set_binary_data(absl::StrCat(
      R"({"context":{"version":"0.4.1","id":")", id, R"(","source":")", kSource, R"(","type":")",
      type, R"(","timestamp":"2025-05-20T10:15:42.318Z"},"subject":{"id":"s)", index % 97,
      R"(","type":")", kind.subject, R"(","content":)", kind.content,
      R"(},"customDataContentType":"application/json","customData":{"index":)", index,
      R"(,"padding":")", padding, R"("}})"));
  return event;
}

std::optional<uint64_t> IndexOf(uint64_t seed, absl::string_view id) {
  uint64_t index = 0;
  if (!absl::ConsumePrefix(&id, IdPrefix(seed)) || !absl::SimpleAtoi(id, &index)) {
    return std::nullopt;
  }
  return index;
}

}  // namespace cdgate::e2e
