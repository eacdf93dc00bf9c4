#include "gateway/delivery/shared_queue.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::delivery {
namespace {

// Of the half of a backoff that is not certain: 0 to 1, the same for the same event and attempt,
// so that a run can be repeated. SplitMix64.
double ShareOf(uint64_t sequence, uint32_t failures) {
  uint64_t x = sequence * 0x9E3779B97F4A7C15ULL + failures;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return static_cast<double>((x ^ (x >> 31U)) >> 11U) / static_cast<double>(1ULL << 53U);
}

absl::Status NeverDelivered(base::Sequence sequence) {
  return base::MakeError(
      base::Reason::kInvalidArgument,
      absl::StrCat("event ", sequence.value(),
                   " was not delivered on this subscription; acknowledge what was received"),
      {{"field", "ack.sequences"}});
}

}  // namespace

// FNV-1a.
uint64_t SubjectKey(absl::string_view subject) {
  uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : subject) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash == 0 ? 1 : hash;
}

SharedQueue::SharedQueue(SharedSettings settings, const SharedProgress& progress,
                         base::Sequence maybe_delivered)
    : settings_(settings), scanned_(progress.scanned), maybe_delivered_(maybe_delivered) {
  for (const PendingEvent& before : progress.pending) {
    Pending event;
    const bool maybe = before.sequence <= maybe_delivered_;
    event.deliveries = std::max<uint32_t>(before.deliveries, maybe ? 1 : 0);
    event.failures = before.failures;
    event.key = before.key;
    event.redriven = before.redriven;
    const auto [it, is_new] = pending_.emplace(before.sequence.value(), event);
    if (is_new) Enter(it, absl::ZeroDuration());
  }
}

// --- consumers

void SharedQueue::Join(ConsumerId consumer, Capacity capacity) {
  consumers_[consumer].capacity = capacity;
}

void SharedQueue::Leave(ConsumerId consumer, Leaving leaving, absl::Duration now) {
  const auto gone = consumers_.find(consumer);
  if (gone == consumers_.end()) return;
  const std::set<uint64_t> leased = gone->second.leased;
  for (const uint64_t sequence : leased) {
    const auto event = pending_.find(sequence);
    if (leaving == Leaving::kSentAway) {
      EndLease(event);
      MakeDue(event, now);
      continue;
    }
    const bool first = event->second.failures == 0;
    Fail(event, first ? std::optional(absl::ZeroDuration()) : std::nullopt, now);
  }
  consumers_.erase(consumer);
}

bool SharedQueue::HasRoom(ConsumerId consumer, size_t bytes) const {
  const auto found = consumers_.find(consumer);
  if (found == consumers_.end()) return false;
  const Consumer& holder = found->second;
  if (holder.taken >= holder.capacity.total) return false;
  if (holder.events == 0) return true;
  return holder.events < holder.capacity.max_events &&
         holder.bytes + bytes <= holder.capacity.max_bytes;
}

bool SharedQueue::IsThrough(ConsumerId consumer) const {
  const auto found = consumers_.find(consumer);
  return found != consumers_.end() && found->second.taken >= found->second.capacity.total &&
         found->second.events == 0;
}

// --- what goes out

bool SharedQueue::HasDue(absl::Duration now) const {
  return !due_.empty() && due_.begin()->first <= now;
}

std::optional<SharedQueue::Lease> SharedQueue::TakeDue(ConsumerId consumer, absl::Duration now) {
  if (!HasDue(now)) return std::nullopt;
  const auto event = pending_.find(due_.begin()->second);
  if (!HasRoom(consumer, event->second.bytes)) return std::nullopt;
  due_.erase(due_.begin());
  return LeaseTo(consumer, event, now);
}

std::optional<SharedQueue::Lease> SharedQueue::Offer(ConsumerId consumer, const NewEvent& event,
                                                     absl::Duration now) {
  Pending pending;
  pending.key = event.key;
  pending.bytes = event.bytes;
  pending.deliveries = event.sequence <= maybe_delivered_ ? 1 : 0;
  const auto at = pending_.emplace(event.sequence.value(), pending).first;
  Enter(at, now);
  if (at->second.state == State::kBehind) return std::nullopt;
  due_.erase({now, at->first});
  return LeaseTo(consumer, at, now);
}

