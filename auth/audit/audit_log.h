// The audit log of a running gateway: what is appended here gets a number, is chained to the
// entry before it, and is signed with the next checkpoint.
//
//   CDGATE_ASSIGN_OR_RETURN(auto log, audit::AuditLog::Open(options, deps));
//   log->Append({.kind = audit::kRefusal, .members = …});               // nobody waits
//   log->Append({.kind = audit::kAct, .members = …}, [reply](const absl::Status& recorded) {
//     if (recorded.ok()) reply(answer);                                 // it is on disk
//   });
//
// One thread writes. The queue is bounded: an entry that somebody waits for is refused where
// it is full, another one is counted, and the count becomes an entry. Where the disk cannot be
// written, health() says so, what waits is refused, and the log is tried again every second;
// the first entry after it tells how many are missing.
//
// Thread-safe. `done` runs on the log's thread, or in Append where it is refused at once, and
// must not block.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/audit/journal.h"
#include "auth/audit/line.h"
#include "gateway/base/clock.h"
#include "gateway/base/metrics.h"
#include "gateway/base/mutex.h"

namespace cdgate::audit {

struct AuditOptions {
  JournalOptions journal;
  // A checkpoint is made so long after the last one, where there is something new.
  absl::Duration checkpoint_interval = absl::Minutes(1);
  size_t max_queued = 8192;
  size_t max_queued_bytes = 16 << 20;
};

struct AuditDeps {
  const base::Clock& clock;  // both outlive the log
  base::Metrics& metrics;
  SignerSource signer;
  // Up to which commit of the state everything is in the log; for checkpoints. Optional.
  std::function<uint64_t()> state_commit = nullptr;
  // Told of the entries of the last file while Open reads them. Optional.
  Journal::Seen seen = nullptr;
};

class AuditLog {
 public:
  using Done = std::function<void(const absl::Status&)>;

  // Errors of Journal::Open.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(AuditOptions options, AuditDeps deps);
  // Calls Shutdown().
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Appends `record`. With `done`, which then runs once, when it is on disk or cannot be:
  // DISK_FULL, FILE_UNWRITABLE, OVERLOADED, DRAINING.
  void Append(Record record, Done done = nullptr);

  // Called about once a second, by a timer: checkpoints, retention, new tries.
  void Tick();

  // OK, or why nothing can be written, as Append says it.
  absl::Status health() const;
  // What people should know: damage that was found, checkpoints without a signature.
  std::vector<std::string> problems() const;
  // As of the last write.
  Head head() const;

  // Writes what is queued and a last checkpoint; later entries are refused. Idempotent.
  void Shutdown();

 private:
  struct Item {
    Record record;
    Done done;
  };
  AuditLog(AuditOptions options, AuditDeps deps);

  void Run();
  void WriteBatch(std::vector<Item> batch);
  absl::Status TryWrite(const std::vector<Item>& batch);
  void Settle(std::vector<Item> batch, const absl::Status& status);
  void Housekeeping();
  absl::Status Upkeep();
  absl::Status Reopen();
  void Break(const absl::Status& why, uint64_t lost);
  void Publish();

  const AuditOptions options_;
  const AuditDeps deps_;
  std::map<std::string, base::Counter*> entries_;  // by kind; fixed after construction
  base::Gauge& checkpoint_time_;
  base::Gauge& writable_;

  // The writing thread's own.
  std::unique_ptr<Journal> journal_;  // null while it is broken
  absl::Time last_try_ = absl::InfinitePast();
  absl::Duration retention_due_;

  mutable base::Mutex mu_;
  base::CondVar wake_;
  std::deque<Item> queue_ CDGATE_GUARDED_BY(mu_);
  size_t queued_bytes_ CDGATE_GUARDED_BY(mu_) = 0;
  uint64_t dropped_ CDGATE_GUARDED_BY(mu_) = 0;  // nobody waited for them
  bool tick_ CDGATE_GUARDED_BY(mu_) = false;
  bool stopping_ CDGATE_GUARDED_BY(mu_) = false;
  absl::Status health_ CDGATE_GUARDED_BY(mu_);
  absl::Status damage_ CDGATE_GUARDED_BY(mu_);
  absl::Status signing_ CDGATE_GUARDED_BY(mu_);
  Head head_ CDGATE_GUARDED_BY(mu_);

  base::Mutex thread_mu_;
  std::thread thread_ CDGATE_GUARDED_BY(thread_mu_);
};

}  // namespace cdgate::audit
