// Counts sessions, for whoever must wait until there are none.
//
//   auto lease = leases.Take(owner);          // one more; null: none may begin any more
//   ... the session gives it back when it is destroyed
//   leases.ExpectStep();  strand->Post([&] { ...; leases.StepIsDone(); });
//   if (leases.Close(absl::Seconds(3))) ...   // that has run, and no session is left
//
// Thread-safe. Waits, so not for a task of an executor.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/time/time.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::manager {

class SessionLeases {
 public:
  explicit SessionLeases(const base::Clock& clock) : clock_(clock) {}
  SessionLeases(const SessionLeases&) = delete;
  SessionLeases& operator=(const SessionLeases&) = delete;

  // Counts until the last copy is given back. `owner` has this object, and lives as long. Null once
  // Close() was true.
  std::shared_ptr<void> Take(std::shared_ptr<void> owner);

  // Close() waits for one StepIsDone() for each of these as well: what comes before it on some
  // queue has run then.
  void ExpectStep();
  void StepIsDone();

  // Whether nothing is left, after at most `limit`. Then nothing can be taken any more.
  bool Close(absl::Duration limit);

 private:
  const base::Clock& clock_;
  base::Mutex mu_;
  base::CondVar less_;
  size_t steps_ CDGATE_GUARDED_BY(mu_) = 0;
  size_t taken_ CDGATE_GUARDED_BY(mu_) = 0;
  bool closed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::manager