void SharedQueue::Scanned(base::Sequence sequence) { scanned_ = std::max(scanned_, sequence); }

void SharedQueue::SetBytes(base::Sequence sequence, size_t bytes) {
  const auto event = pending_.find(sequence.value());
  if (event == pending_.end()) return;
  if (event->second.state == State::kLeased) {
    Consumer& holder = consumers_.at(event->second.consumer);
    holder.bytes += bytes - event->second.bytes;
  }
  event->second.bytes = bytes;
}

SharedQueue::Lease SharedQueue::LeaseTo(ConsumerId consumer, Map::iterator event,
                                        absl::Duration now) {
  Pending& pending = event->second;
  Consumer& holder = consumers_.at(consumer);
  ++holder.events;
  ++holder.taken;
  holder.bytes += pending.bytes;
  holder.leased.insert(event->first);
  pending.state = State::kLeased;
  pending.consumer = consumer;
  pending.at = now + settings_.ack_deadline;
  leases_.insert({pending.at, event->first});
  return {.sequence = base::Sequence(event->first), .attempt = ++pending.deliveries};
}

void SharedQueue::EndLease(Map::iterator event) {
  Consumer& holder = consumers_.at(event->second.consumer);
  --holder.events;
  holder.bytes -= event->second.bytes;
  holder.leased.erase(event->first);
  leases_.erase({event->second.at, event->first});
}

void SharedQueue::Enter(Map::iterator event, absl::Duration at) {
  if (settings_.keep_key_order && event->second.key != 0) {
    const auto [key, is_first] = keys_.try_emplace(event->second.key);
    if (!is_first) {
      key->second.push_back(event->first);
      event->second.state = State::kBehind;
      return;
    }
  }
  MakeDue(event, at);
}

void SharedQueue::MakeDue(Map::iterator event, absl::Duration at) {
  event->second.state = State::kDue;
  event->second.at = at;
  due_.insert({at, event->first});
}

void SharedQueue::Remove(Map::iterator event, absl::Duration now) {
  const uint64_t sequence = event->first;
  const Pending pending = event->second;
  if (pending.state == State::kLeased) EndLease(event);
  if (pending.state == State::kDue) due_.erase({pending.at, sequence});
  pending_.erase(event);
  const auto key = keys_.find(pending.key);
  if (key == keys_.end()) return;
  std::deque<uint64_t>& behind = key->second;
  if (pending.state == State::kBehind) {
    behind.erase(std::find(behind.begin(), behind.end(), sequence));
    return;
  }
  if (behind.empty()) {
    keys_.erase(key);
    return;
  }
  const uint64_t next = behind.front();
  behind.pop_front();
  MakeDue(pending_.find(next), now);
}

// --- what comes back

absl::Status SharedQueue::CheckDelivered(base::Sequence sequence) const {
  const auto event = pending_.find(sequence.value());
  const bool known = event == pending_.end() ? sequence <= std::max(scanned_, maybe_delivered_)
                                             : event->second.deliveries > 0;
  return known && sequence.value() != 0 ? absl::OkStatus() : NeverDelivered(sequence);
}

absl::Status SharedQueue::Acknowledge(base::Sequence sequence) {
  CDGATE_RETURN_IF_ERROR(CheckDelivered(sequence));
  const auto event = pending_.find(sequence.value());
  if (event != pending_.end()) Remove(event, absl::ZeroDuration());
  return absl::OkStatus();
}

absl::StatusOr<SharedQueue::Map::iterator> SharedQueue::LeaseOf(ConsumerId consumer,
                                                                base::Sequence sequence) {
  CDGATE_RETURN_IF_ERROR(CheckDelivered(sequence));
  const auto event = pending_.find(sequence.value());
  const bool has = event != pending_.end() && event->second.state == State::kLeased &&
                   event->second.consumer == consumer;
  return has ? event : pending_.end();
}

