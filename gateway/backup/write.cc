#include "gateway/backup/write.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/backup/files.h"
#include "gateway/backup/manifest.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::backup {
namespace {

using base::Reason;
using storage::v1::BackupManifest;

std::string PartialOf(const std::string& directory) {
  return absl::StrCat(WithoutSlash(directory), ".partial");
}

absl::Status MakeFolder(const std::string& path) {
  if (mkdir(path.c_str(), 0700) == 0) return absl::OkStatus();
  return base::MakeError(Reason::kFileUnwritable,
                         absl::StrCat("cannot make ", path, ": ", std::strerror(errno)),
                         {{"path", path}});
}

absl::StatusOr<BackupManifest> Fill(const std::string& folder, BackupManifest manifest,
                                    const std::vector<Source>& sources, const Stopped& stopped) {
  CDGATE_RETURN_IF_ERROR(MakeFolder(folder));
  const std::string data = base::JoinPath(folder, kDataName);
  CDGATE_RETURN_IF_ERROR(MakeFolder(data));
  for (const Source& source : sources) {
    if (stopped && stopped()) {
      return base::MakeError(Reason::kDraining, "the gateway is shutting down; try again");
    }
    CDGATE_ASSIGN_OR_RETURN(const Content content,
                            CopyFile(source.from, source.bytes, base::JoinPath(data, source.path)));
    storage::v1::BackupFile& file = *manifest.add_files();
    file.set_path(source.path);
    file.set_size(content.size);
    file.set_sha256(content.sha256);
  }
  manifest.set_format_version(kFormatVersion);
  CDGATE_ASSIGN_OR_RETURN(const std::string text, WriteManifest(manifest));
  CDGATE_RETURN_IF_ERROR(
      base::WriteFileAtomically(base::JoinPath(folder, kManifestName), text, 0600));
  CDGATE_RETURN_IF_ERROR(SyncFolders(folder));
  return manifest;
}

}  // namespace

absl::Status CheckTarget(const std::string& directory) {
  const std::string target = WithoutSlash(directory);
  const std::string parent = std::filesystem::path(target).parent_path().string();
  if (target.size() < 2 || target.front() != '/') {
    return base::MakeError(Reason::kInvalidArgument,
                           absl::StrCat("directory: '", target, "' is no absolute path"));
  }
  if (!base::FileExists(parent)) {
    return base::MakeError(Reason::kInvalidArgument,
                           absl::StrCat("directory: there is no folder ", parent,
                                        " on the gateway's machine; make it for its user"));
  }
  if (!base::FileExists(target)) return absl::OkStatus();
  return base::MakeError(Reason::kAlreadyExists,
                         absl::StrCat(target, " is there already; name a folder that is not"),
                         {{"path", target}});
}

absl::StatusOr<BackupManifest> Write(const std::string& directory, BackupManifest header,
                                     const std::vector<Source>& sources, const Stopped& stopped) {
  CDGATE_RETURN_IF_ERROR(CheckTarget(directory));
  const std::string partial = PartialOf(directory);
  CDGATE_RETURN_IF_ERROR(RemoveTree(partial));
  absl::StatusOr<BackupManifest> manifest = Fill(partial, std::move(header), sources, stopped);
  absl::Status status = manifest.status();
  if (status.ok()) status = MoveFolder(partial, WithoutSlash(directory));
  if (status.ok()) return manifest;
  RemoveTree(partial).IgnoreError();  // the first error says more
  return status;
}

}  // namespace cdgate::backup
