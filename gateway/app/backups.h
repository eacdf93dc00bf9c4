// Backups of the data directory while the gateway runs.
//
//   Backups backups({.config = config, .software = "cdgate 0.1.0", .storage = storage, ...});
//   CDGATE_ASSIGN_OR_RETURN(const auto backup, backups.Create("/backups/monday"));
//
// What makes one moment is named a second time in DATA_DIR/backup.tmp, which takes milliseconds and
// stops nobody; then it is copied from there as slowly as the disks are. What a kill leaves there
// is removed by the next one. Identity material is not copied: it is its owner's, and belongs
// elsewhere (DATA_DIR/renewal and DATA_DIR/attestor-renewal, where renewed certificates are,
// included).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/admin/v1/recovery.pb.h"
#include "cdgate/config/v1/config.pb.h"
#include "gateway/app/storage.h"
#include "gateway/backup/write.h"
#include "gateway/base/clock.h"

namespace cdgate::app {

// All but the texts outlive the Backups.
struct BackupsDeps {
  const config::v1::GatewayConfig& config;
  std::string software;
  Storage& storage;
  const base::Clock& clock;
};

// One call at a time.
class Backups {
 public:
  explicit Backups(BackupsDeps deps) : deps_(std::move(deps)) {}

  // (blocks) Errors of backup::Write and Storage::Capture; then nothing is left at `directory`.
  absl::StatusOr<admin::v1::Backup> Create(const std::string& directory,
                                           const backup::Stopped& stopped) const;

 private:
  // What is copied: names in `folder`, and how much of each counts.
  absl::StatusOr<std::vector<backup::Source>> Gather(const std::string& folder,
                                                     storage::v1::BackupManifest* header) const;
  // Names the files below DATA_DIR/`part` in `folder`, too, and adds how long they are now.
  absl::Status Name(const std::string& part, const std::string& folder,
                    std::map<std::string, uint64_t>* bytes) const;

  const BackupsDeps deps_;
};

}  // namespace cdgate::app
