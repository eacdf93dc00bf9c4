// What a run of a plan came to: its three lists as counts, samples and digests.
//
//   PlanSummary summary;
//   run.Over(range, [&](const Difference& difference) { summary.Add(difference); return true; });
//   summary.Describe(&plan);                         // admin.v1.Plan
//   change.set_identities_digest(summary.IdentitiesDigest());
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "auth/crypto/digest.h"
#include "cdgate/admin/v1/admin.pb.h"
#include "gateway/api/plan_run.h"

namespace cdgate::api {

// Not thread-safe.
class PlanSummary {
 public:
  void Add(const Difference& difference);

  uint64_t events(admin::v1::PlanListKind list) const;
  // The lists of `plan`.
  void Describe(admin::v1::Plan* plan) const;
  // 32 bytes: SHA-256 over the digests of the three lists, each over the identities of its
  // events in the order of the log.
  std::string IdentitiesDigest();

 private:
  struct List {
    uint64_t events = 0;
    std::map<std::pair<std::string, std::string>, uint64_t> counts;  // by type and source
    std::vector<admin::v1::PlanEvent> samples;
    crypto::Sha256Hasher hasher;
  };
  void DescribeList(const List& list, admin::v1::PlanList* out) const;

  std::array<List, 3> lists_;
};

}  // namespace cdgate::api
