#include "gateway/backup/manifest.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gateway/backup/files.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::backup {
namespace {

namespace fs = std::filesystem;
namespace json = google::protobuf::util;
using storage::v1::BackupFile;
using storage::v1::BackupManifest;

constexpr size_t kMostManifestBytes = 64 << 20;

std::string DataOf(const std::string& directory) { return base::JoinPath(directory, kDataName); }

// One that leads nowhere but below the folder.
bool IsBelow(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part.empty() || part == "." || part == "..";
  });
}

absl::Status CheckForm(const std::string& path, const BackupManifest& manifest) {
  if (manifest.format_version() == 0) return Invalid(path, "names no format");
  if (manifest.domain().empty() || manifest.epoch().empty() || manifest.files().empty()) {
    return Invalid(path, "names no domain, no epoch or no files");
  }
  std::set<std::string> seen;
  for (const BackupFile& file : manifest.files()) {
    if (!IsBelow(file.path())) return Invalid(path, "names a file outside of the backup");
    if (!seen.insert(file.path()).second) return Invalid(path, "names a file twice");
  }
  return absl::OkStatus();
}

absl::Status CheckNothingElse(const std::string& directory) {
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name != kManifestName && name != kDataName) {
      return Invalid(it->path().string(), "is none of the backup's");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Invalid(absl::string_view where, absl::string_view what) {
  return base::MakeError(base::Reason::kBackupInvalid,
                         absl::StrCat(where, " ", what,
                                      "; take another backup, or copy this one again from where it "
                                      "was made"),
                         {{"path", std::string(where)}});
}

absl::StatusOr<std::string> WriteManifest(const BackupManifest& manifest) {
  json::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string out;
  const auto written = json::MessageToJsonString(manifest, &out, options);
  if (written.ok()) return out;
  return base::MakeError(base::Reason::kInternal,
                         absl::StrCat("a manifest cannot be written: ", written.ToString()));
}

absl::StatusOr<BackupManifest> ReadManifest(const std::string& directory) {
  const std::string path = base::JoinPath(directory, kManifestName);
  if (!base::FileExists(directory)) {
    return base::MakeError(base::Reason::kFileUnreadable,
                           absl::StrCat("there is no folder ", directory), {{"path", directory}});
  }
  if (!base::FileExists(path)) {
    return Invalid(directory, absl::StrCat("has no ", kManifestName, ": it is no whole backup"));
  }
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMostManifestBytes));
  BackupManifest manifest;
  json::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // a newer format says so by its version
  if (!json::JsonStringToMessage(text, &manifest, options).ok()) {
    return Invalid(path, "cannot be read");
  }
  if (manifest.format_version() > kFormatVersion) {
    return base::MakeError(
        base::Reason::kLogFormatNewer,
        absl::StrCat(path, " has format ", manifest.format_version(), ", this release knows ",
                     kFormatVersion, "; use a newer release"),
        {{"path", path}});
  }
  CDGATE_RETURN_IF_ERROR(CheckForm(path, manifest));
  return manifest;
}

absl::Status CheckFiles(const std::string& directory, const BackupManifest& manifest) {
  CDGATE_RETURN_IF_ERROR(CheckNothingElse(directory));
  const std::string data = DataOf(directory);
  CDGATE_ASSIGN_OR_RETURN(const std::vector<std::string> listed, ListTree(data));
  std::set<std::string> there(listed.begin(), listed.end());
  for (const BackupFile& file : manifest.files()) {
    const std::string path = base::JoinPath(data, file.path());
    if (there.erase(file.path()) == 0) return Invalid(path, "is missing");
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    if (error || size != file.size()) {
      return Invalid(path, absl::StrCat("has ", size, " bytes, and had ", file.size()));
    }
  }
  if (there.empty()) return absl::OkStatus();
  return Invalid(base::JoinPath(data, *there.begin()), "is not in the manifest");
}

absl::StatusOr<BackupManifest> Verify(const std::string& directory) {
  CDGATE_ASSIGN_OR_RETURN(BackupManifest manifest, ReadManifest(directory));
  CDGATE_RETURN_IF_ERROR(CheckFiles(directory, manifest));
  for (const BackupFile& file : manifest.files()) {
    const std::string path = base::JoinPath(DataOf(directory), file.path());
    CDGATE_ASSIGN_OR_RETURN(const Content content, DigestFile(path));
    if (content != Content{file.size(), file.sha256()}) {
      return Invalid(path, "is not what was backed up");
    }
  }
  return manifest;
}

}  // namespace cdgate::backup
