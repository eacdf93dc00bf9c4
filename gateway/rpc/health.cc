#include "gateway/rpc/health.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"
#include "grpc/health/v1/health.pb.h"

namespace cdgate::rpc {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

HealthCheckResponse ResponseFor(std::optional<bool> serving) {
  HealthCheckResponse response;
  response.set_status(!serving   ? HealthCheckResponse::SERVICE_UNKNOWN
                      : *serving ? HealthCheckResponse::SERVING
                                 : HealthCheckResponse::NOT_SERVING);
  return response;
}

// One Watch call: sends the state now and after changes, only the newest where the
// client is slower than the changes.
class HealthWatch : public std::enable_shared_from_this<HealthWatch> {
 public:
  HealthWatch(HealthRegistry& registry, ServerStreamPtr stream, std::string service)
      : registry_(registry), stream_(std::move(stream)), service_(std::move(service)) {}

  void Begin() {
    id_ = registry_.Watch(service_, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->SendIfChanged();
    });
    stream_->Start({.on_message = nullptr,
                    .on_end = nullptr,
                    .on_closed = [self = shared_from_this()](const absl::Status&) {
                      self->registry_.Unwatch(self->id_);
                    }});
    SendIfChanged();
  }

 private:
  void SendIfChanged() {
    const HealthCheckResponse response = ResponseFor(registry_.Get(service_));
    {
      base::MutexLock lock(mu_);
      if (sending_ || response.status() == sent_) return;
      sending_ = true;
      sent_ = response.status();
    }
    stream_->Send(Serialise(response), [self = shared_from_this()](bool ok) {
      {
        base::MutexLock lock(self->mu_);
        self->sending_ = false;
      }
      if (ok) self->SendIfChanged();
    });
  }

  HealthRegistry& registry_;
  const ServerStreamPtr stream_;
  const std::string service_;
  HealthRegistry::WatchId id_ = 0;
  base::Mutex mu_;
  bool sending_ CDGATE_GUARDED_BY(mu_) = false;
  HealthCheckResponse::ServingStatus sent_ CDGATE_GUARDED_BY(mu_) = HealthCheckResponse::UNKNOWN;
};

absl::StatusOr<HealthCheckResponse> Check(const HealthRegistry& registry,
                                          const HealthCheckRequest& request) {
  const auto serving = registry.Get(request.service());
  if (serving) return ResponseFor(serving);
  const std::string service = base::Shorten(request.service());
  return base::MakeError(base::Reason::kNotFound, absl::StrCat("there is no service ", service),
                         {{"service", service}});
}

}  // namespace

void HealthRegistry::Set(absl::string_view service, bool serving) {
  {
    base::MutexLock lock(mu_);
    if (draining_) return;
    serving_[std::string(service)] = serving;
  }
  Notify(service);
}

void HealthRegistry::Remove(absl::string_view service) {
  {
    base::MutexLock lock(mu_);
    const auto it = serving_.find(service);
    if (it == serving_.end()) return;
    serving_.erase(it);
  }
  Notify(service);
}

void HealthRegistry::Drain() {
  std::vector<std::string> services;
  {
    base::MutexLock lock(mu_);
    draining_ = true;
    for (auto& [service, serving] : serving_) {
      serving = false;
      services.push_back(service);
    }
  }
  for (const std::string& service : services) Notify(service);
}

std::optional<bool> HealthRegistry::Get(absl::string_view service) const {
  base::MutexLock lock(mu_);
  const auto it = serving_.find(service);
  return it == serving_.end() ? std::nullopt : std::optional(it->second);
}

HealthRegistry::WatchId HealthRegistry::Watch(absl::string_view service,
                                              std::function<void()> changed) {
  base::MutexLock lock(mu_);
  const WatchId id = next_id_++;
  watchers_[id] = Watcher{std::string(service), std::move(changed)};
  return id;
}

void HealthRegistry::Unwatch(WatchId id) {
  base::MutexLock lock(mu_);
  watchers_.erase(id);
}

void HealthRegistry::Notify(absl::string_view service) {
  std::vector<std::function<void()>> changed;
  {
    base::MutexLock lock(mu_);
    for (const auto& [id, watcher] : watchers_) {
      if (watcher.service == service) changed.push_back(watcher.changed);
    }
  }
  for (const auto& call : changed) call();
}

absl::Status RegisterHealth(Router& router, HealthRegistry& registry) {
  CDGATE_RETURN_IF_ERROR(router.Register(Guarded::Unary<HealthCheckRequest, HealthCheckResponse>(
      "/grpc.health.v1.Health/Check",
      [&registry](const CallPtr&, const HealthCheckRequest& request,
                  const Reply<HealthCheckResponse>& reply) { reply(Check(registry, request)); })));
  return router.Register(Guarded::ServerStreaming<HealthCheckRequest>(
      "/grpc.health.v1.Health/Watch",
      [&registry](ServerStreamPtr stream, HealthCheckRequest request) {
        std::make_shared<HealthWatch>(registry, std::move(stream),
                                      std::move(*request.mutable_service()))
            ->Begin();
      }));
}

}  // namespace cdgate::rpc
