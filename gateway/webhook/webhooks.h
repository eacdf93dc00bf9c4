// All subscriptions that are pushed: one thread that drives them and their requests.
//
//   CDGATE_ASSIGN_OR_RETURN(auto webhooks, Webhooks::Start(deps, config));
//   store.Watch([&](const auto& resources) { webhooks->Reconcile(resources); });
//   CDGATE_RETURN_IF_ERROR(webhooks->Check(subscription));     // before it is kept
//   webhooks->StatusOf(subscription)
//   webhooks->Shutdown(absl::Seconds(5));
//
// What is pushed is what the resources say: a subscription that gets a `push` is begun, one that
// changes is begun anew, one that loses it or is deleted ends. A target that answers 410 Gone ends
// its subscription's push, which is kept in the resource, and so holds after a restart.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/authz/principal.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/admin/v1/subscription.pb.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"
#include "gateway/delivery/shared_subscription.h"
#include "gateway/state/resources.h"
#include "gateway/state/store.h"
#include "gateway/webhook/allow_list.h"
#include "gateway/webhook/endpoint.h"
#include "gateway/webhook/http_client.h"
#include "gateway/webhook/inbox.h"
#include "gateway/webhook/metrics.h"
#include "gateway/webhook/pump.h"

namespace cdgate::webhook {

// Where targets grant permission later, below webhooks.callback_url and at the HTTP ingress.
inline constexpr char kGrantPath[] = "/webhooks/grants/";

// All outlive the webhooks.
struct WebhooksDeps {
  std::string domain;  // ours
  std::string author;  // as whom an ended push is written
  state::Store& store;
  delivery::SharedSubscriptions& shared;
  // Why nothing at all is to leave now; OK: it may. Asked whenever resources change, and every few
  // seconds.
  std::function<absl::Status(const state::ResourceSnapshot&)> hold;
  // Whether a principal is refused for the time being.
  std::function<absl::Status(const authz::Principal&)> deny;
  base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
};

class Webhooks {
 public:
  // INVALID_CONFIG, INTERNAL.
  static absl::StatusOr<std::unique_ptr<Webhooks>> Start(WebhooksDeps deps,
                                                         const config::v1::WebhooksConfig& config);
  // Calls Shutdown() without waiting for what is under way.
  ~Webhooks();
  Webhooks(const Webhooks&) = delete;
  Webhooks& operator=(const Webhooks&) = delete;

  // The resources are these now.
  void Reconcile(state::ResourceSnapshotPtr resources);
  // Whether `subscription`, of its owner, may be pushed where it says; OK where it is not pushed.
  // INVALID_ARGUMENT, WEBHOOK_NOT_ALLOWED.
  absl::Status Check(const admin::v1::Subscription& subscription) const;
  // None where it is not pushed, or nothing is known yet.
  std::optional<admin::v1::PushStatus> StatusOf(const admin::v1::Subscription& subscription) const;
  // Somebody called the address below kGrantPath that ends with `key`, with a
  // WebHook-Allowed-Rate, or "" for none. NOT_FOUND where no target was told that; INVALID_ARGUMENT
  // where it is no rate.
  absl::Status Grant(absl::string_view key, absl::string_view allowed_rate);

  // Sends nothing new, waits for what is under way for at most `limit`, gives back what is left.
  // Idempotent.
  void Shutdown(absl::Duration limit);

 private:
  struct Target {
    std::shared_ptr<Endpoint> endpoint;
    std::string key;  // of the address that grants
  };

  Webhooks(WebhooksDeps deps, AllowList allowed, std::string callback_url,
           std::unique_ptr<HttpClient> client);

  // --- on the thread
  void Run();
  void Turn();
  absl::Duration NextTurn() const;
  void Apply(const state::ResourceSnapshot& resources);
  // OK: the subscription is pushed, by a pump of `before` where that is of the same version; else
  // why not.
  absl::Status Keep(const state::StoredResource& resource, const absl::Status& held,
                    const std::map<std::string, std::shared_ptr<Pump>>& before);
  absl::Status Begin(Pushed pushed);
  std::shared_ptr<Endpoint> EndpointFor(const AllowedUrl& allowed);
  void ForgetUnusedEndpoints();
  // Its key grants nothing any more.
  void Forget(Target* target);
  void OnGone(const std::string& name, const absl::Status& why);
  void PublishStatuses();
  bool Drained(absl::Duration now) const;

  const WebhooksDeps deps_;
  const AllowList allowed_;
  const std::string callback_url_;
  const std::unique_ptr<HttpClient> client_;
  const std::shared_ptr<Inbox> inbox_;
  std::map<std::string, std::unique_ptr<TargetMetrics>> metrics_;  // by name; fixed when it starts

  // --- touched on the thread only
  std::map<std::string, Target> targets_;  // by address
  std::map<std::string, std::shared_ptr<Pump>> pumps_;
  // Those that are pushed and cannot be begun: by name, with why.
  std::map<std::string, absl::Status> refused_;
  state::ResourceSnapshotPtr resources_;
  absl::Duration look_again_;
  absl::Duration publish_at_;
  bool draining_ = false;
  absl::Duration drain_until_;

  mutable base::Mutex mu_;
  absl::flat_hash_map<std::string, admin::v1::PushStatus> statuses_ CDGATE_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, std::string> granted_by_ CDGATE_GUARDED_BY(mu_);  // key to url
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace cdgate::webhook
