#include "gateway/http/connection_caps.h"

#include <algorithm>

namespace cdgate::http {
namespace {

// Addresses that are remembered; while there are more, unknown ones wait.
constexpr size_t kMaxAddresses = 20'000;

}  // namespace

ConnectionCaps::Address& ConnectionCaps::Refilled(const std::string& address) {
  const absl::Duration now = clock_.Monotonic();
  const auto [it, is_new] = addresses_.try_emplace(address);
  Address& state = it->second;
  const double seconds = absl::ToDoubleSeconds(now - state.refilled);
  state.tokens =
      is_new ? limits_.accept_burst
             : std::min(limits_.accept_burst, state.tokens + seconds * limits_.accepts_per_second);
  state.refilled = now;
  return state;
}

// Those without a connection whose tokens are whole again.
void ConnectionCaps::ForgetIdle() {
  const absl::Duration whole = absl::Seconds(limits_.accept_burst / limits_.accepts_per_second);
  const absl::Duration now = clock_.Monotonic();
  absl::erase_if(addresses_, [&](const auto& entry) {
    return entry.second.connections == 0 && now - entry.second.refilled >= whole;
  });
}

ConnectionCaps::Refusal ConnectionCaps::Admit(const std::string& address) {
  base::MutexLock lock(mu_);
  if (connections_ >= limits_.max_connections) return Refusal::kListenerFull;
  if (address.empty()) {
    ++connections_;
    return Refusal::kNone;
  }
  if (addresses_.size() >= kMaxAddresses) ForgetIdle();
  if (addresses_.size() >= kMaxAddresses && !addresses_.contains(address)) return Refusal::kRate;
  Address& state = Refilled(address);
  if (state.connections >= limits_.max_connections_per_address) return Refusal::kAddressFull;
  if (state.tokens < 1) return Refusal::kRate;
  state.tokens -= 1;
  ++state.connections;
  ++connections_;
  return Refusal::kNone;
}

void ConnectionCaps::Release(const std::string& address) {
  base::MutexLock lock(mu_);
  --connections_;
  if (!address.empty()) --Refilled(address).connections;
}

absl::string_view RefusalName(ConnectionCaps::Refusal refusal) {
  switch (refusal) {
    case ConnectionCaps::Refusal::kListenerFull: return "listener_full";
    case ConnectionCaps::Refusal::kAddressFull: return "address_full";
    case ConnectionCaps::Refusal::kRate: return "rate";
    case ConnectionCaps::Refusal::kNone: break;
  }
  return "none";
}

}  // namespace cdgate::http
