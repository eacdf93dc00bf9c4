// Acknowledgements between the thread that reads them and the strand of their stream. Most say
// only that there is more room, long before any is missed, and are left here until the strand has
// something to do anyway: a thread woken for each costs more than all the rest of it.
//
//   acks.Allow(window.delivered());                     // on the strand: up to here they are good
//   switch (acks.Put(sequence)) { ... }                 // on any thread
//   if (const auto ack = acks.Take()) window.Acknowledge(*ack);
//   if (out_of_room && !acks.Await()) ...               // on the strand: Take() once more
//
// Thread-safe: Put() on any thread, the others on one strand.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include "gateway/base/mutex.h"
#include "gateway/base/types.h"

namespace cdgate::delivery {

class AckBox {
 public:
  enum class Kept {
    kLater,  // it is here, and nobody waits for it
    kNow,    // it is here, and the strand waits for it
    kNo,     // the strand has to look at it: it is for what was not delivered, or none is allowed
  };

  Kept Put(base::Sequence ack) {
    base::MutexLock lock(mu_);
    if (!allowed_ || ack > *allowed_) return Kept::kNo;
    newest_ = std::max(newest_, ack);
    return std::exchange(awaited_, false) ? Kept::kNow : Kept::kLater;
  }

  // Acks up to `delivered` are good from now on.
  void Allow(base::Sequence delivered) {
    base::MutexLock lock(mu_);
    allowed_ = delivered;
  }

  // The newest that came since the last call.
  std::optional<base::Sequence> Take() {
    base::MutexLock lock(mu_);
    awaited_ = false;
    if (newest_ <= taken_) return std::nullopt;
    taken_ = newest_;
    return taken_;
  }

  // From now on the next one is to be told at once. False: one is here, and is to be taken.
  [[nodiscard]] bool Await() {
    base::MutexLock lock(mu_);
    awaited_ = newest_ <= taken_;
    return awaited_;
  }

 private:
  base::Mutex mu_;
  std::optional<base::Sequence> allowed_ CDGATE_GUARDED_BY(mu_);
  base::Sequence newest_ CDGATE_GUARDED_BY(mu_);
  base::Sequence taken_ CDGATE_GUARDED_BY(mu_);
  bool awaited_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::delivery
