// What a shared subscription has in flight: which event is with which consumer until when, what is
// to be delivered again and when, and what is given up. A value without I/O, clock or threads.
//
//   SharedQueue queue(settings, SharedProgress());
//   queue.Join(consumer, {.max_events = 100, .max_bytes = 8 << 20});
//   while (auto again = queue.TakeDue(consumer, now)) Send(*again);       // those before new ones
//   if (queue.Offer(consumer, {sequence, bytes, key}, now)) Send(...);     // an event that matches
//   queue.Scanned(sequence);
//   CDGATE_RETURN_IF_ERROR(queue.Acknowledge(sequence));
//   queue.Expire(now);                                                     // at
//   queue.NextWake(now) for (const Lost& lost : queue.TakeLost()) DeadLetter(lost);
//   Save(queue.Progress());                                                // in the same commit
//
// An event that matches is first leased to a consumer, until the ack deadline. It ends by an ack;
// it is delivered again, to whoever has room first, after a nack, when the deadline has passed or
// its consumer has gone, after a backoff that doubles with every failure, half of it random by the
// event and the attempt. An event that failed `max_attempts` times is lost: it goes to the dead
// letters.
//
// Where events of one key keep their order, one of them at a time is in flight or waits to be
// delivered again; the others wait behind it.
//
// It holds at most `max_pending` events, some 200 bytes each, and then wants no more (full()). What
// Progress() says suffices to go on after a restart: nothing that was acknowledged before is
// delivered again, and what may have been delivered says so.
//
// Times are of the monotonic clock. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/base/types.h"

namespace cdgate::delivery {

struct SharedSettings {
  absl::Duration ack_deadline = absl::Seconds(30);
  absl::Duration min_backoff = absl::Seconds(1);
  absl::Duration max_backoff = absl::Minutes(5);
  uint32_t max_attempts = 5;  // at least 1
  bool keep_key_order = false;
  size_t max_pending = 10000;  // at least 1
};

// What is to be remembered of one event that is neither acknowledged nor lost.
struct PendingEvent {
  base::Sequence sequence;
  uint32_t deliveries = 0;  // so far
  uint32_t failures = 0;    // of them: nacks, deadlines that passed, consumers that went
  uint64_t key = 0;         // 0: none
  bool redriven = false;    // from the dead letters: it does not hold the floor
};

// Where a shared subscription stands.
struct SharedProgress {
  base::Sequence scanned;             // everything up to here was offered or does not match
  std::vector<PendingEvent> pending;  // by sequence
};

// The key of events that keep the order of their subject: the same from one release to the next;
// never 0.
uint64_t SubjectKey(absl::string_view subject);

class SharedQueue {
 public:
  using ConsumerId = uint64_t;

  struct Capacity {
    size_t max_events = 1000;     // leased to it at once; at least 1
    size_t max_bytes = 8 << 20;   // an event larger than this goes alone
    uint64_t total = UINT64_MAX;  // leased to it in all
  };
  struct NewEvent {
    base::Sequence sequence;
    size_t bytes = 0;
    uint64_t key = 0;  // digest of what keeps its order; 0: nothing
  };
  // One delivery: the event's content is its caller's to find.
  struct Lease {
    base::Sequence sequence;
    uint32_t attempt = 1;  // 1 at the first delivery
  };
  struct Lost {
    base::Sequence sequence;
    uint32_t deliveries = 0;
  };
  // Goes on from `progress`. What is pending there is due at once, one of each key; events through
  // `maybe_delivered` that are not there may have been delivered, and say so.
  SharedQueue(SharedSettings settings, const SharedProgress& progress,
              base::Sequence maybe_delivered = {});

  // --- consumers
  void Join(ConsumerId consumer, Capacity capacity);
  // Its leases are given back. Where it is the consumer that ended they have failed: those for the
  // first time are due at once, as another takes over, the others after their backoff, as they
  // may be what ends consumers. Where it was ended all are due at once, and nothing failed.
  enum class Leaving { kFailed, kSentAway };
  void Leave(ConsumerId consumer, Leaving leaving, absl::Duration now);
  // Whether an event of `bytes` may be leased to it.
  bool HasRoom(ConsumerId consumer, size_t bytes) const;
  // It got as many as it may in all, and has none of them any more.
  bool IsThrough(ConsumerId consumer) const;

