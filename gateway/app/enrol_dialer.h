// Dials other domains' enrolment listeners.
#pragma once

#include <memory>
#include <string>

#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "federation/manager/enrolment.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::app {

// One channel for each call. Thread-safe. What it is given outlives it and its calls.
class ChannelEnrolDialer final : public manager::EnrolDialer {
 public:
  ChannelEnrolDialer(const credentials::IdentityStore& identity,
                     std::shared_ptr<credentials::VerificationObserver> observer,
                     base::Clock& clock, base::TimerQueue& timers)
      : identity_(identity), observer_(std::move(observer)), clock_(clock), timers_(timers) {}

  void Enrol(const std::string& endpoint, const std::string& domain,
             const federation::v1::EnrolRequest& request, Done done) override;

 private:
  const credentials::IdentityStore& identity_;
  const std::shared_ptr<credentials::VerificationObserver> observer_;
  base::Clock& clock_;
  base::TimerQueue& timers_;
};

}  // namespace cdgate::app
