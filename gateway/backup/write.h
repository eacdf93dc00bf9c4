// Makes the folder of a backup out of files that stay as they are while it does.
//
//   CDGATE_ASSIGN_OR_RETURN(const auto manifest, backup::Write("/backups/monday", header,
//   sources));
//
// All is written to a folder beside it, "/backups/monday.partial", synced, and renamed: whatever
// ends in between, what has the name is whole. A folder of an earlier try is written anew.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cdgate/storage/v1/backup.pb.h"

namespace cdgate::backup {

// One file to copy.
struct Source {
  std::string from = {};  // where it is
  std::string path = {};  // below the data directory
  uint64_t bytes = 0;     // of its beginning
};

// INVALID_ARGUMENT where `directory` is no absolute path or its parent is not there,
// ALREADY_EXISTS where something is there; FILE_UNREADABLE, FILE_UNWRITABLE: then nothing is left.
absl::Status CheckTarget(const std::string& directory);

// Whether to give up. From the thread that copies.
using Stopped = std::function<bool()>;

// Copies `sources`, and gives the manifest: `header` with the files. Blocks as long as the disks
// need. Errors of CheckTarget; DRAINING where `stopped` (empty: never) said so between two files.
absl::StatusOr<storage::v1::BackupManifest> Write(const std::string& directory,
                                                  storage::v1::BackupManifest header,
                                                  const std::vector<Source>& sources,
                                                  const Stopped& stopped = {});

}  // namespace cdgate::backup
