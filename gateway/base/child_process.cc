#include "gateway/base/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::base {
namespace {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { Close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  void Set(int fd) { fd_ = fd; }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

absl::Status CannotStart(const Program& program, int error) {
  return MakeError(Reason::kFileUnreadable,
                   absl::StrCat("cannot run ", program.argv.front(), ": ", std::strerror(error)),
                   {{"path", program.argv.front()}});
}

// Without memory nothing can be said or done.
void Check(int error) {
  if (error != 0) std::abort();
}

// What the child starts with.
class Spawning {
 public:
  explicit Spawning(int output) {
    Check(posix_spawn_file_actions_init(&actions_));
    Check(posix_spawnattr_init(&attributes_));
    Check(posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0));
    Check(posix_spawn_file_actions_adddup2(&actions_, output, 1));
    Check(posix_spawn_file_actions_adddup2(&actions_, output, 2));
    Check(posix_spawn_file_actions_addclosefrom_np(&actions_, 3));
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    Check(posix_spawnattr_setsigmask(&attributes_, &none));
    Check(posix_spawnattr_setsigdefault(&attributes_, &all));
    Check(posix_spawnattr_setpgroup(&attributes_, 0));
    Check(posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP));
  }
  ~Spawning() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  Spawning(const Spawning&) = delete;
  Spawning& operator=(const Spawning&) = delete;

  // 0, or the error.
  int Start(const Program& program, pid_t* pid) {
    return posix_spawn(pid, program.argv.front().c_str(), &actions_, &attributes_,
                       Pointers(program.argv).data(), Pointers(program.environment).data());
  }

 private:
  static std::vector<char*> Pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Takes what can be read now; false at the end of the pipe.
bool Drain(int pipe, size_t max, std::string* output) {
  char bytes[4096];
  for (;;) {
    const ssize_t got = read(pipe, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && errno == EAGAIN;
    output->append(bytes, static_cast<size_t>(got));
    if (output->size() > max) output->erase(0, output->size() - max);
  }
}

// Until the program has ended, its time is over or it is cancelled.
void Watch(const Program& program, int process, Fd& output, const Cancellation& cancel,
           ProgramEnd* end) {
  const Clock& clock = SystemClock();
  const absl::Duration deadline = clock.Monotonic() + program.timeout;
  for (;;) {
    const absl::Duration left = deadline - clock.Monotonic();
    if (left <= absl::ZeroDuration()) {
      end->timed_out = true;
      return;
    }
    pollfd watched[] = {{cancel.fd(), POLLIN, 0}, {process, POLLIN, 0}, {output.get(), POLLIN, 0}};
    const int64_t wait = absl::ToInt64Milliseconds(left) + 1;
    if (poll(watched, 3, static_cast<int>(std::min<int64_t>(wait, 3'600'000))) < 0) continue;
    if (watched[0].revents != 0) {
      end->cancelled = true;
      return;
    }
    if (watched[2].revents != 0 && !Drain(output.get(), program.max_output, &end->output)) {
      output.Close();  // nothing more comes; poll() passes over it
    }
    if (watched[1].revents != 0) return;
  }
}

}  // namespace

std::string ProgramEnd::Describe() const {
  if (cancelled) return "cancelled";
  if (timed_out) return absl::StrCat("not done after ", absl::FormatDuration(timeout));
  if (signal != 0) return absl::StrCat("ended by signal ", signal);
  return absl::StrCat("exit status ", exit_code);
}

Cancellation::Cancellation() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (fd_ < 0) std::abort();  // no descriptors left at start
}

Cancellation::~Cancellation() { close(fd_); }

void Cancellation::Cancel() {
  const uint64_t one = 1;
  // It cannot fail but by a full counter, which is as good.
  if (write(fd_, &one, sizeof one) < 0) return;
}

absl::StatusOr<ProgramEnd> RunProgram(const Program& program, const Cancellation& cancel) {
  if (program.argv.empty() || program.argv.front().empty()) {
    return MakeError(Reason::kInvalidArgument, "there is no program to run");
  }
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return CannotStart(program, errno);
  Fd output(ends[0]);
  Fd theirs(ends[1]);
  // The program's end blocks, as programs expect.
  if (fcntl(theirs.get(), F_SETFL, 0) != 0) return CannotStart(program, errno);
  pid_t pid = 0;
  if (const int error = Spawning(theirs.get()).Start(program, &pid); error != 0) {
    return CannotStart(program, error);
  }
  theirs.Close();
  // By its number: the header of glibc 2.36 declares the function without C linkage.
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  ProgramEnd end;
  end.timeout = program.timeout;
  if (process.get() >= 0) Watch(program, process.get(), output, cancel, &end);
  // The group is its own until it is waited for, so this ends nobody else.
  kill(-pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (output.get() >= 0) Drain(output.get(), program.max_output, &end.output);
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace cdgate::base
