// What may be where in the log: summaries of blocks of consecutive events, so that a search passes
// over blocks that cannot hold what it looks for.
//
//   SearchIndex index(log, clock);
//   index.Advance(absl::Milliseconds(40));                 // every few seconds, on a pool
//   SearchKeys keys;
//   keys.Add(SearchKeys::kChain, "4c8cb7dd");
//   LogWalk walk(log, range, index.GapsFor(keys));         // passes over what cannot have it
//
// A summary is a Bloom filter over types, their beginnings, sources, subjects and chains: it may
// say that a block holds what it does not (about one in a hundred), never the reverse. Nothing
// happens at a commit: whole blocks are read again later, the newest first, for as long as
// Advance() is told. In memory alone, at most `max_bytes`, the oldest blocks left out; what is not
// summarised may hold anything. 4,096 events of different subjects and chains take about 10 KB.
//
// Thread-safe. Advance() may read the disk.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/types.h"
#include "gateway/event/event_links.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/log_walk.h"

namespace cdgate::eventlog {

// What an event has to have, all of it. A value.
class SearchKeys {
 public:
  enum Field : uint8_t { kType, kTypeBegin, kSource, kSubject, kChain };

  void Add(Field field, absl::string_view text) { hashes_.push_back(HashOf(field, text)); }
  // A pattern with '%': of a text without one, and of "dev.cdevents.artifact.%" as a type,
  // something is known; others add nothing.
  void AddPattern(Field field, absl::string_view pattern);
  bool empty() const { return hashes_.empty(); }
  const std::vector<uint64_t>& hashes() const { return hashes_; }

  static uint64_t HashOf(Field field, absl::string_view text);

 private:
  std::vector<uint64_t> hashes_;
};

class SearchIndex {
 public:
  static constexpr uint64_t kBlockEvents = 4096;
  static constexpr size_t kMaxBytes = 32 << 20;

  // All outlive it, also what `recent` (may be null) knows: new blocks are summarised from what is
  // in memory, where they are, so that the disk is left to the commits.
  SearchIndex(const EventLog& log, base::Clock& clock, size_t max_bytes = kMaxBytes,
              LogWalk::Recent recent = nullptr);

  // Summarises blocks until there is no more to do or `budget` has passed; at least one where there
  // is one. Nothing where another thread is at it. Errors of the log but TRIMMED.
  absl::Status Advance(absl::Duration budget);

  // The block that has this event, where nothing in it has all of the keys; else an empty one.
  LogWalk::Gap GapAt(base::Sequence sequence, const SearchKeys& keys) const;
  // For a walk, which the index outlives.
  LogWalk::Gaps GapsFor(SearchKeys keys) const {
    return [this, keys = std::move(keys)](base::Sequence at) { return GapAt(at, keys); };
  }

  // Blocks that are summarised.
  size_t blocks() const;

 private:
  class Summary;

  // The next block to summarise; false where there is none.
  bool Choose(uint64_t* block);
  absl::Status Summarise(uint64_t block);
  void CollectKeys(const event::Record& record, std::vector<uint64_t>* hashes);

  const EventLog& log_;
  base::Clock& clock_;
  const size_t max_bytes_;
  const LogWalk::Recent recent_;
  std::atomic<bool> advancing_{false};
  event::LinkReader reader_;  // of whoever is at it

  mutable base::Mutex mu_;
  // Of consecutive blocks; the first is low_.
  std::deque<std::shared_ptr<const Summary>> summaries_ CDGATE_GUARDED_BY(mu_);
  uint64_t low_ CDGATE_GUARDED_BY(mu_);
  size_t bytes_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::eventlog
