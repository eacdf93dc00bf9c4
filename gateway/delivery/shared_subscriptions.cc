// Of shared_subscription.h: those that there are.
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/delivery/shared_subscription.h"

namespace cdgate::delivery {

using base::MakeError;
using base::Reason;

absl::Status BeingChanged(absl::string_view name) {
  return MakeError(Reason::kSubscriptionChanged,
                   absl::StrCat("subscription ", name, " is being changed; subscribe again"),
                   {{"name", std::string(name)}});
}

SharedSubscriptions::SharedSubscriptions(const SharedDeps& deps)
    : deps_(deps),
      deliveries_again_(deps.metrics.AddCounter("cdgate_subscription_redeliveries_total",
                                                "Events delivered again by shared subscriptions.")),
      dead_letters_(deps.metrics.AddCounter("cdgate_subscription_dead_letters_total",
                                            "Events that shared subscriptions gave up.")) {}

absl::StatusOr<SharedSubscriptions::Joined> SharedSubscriptions::Join(
    const admin::v1::Subscription& subscription, const authz::Principal& principal,
    std::shared_ptr<SharedConsumer> stream, SharedQueue::Capacity capacity) {
  Joined joined;
  {
    base::MutexLock lock(mu_);
    Entry& entry = entries_[subscription.name()];
    if (entry.changing) return BeingChanged(subscription.name());
    if (entry.subscription == nullptr) {
      entry.subscription =
          std::make_shared<SharedSubscription>(*this, deps_, subscription, principal);
    }
    ++entry.streams;
    joined = {.subscription = entry.subscription, .id = ++last_id_};
  }
  const bool posted = joined.subscription->Post([shared = joined.subscription.get(), id = joined.id,
                                                 stream = std::move(stream),
                                                 capacity] { shared->Join(id, stream, capacity); });
  if (posted) return joined;
  Forget(subscription.name(), joined.subscription.get());
  return MakeError(Reason::kOverloaded,
                   "the gateway has more work queued than it accepts; try again");
}

bool SharedSubscriptions::BeginChange(const std::string& name, const absl::Status& why,
                                      std::function<void()> done) {
  std::shared_ptr<SharedSubscription> subscription;
  {
    base::MutexLock lock(mu_);
    Entry& entry = entries_[name];
    if (entry.changing) return false;
    entry.changing = true;
    subscription = entry.subscription;
  }
  if (subscription == nullptr || !subscription->Stop(why, done)) done();
  return true;
}

void SharedSubscriptions::EndChange(const std::string& name) {
  base::MutexLock lock(mu_);
  entries_.erase(name);
}

size_t SharedSubscriptions::StreamsOf(const std::string& name) const {
  base::MutexLock lock(mu_);
  const auto entry = entries_.find(name);
  return entry == entries_.end() ? 0 : entry->second.streams;
}

void SharedSubscriptions::OnLeft(const std::string& name, const SharedSubscription* subscription) {
  base::MutexLock lock(mu_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || entry->second.subscription.get() != subscription) return;
  --entry->second.streams;
}

bool SharedSubscriptions::ForgetIfIdle(const std::string& name,
                                       const SharedSubscription* subscription) {
  base::MutexLock lock(mu_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || entry->second.subscription.get() != subscription) return true;
  if (entry->second.streams > 0 || entry->second.changing) return false;
  entries_.erase(entry);
  return true;
}

void SharedSubscriptions::Forget(const std::string& name, const SharedSubscription* subscription) {
  base::MutexLock lock(mu_);
  const auto entry = entries_.find(name);
  if (entry == entries_.end() || entry->second.subscription.get() != subscription) return;
  entry->second.subscription = nullptr;
  entry->second.streams = 0;
  if (!entry->second.changing) entries_.erase(entry);
}

}  // namespace cdgate::delivery
