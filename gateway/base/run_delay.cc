#include "gateway/base/run_delay.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "gateway/base/fd.h"

namespace cdgate::base {

// "212191 53109 2": nanoseconds on a processor, nanoseconds waiting for one, turns.
absl::Duration ThreadRunDelay() {
  thread_local const Fd file(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
  char text[96];
  const ssize_t size = file.get() < 0 ? 0 : pread(file.get(), text, sizeof text, 0);
  if (size <= 0) return absl::ZeroDuration();
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), ' ');
  int64_t nanos = 0;
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &nanos)) return absl::ZeroDuration();
  return absl::Nanoseconds(nanos);
}

}  // namespace cdgate::base