  // --- what goes out
  // The oldest event that is due, if the consumer has room for it. Bytes that are not known, as
  // after a restart, count as none until SetBytes().
  std::optional<Lease> TakeDue(ConsumerId consumer, absl::Duration now);
  // Whether there is any that is due.
  bool HasDue(absl::Duration now) const;
  // The next event in the log that matches, whose consumer has room. None: it waits behind
  // another of its key. Only while not full(), in order of sequence, above scanned().
  std::optional<Lease> Offer(ConsumerId consumer, const NewEvent& event, absl::Duration now);
  // Everything up to `sequence` was offered or does not match.
  void Scanned(base::Sequence sequence);
  void SetBytes(base::Sequence sequence, size_t bytes);
  // No more is wanted until something is acknowledged or lost.
  bool full() const { return pending_.size() >= settings_.max_pending; }

  // --- what comes back
  // The event is done, whoever has it now. Again, or after it was given up: nothing happens.
  // INVALID_ARGUMENT where it was never delivered.
  absl::Status Acknowledge(base::Sequence sequence);
  // The consumer could not do it: it is due after the backoff, or after `delay` where that is
  // given. Nothing happens where the consumer does not have it any more. INVALID_ARGUMENT as above.
  absl::Status Reject(ConsumerId consumer, base::Sequence sequence,
                      std::optional<absl::Duration> delay, absl::Duration now);
  // The consumer could not do it for reasons that are not the event's: it is due after `delay`, and
  // has not failed. Otherwise as Reject().
  absl::Status GiveBack(ConsumerId consumer, base::Sequence sequence, absl::Duration delay,
                        absl::Duration now);
  // The consumer needs it for so much longer from now. Errors as Reject().
  absl::Status Extend(ConsumerId consumer, base::Sequence sequence, absl::Duration by,
                      absl::Duration now);
  // Leases whose deadline has passed have failed.
  void Expire(absl::Duration now);
  // An event that could not be read (retention removed it): it is lost.
  void GiveUp(base::Sequence sequence);
  // A dead letter is to be tried anew. Nothing happens where it is pending.
  void Redrive(base::Sequence sequence, uint64_t key, absl::Duration now);

  // Those lost since it was called last.
  std::vector<Lost> TakeLost() { return std::exchange(lost_, {}); }

  // --- how it stands
  // When, after `now`, Expire() or TakeDue() has something more to do; infinite where nothing will.
  absl::Duration NextWake(absl::Duration now) const;
  base::Sequence scanned() const { return scanned_; }
  // Everything up to here is done with, but for what was redriven.
  base::Sequence floor() const;
  size_t pending() const { return pending_.size(); }
  size_t leased() const { return leases_.size(); }
  SharedProgress Progress() const;

 private:
  enum class State { kBehind, kDue, kLeased };
  struct Pending {
    State state = State::kDue;
    uint32_t deliveries = 0;
    uint32_t failures = 0;
    uint64_t key = 0;
    size_t bytes = 0;
    ConsumerId consumer = 0;  // of a lease
    absl::Duration at;        // when it is due, or its lease ends
    bool redriven = false;
  };
  struct Consumer {
    Capacity capacity;
    size_t events = 0;
    size_t bytes = 0;
    uint64_t taken = 0;  // in all
    std::set<uint64_t> leased;
  };
  using Map = absl::btree_map<uint64_t, Pending>;
  using ByTime = std::set<std::pair<absl::Duration, uint64_t>>;

  Lease LeaseTo(ConsumerId consumer, Map::iterator event, absl::Duration now);
  // Takes it from its consumer.
  void EndLease(Map::iterator event);
  void Fail(Map::iterator event, std::optional<absl::Duration> delay, absl::Duration now);
  void MakeDue(Map::iterator event, absl::Duration at);
  // Due, or behind another of its key.
  void Enter(Map::iterator event, absl::Duration at);
  // It is done with: the next of its key is due.
  void Remove(Map::iterator event, absl::Duration now);
  absl::Duration BackoffOf(uint64_t sequence, const Pending& event) const;
  // The lease that `consumer` has; end() where it has none. INVALID_ARGUMENT where the event was
  // never delivered.
  absl::StatusOr<Map::iterator> LeaseOf(ConsumerId consumer, base::Sequence sequence);
  absl::Status CheckDelivered(base::Sequence sequence) const;

  const SharedSettings settings_;
  base::Sequence scanned_;
  base::Sequence maybe_delivered_;
  Map pending_;    // by sequence
  ByTime due_;     // to be delivered, by when
  ByTime leases_;  // by deadline
  // Of each key that is in flight or due: the others, in order.
  absl::flat_hash_map<uint64_t, std::deque<uint64_t>> keys_;
  absl::flat_hash_map<ConsumerId, Consumer> consumers_;
  std::vector<Lost> lost_;
};

}  // namespace cdgate::delivery
