#include "gateway/http/body_budget.h"

namespace cdgate::http {
namespace {

constexpr size_t kShares = 4;

bool Fits(size_t taken, size_t more, size_t limit) {
  return taken <= limit && more <= limit - taken;
}

}  // namespace

bool BodyBudget::Take(const std::string& address, size_t bytes) {
  if (bytes == 0) return true;
  base::MutexLock lock(mu_);
  if (!Fits(taken_, bytes, bytes_)) return false;
  const auto held = by_address_.find(address);
  const size_t already = held == by_address_.end() ? 0 : held->second;
  if (!address.empty() && !Fits(already, bytes, bytes_ / kShares)) return false;
  taken_ += bytes;
  by_address_[address] += bytes;
  return true;
}

void BodyBudget::Charge(const std::string& address, size_t bytes) {
  if (bytes == 0) return;
  base::MutexLock lock(mu_);
  taken_ += bytes;
  by_address_[address] += bytes;
}

void BodyBudget::Return(const std::string& address, size_t bytes) {
  if (bytes == 0) return;
  base::MutexLock lock(mu_);
  taken_ -= bytes;
  const auto held = by_address_.find(address);
  held->second -= bytes;
  if (held->second == 0) by_address_.erase(held);
}

}  // namespace cdgate::http
