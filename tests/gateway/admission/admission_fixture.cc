#include "tests/gateway/admission/admission_fixture.h"

#include <future>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "gateway/event/digests.h"
#include "gateway/state/memory_kv.h"
#include "tests/support/stored_events.h"

namespace cdgate::test {

std::string SampleJson(const std::string& id, const std::string& source, const std::string& type,
                       const std::string& extra) {
  const std::vector<std::string> parts = absl::StrSplit(type, '.');
  return absl::StrCat(R"({"context":{"version":"0.4.1","id":")", id, R"(","source":")", source,
                      R"(","type":")", type,
                      R"(","timestamp":"2026-01-01T00:00:00Z"},"subject":{"id":"b","type":")",
                      parts.at(2), R"(","content":{}})", extra, "}");
}

std::string SampleCloudEvent(const std::string& json) {
  event::Admitter admitter;
  return std::string(admitter.AdmitCdEventJson(json)->cloud_event());
}

AdmissionFixture::AdmissionFixture(event::AdmitLimits limits)
    : log_(std::make_shared<eventlog::MemoryLogStorage>(), clock, base::SystemRandom()) {
  admin::v1::Grant grant;
  grant.set_name("jenkins");
  grant.set_principal("spiffe://alpha.example/service/jenkins");
  grant.set_role(admin::v1::ROLE_PUBLISHER);
  grant.add_sources("/alpha/jenkins/%");
  grant.add_types("dev.cdevents.build.%");
  grant.set_plane("integration-delivery");
  grants.Replace(*authz::Grants::Compile({grant}));
  store = *state::Store::Open({},
                              {.log = log_,
                               .clock = clock,
                               .random = base::SystemRandom(),
                               .metrics = metrics,
                               .background = background_,
                               .canonical_digest = event::CanonicalJsonDigest},
                              std::make_unique<state::MemoryKv>());
  admission = std::make_unique<admission::Admission>(
      admission::AdmissionDeps{.domain = "alpha.example",
                               .limits = limits,
                               .store = *store,
                               .grants = grants,
                               .schemas = schemas,
                               .clock = clock,
                               .random = base::SystemRandom(),
                               .metrics = metrics});
}

AdmissionFixture::~AdmissionFixture() {
  store->Shutdown();
  background_.Shutdown();
}

authz::Principal AdmissionFixture::Jenkins() const {
  return {.kind = authz::Principal::Kind::kSpiffe,
          .id = "spiffe://alpha.example/service/jenkins",
          .domain = "alpha.example"};
}

std::vector<admission::Result> AdmissionFixture::Publish(
    const std::vector<std::string>& cloud_events) {
  return PublishAs(Jenkins(), cloud_events);
}

std::vector<admission::Result> AdmissionFixture::PublishAs(
    const authz::Principal& principal, const std::vector<std::string>& cloud_events) {
  const std::vector<absl::string_view> views(cloud_events.begin(), cloud_events.end());
  std::promise<std::vector<admission::Result>> promise;
  admission->Publish(principal, views, [&promise](std::vector<admission::Result> results) {
    promise.set_value(std::move(results));
  });
  return promise.get_future().get();
}

storage::v1::StoredEvent AdmissionFixture::Stored(base::Sequence sequence) const {
  return ParseStored(store->ReadEvent(sequence)->record->stored().bytes());
}

double AdmissionFixture::Counted(const std::string& metric, const base::Labels& labels) {
  return metrics.AddCounter(metric, "", labels).Value();
}

}  // namespace cdgate::test
