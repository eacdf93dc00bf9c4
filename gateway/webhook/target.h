// One address that events are pushed to: whether anything may be sent to it now, and what its
// answers mean. A state machine without I/O, clock or threads; subscriptions that push to the same
// address share it.
//
//   Target target({.origin = "alpha.example"});
//   if (target.MayAsk(now)) { target.OnAsked(); … }        // OPTIONS
//   target.OnGrantAnswer(answer, now);
//   if (target.MaySend(now)) probe = target.OnSent(now);   // POST, one event
//   const Ruling ruling = target.OnAnswer(answer, probe, now);  // what becomes of the event
//   Sleep until target.NextTry(now)
//
// Nothing is sent before the target has said that it wants our events (CloudEvents webhook
// specification 1.0.2, section 4), nothing beyond the rate that it allows, and nothing for as long
// as it asked to be left alone (Retry-After, at most a day).
//
// After `failures_to_open` failures in a row the breaker opens: for a while nothing is sent, then
// one event at a time, until one is taken. The while doubles with each such event that fails. An
// event that fails meanwhile has lost no attempt: an outage of hours makes no dead letters.
//
// Times are of the monotonic clock. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gateway/webhook/answer.h"

namespace cdgate::webhook {

struct TargetSettings {
  std::string origin;     // ours, as the target may grant it
  bool handshake = true;  // false: it is not asked
  uint32_t failures_to_open = 5;
  absl::Duration min_open = absl::Seconds(1);
  absl::Duration max_open = absl::Minutes(1);
  // Between two validation requests.
  absl::Duration min_ask = absl::Seconds(1);
  absl::Duration max_ask = absl::Minutes(5);
};

// What becomes of an event after its answer.
struct Ruling {
  enum class Kind {
    kTaken,     // it is done
    kFailed,    // it has lost an attempt
    kReturned,  // it has not: it is tried again, after `delay` at the soonest
    kGone,      // it has not, and nothing more is to be sent
  };
  Kind kind = Kind::kTaken;
  absl::Duration delay;
};

class Target {
 public:
  enum class Handshake { kPending, kGranted, kRefused };
  enum class Breaker { kClosed, kOpen, kHalfOpen };

  explicit Target(TargetSettings settings) : settings_(std::move(settings)) {}

  // --- permission
  // Whether a validation request is due, and none is under way.
  bool MayAsk(absl::Duration now) const;
  void OnAsked() { asking_ = true; }
  // Its answer. True where permission was granted.
  bool OnGrantAnswer(const Answer& answer, absl::Duration now);
  // It was granted by a call of ours: requests a minute; 0: any.
  void OnGranted(uint32_t rate);

  // --- events
  bool MaySend(absl::Duration now) const;
  // One event leaves. Only where MaySend(). True: it is the one that is tried while the breaker is
  // not closed, which its answer has to say.
  [[nodiscard]] bool OnSent(absl::Duration now);
  Ruling OnAnswer(const Answer& answer, bool probe, absl::Duration now);
  // One that was sent is given up before its answer.
  void OnAbandoned(bool probe);

  // --- how it stands
  // When, after `now`, MayAsk() or MaySend() may become true by itself; infinite: an answer is
  // waited for, or it is true already.
  absl::Duration NextTry(absl::Duration now) const;
  Handshake handshake() const { return settings_.handshake ? handshake_ : Handshake::kGranted; }
  Breaker breaker() const { return breaker_; }
  // Whether it asked to be left alone.
  bool Pauses(absl::Duration now) const { return now < paused_until_; }
  uint32_t allowed_rate() const { return rate_; }
  // It answered 410 Gone.
  bool gone() const { return gone_; }

 private:
  Ruling OnTaken();
  Ruling OnWait(const Answer& answer, absl::Duration now);
  Ruling OnTargetFailed(bool probe, absl::Duration now);
  void Pause(const Answer& answer, absl::Duration now);
  void Open(absl::Duration now);
  void Close();

  const TargetSettings settings_;

  Handshake handshake_ = Handshake::kPending;
  bool asking_ = false;
  uint32_t asked_ = 0;  // in vain, in a row
  absl::Duration ask_at_ = -absl::InfiniteDuration();

  uint32_t rate_ = 0;                                   // a minute; 0: any
  absl::Duration rate_at_ = -absl::InfiniteDuration();  // the next event by the rate

  uint32_t waits_ = 0;  // asked for in a row
  absl::Duration paused_until_ = -absl::InfiniteDuration();

  Breaker breaker_ = Breaker::kClosed;
  uint32_t failures_ = 0;  // in a row
  absl::Duration open_for_;
  absl::Duration open_until_;
  bool probing_ = false;  // half open, and an event is under way
  bool gone_ = false;
};

}  // namespace cdgate::webhook
