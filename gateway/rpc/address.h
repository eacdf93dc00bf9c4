// Addresses of listeners: parsing, binding, and naming a connection as gRPC names it.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cdgate::rpc {

// An open descriptor, closed at destruction. A value that moves.
class OwnedFd {
 public:
  OwnedFd() = default;
  explicit OwnedFd(int fd) : fd_(fd) {}
  ~OwnedFd();
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

struct BoundSocket {
  OwnedFd fd;           // listening, non-blocking
  std::string address;  // as bound: "127.0.0.1:40123", "[::1]:443", or the path
};

// Listens on "host:port"; an empty host is any address. INVALID_CONFIG where the text is
// malformed, the name does not resolve or the address is not ours; ADDRESS_IN_USE.
absl::StatusOr<BoundSocket> ListenTcp(const std::string& address);

// Listens on a Unix socket, mode 0600. A socket file that nobody listens on is replaced;
// ADDRESS_IN_USE where somebody does; INVALID_CONFIG for a path that cannot be used.
absl::StatusOr<BoundSocket> ListenUnix(const std::string& path);

// "192.0.2.1" or "2001:db8::1"; of an IPv4 address in IPv6 clothes, the IPv4 address.
std::string HostOf(const sockaddr_storage& address);

// What counts as one address for limits: the IPv4 address, or the IPv6 network /64.
std::string AddressGroup(const sockaddr_storage& address);

// What grpc::ServerContext::peer() says of a connection from `address`, in the form that
// CanonicalPeer() gives: "ipv4:192.0.2.1:443", "ipv6:%5B2001:db8::1%5D:443".
std::string PeerKey(const sockaddr_storage& address);
// The same of what gRPC says: without the scope of a link-local address.
std::string CanonicalPeer(std::string peer);

}  // namespace cdgate::rpc
