#include "gateway/rpc/channel_guard.h"

#include <fcntl.h>

#include <algorithm>
#include <utility>

#include "gateway/base/errors.h"
#include "gateway/base/logging.h"

namespace cdgate::rpc {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(50);
// gRPC connects a socket as soon as it has shown it to us. One that is refused at once
// looks as if that were still to come; our descriptor must not keep it for ever.
constexpr absl::Duration kConnectsWithin = absl::Seconds(5);

}  // namespace

void ChannelGuard::Watch(int fd) {
  const int watched = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (watched < 0) return;  // out of descriptors: gRPC is about to find out, too
  auto entry = std::make_shared<Watched>(watched, options_.limits, options_.clock.Monotonic());
  entry->meter.Begin(counters.Load());
  base::MutexLock lock(mu_);
  watched_.push_back(std::move(entry));
}

void ChannelGuard::BeginCall() {
  counters.streams.fetch_add(1, std::memory_order_relaxed);
  {
    base::MutexLock lock(mu_);
    counters.open.fetch_add(1, std::memory_order_relaxed);
    if (std::exchange(ticking_, true)) return;
    last_tick_ = options_.clock.Monotonic();
  }
  TickLater();
}

void ChannelGuard::EndCall() { counters.open.fetch_sub(1, std::memory_order_relaxed); }

void ChannelGuard::TickLater() {
  options_.timers.At(options_.clock.Monotonic() + kTick, [weak = weak_from_this()] {
    if (auto self = weak.lock()) self->Tick();
  });
}

void ChannelGuard::Tick() {
  const absl::Duration now = options_.clock.Monotonic();
  absl::Duration elapsed;
  std::vector<std::shared_ptr<Watched>> all;
  {
    base::MutexLock lock(mu_);
    elapsed = now - std::exchange(last_tick_, now);
    all = watched_;
  }
  std::vector<std::shared_ptr<Watched>> over;
  for (const auto& watched : all) {
    if (!Check(*watched, now, elapsed)) over.push_back(watched);
  }
  {
    base::MutexLock lock(mu_);
    for (const auto& watched : over) {
      watched_.erase(std::find(watched_.begin(), watched_.end(), watched));
    }
    ticking_ = !watched_.empty() || counters.open.load(std::memory_order_relaxed) > 0;
    if (!ticking_) return;
  }
  TickLater();
}

bool ChannelGuard::Check(Watched& watched, absl::Duration now, absl::Duration elapsed) {
  TrafficSample sample = counters.Load();
  if (!watched.socket.Measure(sample)) return false;
  if (!watched.socket.begun()) return now - watched.since < kConnectsWithin;
  const Abuse abuse = watched.meter.Tick(sample, elapsed);
  if (abuse == Abuse::kNone) return true;
  Cut(watched, abuse, now);
  return false;
}

void ChannelGuard::Cut(Watched& watched, Abuse abuse, absl::Duration now) {
  {
    base::MutexLock lock(mu_);
    last_cut_ = now;  // before the streams learn of it
  }
  watched.socket.Cut();
  base::Log(base::LogLevel::kWarning, "dialled connection cut",
            {{"reason", std::string(base::ReasonText(base::Reason::kConnectionAbuse))},
             {"cause", std::string(AbuseName(abuse))},
             {"target", options_.target}});
}

absl::Status ChannelGuard::CutSince(absl::Duration begun) const {
  base::MutexLock lock(mu_);
  if (last_cut_ < begun) return absl::OkStatus();
  return base::MakeError(base::Reason::kConnectionAbuse,
                         "the server's connection cost more than it carried, and was cut");
}

}  // namespace cdgate::rpc
