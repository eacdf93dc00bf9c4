// What the three sides of a count share: who answers, who passes on, who asks.
#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/attestor.h"
#include "cdgate/federation/v1/link.pb.h"
#include "federation/attestation/attestor_directory.h"
#include "federation/session/origin_counter.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/random.h"
#include "gateway/base/timer_queue.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/state/store.h"

namespace cdgate::manager {

// An origin does not count events that were accepted later than this ago: links need time.
inline constexpr absl::Duration kLeastCountAge = absl::Seconds(10);

// All outlive what is made from them.
struct CountDeps {
  std::string domain;
  state::Store& store;
  const eventlog::EventLog& log;
  const session::PseudonymKeeper& keeper;
  session::LinkFactsOf link_facts;
  // Signs our counts; null: nobody does, and we count for nobody.
  const credentials::StatementSigner* attestor = nullptr;
  attestation::AttestorDirectory& attestors;
  // Certificates of attestors that `peer` sent (AttestorRegistry::Take).
  std::function<void(absl::string_view peer, const federation::v1::Attestors& sent)>
      take_attestors = {};
  // LinkManager::SendCount and KnowsCounts.
  std::function<bool(absl::string_view peer, federation::v1::Frame frame)> send;
  std::function<bool(absl::string_view peer)> knows_counts;
  // Reads the log; shut down before what is made from this goes.
  base::Executor& background;
  base::TimerQueue& timers;
  const base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
};

// So many at once, and then so many a second.
class CountAllowance {
 public:
  CountAllowance(double most, double per_second) : most_(most), rate_(per_second), left_(most) {}

  // `now`: monotonic.
  bool Take(absl::Duration now) {
    left_ = std::min(most_, left_ + rate_ * absl::ToDoubleSeconds(now - at_));
    at_ = now;
    if (left_ < 1) return false;
    --left_;
    return true;
  }

 private:
  const double most_, rate_;
  double left_;
  absl::Duration at_ = absl::ZeroDuration();
};

}  // namespace cdgate::manager
