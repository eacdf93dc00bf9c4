// Everything about backups, and about a start on restored data, that needs the running gateway:
// what `cdgate backup`, `cdgate restore status` and `cdgate restore fetch` ask for, and what a peer
// that lost its data asks us for.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/recovery.pb.h"
#include "cdgate/storage/v1/backup.pb.h"
#include "gateway/api/fetch_back_api.h"
#include "gateway/app/backups.h"
#include "gateway/app/fetch_back.h"
#include "gateway/app/links.h"
#include "gateway/app/storage.h"
#include "gateway/base/executor.h"
#include "gateway/rpc/router.h"

namespace cdgate::app {

// All outlive the Recovery.
struct RecoveryDeps {
  const config::v1::GatewayConfig& config;
  std::string software;
  Storage& storage;
  Links& links;
  FetchBackDeps fetch;
  // Whether this run makes no link. From any thread.
  std::function<bool()> started_frozen;
  base::Executor& pool;
};

// Thread-safe.
class Recovery {
 public:
  // (disk) Before links start: at the first start on restored data notes where the log stands with
  // each peer. Errors of backup::ReadRestoreRecord and of writing it.
  static absl::StatusOr<std::unique_ptr<Recovery>> Open(RecoveryDeps deps);

  // Adds the methods of both RecoveryServices, once, before the server starts.
  absl::Status Register(rpc::Router& router);
  // Ends a backup or a fetch that is under way, within a file or a page. Idempotent.
  void Shutdown() {
    stopping_ = true;
    copies_.Shutdown();
    fetches_.Shutdown();
  }

 private:
  explicit Recovery(RecoveryDeps deps);
  absl::Status NoteStart();
  absl::StatusOr<admin::v1::Restore> Status() const;
  admin::v1::PeerRestore StatusOf(const std::string& peer) const;
  absl::StatusOr<admin::v1::FetchEventsResponse> Fetch(
      const admin::v1::FetchEventsRequest& request);
  absl::StatusOr<absl::Time> FetchFrom(const admin::v1::FetchEventsRequest& request) const;

  const RecoveryDeps deps_;
  const Backups backups_;
  api::FetchBackApi fetch_back_api_;
  std::optional<storage::v1::RestoreRecord> record_;  // fixed once open
  std::atomic<bool> stopping_{false};
  // They block for as long as they take; one backup and one fetch at a time, so that a peer which
  // takes its time holds up no backup.
  base::ThreadPool copies_{{.name = "backup", .threads = 1, .max_queued = 4}};
  base::ThreadPool fetches_{{.name = "fetch-back", .threads = 1, .max_queued = 4}};
};

}  // namespace cdgate::app
