// When groups that share the processors do what they do again and again: in turn, not all at once.
//
//   Stagger stagger;
//   absl::Duration due = stagger.Book(group, now + pause, pause / Stagger::kGroups);
//
// Thread-safe.
#pragma once

#include <array>
#include <cstddef>

#include "absl/time/time.h"
#include "gateway/base/mutex.h"

namespace cdgate::delivery {

class Stagger {
 public:
  static constexpr size_t kGroups = 2;

  // The first moment from `due` on that is `apart` or more from what each other group booked last,
  // which `group` (below kGroups) books with that instead of what it had.
  absl::Duration Book(size_t group, absl::Duration due, absl::Duration apart) {
    base::MutexLock lock(mu_);
    booked_[group] = -absl::InfiniteDuration();
    // Each other group is in the way once at most, as `due` only grows.
    for (size_t round = 1; round < kGroups; ++round) {
      for (const absl::Duration other : booked_) {
        if (absl::AbsDuration(due - other) < apart) due = other + apart;
      }
    }
    return booked_[group] = due;
  }

 private:
  base::Mutex mu_;
  std::array<absl::Duration, kGroups> booked_ CDGATE_GUARDED_BY(mu_) = {-absl::InfiniteDuration(),
                                                                        -absl::InfiniteDuration()};
};

}  // namespace cdgate::delivery
