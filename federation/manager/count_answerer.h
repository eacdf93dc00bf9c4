// Answers who asks how many of our events we gave away for a destination, and for their list.
//
//   CountAnswerer answerer(deps);
//   answerer.OnRequest("beta.example", request);      // the answer goes back over the link
//
// Who asks over a link is told of itself, or of whoever it asks for; then only events that it has
// itself are counted, so that it learns nothing that it does not know. A destination that nothing
// was given for, and one that does not exist, have the same answer: a count of 0, signed.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "federation/attestation/origin_count.h"
#include "federation/manager/count_parts.h"
#include "gateway/base/mutex.h"

namespace cdgate::manager {

// What one peer may ask: counts, at once and then one in ten seconds, and pages of their lists.
inline constexpr double kCountsAtOnce = 10;
inline constexpr double kPagesAtOnce = 128;
inline constexpr double kPagesPerSecond = 10;
// Counts that are made at the same time, of one peer at most one; and lists that are held, of each
// peer the last, for so long.
inline constexpr size_t kMaxCounting = 2;
inline constexpr size_t kMaxLists = 8;
inline constexpr absl::Duration kListLife = absl::Minutes(5);

// Thread-safe.
class CountAnswerer {
 public:
  explicit CountAnswerer(const CountDeps& deps);

  // `peer`, authenticated, asks for a count of ours or for a page. Does not block.
  void OnRequest(absl::string_view peer, const federation::v1::CountRequest& request);

 private:
  struct Job;
  using JobPtr = std::shared_ptr<Job>;
  struct List {
    std::string destination;
    std::string digest;
    attestation::CountedEvents counted;
    absl::Duration until;  // monotonic
  };
  struct Asking {
    bool counting = false;
    CountAllowance counts{kCountsAtOnce, 0.1};
    CountAllowance pages{kPagesAtOnce, kPagesPerSecond};
    std::shared_ptr<const List> list;
  };

  // Empty: it may be counted.
  absl::string_view Refusal(const std::string& peer, const federation::v1::CountRequest& request);
  void Begin(const std::string& peer, const federation::v1::CountRequest& request);
  void Run(const JobPtr& job);
  void Finish(const JobPtr& job);
  void End(const JobPtr& job, federation::v1::CountAnswer answer);
  void Keep(const Job& job, std::string digest, attestation::CountedEvents counted);
  void DropOldLists() CDGATE_REQUIRES(mu_);
  void GivePage(const std::string& peer, const federation::v1::CountRequest& request);
  void Refuse(const std::string& peer, const std::string& id, absl::string_view reason);
  void Answer(const std::string& peer, federation::v1::CountAnswer answer);

  const CountDeps& deps_;
  const session::OriginCounterDeps counter_deps_;
  base::Mutex mu_;
  size_t counting_ CDGATE_GUARDED_BY(mu_) = 0;
  std::map<std::string, Asking, std::less<>> asking_ CDGATE_GUARDED_BY(mu_);  // by peer
};

}  // namespace cdgate::manager
