#include "gateway/cli/progress.h"

#include <algorithm>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cdgate::cli {

std::string ProgressLine(uint64_t done, uint64_t all, uint64_t count, absl::Duration elapsed) {
  const double seconds = std::max(absl::ToDoubleSeconds(elapsed), 0.001);
  const std::string counts =
      absl::StrFormat("%d events  %.0f/s", count, static_cast<double>(count) / seconds);
  if (all == 0) return counts;
  constexpr size_t kWidth = 30;
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(all));
  const size_t filled = static_cast<size_t>(share * kWidth);
  std::string bar(filled, '=');
  if (filled < kWidth) bar += '>';
  bar.resize(kWidth, ' ');
  return absl::StrFormat("[%s] %3.0f%%  %s", bar, share * 100, counts);
}

Progress::Progress(std::ostream& err, bool terminal, const base::Clock& clock)
    : err_(err), terminal_(terminal), clock_(clock), begun_(clock.Monotonic()), drawn_(begun_) {}

Progress::~Progress() { Hide(); }

void Progress::Show(uint64_t done, uint64_t all, uint64_t count) {
  if (!terminal_) return;
  const absl::Duration now = clock_.Monotonic();
  if (now - begun_ < absl::Seconds(1) || now - drawn_ < absl::Milliseconds(100)) return;
  drawn_ = now;
  visible_ = true;
  err_ << "\r" << ProgressLine(done, all, count, now - begun_) << "\x1b[K" << std::flush;
}

void Progress::Hide() {
  if (visible_) err_ << "\r\x1b[K" << std::flush;
  visible_ = false;
}

}  // namespace cdgate::cli
