// One address that is pushed to, with what is shared by the subscriptions that push there: its
// state (target.h), its credentials, its validation handshake.
//
//   auto endpoint = std::make_shared<Endpoint>(deps, allowed);
//   endpoint->AskIfDue();                          // OPTIONS, where that is due
//   endpoint->Send(pushed, timeout, attempt, [](Id id, const Endpoint::Outcome& outcome) { … });
//
// For the thread of the HttpClient.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/webhook/allow_list.h"
#include "gateway/webhook/answer.h"
#include "gateway/webhook/http_client.h"
#include "gateway/webhook/metrics.h"
#include "gateway/webhook/push_request.h"
#include "gateway/webhook/target.h"

namespace cdgate::webhook {

// All outlive the endpoint.
struct EndpointDeps {
  HttpClient& client;
  base::Clock& clock;
  TargetMetrics& metrics;
  std::string origin;
  std::string callback;  // where it may grant permission later; empty: it is told of none
};

class Endpoint : public std::enable_shared_from_this<Endpoint> {
 public:
  struct Outcome {
    Ruling ruling;
    absl::Status result;  // OK: taken
    int status = 0;       // of HTTP
  };
  using Done = std::function<void(HttpClient::Id, const Outcome&)>;

  Endpoint(EndpointDeps deps, AllowedUrl allowed);
  ~Endpoint();

  // Sends the validation request, where one is due.
  void AskIfDue();
  // It was granted by a call of ours; 0: at any rate.
  void OnGranted(uint32_t rate) { target_.OnGranted(rate); }

  bool MaySend() const { return target_.MaySend(deps_.clock.Monotonic()); }
  // Only where MaySend(). `done` once, not before this returns, unless it is abandoned.
  HttpClient::Id Send(PushBody push, absl::Duration timeout, uint32_t attempt, Done done);
  // Its connection is closed.
  void Abandon(HttpClient::Id id);

  const Target& target() const { return target_; }
  // What the last validation request came to; OK: granted, or none was made.
  const absl::Status& handshake_failure() const { return handshake_failure_; }
  const std::string& url() const { return allowed_.url.text; }

 private:
  struct Sent {
    bool probe = false;
    absl::Duration at;
  };

  // With the fields that every request has. FILE_UNREADABLE where its credentials
  // cannot be read, or can be by everybody.
  absl::StatusOr<HttpRequest> MakeRequest(std::string method, absl::Duration timeout);
  // Now and then, so that what was replaced is noticed.
  absl::Status ReadCredentials();
  void OnGrantAnswer(const Answer& answer);
  void OnPosted(HttpClient::Id id, const Answer& answer, const Done& done);
  void CountBreaker();

  const EndpointDeps deps_;
  const AllowedUrl allowed_;
  Target target_;
  absl::Status handshake_failure_;
  HttpClient::Id asked_ = 0;
  std::map<HttpClient::Id, Sent> sent_;
  std::string token_;
  absl::Duration read_ = -absl::InfiniteDuration();
  bool counted_open_ = false;
};

}  // namespace cdgate::webhook
