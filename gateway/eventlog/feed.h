// Hands the log's events to its readers (subscriptions, links, indexes): from a bounded
// tail in memory, shared by all, where the reader is near the head; from the log where
// it is behind, or from what others read there lately. So a reader need not keep an answer
// that it cannot use yet: it asks again.
//
//   void Reader::More() {
//     ticket_ = feed.Next(next_, {.max_events = 512, .max_bytes = 64 << 10},
//                         [this](eventlog::Feed::Commits commits) { Take(commits); });
//   }
//
// One Next gives one answer: commits that contain events, in order, beginning with the
// one that contains `from` (the reader skips what is before it). Where `from` is the
// sequence that the next event gets, the answer waits for it; commits without events
// wake nobody. A reader that does not call Next costs nothing, however slow it is; one
// that waits costs an entry in a table.
//
// A reader that waits may be shown a small commit while it is on its way to the disk, to work out
// what it will do with it.
//
// Callbacks run on the executor, never inside Next, OnCommit or Cancel, and must be
// short. Where the executor refuses (full or stopping), they run on the thread that
// found out. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::eventlog {

struct FeedOptions {
  size_t tail_bytes = 32 << 20;  // of events kept in memory; the newest commit always is
  size_t concurrent_reads = 2;   // reads of the log at a time, for all readers together
  size_t cache_bytes = 8 << 20;  // of commits that were read from the log last (CommitCache)
};

class Feed {
 public:
  using Commits = absl::StatusOr<std::vector<event::CommitPtr>>;
  using Callback = std::function<void(Commits)>;
  using Preview = std::function<void(const event::CommitPtr&)>;
  using Ticket = uint64_t;  // 0 is never given out

  // All three outlive the feed.
  Feed(EventLog& log, base::Executor& executor, base::Metrics& metrics, FeedOptions options = {});
  ~Feed();  // Shutdown()
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  // Calls `callback` once with at least one commit, as many as the limits allow, or with
  // an error: TRIMMED where `from` is older than retention, EPOCH_REGRESSED where it is
  // beyond what is next, LOG_CORRUPT, CANCELLED after Shutdown.
  //
  // `preview` (may be null) is called before that, maybe, with a commit of at most
  // kMostPreviewed events that is about to be written. Where it becomes true, it is what `callback`
  // gets first, the same object; where it does not, nobody will ever know of it. It may come late:
  // while or after `callback` runs, and after Cancel.
  [[nodiscard]] Ticket Next(base::Sequence from, ReadLimits limits, Callback callback,
                            Preview preview = nullptr);
  static constexpr size_t kMostPreviewed = 4;

  // What Next() would answer with, without a task, where that is in memory; else empty: ask. For a
  // reader that knows that there is something behind `from`.
  std::vector<event::CommitPtr> FromTail(base::Sequence from, ReadLimits limits);

  // True: the callback will not run, and is destroyed before this returns. False: it
  // ran, runs, or is about to.
  bool Cancel(Ticket ticket);

  // Answers everything that waits with CANCELLED, in this thread, and returns when no
  // callback runs any more. Not from a callback. Idempotent.
  void Shutdown();

  // Sequence of the newest event, as the feed knows it.
  base::Sequence head() const;
  // Calls that wait for an answer.
  size_t waiting() const;

 private:
  class Core;
  std::shared_ptr<Core> core_;
};

}  // namespace cdgate::eventlog
