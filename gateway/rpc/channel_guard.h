// Watches the connections that one channel dialled, as guard.h does those that we
// accepted: a hostile server must not cost more than it sends.
//
//   auto guard = ChannelGuard::Create({...});
//   TapSockets(arguments, [weak](int fd) { weak.lock()->Watch(fd); });
//   guard->BeginCall(); ... guard->counters.CountMessage(n); ... guard->EndCall();
//
// Shared by the channel, its streams and its calls, and by nothing else: once those are
// gone it uses neither clock nor timers any more. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/timer_queue.h"
#include "gateway/rpc/abuse_meter.h"
#include "gateway/rpc/traffic.h"

namespace cdgate::rpc {

class ChannelGuard : public std::enable_shared_from_this<ChannelGuard> {
 public:
  struct Options {
    std::string target;  // for the log
    base::Clock& clock;
    base::TimerQueue& timers;
    AbuseLimits limits;
  };
  static std::shared_ptr<ChannelGuard> Create(Options options) {
    return std::shared_ptr<ChannelGuard>(new ChannelGuard(std::move(options)));
  }

  // A socket of the channel, not connected yet; `fd` stays the caller's. It is looked at
  // from the next call on, and what it received until then is not forgotten.
  void Watch(int fd);

  // Around every call and stream: what is watched is watched meanwhile.
  void BeginCall();
  void EndCall();

  // Of all the channel's calls: it has one connection at a time.
  TrafficCounters counters;

  // Why the connection of a call that began at `begun` ended: OK, or CONNECTION_ABUSE
  // where we cut one since.
  absl::Status CutSince(absl::Duration begun) const;

 private:
  struct Watched {
    Watched(int fd, const AbuseLimits& limits, absl::Duration now)
        : socket(fd, WatchedSocket::Kind::kDialledTcp), meter(limits), since(now) {}
    WatchedSocket socket;
    AbuseMeter meter;  // Tick()'s
    absl::Duration since;
  };

  explicit ChannelGuard(Options options) : options_(std::move(options)) {}
  void TickLater() CDGATE_EXCLUDES(mu_);
  void Tick();
  // False once the connection is over.
  bool Check(Watched& watched, absl::Duration now, absl::Duration elapsed);
  void Cut(Watched& watched, Abuse abuse, absl::Duration now);

  const Options options_;
  mutable base::Mutex mu_;
  std::vector<std::shared_ptr<Watched>> watched_ CDGATE_GUARDED_BY(mu_);
  bool ticking_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Duration last_tick_ CDGATE_GUARDED_BY(mu_);
  absl::Duration last_cut_ CDGATE_GUARDED_BY(mu_) = -absl::InfiniteDuration();
};

}  // namespace cdgate::rpc
