// Dials other domains' enrolment listeners, for manager::Enrolment.
//
// The server is a stranger until it has answered: its certificate is kept as it was shown,
// and verified against the bundle in its response, before that response is handed on.
// Whether that bundle is the one the token pins is for the caller to check.
#pragma once

#include <memory>
#include <string>

#include "auth/credentials/identity_store.h"
#include "auth/credentials/observer.h"
#include "federation/manager/enrolment.h"
#include "gateway/base/clock.h"
#include "gateway/base/timer_queue.h"

namespace cdgate::app {

// One channel for each call, which has 5 seconds and an answer of at most 8 KiB. `done` gets
// UNREACHABLE, the server's own error, or that of the certificate. Thread-safe. What it is
// given outlives it and its calls.
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
