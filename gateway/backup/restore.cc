#include "gateway/backup/restore.h"

#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gateway/backup/files.h"
#include "gateway/backup/manifest.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"
#include "gateway/eventlog/segments/directory.h"
#include "gateway/eventlog/segments/segment_log.h"

namespace cdgate::backup {
namespace {

namespace fs = std::filesystem;
using base::Reason;
using storage::v1::BackupFile;
using storage::v1::BackupManifest;
using storage::v1::RestoreRecord;

absl::Status CheckIsFree(const std::string& data_dir) {
  std::error_code error;
  if (!fs::exists(data_dir, error) || (fs::is_empty(data_dir, error) && !error)) {
    return absl::OkStatus();
  }
  const std::string log = base::JoinPath(data_dir, "log");
  if (base::FileExists(log)) {
    CDGATE_RETURN_IF_ERROR(eventlog::DirectoryLock::Take(log).status());
  }
  return base::MakeError(
      Reason::kAlreadyExists,
      absl::StrCat(data_dir, " is not empty; move what is there away, it may still be needed"),
      {{"path", data_dir}});
}

absl::Status CopyAll(const std::string& backup, const BackupManifest& manifest,
                     const std::string& to) {
  CDGATE_RETURN_IF_ERROR(CheckFiles(backup, manifest));
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(to, 0700));
  for (const BackupFile& file : manifest.files()) {
    const std::string from = base::JoinPath(base::JoinPath(backup, kDataName), file.path());
    CDGATE_ASSIGN_OR_RETURN(const Content content,
                            CopyFile(from, file.size(), base::JoinPath(to, file.path())));
    if (content.sha256 != file.sha256()) return Invalid(from, "is not what was backed up");
  }
  return absl::OkStatus();
}

// Opens the copied log, behind whose end the new life begins.
absl::StatusOr<RestoreRecord> BeginEpoch(const BackupManifest& manifest, const std::string& folder,
                                         base::Clock& clock, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(
      const auto log,
      eventlog::SegmentLog::Open({.directory = base::JoinPath(folder, "log"), .new_epoch = true},
                                 clock, random));
  const eventlog::Head head = log->head();
  if (head.commit != manifest.head_commit() + 1 ||
      head.sequence.value() != manifest.head_sequence()) {
    return Invalid(base::JoinPath(base::JoinPath(folder, "log"), "commits"),
                   absl::StrCat("ends at commit ", head.commit - 1, ", and the manifest says ",
                                manifest.head_commit()));
  }
  RestoreRecord record;
  record.set_backup_time_nanos(manifest.create_time_nanos());
  record.set_restore_time_nanos(absl::ToUnixNanos(clock.Now()));
  record.set_epoch_before(manifest.epoch());
  record.set_head_sequence(manifest.head_sequence());
  record.set_head_time_nanos(manifest.head_time_nanos());
  record.set_epoch(head.epoch.value());
  return record;
}

absl::StatusOr<RestoreRecord> Stage(const std::string& backup, const std::string& folder,
                                    base::Clock& clock, base::Random& random) {
  CDGATE_ASSIGN_OR_RETURN(const BackupManifest manifest, ReadManifest(backup));
  CDGATE_RETURN_IF_ERROR(CopyAll(backup, manifest, folder));
  CDGATE_ASSIGN_OR_RETURN(RestoreRecord record, BeginEpoch(manifest, folder, clock, random));
  CDGATE_RETURN_IF_ERROR(WriteRestoreRecord(folder, record));
  CDGATE_RETURN_IF_ERROR(SyncFolders(folder));
  return record;
}

}  // namespace

absl::StatusOr<RestoreRecord> Restore(const std::string& backup, const std::string& data_dir,
                                      base::Clock& clock, base::Random& random) {
  const std::string target = WithoutSlash(data_dir);
  CDGATE_RETURN_IF_ERROR(CheckIsFree(target));
  const std::string staged = absl::StrCat(target, ".restoring");
  CDGATE_RETURN_IF_ERROR(RemoveTree(staged));
  absl::StatusOr<RestoreRecord> record = Stage(WithoutSlash(backup), staged, clock, random);
  absl::Status status = record.status();
  if (status.ok()) status = MoveFolder(staged, target);
  if (status.ok()) return record;
  RemoveTree(staged).IgnoreError();  // the first error says more
  return status;
}

absl::StatusOr<std::optional<RestoreRecord>> ReadRestoreRecord(const std::string& data_dir) {
  const std::string path = base::JoinPath(data_dir, kRestoreRecordName);
  if (!base::FileExists(path)) return std::nullopt;
  CDGATE_ASSIGN_OR_RETURN(const std::string bytes, base::ReadFile(path));
  RestoreRecord record;
  if (record.ParseFromString(bytes)) return record;
  return base::MakeError(Reason::kLogCorrupt,
                         absl::StrCat(path,
                                      " is damaged; remove it, and the gateway forgets from "
                                      "which backup it was restored"),
                         {{"path", path}});
}

absl::Status WriteRestoreRecord(const std::string& data_dir, const RestoreRecord& record) {
  return base::WriteFileAtomically(base::JoinPath(data_dir, kRestoreRecordName),
                                   record.SerializeAsString(), 0600);
}

}  // namespace cdgate::backup
