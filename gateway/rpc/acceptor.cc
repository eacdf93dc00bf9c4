#include "gateway/rpc/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/logging.h"

namespace cdgate::rpc {
namespace {

constexpr int64_t kTickNanos = 50'000'000;
// Descriptors that connections leave to the rest of the process.
constexpr int kReservedDescriptors = 64;
constexpr int kAcceptsPerTurn = 64;
constexpr unsigned kUnackedMillis = 30000;

int DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX) return INT32_MAX;
  return static_cast<int>(limit.rlim_cur);
}

// gRPC sets these only on sockets that it accepts itself.
void TuneTcp(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnackedMillis, sizeof(kUnackedMillis));
}

bool OutOfDescriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Whether the event or timer descriptor had fired; it is reset.
bool Drained(int fd) {
  uint64_t count;
  return read(fd, &count, sizeof(count)) == sizeof(count);
}

}  // namespace

Acceptor::Acceptor(Guard& guard, std::vector<Socket> sockets)
    : guard_(guard),
      sockets_(std::move(sockets)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      thread_([this] { Run(); }) {}

Acceptor::~Acceptor() {
  running_ = false;
  Wake();
  thread_.join();
  for (const Socket& socket : sockets_) {
    if (socket.listener == authz::Listener::kLocal) unlink(socket.bound.address.c_str());
  }
}

void Acceptor::StopAccepting() {
  accepting_ = false;
  Wake();
}

void Acceptor::Wake() {
  const uint64_t one = 1;
  // The counter cannot overflow; a failed write means that a wake-up is pending.
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

void Acceptor::SetTicking(bool fast) {
  if (fast == ticking_fast_) return;
  ticking_fast_ = fast;
  const timespec interval{fast ? 0 : 1, fast ? kTickNanos : 0};
  const itimerspec spec{interval, interval};
  timerfd_settime(timer_.get(), 0, &spec, nullptr);
}

void Acceptor::Run() {
  pthread_setname_np(pthread_self(), "acceptor");
  timer_ = OwnedFd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  while (running_) {
    if (!accepting_) {
      for (Socket& socket : sockets_) socket.bound.fd = OwnedFd();
    }
    SetTicking(guard_.size() > 0 || out_of_descriptors_);
    // A descriptor of -1 is skipped by poll().
    std::vector<pollfd> polled = {{wake_.get(), POLLIN, 0}, {timer_.get(), POLLIN, 0}};
    for (const Socket& socket : sockets_) {
      polled.push_back({out_of_descriptors_ ? -1 : socket.bound.fd.get(), POLLIN, 0});
    }
    poll(polled.data(), polled.size(), -1);
    if (Drained(wake_.get()) && !running_) return;
    if (Drained(timer_.get())) {
      out_of_descriptors_ = false;
      guard_.Tick();
    }
    for (size_t i = 0; i < sockets_.size(); ++i) {
      if ((polled[i + 2].revents & POLLIN) != 0 && accepting_) AcceptAll(sockets_[i]);
    }
  }
}

void Acceptor::AcceptAll(const Socket& socket) {
  for (int i = 0; i < kAcceptsPerTurn && !out_of_descriptors_; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    OwnedFd fd(accept4(socket.bound.fd.get(), reinterpret_cast<sockaddr*>(&from), &size,
                       SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.get() < 0) {
      out_of_descriptors_ = OutOfDescriptors(errno);
      if (out_of_descriptors_) {
        guard_.CountRefusal(socket.listener, Guard::Refusal::kDescriptors);
        base::Log(base::LogLevel::kError, "no connection accepted", {{"error", strerror(errno)}});
      }
      return;  // usually: nothing more is waiting
    }
    if (fd.get() > DescriptorLimit() - kReservedDescriptors) {
      guard_.CountRefusal(socket.listener, Guard::Refusal::kDescriptors);
      continue;
    }
    if (socket.listener == authz::Listener::kLocal) {
      AcceptUnix(socket, std::move(fd));
    } else {
      AcceptTcp(socket, std::move(fd), from);
    }
  }
}

void Acceptor::AcceptTcp(const Socket& socket, OwnedFd fd, const sockaddr_storage& from) {
  const std::string address = AddressGroup(from);
  if (guard_.Admit(socket.listener, address) != Guard::Refusal::kNone) return;
  TuneTcp(fd.get());
  Serve(socket, std::move(fd), PeerKey(from), address, 0);
}

void Acceptor::AcceptUnix(const Socket& socket, OwnedFd fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      !socket.admits_user(peer.uid)) {
    guard_.CountRefusal(socket.listener, Guard::Refusal::kUser);
    base::Log(base::LogLevel::kWarning, "local connection refused",
              {{"user", absl::StrCat(peer.uid)}, {"process", absl::StrCat(peer.pid)}});
    return;
  }
  if (guard_.Admit(socket.listener, "") != Guard::Refusal::kNone) return;
  Serve(socket, std::move(fd), absl::StrCat("unix#", ++local_connections_), "", peer.uid);
}

void Acceptor::Serve(const Socket& socket, OwnedFd fd, const std::string& key,
                     const std::string& address, uid_t user) {
  const int watched = fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
  if (watched < 0) return guard_.CountRefusal(socket.listener, Guard::Refusal::kDescriptors);
  guard_.Add(
      std::make_shared<Connection>(watched, socket.listener, key, address, guard_.trust_version()));
  socket.serve(fd.Release(), user);
}

}  // namespace cdgate::rpc
