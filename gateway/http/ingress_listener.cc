#include "gateway/http/ingress_listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/credentials/identity_files.h"
#include "gateway/base/errors.h"
#include "gateway/base/executor.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/status_macros.h"
#include "gateway/rpc/address.h"

namespace cdgate::http {
namespace {

using Want = IngressConnection::Want;

constexpr int kTickMillis = 100;
constexpr int kAcceptsPerTurn = 64;
constexpr int kEventsPerTurn = 256;
constexpr int kReservedDescriptors = 64;
constexpr size_t kLeastWorkers = 4;
constexpr size_t kLeastBudget = 64 << 20;
constexpr size_t kBodiesInBudget = 8;
constexpr uint64_t kListenId = 0;
constexpr uint64_t kWakeId = 1;
constexpr uint64_t kFirstConnectionId = 2;

int DescriptorLimit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
}

bool OutOfDescriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool IsLoopback(const std::string& bound) {
  return absl::StartsWith(bound, "127.") || absl::StartsWith(bound, "[::1]:");
}

size_t BudgetOf(const IngressOptions& options) {
  if (options.body_budget_bytes != 0) return options.body_budget_bytes;
  return std::max(kLeastBudget, kBodiesInBudget * options.max_body_bytes);
}

void TuneTcp(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

class IngressListener::Core : public std::enable_shared_from_this<Core> {
 public:
  explicit Core(IngressOptions options);

  absl::Status Start();
  void Drain();
  void Shutdown(absl::Duration limit);
  const std::string& bound_address() const { return bound_address_; }
  size_t size() const {
    base::MutexLock lock(mu_);
    return slots_.size();
  }

 private:
  // A connection and who has it: the loop while it is armed, else one worker or an answer
  // that is waited for.
  struct Slot {
    uint64_t id = 0;
    std::string group;           // for the caps
    uint64_t trust_version = 0;  // under which it was looked at last; the loop's
    std::unique_ptr<IngressConnection> connection;
    base::Mutex mu;
    bool armed CDGATE_GUARDED_BY(mu) = false;
    absl::Duration deadline CDGATE_GUARDED_BY(mu);
    bool idle CDGATE_GUARDED_BY(mu) = true;
  };
  using SlotPtr = std::shared_ptr<Slot>;

  void Run();
  void Handle(uint64_t id);
  void AcceptAll();
  void PauseAccepting();
  void ResumeAccepting();
  void Accept(rpc::OwnedFd fd, const sockaddr_storage& from);
  absl::StatusOr<std::shared_ptr<const crypto::TlsServerContext>> CurrentTls();
  void Refused(const char* cause) { refused_.at(cause)->Add(); }
  // Those whose time is over, and while draining those that are idle; and those whose
  // certificate is not trusted any more.
  void EndOverdue();
  // Takes the connection from the loop; false where somebody else has it.
  static bool Claim(Slot& slot);
  void Post(const SlotPtr& slot, std::function<Want(IngressConnection&)> work);
  void Settle(const SlotPtr& slot, Want want);
  void Arm(Slot& slot, Want want);
  void Publish(const SlotPtr& slot);
  void Remove(const SlotPtr& slot);
  void Wake();
  std::unique_ptr<RequestReader> TakeReader();
  void ReturnReader(std::unique_ptr<RequestReader> reader);
  absl::Duration Now() const { return options_.handler.clock.Monotonic(); }

  const IngressOptions options_;
  IngressHandler handler_;
  BodyBudget budget_;
  ConnectionCaps caps_;
  std::atomic<bool> draining_{false};
  std::atomic<bool> running_{true};
  const ConnectionContext context_;
  base::Gauge& connections_;
  std::map<std::string, base::Counter*> refused_;  // fixed after construction
  base::Counter& timed_out_;

  rpc::OwnedFd epoll_;
  rpc::OwnedFd wake_;
  rpc::BoundSocket listening_;  // the loop's after Start()
  std::string bound_address_;
  // The loop's.
  bool accepting_ = true;
  uint64_t next_id_ = kFirstConnectionId;
  std::shared_ptr<const credentials::Material> tls_of_;
  std::shared_ptr<const crypto::TlsServerContext> tls_;

  mutable base::Mutex mu_;
  base::CondVar changed_;
  absl::flat_hash_map<uint64_t, SlotPtr> slots_ CDGATE_GUARDED_BY(mu_);
  bool stopped_ CDGATE_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<RequestReader>> readers_ CDGATE_GUARDED_BY(mu_);

  base::ThreadPool workers_;
  std::thread loop_;
};

IngressListener::Core::Core(IngressOptions options)
    : options_(std::move(options)),
      handler_(options_.handler),
      budget_(BudgetOf(options_)),
      caps_(options_.caps, options_.handler.clock),
      context_{.handler = handler_,
               .budget = budget_,
               .draining = draining_,
               .times = options_.times,
               .http = options_.http,
               .max_body_bytes = options_.max_body_bytes,
               .observer = options_.observer},
      connections_(options_.handler.metrics.AddGauge("cdgate_http_connections",
                                                     "Connections of the HTTP ingress.")),
      timed_out_(options_.handler.metrics.AddCounter(
          "cdgate_http_connections_timed_out_total",
          "Connections of the HTTP ingress ended because the client took too long.")),
      workers_({.name = "ingress",
                .threads = std::max<size_t>(kLeastWorkers, std::thread::hardware_concurrency()),
                // One for each connection, so that none is ever refused.
                .max_queued = 2 * options_.caps.max_connections + 16}) {
  for (const char* cause : {"listener_full", "address_full", "rate", "descriptors", "tls"}) {
    refused_[cause] = &options_.handler.metrics.AddCounter(
        "cdgate_http_connections_refused_total",
        "Connections of the HTTP ingress closed as they were accepted.", {{"cause", cause}});
  }
}

absl::Status IngressListener::Core::Start() {
  CDGATE_ASSIGN_OR_RETURN(listening_, rpc::ListenTcp(options_.address));
  bound_address_ = listening_.address;
  if (options_.identity == nullptr && !IsLoopback(bound_address_)) {
    return base::MakeError(
        base::Reason::kInvalidConfig,
        absl::StrCat("cannot listen on ", options_.address,
                     " (ingress): clear text is for loopback addresses only; use TLS, or a "
                     "loopback address behind a proxy that ends TLS"),
        {{"address", options_.address}});
  }
  if (options_.identity != nullptr) CDGATE_RETURN_IF_ERROR(CurrentTls().status());
  epoll_ = rpc::OwnedFd(epoll_create1(EPOLL_CLOEXEC));
  wake_ = rpc::OwnedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kListenId}};
  epoll_event wake{.events = EPOLLIN, .data = {.u64 = kWakeId}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listening_.fd.get(), &event) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &wake) != 0) {
    return base::MakeError(base::Reason::kInternal,
                           absl::StrCat("the ingress cannot wait: ", strerror(errno)));
  }
  loop_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

