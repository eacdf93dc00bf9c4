#include "gateway/app/peer_probe.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "auth/credentials/credentials.h"
#include "auth/credentials/identity_files.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/tls_look.h"
#include "auth/trust/verify.h"
#include "gateway/api/times.h"
#include "gateway/base/errors.h"
#include "gateway/base/mutex.h"
#include "gateway/rpc/address.h"
#include "gateway/rpc/client_channel.h"

namespace cdgate::app {
namespace {

using base::Reason;
using federation::v1::GetAgreementRequest;
using federation::v1::GetAgreementResponse;

constexpr absl::Duration kCallLimit = absl::Seconds(5);
constexpr int kMaxResponseBytes = 8 << 10;
// Of a name with many; the link, too, tries one after the other.
constexpr size_t kMostAddresses = 8;

struct Address {
  sockaddr_storage socket = {};
  socklen_t size = 0;
  std::string text;
};

absl::Status Unreachable(absl::string_view what, int error) {
  return base::MakeError(Reason::kUnreachable, absl::StrCat(what, ": ", std::strerror(error)));
}

// "host:port" in two, brackets of an IPv6 address removed.
std::pair<std::string, std::string> Split(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  if (colon == std::string::npos) return {endpoint, ""};
  std::string host = endpoint.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return {host, endpoint.substr(colon + 1)};
}

absl::Status Resolve(const std::string& endpoint, std::vector<Address>* out) {
  const auto [host, port] = Split(endpoint);
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* raw = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &raw);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(raw, &freeaddrinfo);
  if (error != 0) {
    return base::MakeError(
        Reason::kUnreachable,
        absl::StrCat("the name ", host, " does not resolve: ", gai_strerror(error)));
  }
  for (const addrinfo* at = raw; at != nullptr && out->size() < kMostAddresses; at = at->ai_next) {
    Address& address = out->emplace_back();
    std::memcpy(&address.socket, at->ai_addr, at->ai_addrlen);
    address.size = at->ai_addrlen;
    address.text = rpc::HostOf(address.socket);
  }
  return absl::OkStatus();
}

const sockaddr* Raw(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address.socket);
}

// Whether the kernel knows a way to one of them: connecting a datagram socket sends nothing.
absl::Status FindRoute(const std::vector<Address>& addresses) {
  absl::Status last;
  for (const Address& address : addresses) {
    const rpc::OwnedFd fd(socket(address.socket.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd.get() >= 0 && connect(fd.get(), Raw(address), address.size) == 0) {
      return absl::OkStatus();
    }
    last = Unreachable(absl::StrCat("no route to ", address.text), errno);
  }
  return last;
}

absl::StatusOr<rpc::OwnedFd> Connect(const Address& address) {
  rpc::OwnedFd fd(socket(address.socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return Unreachable("no socket", errno);
  const std::string what = absl::StrCat("no connection to ", address.text);
  if (connect(fd.get(), Raw(address), address.size) == 0) return fd;
  if (errno != EINPROGRESS) return Unreachable(what, errno);
  pollfd wanted{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  const int limit = static_cast<int>(absl::ToInt64Milliseconds(kProbeStep));
  if (poll(&wanted, 1, limit) <= 0) return Unreachable(what, ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return Unreachable(what, error);
  return fd;
}

absl::StatusOr<rpc::OwnedFd> ConnectAny(const std::vector<Address>& addresses,
                                        std::string* connected) {
  absl::Status last;
  for (const Address& address : addresses) {
    auto fd = Connect(address);
    if (fd.ok()) {
      *connected = address.text;
      return fd;
    }
    last = fd.status();
  }
  return last;
}

// Judges what was shown as our verifier would.
void Judge(const PeerProbeDeps& deps, const admin::v1::Peer& peer, const crypto::ShownChain& shown,
           api::DialFacts* out) {
  if (const auto leaf = crypto::Certificate::FromPem(shown.leaf_pem); leaf.ok()) {
    out->shown_until = leaf->not_after();
    if (const auto id = trust::ClaimedId(*leaf); id.ok()) out->shown_id = id->text();
  }
  const auto who = trust::Verify(*deps.trust.Current(), shown.leaf_pem, shown.chain_pem,
                                 crypto::Purpose::kServer, deps.clock.Now());
  out->certificate = who.status();
  if (!who.ok() || (who->id.trust_domain() == peer.domain() && who->id.is_gateway())) return;
  out->certificate = base::MakeError(
      Reason::kWrongPeer, absl::StrCat(who->id.text(), " is no gateway of ", peer.domain()));
}

// Waits for one answer, of a call that has a limit of its own.
class Answer {
 public:
  using Value = absl::StatusOr<GetAgreementResponse>;

  void Take(Value value) {
    base::MutexLock lock(mu_);
    value_ = std::move(value);
    ready_.SignalAll();
  }
  Value Wait() {
    base::MutexLock lock(mu_);
    while (!value_) ready_.Wait(mu_);
    return *value_;
  }

 private:
  base::Mutex mu_;
  base::CondVar ready_;
  std::optional<Value> value_ CDGATE_GUARDED_BY(mu_);
};

// By the same credentials as the link.
void Ask(const PeerProbeDeps& deps, const admin::v1::Peer& peer, api::DialFacts* out) {
  rpc::ClientChannel channel(
      peer.endpoint(),
      credentials::PeerChannelCredentials(deps.identity, deps.trust, peer.domain(),
                                          credentials::WithAddress(deps.observer, peer.endpoint()),
                                          deps.clock),
      {.clock = deps.clock, .timers = deps.timers, .max_message_bytes = kMaxResponseBytes});
  GetAgreementRequest request;
  request.set_agreement_id(peer.agreement_id());
  const auto answer = std::make_shared<Answer>();
  const absl::Time asked = deps.clock.Now();
  channel.Call<GetAgreementResponse>(
      "/cdgate.federation.v1.PeeringService/GetAgreement", request, kCallLimit,
      [answer](Answer::Value value) { answer->Take(std::move(value)); });
  const auto theirs = answer->Wait();
  const absl::Time answered = deps.clock.Now();
  out->call = theirs.status();
  if (!theirs.ok()) return;
  out->theirs = *theirs;
  out->skew = api::FromProto(theirs->now()) - (asked + (answered - asked) / 2);
}

}  // namespace

api::DialFacts ProbePeer(const PeerProbeDeps& deps, const admin::v1::Peer& peer) {
  api::DialFacts out;
  std::vector<Address> addresses;
  out.name = Resolve(peer.endpoint(), &addresses);
  if (!out.name.ok()) return out;
  for (const Address& address : addresses) out.addresses.push_back(address.text);
  out.route = FindRoute(addresses);
  if (!out.route.ok()) return out;
  const auto fd = ConnectAny(addresses, &out.address);
  out.tcp = fd.status();
  if (!out.tcp.ok()) return out;
  const auto own = deps.identity.CurrentMaterial();
  const auto shown =
      crypto::LookAtServer(fd->get(), own->chain_pem, own->key_pem, kProbeStep, deps.clock);
  out.tls = shown.status();
  if (!out.tls.ok()) return out;
  Judge(deps, peer, *shown, &out);
  if (out.certificate.ok()) Ask(deps, peer, &out);
  return out;
}

}  // namespace cdgate::app
