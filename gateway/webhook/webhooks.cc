#include "gateway/webhook/webhooks.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/webhook/credential_files.h"

namespace cdgate::webhook {
namespace {

using admin::v1::PushStatus;
using admin::v1::Subscription;
using base::MakeError;
using base::Reason;

constexpr size_t kMaxInFlight = 512;
constexpr size_t kKeyBytes = 24;
// Who may do what, and what could not be done, is looked at again so often.
constexpr absl::Duration kLookAgain = absl::Seconds(5);
constexpr absl::Duration kLongestTurn = absl::Seconds(1);
constexpr absl::Duration kIdleTurn = absl::Minutes(1);
// How old what StatusOf() tells may be while events are sent.
constexpr absl::Duration kStatusHolds = absl::Milliseconds(100);

bool IsPushed(const Subscription& subscription) {
  return subscription.has_push() && !subscription.push().has_end();
}

PushStatus Ended(const admin::v1::PushEnd& end) {
  PushStatus status;
  status.set_state(admin::v1::PUSH_STATE_ENDED);
  status.set_reason(end.reason());
  status.set_message(end.message());
  return status;
}

PushStatus Stopped(const absl::Status& why) {
  PushStatus status;
  status.set_state(admin::v1::PUSH_STATE_STOPPED);
  status.set_reason(base::ReasonLabel(base::ReasonOf(why).value_or(Reason::kInternal)));
  status.set_message(std::string(why.message()));
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Webhooks>> Webhooks::Start(
    WebhooksDeps deps, const config::v1::WebhooksConfig& config) {
  CDGATE_ASSIGN_OR_RETURN(AllowList allowed, AllowList::Make(config, deps.domain));
  for (const auto& target : allowed.targets()) CDGATE_RETURN_IF_ERROR(CheckFiles(*target));
  CDGATE_ASSIGN_OR_RETURN(auto client, HttpClient::Create());
  std::unique_ptr<Webhooks> out(
      new Webhooks(std::move(deps), std::move(allowed), config.callback_url(), std::move(client)));
  out->thread_ = std::thread([self = out.get()] { self->Run(); });
  return out;
}

Webhooks::Webhooks(WebhooksDeps deps, AllowList allowed, std::string callback_url,
                   std::unique_ptr<HttpClient> client)
    : deps_(std::move(deps)),
      allowed_(std::move(allowed)),
      callback_url_(std::move(callback_url)),
      client_(std::move(client)),
      inbox_(std::make_shared<Inbox>()) {
  for (const auto& target : allowed_.targets()) {
    metrics_[target->name] = std::make_unique<TargetMetrics>(deps_.metrics, target->name);
  }
}

Webhooks::~Webhooks() { Shutdown(absl::ZeroDuration()); }

// --- from any thread

void Webhooks::Reconcile(state::ResourceSnapshotPtr resources) {
  inbox_->Post([this, resources = std::move(resources)] {
    resources_ = resources;
    look_again_ = -absl::InfiniteDuration();
  });
}

absl::Status Webhooks::Check(const Subscription& subscription) const {
  if (!subscription.has_push()) return absl::OkStatus();
  return allowed_.Find(subscription.push().url(), subscription.owner()).status();
}

std::optional<PushStatus> Webhooks::StatusOf(const Subscription& subscription) const {
  if (subscription.push().has_end()) return Ended(subscription.push().end());
  base::MutexLock lock(mu_);
  const auto found = statuses_.find(subscription.name());
  if (found == statuses_.end()) return std::nullopt;
  return found->second;
}

absl::Status Webhooks::Grant(absl::string_view key, absl::string_view allowed_rate) {
  const auto rate = allowed_rate.empty() ? 0 : ParseAllowedRate(allowed_rate);
  if (!rate) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("WebHook-Allowed-Rate is \"", base::Shorten(allowed_rate),
                                  "\"; expected requests a minute, or *"),
                     {{"field", "WebHook-Allowed-Rate"}});
  }
  std::string url;
  {
    base::MutexLock lock(mu_);
    const auto found = granted_by_.find(key);
    if (found == granted_by_.end()) {
      return MakeError(Reason::kNotFound,
                       "no webhook was told this address, or it is not pushed to any more");
    }
    url = found->second;
  }
  inbox_->Post([this, url, rate = *rate] {
    const auto target = targets_.find(url);
    if (target != targets_.end()) target->second.endpoint->OnGranted(rate);
  });
  return absl::OkStatus();
}

void Webhooks::Shutdown(absl::Duration limit) {
  {
    base::MutexLock lock(mu_);
    if (std::exchange(stopped_, true)) return;
  }
  inbox_->Post([this, limit] {
    draining_ = true;
    drain_until_ = deps_.clock.Monotonic() + limit;
  });
  if (thread_.joinable()) thread_.join();
}

// --- the thread

void Webhooks::Run() {
  while (!(draining_ && Drained(deps_.clock.Monotonic()))) Turn();
  pumps_.clear();  // what is with them goes back
  inbox_->Close();
  targets_.clear();
}

bool Webhooks::Drained(absl::Duration now) const {
  return now >= drain_until_ || std::all_of(pumps_.begin(), pumps_.end(), [](const auto& each) {
           return each.second->in_flight() == 0;
         });
}

void Webhooks::Turn() {
  for (const Inbox::Task& task : inbox_->TakeAll()) task();
  const absl::Duration now = deps_.clock.Monotonic();
  if (!draining_ && now >= look_again_ && resources_ != nullptr) {
    look_again_ = now + kLookAgain;
    Apply(*resources_);
    ForgetUnusedEndpoints();
  }
  for (const auto& [name, pump] : pumps_) {
    if (draining_) pump->Drain();
    pump->Step();
  }
  PublishStatuses();
  client_->Poll(NextTurn() - deps_.clock.Monotonic(), inbox_->fd());
}

absl::Duration Webhooks::NextTurn() const {
  const absl::Duration now = deps_.clock.Monotonic();
  absl::Duration next = now + (pumps_.empty() && refused_.empty() ? kIdleTurn : kLongestTurn);
  if (draining_) next = std::min(next, drain_until_);
  for (const auto& [name, pump] : pumps_) next = std::min(next, pump->NextStep());
  return std::max(next, now);
}

void Webhooks::Apply(const state::ResourceSnapshot& resources) {
  // What is not kept ends when this returns.
  const std::map<std::string, std::shared_ptr<Pump>> before = std::exchange(pumps_, {});
  refused_.clear();
  const absl::Status held = deps_.hold ? deps_.hold(resources) : absl::OkStatus();
  for (const state::ResourcePtr& resource : resources.List(state::kSubscriptionKind)) {
    if (const absl::Status kept = Keep(*resource, held, before); !kept.ok()) {
      refused_[resource->name] = kept;
    }
  }
}

absl::Status Webhooks::Keep(const state::StoredResource& resource, const absl::Status& held,
                            const std::map<std::string, std::shared_ptr<Pump>>& before) {
  const auto subscription = resource.As<Subscription>();
  if (!subscription.ok() || !IsPushed(*subscription)) return absl::OkStatus();
  CDGATE_RETURN_IF_ERROR(held);
  CDGATE_ASSIGN_OR_RETURN(authz::Principal owner,
                          authz::Principal::Parse(subscription->owner(), deps_.domain));
  if (deps_.deny) CDGATE_RETURN_IF_ERROR(deps_.deny(owner));
  const auto running = before.find(resource.name);
  if (running == before.end() || running->second->version() != resource.version) {
    return Begin({*subscription, resource.version, std::move(owner)});
  }
  pumps_.insert(*running);
  // Where it could not be written, as the queue was full.
  if (!running->second->gone().ok()) OnGone(resource.name, running->second->gone());
  return absl::OkStatus();
}

absl::Status Webhooks::Begin(Pushed pushed) {
  const std::string name = pushed.subscription.name();
  CDGATE_ASSIGN_OR_RETURN(const AllowedUrl allowed, allowed_.Find(pushed.subscription.push().url(),
                                                                  pushed.subscription.owner()));
  PumpDeps deps{.shared = deps_.shared,
                .clock = deps_.clock,
                .inbox = inbox_,
                .has_room = [this] { return client_->in_flight() < kMaxInFlight; },
                .on_gone = [this](const std::string& subscription,
                                  const absl::Status& why) { OnGone(subscription, why); }};
  pumps_[name] = std::make_shared<Pump>(std::move(deps), std::move(pushed), EndpointFor(allowed));
  return absl::OkStatus();
}

std::shared_ptr<Endpoint> Webhooks::EndpointFor(const AllowedUrl& allowed) {
  Target& target = targets_[allowed.url.text];
  // One that wanted no more is asked anew, as its subscription was set anew.
  if (target.endpoint != nullptr && !target.endpoint->target().gone()) return target.endpoint;
  Forget(&target);
  std::string callback;
  if (!callback_url_.empty() && allowed.target->handshake) {
    target.key = base::Base64UrlEncode(deps_.random.Bytes(kKeyBytes));
    callback = absl::StrCat(callback_url_, kGrantPath, target.key);
    base::MutexLock lock(mu_);
    granted_by_[target.key] = allowed.url.text;
  }
  target.endpoint =
      std::make_shared<Endpoint>(EndpointDeps{.client = *client_,
                                              .clock = deps_.clock,
                                              .metrics = *metrics_.at(allowed.target->name),
                                              .origin = allowed_.origin(),
                                              .callback = std::move(callback)},
                                 allowed);
  return target.endpoint;
}

void Webhooks::ForgetUnusedEndpoints() {
  for (auto target = targets_.begin(); target != targets_.end();) {
    if (target->second.endpoint.use_count() > 1) {
      ++target;
      continue;
    }
    Forget(&target->second);
    target = targets_.erase(target);
  }
}

void Webhooks::Forget(Target* target) {
  base::MutexLock lock(mu_);
  granted_by_.erase(target->key);
  target->key.clear();
}

void Webhooks::OnGone(const std::string& name, const absl::Status& why) {
  base::LogError(base::LogLevel::kWarning, "webhook wants no more events", why,
                 {{"subscription", name}});
  const state::ResourcePtr resource = deps_.store.Resources()->Find(state::kSubscriptionKind, name);
  const auto pump = pumps_.find(name);
  if (resource == nullptr || pump == pumps_.end() || resource->version != pump->second->version()) {
    return;  // it was changed meanwhile, and is begun anew
  }
  auto subscription = resource->As<Subscription>();
  if (!subscription.ok()) return;
  admin::v1::PushEnd& end = *subscription->mutable_push()->mutable_end();
  end.mutable_time()->set_seconds(absl::ToUnixSeconds(deps_.clock.Now()));
  end.set_reason(base::ReasonLabel(base::ReasonOf(why).value_or(Reason::kWebhookGone)));
  end.set_message(std::string(why.message()));
  state::ResourceEdit edit;
  edit.kind = state::kSubscriptionKind;
  edit.name = name;
  edit.value = subscription->SerializeAsString();
  edit.expected_version = resource->version;
  edit.author = deps_.author;
  state::Proposal proposal;
  proposal.resources.push_back(std::move(edit));
  const absl::Status queued =
      deps_.store.Propose(std::move(proposal), [name](const state::Outcome& outcome) {
        if (outcome.status.ok()) return;
        base::LogError(base::LogLevel::kWarning, "the end of a push was not written",
                       outcome.status, {{"subscription", name}});
      });
  if (!queued.ok()) {
    base::LogError(base::LogLevel::kWarning, "the end of a push was not written", queued,
                   {{"subscription", name}});
  }
}

void Webhooks::PublishStatuses() {
  const absl::Duration now = deps_.clock.Monotonic();
  if (now < publish_at_) return;
  publish_at_ = now + kStatusHolds;
  absl::flat_hash_map<std::string, PushStatus> statuses;
  for (const auto& [name, pump] : pumps_) statuses[name] = pump->Status();
  for (const auto& [name, refused] : refused_) statuses[name] = Stopped(refused);
  base::MutexLock lock(mu_);
  statuses_ = std::move(statuses);
}

}  // namespace cdgate::webhook
