#include "gateway/webhook/target.h"

#include <algorithm>

namespace cdgate::webhook {
namespace {

constexpr absl::Duration kLongestPause = absl::Hours(24);
constexpr absl::Duration kMinute = absl::Minutes(1);
// How far ahead of the rate events may leave: about what a timer is late by.
constexpr absl::Duration kRateSlack = absl::Milliseconds(10);

// `first` doubled `times` times, at most `most`.
absl::Duration Doubled(absl::Duration first, uint32_t times, absl::Duration most) {
  absl::Duration out = first;
  for (uint32_t i = 0; i < times && out < most; ++i) out *= 2;
  return std::min(out, most);
}

}  // namespace

// --- permission

bool Target::MayAsk(absl::Duration now) const {
  return !gone_ && settings_.handshake && handshake_ != Handshake::kGranted && !asking_ &&
         now >= ask_at_ && now >= paused_until_;
}

bool Target::OnGrantAnswer(const Answer& answer, absl::Duration now) {
  asking_ = false;
  if (handshake_ == Handshake::kGranted) return true;  // by a call of ours, meanwhile
  if (CheckGrant(answer, settings_.origin).ok()) {
    OnGranted(ParseAllowedRate(answer.allowed_rate).value_or(0));
    return true;
  }
  if (KindOf(answer) == AnswerKind::kGone) gone_ = true;
  if (KindOf(answer) == AnswerKind::kWait) Pause(answer, now);
  if (answer.failure.ok() && KindOf(answer) != AnswerKind::kWait) handshake_ = Handshake::kRefused;
  ask_at_ = now + Doubled(settings_.min_ask, asked_++, settings_.max_ask);
  return false;
}

void Target::OnGranted(uint32_t rate) {
  handshake_ = Handshake::kGranted;
  asked_ = 0;
  rate_ = rate;
}

// --- events

bool Target::MaySend(absl::Duration now) const {
  if (gone_ || handshake() != Handshake::kGranted || now < paused_until_) return false;
  if (breaker_ != Breaker::kClosed && (now < open_until_ || probing_)) return false;
  return rate_ == 0 || now + kRateSlack >= rate_at_;
}

bool Target::OnSent(absl::Duration now) {
  // A little more than a minute's share each, so that no minute has more for what leaves ahead.
  if (rate_ != 0) rate_at_ = std::max(rate_at_, now) + (kMinute + kRateSlack) / rate_;
  if (breaker_ == Breaker::kClosed) return false;
  breaker_ = Breaker::kHalfOpen;
  probing_ = true;
  return true;
}

Ruling Target::OnAnswer(const Answer& answer, bool probe, absl::Duration now) {
  switch (KindOf(answer)) {
    case AnswerKind::kTaken: return OnTaken();
    case AnswerKind::kEventRefused:
      Close();  // it answers, and speaks of this event alone
      return {.kind = Ruling::Kind::kFailed, .delay = {}};
    case AnswerKind::kWait: return OnWait(answer, now);
    case AnswerKind::kGone: gone_ = true; return {.kind = Ruling::Kind::kGone, .delay = {}};
    case AnswerKind::kTargetFailed: break;
  }
  return OnTargetFailed(probe, now);
}

void Target::OnAbandoned(bool probe) {
  if (probe) probing_ = false;
}

Ruling Target::OnTaken() {
  waits_ = 0;
  Close();
  return {.kind = Ruling::Kind::kTaken, .delay = {}};
}

Ruling Target::OnWait(const Answer& answer, absl::Duration now) {
  Close();
  Pause(answer, now);
  return {.kind = Ruling::Kind::kReturned, .delay = {}};
}

void Target::Pause(const Answer& answer, absl::Duration now) {
  absl::Duration pause = std::min(answer.retry_after.value_or(absl::ZeroDuration()), kLongestPause);
  if (pause <= absl::ZeroDuration())
    pause = Doubled(settings_.min_open, waits_, settings_.max_open);
  ++waits_;
  paused_until_ = std::max(paused_until_, now + pause);
}

Ruling Target::OnTargetFailed(bool probe, absl::Duration now) {
  if (breaker_ == Breaker::kClosed) {
    if (++failures_ >= settings_.failures_to_open) Open(now);
    return {.kind = Ruling::Kind::kFailed, .delay = {}};
  }
  // Those that were sent before it opened say nothing new.
  if (probe) Open(now);
  // So that the next one that is tried is another, where there is one: it may be the event.
  return {.kind = Ruling::Kind::kReturned, .delay = open_for_ * 2};
}

void Target::Open(absl::Duration now) {
  open_for_ = breaker_ == Breaker::kClosed ? settings_.min_open
                                           : std::min(open_for_ * 2, settings_.max_open);
  open_until_ = now + open_for_;
  breaker_ = Breaker::kOpen;
  probing_ = false;
}

void Target::Close() {
  breaker_ = Breaker::kClosed;
  failures_ = 0;
  probing_ = false;
}

// --- how it stands

absl::Duration Target::NextTry(absl::Duration now) const {
  if (gone_) return absl::InfiniteDuration();
  absl::Duration next = paused_until_;
  if (handshake() != Handshake::kGranted) {
    if (asking_) return absl::InfiniteDuration();
    next = std::max(next, ask_at_);
  } else {
    if (breaker_ != Breaker::kClosed) {
      if (probing_) return absl::InfiniteDuration();
      next = std::max(next, open_until_);
    }
    if (rate_ != 0) next = std::max(next, rate_at_ - kRateSlack);
  }
  return next > now ? next : absl::InfiniteDuration();
}

}  // namespace cdgate::webhook
