// At most one line of the log for one address in a second, so that who may not come in cannot
// fill the log either.
//
//   if (const auto left_out = limiter.Next(address)) {
//     base::Log(..., {{"left_out", absl::StrCat(*left_out)}});
//   }
//
// Counters are not its business: they count every refusal.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::http {

// Thread-safe.
class LogLimiter {
 public:
  // `clock` outlives it.
  explicit LogLimiter(const base::Clock& clock) : clock_(clock) {}

  // None where the line is to be left out. Otherwise how many were since the address's line
  // before this one; those of addresses that were forgotten meanwhile are added to whoever comes
  // first, so the sum is exact.
  std::optional<size_t> Next(const std::string& address);

 private:
  struct Address {
    absl::Duration written;
    size_t left_out = 0;
  };
  void ForgetOld(absl::Duration now) CDGATE_REQUIRES(mu_);

  const base::Clock& clock_;
  base::Mutex mu_;
  absl::flat_hash_map<std::string, Address> addresses_ CDGATE_GUARDED_BY(mu_);
  size_t forgotten_ CDGATE_GUARDED_BY(mu_) = 0;
};

}  // namespace cdgate::http
