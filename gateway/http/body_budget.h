// Bytes of bodies that are being received, and of answers that are not taken yet: how many all
// connections of a listener may hold together, and how many those of one address.
//
//   http::BodyBudget budget(64 << 20);
//   if (!budget.Take(address, 4096)) return Overloaded();
//   ...
//   budget.Return(address, 4096);
//
// One address has at most a quarter: a few slow clients of it leave room for everybody else.
#pragma once

#include <cstddef>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "gateway/base/mutex.h"

namespace cdgate::http {

// Thread-safe. Addresses are rpc::AddressGroup's; the empty one stands for clients that have no
// address of their own, behind a proxy, and is bounded by the whole alone.
class BodyBudget {
 public:
  explicit BodyBudget(size_t bytes) : bytes_(bytes) {}

  // False where there is no room, and nothing is taken.
  bool Take(const std::string& address, size_t bytes);
  // Takes what is there already, also beyond the budget: an answer. Others wait for it.
  void Charge(const std::string& address, size_t bytes);
  // Of what was taken or charged.
  void Return(const std::string& address, size_t bytes);

 private:
  const size_t bytes_;
  base::Mutex mu_;
  size_t taken_ CDGATE_GUARDED_BY(mu_) = 0;
  // Those that hold something.
  absl::flat_hash_map<std::string, size_t> by_address_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::http
