#include "gateway/http/log_limiter.h"

#include <utility>

namespace cdgate::http {
namespace {

constexpr absl::Duration kInterval = absl::Seconds(1);
// Addresses that are remembered; while there are more, the others have no lines.
constexpr size_t kMaxAddresses = 1000;

}  // namespace

void LogLimiter::ForgetOld(absl::Duration now) {
  size_t left_out = 0;
  absl::erase_if(addresses_, [&left_out, now](const auto& entry) {
    if (now - entry.second.written < kInterval) return false;
    left_out += entry.second.left_out;
    return true;
  });
  forgotten_ += left_out;
}

std::optional<size_t> LogLimiter::Next(const std::string& address) {
  base::MutexLock lock(mu_);
  const absl::Duration now = clock_.Monotonic();
  auto found = addresses_.find(address);
  if (found == addresses_.end()) {
    if (addresses_.size() >= kMaxAddresses) ForgetOld(now);
    if (addresses_.size() >= kMaxAddresses) {
      ++forgotten_;
      return std::nullopt;
    }
    addresses_[address] = {now, 0};
    return std::exchange(forgotten_, 0);
  }
  if (now - found->second.written < kInterval) {
    ++found->second.left_out;
    return std::nullopt;
  }
  found->second.written = now;
  return std::exchange(found->second.left_out, 0) + std::exchange(forgotten_, 0);
}

}  // namespace cdgate::http
