#include "gateway/rpc/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::rpc {
namespace {

using base::MakeError;
using base::Reason;

constexpr int kBacklog = 512;

std::string ErrorText() { return strerror(errno); }

absl::Status BadAddress(const std::string& address, absl::string_view why) {
  return MakeError(Reason::kInvalidConfig, absl::StrCat("cannot listen on ", address, ": ", why),
                   {{"address", address}});
}

absl::Status BindError(const std::string& address) {
  if (errno == EADDRINUSE) {
    return MakeError(Reason::kAddressInUse,
                     absl::StrCat("cannot listen on ", address,
                                  ": another process does; stop it or choose another address"),
                     {{"address", address}});
  }
  return BadAddress(address, ErrorText());
}

struct HostPort {
  std::string host;
  std::string port;
};

std::optional<HostPort> SplitHostPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  HostPort parts{address.substr(0, colon), address.substr(colon + 1)};
  if (absl::StartsWith(parts.host, "[") && absl::EndsWith(parts.host, "]")) {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  } else if (absl::StrContains(parts.host, ':')) {
    return std::nullopt;
  }
  int port = -1;
  if (!absl::SimpleAtoi(parts.port, &port) || port < 0 || port > 65535) return std::nullopt;
  return parts;
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

absl::StatusOr<AddressList> Resolve(const std::string& address) {
  const auto parts = SplitHostPort(address);
  if (!parts) return BadAddress(address, "it is not of the form host:port");
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(parts->host.empty() ? nullptr : parts->host.c_str(),
                                parts->port.c_str(), &hints, &found);
  if (error != 0) return BadAddress(address, gai_strerror(error));
  return AddressList(found, &freeaddrinfo);
}

std::string BoundText(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size);
  const bool v6 = bound.ss_family == AF_INET6;
  const int port = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                            : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  const std::string host = HostOf(bound);
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

// Whether a socket file is there that somebody listens on.
bool SomebodyListens(const sockaddr_un& where) {
  const OwnedFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0 ||
         errno == EAGAIN;
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<BoundSocket> ListenTcp(const std::string& address) {
  CDGATE_ASSIGN_OR_RETURN(AddressList addresses, Resolve(address));
  const addrinfo& first = *addresses;
  OwnedFd fd(socket(first.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return BadAddress(address, ErrorText());
  const int on = 1;
  const int off = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (first.ai_family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(fd.get(), first.ai_addr, first.ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    return BindError(address);
  }
  std::string bound = BoundText(fd.get());
  return BoundSocket{std::move(fd), std::move(bound)};
}

absl::StatusOr<BoundSocket> ListenUnix(const std::string& path) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(where.sun_path)) {
    return BadAddress(
        path, absl::StrCat("a socket's path has 1 to ", sizeof(where.sun_path) - 1, " characters"));
  }
  memcpy(where.sun_path, path.c_str(), path.size() + 1);
  if (SomebodyListens(where)) {
    errno = EADDRINUSE;
    return BindError(path);
  }
  struct stat existing {};
  if (lstat(path.c_str(), &existing) == 0) {
    if (!S_ISSOCK(existing.st_mode)) return BadAddress(path, "it is not a socket");
    unlink(path.c_str());
  }
  OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return BadAddress(path, ErrorText());
  fchmod(fd.get(), 0600);  // before bind: the file never exists with another mode
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&where), sizeof(where)) != 0 ||
      listen(fd.get(), kBacklog) != 0) {
    return BindError(path);
  }
  return BoundSocket{std::move(fd), path};
}

std::string HostOf(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&address)->sin_addr, text,
              sizeof(text));
    return text;
  }
  const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    inet_ntop(AF_INET, &v6.s6_addr[12], text, sizeof(text));
  } else {
    inet_ntop(AF_INET6, &v6, text, sizeof(text));
  }
  return text;
}

std::string AddressGroup(const sockaddr_storage& address) {
  const std::string host = HostOf(address);
  if (!absl::StrContains(host, ':')) return host;
  sockaddr_storage network = address;
  memset(&reinterpret_cast<sockaddr_in6*>(&network)->sin6_addr.s6_addr[8], 0, 8);
  return absl::StrCat(HostOf(network), "/64");
}

std::string PeerKey(const sockaddr_storage& address) {
  const int port = ntohs(address.ss_family == AF_INET6
                             ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                             : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  const std::string host = HostOf(address);
  return absl::StrContains(host, ':') ? absl::StrCat("ipv6:%5B", host, "%5D:", port)
                                      : absl::StrCat("ipv4:", host, ":", port);
}

std::string CanonicalPeer(std::string peer) {
  const size_t scope = peer.find("%25");
  const size_t end = peer.find("%5D", scope);
  if (scope != std::string::npos && end != std::string::npos) peer.erase(scope, end - scope);
  return peer;
}

}  // namespace cdgate::rpc
