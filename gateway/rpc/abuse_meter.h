// Decides when one connection costs more than it carries. Pure arithmetic over samples:
// what the kernel received on the connection against what its calls account for.
//
// - Debt: bytes received that no message explains. Each message explains twice its size
//   and 64 bytes, each stream 2,048, each 8 bytes sent one (window updates), each second
//   16 (pings). It never falls below zero, so good conduct is not saved up. It may reach
//   the slack, plus one message for each of up to four streams that are being read, plus
//   a window for each stream that we have stopped reading. Within a second of a message or
//   of a stream that was stopped or has begun, those that are read may have a window, too, all
//   of them together: what came while we did not read waits in gRPC, and is no debt because we
//   go on. One for each would be a gift to whoever opens streams and finishes no message. What
//   waits in the kernel has cost nothing yet. Where no stream is open or was lately, nothing but
//   pings and headers can come, and 512 KiB of the slack will do: the cost of a giant header
//   grows with the square of its size.
// - Where a stream has ended, up to a window that came of it, or comes within two seconds more,
//   is no debt: gRPC refuses a message that is too large at its first bytes, while its client
//   sends on, and throws the rest away. A window in ten seconds: else whoever ends streams need
//   explain nothing.
// - Stalled: a debt of more than 64 KiB for two minutes without any message: one that is
//   being trickled in. Does not count while we have stopped reading a stream.
// - Backlog: for 20 samples on end, a debt of more than 1.25 MiB, bytes that wait in the
//   kernel, and neither a message nor a new stream: gRPC is grinding at something, such as
//   a giant header, whose cost also keeps its bytes from coming and the debt from growing.
//   Samples and not time, since where nobody gets to run, neither does who samples. Does
//   not count while we have stopped reading a stream.
// - Trickled: bytes that keep coming, fewer than 256 a second, for as long as a frame may
//   take, and all the while neither a message nor a new stream, nor did the other end
//   acknowledge a byte of ours: a frame or a header block that does not end. All else that
//   an idle connection may carry is answered: by gRPC, which answers pings and settings and
//   itself pings a connection that was silent for 20 seconds (but not one that trickles).
//   Ends at a byte that comes, not at silence. Does not count while we have stopped reading
//   a stream that has not ended: its messages wait in gRPC, unseen.
// - Waste: tenths of a point for streams that ended without use. 200 points at once, 50 a
//   second for long. 10 tenths: cancelled before its first message; 2: cancelled
//   later; 1: refused.
// - Streams: more than twice the agreed number open at once, and 16 (a client need not
//   obey a limit it has not acknowledged), those not counted that we have answered and gRPC
//   has not told of the end of; with these, 16 times as many.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace cdgate::rpc {

enum class Abuse { kNone, kDebt, kStalled, kBacklog, kTrickled, kWaste, kStreams };
// "debt", "stalled", ...: a metric label.
absl::string_view AbuseName(Abuse abuse);

// What a stream's end adds to `waste`.
inline constexpr uint64_t kWasteCancelledUnused = 10;
inline constexpr uint64_t kWasteCancelled = 2;
inline constexpr uint64_t kWasteRefused = 1;

struct AbuseLimits {
  uint64_t slack_bytes;
  uint64_t max_message_bytes;
  uint64_t window_bytes;  // of one stream: what may come of it while we do not read (transport.h)
  int64_t max_streams;
  // How long a frame may take that comes at less than 256 bytes a second. More than gRPC
  // takes to ping a silent connection, or honest ones are cut.
  absl::Duration frame_timeout = absl::Seconds(30);
};

// Whether so many calls at once are kStreams, `answered` of them ended by us: what a caller may
// ask at each call, so that a flood need not last until the next sample.
bool TooManyStreams(const AbuseLimits& limits, int64_t open, int64_t answered);

// Totals since the connection began; open and paused as of now.
struct TrafficSample {
  uint64_t received = 0;      // on the wire
  uint64_t unread = 0;        // of these, as of now: still in the kernel
  uint64_t acknowledged = 0;  // of what was sent: the other end's kernel has it
  uint64_t message_bytes = 0;
  uint64_t messages = 0;
  uint64_t sent_bytes = 0;
  uint64_t streams = 0;
  uint64_t waste = 0;
  int64_t open = 0;
  int64_t answered = 0;  // of open: those that we have ended, and gRPC not yet
  int64_t paused = 0;    // of open: those we have stopped reading
  int64_t ended = 0;     // of paused: those whose client has said that nothing more will come
};

// A value. Not thread-safe.
class AbuseMeter {
 public:
  explicit AbuseMeter(AbuseLimits limits) : limits_(limits), forgivable_(WindowBytes()) {}

  // Counts from `start` on, instead of from nothing; `received` still begins at 0.
  void Begin(const TrafficSample& start) {
    last_ = start;
    last_.received = 0;
  }

  // Takes the sample `elapsed` after the one before. The counters of `now` other than
  // `received` must have been read before it, so that no message is seen before its bytes.
  Abuse Tick(const TrafficSample& now, absl::Duration elapsed);

  uint64_t debt() const { return static_cast<uint64_t>(debt_); }

 private:
  void UpdateDebt(const TrafficSample& now, double seconds);
  void ForgiveEnded(const TrafficSample& now, absl::Duration elapsed);
  void UpdateWaste(const TrafficSample& now, double seconds);
  bool Stalled(const TrafficSample& now, absl::Duration elapsed);
  bool Backlogged(const TrafficSample& now);
  bool Trickled(const TrafficSample& now, absl::Duration elapsed);
  void UpdateUnused(const TrafficSample& now, absl::Duration elapsed);
  void UpdateFlowing(const TrafficSample& now, absl::Duration elapsed);
  double WindowBytes() const;
  double Allowance(const TrafficSample& now) const;

  AbuseLimits limits_;
  TrafficSample last_;
  double debt_ = 0;                                      // bytes
  double forgivable_ = 0;                                // bytes: what ended streams may explain
  double forgiven_ = 0;                                  // bytes, since the last message or stream
  absl::Duration since_end_ = absl::InfiniteDuration();  // of a stream
  double waste_ = 0;                                     // tenths of a point
  absl::Duration silent_;                            // in debt and without a message for so long
  absl::Duration unused_;                            // without a stream for so long
  absl::Duration still_ = absl::InfiniteDuration();  // without a message, all of them read
  int backlogged_ = 0;                               // samples on end
  // Since the first byte that nothing came of; both 0 where there is none.
  double unfinished_ = 0;  // bytes
  absl::Duration unfinished_for_;
};

}  // namespace cdgate::rpc
