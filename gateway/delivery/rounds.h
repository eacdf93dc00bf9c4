// What is new, to all streams that wait for everything at the head of the log, in rounds: each is
// given what came since the round before. A round begins as soon as something comes. Only behind
// one that told of several commits, or while which something came, is there a pause, ten times as
// long as it took, at most kLongestPause, and twice that once events keep coming like this: where
// they come faster than so many streams can be written to one by one, a write carries several.
// Streams are in groups, whose rounds come in turn then (docs/adr/0034).
//
//   RoundGroups groups(feed, pool, clock, timers);
//   Rounds& rounds = groups.Next();              // of one stream, for as long as it lives
//   ticket = rounds.Wait(window.next(), [](Rounds::Commits commits) { ... });
//   if (ticket == 0) AskFeed();                  // it is behind
//   ...
//   rounds.Cancel(ticket);
//
// Thread-safe. Callbacks run on the feed's executor or the pool, never inside a call, and must be
// short.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/timer_queue.h"
#include "gateway/base/types.h"
#include "gateway/delivery/stagger.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/feed.h"

namespace cdgate::delivery {

// What streams ask the feed for. That answers with whole commits, so these are aims, not bounds.
inline constexpr eventlog::ReadLimits kFeedLimits{.max_events = 1024, .max_bytes = 128 << 10};

class Rounds {
 public:
  // Contiguous, the first of them may begin before what was asked for. Empty: ask the feed, which
  // says why.
  using Commits = std::vector<event::CommitPtr>;
  using Callback = std::function<void(Commits commits)>;
  using Ticket = uint64_t;  // 0 is never given out

  // Fewer readers cost so little that there is no pause behind them.
  static constexpr size_t kMany = 8;
  static constexpr int kPauseToRound = 10;
  static constexpr absl::Duration kLongestPause = absl::Microseconds(4500);
  // From so many pauses in a row on they are twice as long.
  static constexpr int kSteady = 4;
  // Readers that are told in one task.
  static constexpr size_t kReadersATask = 256;

  // All outlive it, and the feed's callbacks end with the feed. `group` of `stagger` is its own.
  Rounds(eventlog::Feed& feed, base::Executor& pool, base::Clock& clock, base::TimerQueue& timers,
         Stagger& stagger, size_t group);
  // What the pool was given before has run. No callback begins after this.
  ~Rounds();
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;

  // Calls `callback` once with what comes at or after `from`. 0, and `callback` is dropped, where
  // that was given in an earlier round.
  [[nodiscard]] Ticket Wait(base::Sequence from, Callback callback);
  // True: the callback will not run, and is destroyed before this returns. False: it ran, runs, or
  // is about to.
  bool Cancel(Ticket ticket);
  // Whether Wait() would say 0.
  bool IsBehind(base::Sequence from) const;

  // Readers that wait.
  size_t waiting() const;

 private:
  class Core;
  const std::shared_ptr<Core> core_;
};

// Thread-safe.
class RoundGroups {
 public:
  // As of Rounds.
  RoundGroups(eventlog::Feed& feed, base::Executor& pool, base::Clock& clock,
              base::TimerQueue& timers);

  // That of the next stream. They live as long as this.
  Rounds& Next() { return *groups_[next_.fetch_add(1) % groups_.size()]; }

 private:
  Stagger stagger_;
  std::vector<std::unique_ptr<Rounds>> groups_;  // constant
  std::atomic<size_t> next_{0};
};

}  // namespace cdgate::delivery
