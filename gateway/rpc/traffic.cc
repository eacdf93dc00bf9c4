#include "gateway/rpc/traffic.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace cdgate::rpc {
namespace {

// linux/tcp.h has tcpi_bytes_received but not the names of the states.
constexpr int kTcpEstablished = 1;
constexpr int kTcpSynSent = 2;
constexpr int kTcpSynReceived = 3;
constexpr int kTcpClose = 7;

}  // namespace

TrafficSample TrafficCounters::Load() const {
  TrafficSample sample;
  sample.message_bytes = message_bytes.load(std::memory_order_relaxed);
  sample.messages = messages.load(std::memory_order_relaxed);
  sample.sent_bytes = sent_bytes.load(std::memory_order_relaxed);
  sample.streams = streams.load(std::memory_order_relaxed);
  sample.waste = waste.load(std::memory_order_relaxed);
  sample.answered = answered.load(std::memory_order_relaxed);
  sample.open = open.load(std::memory_order_relaxed);
  sample.ended = ended.load(std::memory_order_relaxed);
  sample.paused = paused.load(std::memory_order_relaxed);
  return sample;
}

WatchedSocket::~WatchedSocket() { close(fd_); }

bool WatchedSocket::Cut() {
  if (cut_.exchange(true)) return false;
  begun_ = true;
  shutdown(fd_, SHUT_RDWR);
  // What has arrived and was not read would still be read, and may be what costs so much.
  // Dissolving the association throws it away and resets the connection (man 2 connect).
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  connect(fd_, &nobody, sizeof(nobody));
  return true;
}

bool WatchedSocket::Measure(TrafficSample& sample) const {
  if (kind_ == Kind::kUnix) {
    pollfd entry{fd_, POLLRDHUP, 0};
    return poll(&entry, 1, 0) <= 0 || (entry.revents & (POLLHUP | POLLERR | POLLRDHUP)) == 0;
  }
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  const int state = info.tcpi_state;
  if (kind_ == Kind::kDialledTcp && state == kTcpClose && !begun_) return true;
  begun_ = true;
  int unread = 0;
  if (ioctl(fd_, SIOCINQ, &unread) == 0) sample.unread = static_cast<uint64_t>(unread);
  sample.received = info.tcpi_bytes_received;
  sample.acknowledged = info.tcpi_bytes_acked;
  return state == kTcpEstablished || state == kTcpSynSent || state == kTcpSynReceived;
}

}  // namespace cdgate::rpc
