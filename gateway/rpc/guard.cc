#include "gateway/rpc/guard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/rpc/transport.h"

namespace cdgate::rpc {
namespace {

using authz::Listener;

constexpr absl::Duration kSweepInterval = absl::Seconds(1);
constexpr absl::Duration kLongestPause = absl::Minutes(1);
constexpr size_t kMaxAddresses = 65536;  // remembered at once
constexpr absl::string_view kCauses[] = {"debt",    "stalled", "backlog", "trickled",  "waste",
                                         "streams", "total",   "expired", "untrusted", "requested"};
// Half a millisecond each, twenty times a second: a thousand connections in two seconds, and
// the abuse of none goes unseen meanwhile.
constexpr int kVerifiedPerTick = 32;

absl::string_view RefusalName(Guard::Refusal refusal) {
  switch (refusal) {
    case Guard::Refusal::kListenerFull: return "listener_full";
    case Guard::Refusal::kAddressFull: return "address_full";
    case Guard::Refusal::kRate: return "rate";
    case Guard::Refusal::kDescriptors: return "descriptors";
    case Guard::Refusal::kUser: return "user";
    case Guard::Refusal::kNone: break;
  }
  return "none";
}

std::string AddressKey(Listener listener, const std::string& address) {
  return absl::StrCat(authz::ListenerName(listener), " ", address);
}

AbuseLimits LimitsOf(const ListenerLimits& limits) {
  return {.slack_bytes = limits.slack_bytes,
          .max_message_bytes = static_cast<uint64_t>(limits.max_message_bytes),
          .window_bytes =
              static_cast<uint64_t>(limits.probe_window ? kProbedWindowBytes : kFixedWindowBytes),
          .max_streams = limits.max_streams_per_connection,
          .frame_timeout = limits.frame_timeout};
}

std::string WhoIs(const Connection& connection) {
  const auto identities = connection.identities();
  return identities.empty() ? "" : identities.front()->principal.id;
}

}  // namespace

Guard::Guard(Options options) : options_(std::move(options)) {
  last_tick_ = last_sweep_ = options_.clock.Monotonic();
  for (const auto& [listener, limits] : options_.limits) {
    const std::string name(authz::ListenerName(listener));
    Series& series = series_[listener];
    series.connections = &options_.metrics.AddGauge(
        "cdgate_rpc_connections", "Connections being served.", {{"listener", name}});
    for (const Refusal refusal : {Refusal::kListenerFull, Refusal::kAddressFull, Refusal::kRate,
                                  Refusal::kDescriptors, Refusal::kUser}) {
      series.refused[refusal] = &options_.metrics.AddCounter(
          "cdgate_rpc_connections_refused_total", "Connections closed as they were accepted.",
          {{"listener", name}, {"cause", std::string(RefusalName(refusal))}});
    }
    for (const absl::string_view cause : kCauses) {
      series.cut[std::string(cause)] = &options_.metrics.AddCounter(
          "cdgate_rpc_connections_cut_total", "Connections ended by the gateway.",
          {{"listener", name}, {"cause", std::string(cause)}});
    }
  }
}

Guard::Refusal Guard::Admit(Listener listener, const std::string& address) {
  Refusal refusal;
  {
    base::MutexLock lock(mu_);
    refusal = Check(listener, address);
  }
  if (refusal != Refusal::kNone) CountRefusal(listener, refusal);
  return refusal;
}

Guard::Refusal Guard::Check(Listener listener, const std::string& address) {
  const ListenerLimits& limits = options_.limits.at(listener);
  if (counts_[listener] >= limits.max_connections) return Refusal::kListenerFull;
  if (listener == Listener::kLocal) return Refusal::kNone;
  const std::string key = AddressKey(listener, address);
  if (addresses_.size() >= kMaxAddresses && !addresses_.contains(key)) return Refusal::kRate;
  Address& state = Refilled(limits, key);
  if (state.connections >= limits.max_connections_per_address) return Refusal::kAddressFull;
  if (state.tokens < 1) return Refusal::kRate;
  state.tokens -= 1;
  return Refusal::kNone;
}

Guard::Address& Guard::Refilled(const ListenerLimits& limits, const std::string& key) {
  const absl::Duration now = options_.clock.Monotonic();
  const auto [it, is_new] = addresses_.try_emplace(key);
  Address& state = it->second;
  if (is_new) {
    state.tokens = limits.accept_burst;
  } else {
    const double seconds = absl::ToDoubleSeconds(now - state.refilled);
    state.tokens =
        std::min(limits.accept_burst, state.tokens + seconds * limits.accepts_per_second);
  }
  state.refilled = now;
  return state;
}

void Guard::CountRefusal(Listener listener, Refusal refusal) {
  series_.at(listener).refused.at(refusal)->Add();
}

void Guard::Add(ConnectionPtr connection) {
  const Listener listener = connection->listener();
  const ListenerLimits& limits = options_.limits.at(listener);
  base::MutexLock lock(mu_);
  if (const auto it = watched_.find(connection->key()); it != watched_.end()) {
    const WatchedPtr old = it->second;
    Remove(old);
  }
  ++counts_[listener];
  if (listener != Listener::kLocal) {
    ++Refilled(limits, AddressKey(listener, connection->address())).connections;
  }
  const std::string key = connection->key();
  watched_[key] =
      std::make_shared<Watched>(Watched{std::move(connection), AbuseMeter(LimitsOf(limits))});
  series_.at(listener).connections->Set(static_cast<double>(counts_[listener]));
}

void Guard::Remove(const WatchedPtr& watched) {
  const Connection& connection = *watched->connection;
  const auto it = watched_.find(connection.key());
  if (it == watched_.end() || it->second != watched) return;
  watched_.erase(it);
  const size_t left = --counts_[connection.listener()];
  series_.at(connection.listener()).connections->Set(static_cast<double>(left));
  const auto address = addresses_.find(AddressKey(connection.listener(), connection.address()));
  if (address != addresses_.end()) --address->second.connections;
}

ConnectionPtr Guard::Find(const std::string& key) const {
  base::MutexLock lock(mu_);
  const auto it = watched_.find(key);
  if (it == watched_.end() || it->second->connection->was_cut()) return nullptr;
  return it->second->connection;
}

std::vector<Guard::WatchedPtr> Guard::Snapshot() const {
  base::MutexLock lock(mu_);
  std::vector<WatchedPtr> all;
  all.reserve(watched_.size());
  for (const auto& [key, watched] : watched_) all.push_back(watched);
  return all;
}

void Guard::Tick() {
  const absl::Duration now = options_.clock.Monotonic();
  const absl::Duration elapsed = now - std::exchange(last_tick_, now);
  std::vector<WatchedPtr> all = Snapshot();
  for (const WatchedPtr& watched : all) {
    const auto sample = watched->connection->Sample();
    if (!sample) {
      base::MutexLock lock(mu_);
      Remove(watched);
      continue;
    }
    const Abuse abuse = watched->meter.Tick(*sample, elapsed);
    if (abuse == Abuse::kNone || watched->connection->listener() == Listener::kLocal) continue;
    CutForAbuse(*watched->connection, AbuseName(abuse));
  }
  CutGreediest(all);
  CutUntrusted(all);
  if (now - last_sweep_ < kSweepInterval) return;
  last_sweep_ = now;
  CutExpired(all);
  ForgetIdleAddresses();
}

void Guard::CheckStreams(Connection& connection) {
  const TrafficCounters& counters = connection.counters;
  const int64_t open = counters.open.load(std::memory_order_relaxed);
  const int64_t answered = counters.answered.load(std::memory_order_relaxed);
  const AbuseLimits limits = LimitsOf(options_.limits.at(connection.listener()));
  if (TooManyStreams(limits, open, answered)) CutForAbuse(connection, AbuseName(Abuse::kStreams));
}

void Guard::CutGreediest(const std::vector<WatchedPtr>& all) {
  uint64_t total = 0;
  const Watched* greediest = nullptr;
  for (const WatchedPtr& watched : all) {
    if (watched->connection->was_cut()) continue;
    total += watched->meter.debt();
    if (greediest == nullptr || watched->meter.debt() > greediest->meter.debt()) {
      greediest = watched.get();
    }
  }
  if (total > options_.total_slack_bytes) CutForAbuse(*greediest->connection, "total");
}

void Guard::CutExpired(const std::vector<WatchedPtr>& all) {
  const absl::Time now = options_.clock.Now();
  for (const WatchedPtr& watched : all) {
    for (const auto& identity : watched->connection->identities()) {
      if (identity->certificate == nullptr || identity->certificate->not_after > now) continue;
      CutFor(*watched->connection, "expired", base::Reason::kCertificateExpired);
    }
  }
}

absl::Status Guard::CheckTrust(Connection& connection, const ConnectionIdentity& identity) {
  if (options_.trust == nullptr || identity.certificate == nullptr) return absl::OkStatus();
  // Nobody has verified those of the enrolment listener: its handler does.
  if (connection.listener() == Listener::kEnrolment) return absl::OkStatus();
  if (identity.verified_under.load(std::memory_order_relaxed) == options_.trust->version()) {
    return absl::OkStatus();
  }
  const auto snapshot = options_.trust->Current();
  const absl::Status verified =
      trust::VerifyEstablished(*snapshot, identity.certificate->leaf_pem,
                               identity.certificate->chain_pem, crypto::Purpose::kClient,
                               options_.clock.Now())
          .status();
  if (verified.ok()) {
    identity.verified_under.store(snapshot->version(), std::memory_order_relaxed);
  } else {
    CutFor(connection, "untrusted",
           base::ReasonOf(verified).value_or(base::Reason::kCertificateUntrusted));
  }
  return verified;
}

void Guard::CutUntrusted(const std::vector<WatchedPtr>& all) {
  if (options_.trust == nullptr) return;
  const uint64_t version = options_.trust->version();
  int verified = 0;
  for (const WatchedPtr& watched : all) {
    for (const auto& identity : watched->connection->identities()) {
      if (identity->verified_under.load(std::memory_order_relaxed) == version) continue;
      if (identity->certificate == nullptr || watched->connection->was_cut()) continue;
      CheckTrust(*watched->connection, *identity).IgnoreError();  // it is cut where it is not
      if (++verified == kVerifiedPerTick) return;
    }
  }
}

bool Guard::CutFor(Connection& connection, absl::string_view cause, base::Reason reason) {
  if (!connection.Cut()) return false;
  const auto& counters = series_.at(connection.listener()).cut;
  counters.find(cause)->second->Add();
  const bool abuse = reason == base::Reason::kConnectionAbuse;
  base::Log(abuse ? base::LogLevel::kWarning : base::LogLevel::kInfo, "connection cut",
            {{"reason", std::string(base::ReasonText(reason))},
             {"cause", std::string(cause)},
             {"listener", std::string(authz::ListenerName(connection.listener()))},
             {"peer", connection.key()},
             {"principal", WhoIs(connection)}});
  return true;
}

void Guard::CutForAbuse(Connection& connection, absl::string_view cause) {
  if (!CutFor(connection, cause, base::Reason::kConnectionAbuse)) return;
  const ListenerLimits& limits = options_.limits.at(connection.listener());
  const double pause = absl::ToDoubleSeconds(limits.abuse_pause) * limits.accepts_per_second;
  const double lowest = -absl::ToDoubleSeconds(kLongestPause) * limits.accepts_per_second;
  base::MutexLock lock(mu_);
  Address& state = Refilled(limits, AddressKey(connection.listener(), connection.address()));
  if (pause > 0) state.tokens = std::max(lowest, std::min(state.tokens, 0.0) - pause);
}

void Guard::ForgetIdleAddresses() {
  const absl::Duration now = options_.clock.Monotonic();
  base::MutexLock lock(mu_);
  for (auto it = addresses_.begin(); it != addresses_.end();) {
    // Whatever its limits, an address unused for so long has all its tokens again.
    const bool idle = it->second.connections == 0 && now - it->second.refilled > 2 * kLongestPause;
    const auto here = it++;
    if (idle) addresses_.erase(here);
  }
}

size_t Guard::Cut(const std::function<bool(const authz::Principal&)>& matches) {
  size_t cut = 0;
  for (const WatchedPtr& watched : Snapshot()) {
    // Who enrols has proved nothing yet: whoever claims the name of a peer that was just
    // removed may be about to be one again.
    if (watched->connection->listener() == Listener::kEnrolment) continue;
    const auto identities = watched->connection->identities();
    const bool match =
        std::any_of(identities.begin(), identities.end(),
                    [&matches](const auto& identity) { return matches(identity->principal); });
    if (match && CutFor(*watched->connection, "requested", base::Reason::kCancelled)) ++cut;
  }
  return cut;
}

void Guard::CutAll() {
  for (const WatchedPtr& watched : Snapshot()) watched->connection->Cut();
}

size_t Guard::size() const {
  base::MutexLock lock(mu_);
  return watched_.size();
}

}  // namespace cdgate::rpc
