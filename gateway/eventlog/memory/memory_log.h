// A log in memory, for tests and for trying things out: gone at exit.
//
//   eventlog::MemoryLog log(storage, clock, random);
//
// MemoryLogStorage is its disk: a second log opened on the same storage finds what the
// first one appended. With kRemote the log behaves as one on another machine does:
// completions wait until the test releases them, and the right to write can be lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/base/random.h"
#include "gateway/eventlog/backend.h"
#include "gateway/eventlog/event_log.h"

namespace cdgate::eventlog {

// Serialised commits, as a disk would hold them.
struct MemoryLogStorage {
  base::Mutex mu;
  std::deque<std::string> commits CDGATE_GUARDED_BY(mu);
};

class MemoryLog final : public EventLog {
 public:
  enum class Mode { kLocal, kRemote };

  // On `storage` that holds nothing a new log is begun.
  MemoryLog(std::shared_ptr<MemoryLogStorage> storage, base::Clock& clock, base::Random& random,
            Mode mode = Mode::kLocal);

  void Append(event::CommitPtr commit, Appended done) override;
  absl::StatusOr<std::vector<event::CommitPtr>> Read(ReadFrom from,
                                                     ReadLimits limits) const override;
  Head head() const override;
  First first() const override;
  absl::Status Trim(base::Sequence keep_from) override;
  void AddObserver(CommitObserver* observer) override { observers_.Add(observer); }
  void RemoveObserver(CommitObserver* observer) override { observers_.Remove(observer); }
  Stats stats() const override;

  // Every append from now on fails as with a broken disk.
  void FailWrites();
  // Another instance writes from now on: what is outstanding fails, the newest first,
  // and so does what is appended until GainLeadership.
  void LoseLeadership();
  void GainLeadership();
  // What the other instance appends: must continue the log.
  void AppendAsOther(const event::CommitPtr& commit) { Commit(commit); }

  // --- kRemote
  // Appends that have not been completed.
  size_t outstanding() const;
  // Completes the oldest `n` of them: they become durable and are observed in order,
  // then their callbacks run, the newest first.
  void Complete(size_t n);

 private:
  struct Outstanding {
    event::CommitPtr commit;
    Appended done;
  };
  absl::Status Check(const event::Commit& commit) const CDGATE_REQUIRES(mu_);
  void Commit(const event::CommitPtr& commit);
  size_t IndexOf(const ReadFrom& from) const CDGATE_REQUIRES(mu_);
  First FirstKept() const CDGATE_REQUIRES(mu_);

  const std::shared_ptr<MemoryLogStorage> storage_;
  const Mode mode_;
  ObserverList observers_;
  mutable base::Mutex mu_;
  std::deque<event::CommitPtr> commits_ CDGATE_GUARDED_BY(mu_);  // never empty
  std::deque<Outstanding> outstanding_ CDGATE_GUARDED_BY(mu_);
  uint64_t bytes_ CDGATE_GUARDED_BY(mu_) = 0;
  bool leader_ CDGATE_GUARDED_BY(mu_) = true;
  bool failed_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::eventlog
