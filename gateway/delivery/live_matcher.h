// Wakes, of the streams that wait at the head of the log, those that the next event may be for:
// each event is looked at once for all of them (filter_index.h), and a stream whose filter is not
// true costs nothing.
//
//   LiveMatcher matcher(feed);
//   const LiveMatcher::ReaderPtr reader = *matcher.Register("subject = 'a'");
//   if (!reader->Wait(window.next(), [](event::CommitPtr commit) { ... })) AskFeed();
//   ...
//   window.SkipThrough(reader->Seen());          // nothing through there was for it
//
// Wait() is like Feed::Next() with what is not wanted left out: it answers once. A reader that is
// behind what the matcher looked at reads the feed until it is not, evaluating its filter itself.
// While nobody waits, the matcher reads nothing.
//
// Thread-safe. Callbacks run on the feed's executor, never inside a call, and must be short.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/feed.h"

namespace cdgate::delivery {

class LiveMatcher {
 private:
  class Core;

 public:
  // `commit` has an event that the filter is true for. Null: ask the feed, which says why.
  using Callback = std::function<void(event::CommitPtr commit)>;

  // One stream's filter. What waits when it is destroyed is not answered.
  class Reader {
   public:
    ~Reader();
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    // Calls `callback` once with the first commit that has an event at or after `from` for which
    // the filter is true. False, and `callback` is dropped, where `from` was looked at already. One
    // at a time.
    [[nodiscard]] bool Wait(base::Sequence from, Callback callback);
    // The callback will not run, or is about to; does nothing where nothing waits.
    void Cancel();
    // While it waits: the filter is true for nothing from there up to here. 0: it does not wait.
    base::Sequence Seen() const;

   private:
    friend class LiveMatcher;
    Reader(std::shared_ptr<Core> core, uint32_t id) : core_(std::move(core)), id_(id) {}

    const std::shared_ptr<Core> core_;
    const uint32_t id_;
  };
  using ReaderPtr = std::unique_ptr<Reader>;

  // `feed` outlives it, and its callbacks end with the feed's.
  explicit LiveMatcher(eventlog::Feed& feed);
  // No callback begins after this.
  ~LiveMatcher();
  LiveMatcher(const LiveMatcher&) = delete;
  LiveMatcher& operator=(const LiveMatcher&) = delete;

  // Kept as long as the stream. INVALID_FILTER, and nothing is registered.
  absl::StatusOr<ReaderPtr> Register(absl::string_view filter);

  // Registered readers, and those that wait.
  size_t size() const;
  size_t waiting() const;

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace cdgate::delivery
