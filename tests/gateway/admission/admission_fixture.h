// A gateway's way in, from admission to a log in memory, for tests.
//
//   AdmissionFixture f;
//   const auto results = f.Publish({f.Event("1")});
//   EXPECT_EQ(f.Stored(results[0].sequence).origin(), "alpha.example");
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/admission/admission.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/state/store.h"
#include "tests/support/fake_clock.h"

namespace cdgate::test {

// JSON of a CDEvent of a type that needs no content. `extra` follows the last member.
std::string SampleJson(const std::string& id, const std::string& source = "/alpha/jenkins/1",
                       const std::string& type = "dev.cdevents.build.queued.0.2.0",
                       const std::string& extra = "");
// That JSON in the envelope that the binding prescribes, serialised.
std::string SampleCloudEvent(const std::string& json);

class AdmissionFixture {
 public:
  // Grants: spiffe://alpha.example/service/jenkins may publish builds of /alpha/jenkins/%
  // on the plane integration-delivery.
  explicit AdmissionFixture(event::AdmitLimits limits = {});
  ~AdmissionFixture();

  authz::Principal Jenkins() const;
  // Waits until they are decided.
  std::vector<admission::Result> Publish(const std::vector<std::string>& cloud_events);
  std::vector<admission::Result> PublishAs(const authz::Principal& principal,
                                           const std::vector<std::string>& cloud_events);
  storage::v1::StoredEvent Stored(base::Sequence sequence) const;
  double Counted(const std::string& metric, const base::Labels& labels);

  FakeClock clock;
  base::Metrics metrics;
  authz::GrantRegistry grants;
  schema::SchemaRegistry schemas;
  std::unique_ptr<state::Store> store;
  std::unique_ptr<admission::Admission> admission;

 private:
  base::ThreadPool background_{{.name = "background", .threads = 1}};
  eventlog::MemoryLog log_;
};

}  // namespace cdgate::test