absl::Status SharedQueue::Reject(ConsumerId consumer, base::Sequence sequence,
                                 std::optional<absl::Duration> delay, absl::Duration now) {
  CDGATE_ASSIGN_OR_RETURN(const Map::iterator event, LeaseOf(consumer, sequence));
  if (event != pending_.end()) Fail(event, delay, now);
  return absl::OkStatus();
}

absl::Status SharedQueue::GiveBack(ConsumerId consumer, base::Sequence sequence,
                                   absl::Duration delay, absl::Duration now) {
  CDGATE_ASSIGN_OR_RETURN(const Map::iterator event, LeaseOf(consumer, sequence));
  if (event == pending_.end()) return absl::OkStatus();
  EndLease(event);
  MakeDue(event, now + delay);
  return absl::OkStatus();
}

absl::Status SharedQueue::Extend(ConsumerId consumer, base::Sequence sequence, absl::Duration by,
                                 absl::Duration now) {
  CDGATE_ASSIGN_OR_RETURN(const Map::iterator event, LeaseOf(consumer, sequence));
  if (event == pending_.end()) return absl::OkStatus();
  leases_.erase({event->second.at, event->first});
  event->second.at = now + by;
  leases_.insert({event->second.at, event->first});
  return absl::OkStatus();
}

void SharedQueue::Expire(absl::Duration now) {
  while (!leases_.empty() && leases_.begin()->first <= now) {
    Fail(pending_.find(leases_.begin()->second), std::nullopt, now);
  }
}

void SharedQueue::Fail(Map::iterator event, std::optional<absl::Duration> delay,
                       absl::Duration now) {
  Pending& pending = event->second;
  if (++pending.failures >= settings_.max_attempts) {
    lost_.push_back({.sequence = base::Sequence(event->first), .deliveries = pending.deliveries});
    return Remove(event, now);
  }
  EndLease(event);
  MakeDue(event, now + delay.value_or(BackoffOf(event->first, pending)));
}

absl::Duration SharedQueue::BackoffOf(uint64_t sequence, const Pending& event) const {
  const double doubled = std::ldexp(1.0, static_cast<int>(std::min(event.failures, 40U)) - 1);
  const absl::Duration whole = std::min(settings_.max_backoff, settings_.min_backoff * doubled);
  return whole / 2 + whole / 2 * ShareOf(sequence, event.failures);
}

void SharedQueue::GiveUp(base::Sequence sequence) {
  const auto event = pending_.find(sequence.value());
  if (event == pending_.end()) return;
  lost_.push_back({.sequence = sequence, .deliveries = event->second.deliveries});
  // Who was to have it did not get it.
  if (event->second.state == State::kLeased) --consumers_.at(event->second.consumer).taken;
  Remove(event, absl::ZeroDuration());
}

void SharedQueue::Redrive(base::Sequence sequence, uint64_t key, absl::Duration now) {
  Pending event;
  event.deliveries = 1;  // it was delivered before it became a dead letter
  event.key = key;
  event.redriven = true;
  const auto [at, is_new] = pending_.emplace(sequence.value(), event);
  if (is_new) Enter(at, now);
}

// --- how it stands

absl::Duration SharedQueue::NextWake(absl::Duration now) const {
  // What is due already waits for room, not for time.
  const auto due = due_.upper_bound({now, UINT64_MAX});
  const absl::Duration next = due == due_.end() ? absl::InfiniteDuration() : due->first;
  return leases_.empty() ? next : std::min(next, leases_.begin()->first);
}

base::Sequence SharedQueue::floor() const {
  for (const auto& [sequence, event] : pending_) {
    if (!event.redriven) return base::Sequence(sequence - 1);
  }
  return scanned_;
}

SharedProgress SharedQueue::Progress() const {
  SharedProgress out{.scanned = scanned_, .pending = {}};
  out.pending.reserve(pending_.size());
  for (const auto& [sequence, event] : pending_) {
    out.pending.push_back({.sequence = base::Sequence(sequence),
                           .deliveries = event.deliveries,
                           .failures = event.failures,
                           .key = event.key,
                           .redriven = event.redriven});
  }
  return out;
}

}  // namespace cdgate::delivery