// Built anew where the certificate is another than at the handshake before.
absl::StatusOr<std::shared_ptr<const crypto::TlsServerContext>>
IngressListener::Core::CurrentTls() {
  if (options_.identity == nullptr) return nullptr;
  auto material = options_.identity->CurrentMaterial();
  if (material == tls_of_) return tls_;
  CDGATE_ASSIGN_OR_RETURN(tls_,
                          crypto::TlsServerContext::Create(material->chain_pem, material->key_pem));
  tls_of_ = std::move(material);
  return tls_;
}

void IngressListener::Core::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof(one));
}

void IngressListener::Core::Run() {
  pthread_setname_np(pthread_self(), "ingress-loop");
  epoll_event events[kEventsPerTurn];
  absl::Duration next_tick = Now();
  while (running_) {
    const bool busy = size() > 0 || draining_ || !accepting_;
    const int count = epoll_wait(epoll_.get(), events, kEventsPerTurn, busy ? kTickMillis : -1);
    if (draining_) listening_.fd = rpc::OwnedFd();  // which also takes it out of the epoll
    for (int i = 0; i < count; ++i) Handle(events[i].data.u64);
    if (count > 0 && !draining_ && Now() < next_tick) continue;
    next_tick = Now() + absl::Milliseconds(kTickMillis);
    EndOverdue();
    ResumeAccepting();
  }
}

