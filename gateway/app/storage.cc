#include "gateway/app/storage.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/mutex.h"
#include "gateway/base/run_delay.h"
#include "gateway/base/status_macros.h"
#include "gateway/event/digests.h"
#include "gateway/eventlog/memory/memory_log.h"
#include "gateway/eventlog/segments/segment_log.h"
#include "gateway/state/memory_kv.h"
#include "gateway/state/rocks_kv.h"
#include "gateway/state/rows.h"

namespace cdgate::app {
namespace {

constexpr absl::Duration kRetentionInterval = absl::Minutes(1);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Duration DedupHorizon(const config::v1::LogConfig& log) {
  return log.has_dedup_horizon() ? ToDuration(log.dedup_horizon())
                                 : state::StoreOptions().dedup_horizon;
}

absl::Duration AuditRetention(const config::v1::LogConfig& log) {
  return log.has_audit_retention() ? ToDuration(log.audit_retention())
                                   : state::StoreOptions().audit_retention;
}

}  // namespace

state::RocksKvOptions FoldOptions(const config::v1::GatewayConfig& config, base::Clock& clock) {
  return {.directory = base::JoinPath(config.data_dir(), "state"),
          .expired = state::ExpiredRows(clock, {.dedup_horizon = DedupHorizon(config.log()),
                                                .audit_retention = AuditRetention(config.log())})};
}

// The store while it is open: retention runs on a pool and must not outlive it.
struct Storage::Retention {
  base::Mutex mu;
  base::CondVar idle;
  state::Store* store CDGATE_GUARDED_BY(mu) = nullptr;
  bool running CDGATE_GUARDED_BY(mu) = false;

  void Run() {
    state::Store* now = nullptr;
    {
      base::MutexLock lock(mu);
      if (store == nullptr || running) return;
      running = true;
      now = store;
    }
    const absl::Status applied = now->ApplyRetention();
    if (!applied.ok()) {
      base::LogError(base::LogLevel::kWarning, "retention failed; it is tried again", applied);
    }
    base::MutexLock lock(mu);
    running = false;
    idle.SignalAll();
  }

  // Retention does not run until Release().
  void Hold() {
    base::MutexLock lock(mu);
    while (running) idle.Wait(mu);
    running = true;
  }
  void Release() {
    base::MutexLock lock(mu);
    running = false;
    idle.SignalAll();
  }

