// The log, the store in front of it and the feed behind it, opened together.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/executor.h"
#include "gateway/base/metrics.h"
#include "gateway/base/random.h"
#include "gateway/base/timer_queue.h"
#include "gateway/eventlog/event_log.h"
#include "gateway/eventlog/feed.h"
#include "gateway/state/options.h"
#include "gateway/state/outcome_metrics.h"
#include "gateway/state/rocks_kv.h"
#include "gateway/state/store.h"

namespace cdgate::eventlog {
class SegmentLog;
}  // namespace cdgate::eventlog

namespace cdgate::app {

// How the fold's database is opened: in data_dir, and without identities that are older
// than the deduplication horizon and what is older than the audit retention, by `clock`, which
// outlives it.
state::RocksKvOptions FoldOptions(const config::v1::GatewayConfig& config, base::Clock& clock);

// Log and fold as they were at one moment, in a folder.
struct Captured {
  eventlog::Head head = {};
  // Bytes of the log's files that count, by path in the folder; all of any other file does.
  std::map<std::string, uint64_t> bytes = {};
};

// All outlive the Storage.
struct StorageDeps {
  base::Clock& clock;
  base::Random& random;
  base::Metrics& metrics;
  base::TimerQueue& timers;
  base::Executor& background;
  base::Executor& callbacks;
  std::function<void(absl::Status)> on_fatal;
  // What became of events for the peers, as state::StoreDeps says; null: it is not kept.
  state::FoldOutcomes fold_outcomes = {};
  state::SignOrigin sign_origin = {};  // null: nothing is signed
};

// Thread-safe once open.
class Storage {
 public:
  // (blocks) Reads what the log and the fold have, and begins to apply retention, every
  // minute on `background`. Errors of the log (a second process has it, it is corrupt) and of
  // state::Store::Open; then nothing is left open. `on_fatal` is called once where the log
  // can no longer be written, from any thread.
  static absl::StatusOr<std::unique_ptr<Storage>> Open(const config::v1::GatewayConfig& config,
                                                       const StorageDeps& deps);
  // Stops the feed, commits what was proposed, closes the log.
  ~Storage();

  eventlog::EventLog& log() { return *log_; }
  state::Store& store() { return *store_; }
  eventlog::Feed& feed() { return *feed_; }

  // (blocks) For a backup: log/ and state/ in `folder`, which is there, empty, and on the file
  // system of the data directory: files that are not written any more by a second name, so that it
  // takes a moment whatever they hold. Nothing waits for it but retention. The fold is of no later
  // commit than the log. INVALID_ARGUMENT where the log is in memory; FILE_UNWRITABLE.
  absl::StatusOr<Captured> Capture(const std::string& folder);

  // Brings cdgate_outcomes up to date: before metrics are read.
  void UpdateMetrics() { outcome_metrics_.Update(store_->AllCounters()); }

 private:
  explicit Storage(const StorageDeps& deps) : deps_(deps), outcome_metrics_(deps.metrics) {}
  absl::Status OpenDisk(const config::v1::GatewayConfig& config);
  absl::Status OpenStore(const config::v1::GatewayConfig& config);
  void ScheduleRetention();
  absl::StatusOr<Captured> CaptureHeld(const std::string& folder);

  const StorageDeps deps_;
  state::OutcomeMetrics outcome_metrics_;
  std::unique_ptr<eventlog::EventLog> log_;
  // Of log_ and of what the store keeps its rows in; null where they are in memory.
  eventlog::SegmentLog* segments_ = nullptr;
  state::RocksKv* rows_ = nullptr;
  std::unique_ptr<state::KvStore> kv_;  // until the store takes it
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<eventlog::Feed> feed_;

  // Shared with the timer's callback, which may run while this goes away.
  struct Retention;
  std::shared_ptr<Retention> retention_;
};

}  // namespace cdgate::app