void IngressListener::Core::Handle(uint64_t id) {
  if (id == kListenId) return AcceptAll();
  if (id == kWakeId) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof(count));
    return;
  }
  SlotPtr slot;
  {
    base::MutexLock lock(mu_);
    const auto found = slots_.find(id);
    if (found == slots_.end()) return;
    slot = found->second;
  }
  if (!Claim(*slot)) return;
  Post(slot, [this](IngressConnection& connection) { return connection.Advance(Now()); });
}

bool IngressListener::Core::Claim(Slot& slot) {
  base::MutexLock lock(slot.mu);
  return std::exchange(slot.armed, false);
}

void IngressListener::Core::EndOverdue() {
  std::vector<SlotPtr> all;
  {
    base::MutexLock lock(mu_);
    all.reserve(slots_.size());
    for (const auto& [id, slot] : slots_) all.push_back(slot);
  }
  const absl::Duration now = Now();
  const uint64_t trust = options_.handler.trust->version();
  for (const SlotPtr& slot : all) {
    bool overdue = false;
    bool idle = false;
    bool look = false;
    {
      base::MutexLock lock(slot->mu);
      overdue = now >= slot->deadline;
      idle = slot->idle;
      const bool ends = overdue || (draining_ && slot->idle);
      look = !ends && slot->idle && slot->trust_version != trust;
      if (!slot->armed || !(ends || look)) continue;
      slot->armed = false;
    }
    if (look) {
      slot->trust_version = trust;
      Post(slot,
           [this](IngressConnection& connection) { return connection.OnTrustChanged(Now()); });
      continue;
    }
    if (overdue && !idle) timed_out_.Add();
    Post(slot, [this](IngressConnection& connection) { return connection.OnTimeout(Now()); });
  }
}

void IngressListener::Core::AcceptAll() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    rpc::OwnedFd fd(accept4(listening_.fd.get(), reinterpret_cast<sockaddr*>(&from), &size,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd.get() < 0) {
      if (!OutOfDescriptors(errno)) return;  // usually: nothing more is waiting
      Refused("descriptors");
      base::Log(base::LogLevel::kError, "no connection accepted",
                {{"listener", "ingress"}, {"error", strerror(errno)}});
      return PauseAccepting();
    }
    if (fd.get() > DescriptorLimit() - kReservedDescriptors) {
      Refused("descriptors");
      continue;
    }
    Accept(std::move(fd), from);
  }
}

// Until the next tick: the socket stays readable, and others are to close something first.
void IngressListener::Core::PauseAccepting() {
  accepting_ = false;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listening_.fd.get(), nullptr);
}

void IngressListener::Core::ResumeAccepting() {
  if (accepting_ || draining_) return;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kListenId}};
  accepting_ = epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listening_.fd.get(), &event) == 0;
}

void IngressListener::Core::Accept(rpc::OwnedFd fd, const sockaddr_storage& from) {
  // In clear text all come from this machine, from a proxy for many.
  const std::string group = options_.identity == nullptr ? "" : rpc::AddressGroup(from);
  const ConnectionCaps::Refusal refusal = caps_.Admit(group);
  if (refusal != ConnectionCaps::Refusal::kNone) {
    return Refused(std::string(RefusalName(refusal)).c_str());
  }
  auto tls = CurrentTls();
  if (!tls.ok()) {
    caps_.Release(group);
    base::LogError(base::LogLevel::kError, "no connection accepted", tls.status(),
                   {{"listener", "ingress"}});
    return Refused("tls");
  }
  TuneTcp(fd.get());
  const auto slot = std::make_shared<Slot>();
  slot->id = next_id_++;
  slot->group = group;
  slot->trust_version = options_.handler.trust->version();
  slot->connection = std::make_unique<IngressConnection>(
      context_, std::move(fd), PeerAddress{rpc::HostOf(from), group}, *std::move(tls), Now());
  {
    base::MutexLock lock(mu_);
    slots_[slot->id] = slot;
  }
  connections_.Add(1);
  epoll_event event{.events = EPOLLIN | EPOLLONESHOT, .data = {.u64 = slot->id}};
  base::MutexLock lock(slot->mu);
  slot->armed = true;
  slot->deadline = slot->connection->deadline();
  epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, slot->connection->fd(), &event);
}

