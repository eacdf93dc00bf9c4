// A progress bar on a terminal, for work that takes longer than a moment.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "absl/time/time.h"
#include "gateway/base/clock.h"

namespace cdgate::cli {

// "[=====>    ]  52%  12345 events  3210/s"; without `all` (0) only the counts. Pure.
std::string ProgressLine(uint64_t done, uint64_t all, uint64_t count, absl::Duration elapsed);

// Draws on `err` where that is a terminal, from the second second on, ten times a second.
// Not thread-safe. The destructor takes the bar away.
class Progress {
 public:
  Progress(std::ostream& err, bool terminal, const base::Clock& clock);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` of `all` units of work, `count` things so far.
  void Show(uint64_t done, uint64_t all, uint64_t count);
  // Takes the bar away, for a line of output; the next Show draws it again.
  void Hide();

 private:
  std::ostream& err_;
  const bool terminal_;
  const base::Clock& clock_;
  const absl::Duration begun_;
  absl::Duration drawn_;
  bool visible_ = false;
};

}  // namespace cdgate::cli
