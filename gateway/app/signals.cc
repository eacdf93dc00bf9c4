#include "gateway/app/signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "gateway/base/logging.h"

namespace cdgate::app {
namespace {

sigset_t ObeyedSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

SignalThread::SignalThread(Handlers handlers) : handlers_(std::move(handlers)) {
  signal(SIGPIPE, SIG_IGN);
  const sigset_t set = ObeyedSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal_fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  stop_fd_ = eventfd(0, EFD_CLOEXEC);
  if (signal_fd_ < 0 || stop_fd_ < 0) {
    base::Log(base::LogLevel::kError, "cannot receive signals");
    std::abort();  // a daemon that cannot be stopped in order must not start
  }
  thread_ = std::thread([this] { Run(); });
}

SignalThread::~SignalThread() {
  const uint64_t one = 1;
  while (write(stop_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  close(signal_fd_);
  close(stop_fd_);
}

void SignalThread::Run() {
  pthread_setname_np(pthread_self(), "signals");
  bool stopping = false;
  for (;;) {
    pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
    if (poll(fds, 2, -1) < 0) continue;
    if (fds[1].revents != 0) return;
    signalfd_siginfo info;
    if (read(signal_fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) continue;
    if (info.ssi_signo == SIGHUP) {
      handlers_.on_reload();
    } else if (!stopping) {
      stopping = true;
      handlers_.on_stop();
    } else {
      base::Log(base::LogLevel::kWarning, "second signal, ending without a drain");
      _exit(1);
    }
  }
}

unsigned long RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

}  // namespace cdgate::app