void IngressListener::Core::Post(const SlotPtr& slot,
                                 std::function<Want(IngressConnection&)> work) {
  const bool taken = workers_.TryPost(
      [this, slot, work = std::move(work)] { Settle(slot, work(*slot->connection)); });
  // Only while the listener shuts down, which ends all connections.
  static_cast<void>(taken);
}

void IngressListener::Core::Settle(const SlotPtr& slot, Want want) {
  switch (want) {
    case Want::kRead:
    case Want::kWrite: return Arm(*slot, want);
    case Want::kPublish: return Publish(slot);
    case Want::kClose: return Remove(slot);
  }
}

void IngressListener::Core::Arm(Slot& slot, Want want) {
  epoll_event event{.events = (want == Want::kWrite ? EPOLLOUT : EPOLLIN) | EPOLLONESHOT,
                    .data = {.u64 = slot.id}};
  base::MutexLock lock(slot.mu);
  slot.armed = true;
  slot.deadline = slot.connection->deadline();
  slot.idle = slot.connection->idle();
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, slot.connection->fd(), &event);
}

void IngressListener::Core::Publish(const SlotPtr& slot) {
  const IngressRequest request = slot->connection->TakeRequest();
  auto reader = TakeReader();
  // The answer may come on a thread of the store, which must not wait for a client.
  handler_.Publish(request.principal, request.head, request.body, *reader,
                   [core = shared_from_this(), slot](HttpAnswer answer) {
                     core->Post(slot, [core = core.get(), answer = std::move(answer)](
                                          IngressConnection& connection) mutable {
                       return connection.OnAnswer(std::move(answer), core->Now());
                     });
                   });
  ReturnReader(std::move(reader));
}

std::unique_ptr<RequestReader> IngressListener::Core::TakeReader() {
  {
    base::MutexLock lock(mu_);
    if (!readers_.empty()) {
      auto reader = std::move(readers_.back());
      readers_.pop_back();
      return reader;
    }
  }
  return std::make_unique<RequestReader>();
}

void IngressListener::Core::ReturnReader(std::unique_ptr<RequestReader> reader) {
  base::MutexLock lock(mu_);
  readers_.push_back(std::move(reader));  // at most as many as there are workers
}

void IngressListener::Core::Remove(const SlotPtr& slot) {
  slot->connection.reset();  // closes it, which takes it out of the epoll
  caps_.Release(slot->group);
  connections_.Add(-1);
  base::MutexLock lock(mu_);
  slots_.erase(slot->id);
  changed_.SignalAll();
}

void IngressListener::Core::Drain() {
  draining_ = true;
  Wake();
}

void IngressListener::Core::Shutdown(absl::Duration limit) {
  {
    base::MutexLock lock(mu_);
    if (std::exchange(stopped_, true)) return;
  }
  if (!loop_.joinable()) return;  // it did not start
  Drain();
  const absl::Duration end = Now() + limit;
  {
    base::MutexLock lock(mu_);
    while (!slots_.empty() && Now() < end) {
      changed_.WaitFor(mu_, std::min(end - Now(), absl::Milliseconds(kTickMillis)));
    }
  }
  running_ = false;
  Wake();
  loop_.join();
  workers_.Shutdown();
  absl::flat_hash_map<uint64_t, SlotPtr> rest;
  {
    base::MutexLock lock(mu_);
    rest.swap(slots_);
  }
  for (const auto& [id, slot] : rest) slot->connection.reset();
  connections_.Set(0);
}

IngressListener::IngressListener(std::shared_ptr<Core> core) : core_(std::move(core)) {}
IngressListener::~IngressListener() { Shutdown(absl::ZeroDuration()); }

absl::StatusOr<std::unique_ptr<IngressListener>> IngressListener::Start(IngressOptions options) {
  auto core = std::make_shared<Core>(std::move(options));
  CDGATE_RETURN_IF_ERROR(core->Start());
  return std::unique_ptr<IngressListener>(new IngressListener(std::move(core)));
}

const std::string& IngressListener::bound_address() const { return core_->bound_address(); }
void IngressListener::Drain() { core_->Drain(); }
void IngressListener::Shutdown(absl::Duration limit) { core_->Shutdown(limit); }
size_t IngressListener::live_connections() const { return core_->size(); }

}  // namespace cdgate::http
