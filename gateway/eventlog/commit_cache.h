// The commits that readers behind the tail read last, for those who come to the same place:
// a thousand subscribers that begin at the same event read the log once, and a reader need
// not hold a large commit while what it made of its first part is on its way.
//
//   CommitCache cache(16 << 20);
//   std::vector<event::CommitPtr> commits = cache.Get(from, limits);
//   if (commits.empty()) cache.Put(commits = *log.Read(...), &evicted);
//
// Not thread-safe. Allocates by commit, not by event.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <vector>

#include "gateway/base/types.h"
#include "gateway/event/record.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::eventlog {

class CommitCache {
 public:
  // Keeps commits of so many bytes together (Commit::byte_size), and always the last one.
  explicit CommitCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Remembers commits, which contain events. What no longer fits goes to `evicted`, the least
  // recently used first, to be freed without a lock.
  void Put(const std::vector<event::CommitPtr>& commits, std::vector<event::CommitPtr>* evicted);

  // The commits from the one that contains `from` on, as many without a gap as are here and the
  // limits allow; none where that one is not.
  std::vector<event::CommitPtr> Get(base::Sequence from, ReadLimits limits);

  size_t bytes() const { return bytes_; }

 private:
  using Order = std::list<base::Sequence>;  // of first sequences, the most recently used first
  struct Entry {
    event::CommitPtr commit;
    Order::iterator place;
  };

  const size_t max_bytes_;
  std::map<base::Sequence, Entry> entries_;  // by first sequence
  Order order_;
  size_t bytes_ = 0;
};

}  // namespace cdgate::eventlog