  void Stop() {
    base::MutexLock lock(mu);
    store = nullptr;
    while (running) idle.Wait(mu);
  }
};

absl::StatusOr<std::unique_ptr<Storage>> Storage::Open(const config::v1::GatewayConfig& config,
                                                       const StorageDeps& deps) {
  std::unique_ptr<Storage> storage(new Storage(deps));
  if (config.log().backend() == config::v1::LOG_BACKEND_MEMORY) {
    storage->log_ = std::make_unique<eventlog::MemoryLog>(
        std::make_shared<eventlog::MemoryLogStorage>(), deps.clock, deps.random);
    storage->kv_ = std::make_unique<state::MemoryKv>();
  } else {
    CDGATE_RETURN_IF_ERROR(storage->OpenDisk(config));
  }
  CDGATE_RETURN_IF_ERROR(storage->OpenStore(config));
  eventlog::FeedOptions feed;
  if (config.log().tail_bytes() != 0) feed.tail_bytes = config.log().tail_bytes();
  storage->feed_ =
      std::make_unique<eventlog::Feed>(*storage->log_, deps.callbacks, deps.metrics, feed);
  storage->retention_ = std::make_shared<Retention>();
  {
    base::MutexLock lock(storage->retention_->mu);
    storage->retention_->store = storage->store_.get();
  }
  storage->ScheduleRetention();
  return storage;
}

absl::Status Storage::OpenDisk(const config::v1::GatewayConfig& config) {
  eventlog::SegmentLogOptions options;
  options.directory = base::JoinPath(config.data_dir(), "log");
  if (config.log().segment_bytes() != 0) options.file_bytes = config.log().segment_bytes();
  CDGATE_ASSIGN_OR_RETURN(auto log, eventlog::SegmentLog::Open(options, deps_.clock, deps_.random));
  segments_ = log.get();
  log_ = std::move(log);
  CDGATE_ASSIGN_OR_RETURN(auto rows, state::RocksKv::Open(FoldOptions(config, deps_.clock)));
  rows_ = rows.get();
  kv_ = std::move(rows);
  return absl::OkStatus();
}

absl::Status Storage::OpenStore(const config::v1::GatewayConfig& config) {
  state::StoreOptions options;
  const config::v1::LogConfig& log = config.log();
  if (log.has_retention()) options.retention = ToDuration(log.retention());
  options.dedup_horizon = DedupHorizon(log);
  options.audit_retention = AuditRetention(log);
  options.retention_bytes = log.retention_bytes();
  if (log.min_free_percent() != 0) options.min_free_percent = log.min_free_percent();
  if (config.limits().max_pending_events() != 0) {
    options.max_pending_events = config.limits().max_pending_events();
  }
  const bool on_disk = log.backend() != config::v1::LOG_BACKEND_MEMORY;
  state::StoreDeps deps{.log = *log_,
                        .clock = deps_.clock,
                        .random = deps_.random,
                        .metrics = deps_.metrics,
                        .background = deps_.background,
                        .callbacks = nullptr,
                        .canonical_digest = event::CanonicalJsonDigest,
                        .space = on_disk ? state::SpaceOf(config.data_dir()) : nullptr,
                        .fold_outcomes = deps_.fold_outcomes,
                        .sign_origin = deps_.sign_origin,
                        .run_delay = base::ThreadRunDelay,
                        .on_fatal = deps_.on_fatal};
  CDGATE_ASSIGN_OR_RETURN(store_, state::Store::Open(options, std::move(deps), std::move(kv_)));
  return absl::OkStatus();
}

absl::StatusOr<Captured> Storage::Capture(const std::string& folder) {
  if (segments_ == nullptr) {
    return base::MakeError(base::Reason::kInvalidArgument,
                           "this gateway keeps its log in memory; there is nothing to back up");
  }
  retention_->Hold();
  absl::StatusOr<Captured> captured = CaptureHeld(folder);
  retention_->Release();
  return captured;
}

// The fold first: what the log has behind it is applied again, and what the fold has before it is
// in the log as long as retention does not run.
absl::StatusOr<Captured> Storage::CaptureHeld(const std::string& folder) {
  CDGATE_RETURN_IF_ERROR(rows_->Checkpoint(base::JoinPath(folder, "state")));
  const std::string commits = "log/commits";
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(base::JoinPath(folder, commits), 0700));
  const eventlog::LogFiles files = segments_->Files();
  Captured captured{.head = files.head};
  for (const auto& file : files.files) {
    const std::string name = std::filesystem::path(file.path).filename().string();
    const std::string path = base::JoinPath(commits, name);
    const std::string to = base::JoinPath(folder, path);
    if (link(file.path.c_str(), to.c_str()) != 0) {
      return base::MakeError(base::Reason::kFileUnwritable,
                             absl::StrCat("cannot make ", to, ": ", std::strerror(errno)),
                             {{"path", to}});
    }
    captured.bytes[path] = file.bytes;
  }
  return captured;
}

void Storage::ScheduleRetention() {
  const std::weak_ptr<Retention> weak = retention_;
  base::Executor& background = deps_.background;
  base::TimerQueue& timers = deps_.timers;
  base::Clock& clock = deps_.clock;
  // Arms itself again until the storage is gone.
  struct Again {
    static void At(base::TimerQueue& timers, base::Clock& clock, base::Executor& background,
                   std::weak_ptr<Retention> weak) {
      timers.At(clock.Monotonic() + kRetentionInterval, [&timers, &clock, &background, weak] {
        if (weak.expired()) return;
        // A full pool skips a turn; the next is a minute away.
        static_cast<void>(background.TryPost([weak] {
          if (const auto retention = weak.lock()) retention->Run();
        }));
        At(timers, clock, background, weak);
      });
    }
  };
  Again::At(timers, clock, background, weak);
}

Storage::~Storage() {
  if (retention_ != nullptr) retention_->Stop();
  if (feed_ != nullptr) feed_->Shutdown();
  if (store_ != nullptr) store_->Shutdown();
}

}  // namespace cdgate::app
