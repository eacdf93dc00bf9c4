#include "gateway/rpc/abuse_meter.h"

#include <algorithm>

namespace cdgate::rpc {
namespace {

constexpr double kPerMessage = 64;
constexpr double kPerStream = 2048;
constexpr double kPerSecond = 16;
constexpr double kSentShare = 8;
constexpr int64_t kStreamsInFlight = 4;
constexpr absl::Duration kFlowing = absl::Seconds(1);
constexpr absl::Duration kForgivenFor = absl::Seconds(2);
constexpr absl::Duration kForgivenEvery = absl::Seconds(10);
constexpr double kStallDebt = 64 << 10;
constexpr absl::Duration kStallLimit = absl::Minutes(2);
constexpr double kBacklogDebt = 1280 << 10;
constexpr int kBacklogSamples = 20;
constexpr double kLeastBytesPerSecond = 256;
// A longer time between two looks: we, and gRPC with us, did not get to run.
constexpr absl::Duration kLongestLook = absl::Seconds(1);
constexpr double kWasteBurst = 2000;     // tenths
constexpr double kWastePerSecond = 500;  // tenths
constexpr int64_t kStreamsOver = 16;
// Calls that are answered and not over: on a busy machine honest clients have some hundred.
constexpr int64_t kMostOpen = 16;  // times what may be unanswered
constexpr double kUnusedSlack = 512 << 10;
constexpr absl::Duration kUnusedAfter = absl::Seconds(2);

double Grown(uint64_t now, uint64_t before) { return static_cast<double>(now - before); }

}  // namespace

absl::string_view AbuseName(Abuse abuse) {
  switch (abuse) {
    case Abuse::kNone: return "none";
    case Abuse::kDebt: return "debt";
    case Abuse::kStalled: return "stalled";
    case Abuse::kBacklog: return "backlog";
    case Abuse::kTrickled: return "trickled";
    case Abuse::kWaste: return "waste";
    case Abuse::kStreams: return "streams";
  }
  return "none";
}

bool TooManyStreams(const AbuseLimits& limits, int64_t open, int64_t answered) {
  const int64_t most = 2 * limits.max_streams + kStreamsOver;
  return open - answered > most || open > kMostOpen * most;
}

Abuse AbuseMeter::Tick(const TrafficSample& now, absl::Duration elapsed) {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  UpdateDebt(now, seconds);
  ForgiveEnded(now, elapsed);
  UpdateWaste(now, seconds);
  UpdateUnused(now, elapsed);
  UpdateFlowing(now, elapsed);
  const bool stalled = Stalled(now, elapsed);
  const bool backlogged = Backlogged(now);
  const bool trickled = Trickled(now, elapsed);
  last_ = now;
  if (TooManyStreams(limits_, now.open, now.answered)) return Abuse::kStreams;
  if (waste_ > kWasteBurst) return Abuse::kWaste;
  if (debt_ - static_cast<double>(now.unread) > Allowance(now)) return Abuse::kDebt;
  if (backlogged) return Abuse::kBacklog;
  if (trickled) return Abuse::kTrickled;
  return stalled ? Abuse::kStalled : Abuse::kNone;
}

void AbuseMeter::UpdateDebt(const TrafficSample& now, double seconds) {
  const double explained = 2 * Grown(now.message_bytes, last_.message_bytes) +
                           kPerMessage * Grown(now.messages, last_.messages) +
                           kPerStream * Grown(now.streams, last_.streams) +
                           Grown(now.sent_bytes, last_.sent_bytes) / kSentShare +
                           kPerSecond * seconds;
  debt_ = std::max(0.0, debt_ + Grown(now.received, last_.received) - explained);
}

void AbuseMeter::ForgiveEnded(const TrafficSample& now, absl::Duration elapsed) {
  const double refilled = WindowBytes() * absl::FDivDuration(elapsed, kForgivenEvery);
  forgivable_ = std::min(WindowBytes(), forgivable_ + refilled);
  const int64_t over = static_cast<int64_t>(now.streams) - now.open;
  const int64_t over_before = static_cast<int64_t>(last_.streams) - last_.open;
  since_end_ = over > over_before ? absl::ZeroDuration() : since_end_ + elapsed;
  if (now.messages != last_.messages || now.streams != last_.streams) forgiven_ = 0;
  if (since_end_ > kForgivenFor) return;
  const double forgiven = std::min(debt_, forgivable_);
  debt_ -= forgiven;
  forgivable_ -= forgiven;
  forgiven_ += forgiven;
}

void AbuseMeter::UpdateWaste(const TrafficSample& now, double seconds) {
  waste_ = std::max(0.0, waste_ + Grown(now.waste, last_.waste) - kWastePerSecond * seconds);
}

bool AbuseMeter::Stalled(const TrafficSample& now, absl::Duration elapsed) {
  const bool silent = debt_ > kStallDebt && now.messages == last_.messages && now.paused == 0;
  silent_ = silent ? silent_ + elapsed : absl::ZeroDuration();
  return silent_ >= kStallLimit;
}

bool AbuseMeter::Backlogged(const TrafficSample& now) {
  const bool idle = now.messages == last_.messages && now.streams == last_.streams;
  const bool grinding =
      idle && now.paused == 0 && now.unread > 0 && debt_ + forgiven_ > kBacklogDebt;
  backlogged_ = grinding ? backlogged_ + 1 : 0;
  return backlogged_ >= kBacklogSamples;
}

bool AbuseMeter::Trickled(const TrafficSample& now, absl::Duration elapsed) {
  const double arrived = Grown(now.received, last_.received);
  const bool finished = now.messages != last_.messages || now.streams != last_.streams ||
                        now.acknowledged != last_.acknowledged || now.paused > now.ended;
  if (finished || (arrived == 0 && unfinished_ == 0)) {
    unfinished_ = 0;
    unfinished_for_ = absl::ZeroDuration();
    return false;
  }
  unfinished_ += arrived;
  unfinished_for_ += std::min(elapsed, kLongestLook);
  if (arrived == 0 || unfinished_for_ < limits_.frame_timeout) return false;
  const double least = kLeastBytesPerSecond * absl::ToDoubleSeconds(unfinished_for_);
  const bool slow = unfinished_ < least;
  unfinished_ = 0;  // a burst counts for so long only
  unfinished_for_ = absl::ZeroDuration();
  return slow;
}

void AbuseMeter::UpdateUnused(const TrafficSample& now, absl::Duration elapsed) {
  if (now.streams == 0) {
    unused_ = kUnusedAfter;  // never used: what is still under way of it does not exist
  } else if (now.open > 0 || now.streams != last_.streams) {
    unused_ = absl::ZeroDuration();
  } else {
    unused_ += elapsed;
  }
}

void AbuseMeter::UpdateFlowing(const TrafficSample& now, absl::Duration elapsed) {
  const bool flowing =
      now.paused > 0 || now.messages != last_.messages || now.streams != last_.streams;
  still_ = flowing ? absl::ZeroDuration() : still_ + elapsed;
}

double AbuseMeter::WindowBytes() const {
  return static_cast<double>(std::max(limits_.window_bytes, limits_.max_message_bytes));
}

double AbuseMeter::Allowance(const TrafficSample& now) const {
  const int64_t reading = std::clamp<int64_t>(now.open - now.paused, 0, kStreamsInFlight);
  const auto message = static_cast<double>(limits_.max_message_bytes);
  const double piled_up = reading > 0 && still_ <= kFlowing ? WindowBytes() - message : 0;
  const auto slack = static_cast<double>(limits_.slack_bytes);
  return (unused_ >= kUnusedAfter ? std::min(slack, kUnusedSlack) : slack) +
         static_cast<double>(reading) * message + piled_up +
         static_cast<double>(std::max<int64_t>(0, now.paused)) * WindowBytes();
}

}  // namespace cdgate::rpc
