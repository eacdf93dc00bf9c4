// Makes a data directory out of a backup, without a gateway.
//
//   CDGATE_ASSIGN_OR_RETURN(const auto record,
//                           backup::Restore("/backups/monday", "/var/lib/cdgate", clock, random));
//
// The log of the new data directory begins a new epoch behind what the backup has: whoever read the
// log further than that finds out, and positions up to there stay good (docs/log_format.md). All is
// made in a folder beside, "/var/lib/cdgate.restoring", synced, and renamed.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/storage/v1/backup.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/random.h"

namespace cdgate::backup {

// BACKUP_INVALID, LOG_FORMAT_NEWER; LOG_LOCKED where a gateway runs on `data_dir`, ALREADY_EXISTS
// where something else is in it; errors of files. Then `data_dir` is as it was. Blocks.
absl::StatusOr<storage::v1::RestoreRecord> Restore(const std::string& backup,
                                                   const std::string& data_dir, base::Clock& clock,
                                                   base::Random& random);

// Of the last restore; none: `data_dir` was not restored. FILE_UNREADABLE, LOG_CORRUPT.
absl::StatusOr<std::optional<storage::v1::RestoreRecord>> ReadRestoreRecord(
    const std::string& data_dir);
absl::Status WriteRestoreRecord(const std::string& data_dir,
                                const storage::v1::RestoreRecord& record);
// Its name in a data directory.
inline constexpr char kRestoreRecordName[] = "restore.pb";

}  // namespace cdgate::backup
