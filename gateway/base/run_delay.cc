#include "gateway/base/run_delay.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace cdgate::base {
namespace {

class File {
 public:
  File() : fd_(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

// "212191 53109 2": nanoseconds on a processor, nanoseconds waiting for one, turns.
absl::Duration ThreadRunDelay() {
  thread_local const File file;
  char text[96];
  const ssize_t size = file.fd() < 0 ? 0 : pread(file.fd(), text, sizeof text, 0);
  if (size <= 0) return absl::ZeroDuration();
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), ' ');
  int64_t nanos = 0;
  if (words.size() < 2 || !absl::SimpleAtoi(words[1], &nanos)) return absl::ZeroDuration();
  return absl::Nanoseconds(nanos);
}

}  // namespace cdgate::base
