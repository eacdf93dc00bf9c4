// Takes the events of one shared subscription as a stream would, and sends them to its webhook.
//
//   auto pump = std::make_shared<Pump>(deps, pushed);
//   pump->Step();             // now, and whenever something happened or time has come
//   pump->NextStep()
//   pump->Leave();            // once, at the end
//
// At most `max_concurrency` events are with it: under way, or waiting for the target to be ready.
// What the target took is acknowledged; what it did not is given back, as its Ruling says, and
// comes again. Nothing is kept here that a restart would lose: the subscription's cursor has it.
//
// For the thread of the HttpClient.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "auth/authz/principal.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/admin/v1/subscription.pb.h"
#include "cdgate/events/v1/events.pb.h"
#include "gateway/base/clock.h"
#include "gateway/delivery/shared_subscription.h"
#include "gateway/delivery/subscription_settings.h"
#include "gateway/webhook/endpoint.h"
#include "gateway/webhook/http_client.h"
#include "gateway/webhook/inbox.h"

namespace cdgate::webhook {

// All outlive the pumps, but for the inbox, which they share.
struct PumpDeps {
  delivery::SharedSubscriptions& shared;
  base::Clock& clock;
  std::shared_ptr<Inbox> inbox;
  // Whether one more request may be under way, over all pumps.
  std::function<bool()> has_room;
  // The target wants no more: `why` says what it said.
  std::function<void(const std::string& subscription, const absl::Status& why)> on_gone;
};

// What is pushed.
struct Pushed {
  admin::v1::Subscription subscription;
  uint64_t version = 0;  // of the resource
  authz::Principal owner;
};

class Pump : public std::enable_shared_from_this<Pump> {
 public:
  Pump(PumpDeps deps, Pushed pushed, std::shared_ptr<Endpoint> endpoint);
  ~Pump();

  // Joins, asks, sends: whatever can be done now.
  void Step();
  // When something can be done by itself, by the monotonic clock; infinite: nothing.
  absl::Duration NextStep() const;
  // What is with it goes back; requests under way are given up.
  void Leave();
  // Begins nothing new from now on.
  void Drain() { draining_ = true; }

  uint64_t version() const { return pushed_.version; }
  // What the target said that wants no more; OK: it has not.
  const absl::Status& gone() const { return gone_; }
  size_t in_flight() const { return sent_.size(); }
  admin::v1::PushStatus Status() const;

 private:
  class Consumer;

  void Join();
  void AskForMore();
  void SendHeld();
  void SendOne(const events::v1::DeliveredEvent& event);
  void OnEvents(const std::string& batch);
  void OnOutcome(HttpClient::Id id, const Endpoint::Outcome& outcome);
  // False where the subscription is over.
  bool Report(base::Sequence sequence, const Endpoint::Outcome& outcome);
  void OnEnded(const absl::Status& why);
  void OnGone(const absl::Status& why);
  void Drop();

  const PumpDeps deps_;
  const Pushed pushed_;
  const delivery::PushSettings settings_;
  const std::shared_ptr<Endpoint> endpoint_;

  delivery::SharedSubscriptions::Joined joined_;  // null: not joined
  std::shared_ptr<Consumer> consumer_;            // of this joining
  absl::Duration join_at_ = -absl::InfiniteDuration();
  bool wanting_ = false;
  bool draining_ = false;
  absl::Status gone_;
  std::deque<events::v1::DeliveredEvent> held_;    // not sent yet
  std::map<HttpClient::Id, base::Sequence> sent_;  // under way

  // --- as Status() tells it
  absl::Status stopped_;  // why it is not joined
  absl::Status last_result_;
  int last_status_ = 0;
  absl::Time last_answer_ = absl::InfinitePast();
  uint64_t delivered_ = 0;
  uint64_t failed_ = 0;
};

}  // namespace cdgate::webhook
