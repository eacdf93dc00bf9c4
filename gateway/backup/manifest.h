// What says that a backup is whole: BACKUP/manifest.json, which names every file below BACKUP/data
// with its length and digest. docs/log_format.md has the form.
//
//   CDGATE_ASSIGN_OR_RETURN(const auto manifest, backup::Verify("/backups/monday"));
//
// Errors: BACKUP_INVALID, naming the file and what to do. Everything blocks.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cdgate/storage/v1/backup.pb.h"

namespace cdgate::backup {

inline constexpr uint32_t kFormatVersion = 1;
inline constexpr char kManifestName[] = "manifest.json";
inline constexpr char kDataName[] = "data";

// BACKUP_INVALID with the place, and the remedy.
absl::Status Invalid(absl::string_view where, absl::string_view what);

// As it is written. INTERNAL where it holds something that JSON has no form for.
absl::StatusOr<std::string> WriteManifest(const storage::v1::BackupManifest& manifest);

// That of the backup in `directory`: its form is judged, no file looked at. FILE_UNREADABLE where
// there is no such folder.
absl::StatusOr<storage::v1::BackupManifest> ReadManifest(const std::string& directory);

// Whether the files below `directory` are those that the manifest names, each of its length; no
// content is read.
absl::Status CheckFiles(const std::string& directory, const storage::v1::BackupManifest& manifest);

// Reads all of the backup, and gives its manifest where every file is what it says.
absl::StatusOr<storage::v1::BackupManifest> Verify(const std::string& directory);

}  // namespace cdgate::backup
