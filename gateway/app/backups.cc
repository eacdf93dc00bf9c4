#include "gateway/app/backups.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/times.h"
#include "gateway/backup/files.h"
#include "gateway/backup/restore.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

namespace fs = std::filesystem;
using base::JoinPath;
using storage::v1::BackupManifest;

constexpr char kStaging[] = "backup.tmp";
// Besides log and state.
constexpr const char* kParts[] = {"audit", "given", "secrets"};

// Of a process that runs, or of a write that is not done.
bool IsPassing(const std::string& path) {
  const std::string name = fs::path(path).filename().string();
  return name == "lock" || absl::StrContains(name, ".tmp.");
}

// Removes a folder at the end.
class Cleanup {
 public:
  explicit Cleanup(std::string folder) : folder_(std::move(folder)) {}
  ~Cleanup() {
    const absl::Status removed = backup::RemoveTree(folder_);
    if (!removed.ok()) base::LogError(base::LogLevel::kWarning, "not tidied up", removed);
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;

 private:
  const std::string folder_;
};

uint64_t SizeOf(const std::string& path) {
  std::error_code error;
  const uint64_t size = fs::file_size(path, error);
  return error ? 0 : size;
}

absl::Status Link(const std::string& from, const std::string& to) {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(fs::path(to).parent_path().string(), 0700));
  // One that was replaced or removed meanwhile is not of this moment any more.
  if (link(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return base::MakeError(base::Reason::kFileUnwritable,
                         absl::StrCat("cannot make ", to, ": ", std::strerror(errno)),
                         {{"path", to}});
}

admin::v1::Backup ToResponse(const std::string& directory, const BackupManifest& manifest) {
  admin::v1::Backup out;
  out.set_directory(backup::WithoutSlash(directory));
  out.set_domain(manifest.domain());
  out.set_epoch(manifest.epoch());
  out.set_head_sequence(manifest.head_sequence());
  *out.mutable_create_time() = api::ToProto(absl::FromUnixNanos(manifest.create_time_nanos()));
  out.set_files(static_cast<uint64_t>(manifest.files_size()));
  for (const auto& file : manifest.files()) out.set_bytes(out.bytes() + file.size());
  return out;
}

}  // namespace

absl::StatusOr<admin::v1::Backup> Backups::Create(const std::string& directory,
                                                  const backup::Stopped& stopped) const {
  CDGATE_RETURN_IF_ERROR(backup::CheckTarget(directory));
  const std::string staging = JoinPath(deps_.config.data_dir(), kStaging);
  CDGATE_RETURN_IF_ERROR(backup::RemoveTree(staging));
  const Cleanup cleanup(staging);
  BackupManifest header;
  CDGATE_ASSIGN_OR_RETURN(const auto sources, Gather(staging, &header));
  CDGATE_ASSIGN_OR_RETURN(const BackupManifest manifest,
                          backup::Write(directory, std::move(header), sources, stopped));
  const admin::v1::Backup made = ToResponse(directory, manifest);
  base::Log(base::LogLevel::kInfo, "backup made",
            {{"directory", made.directory()},
             {"head", absl::StrCat(made.head_sequence())},
             {"bytes", absl::StrCat(made.bytes())}});
  return made;
}

absl::StatusOr<std::vector<backup::Source>> Backups::Gather(const std::string& folder,
                                                            BackupManifest* header) const {
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(folder, 0700));
  // The audit log before the state: what it has of later changes would look recorded already.
  std::map<std::string, uint64_t> bytes;
  for (const char* part : kParts) CDGATE_RETURN_IF_ERROR(Name(part, folder, &bytes));
  CDGATE_ASSIGN_OR_RETURN(const Captured captured, deps_.storage.Capture(folder));
  bytes.insert(captured.bytes.begin(), captured.bytes.end());
  header->set_domain(deps_.config.domain());
  header->set_software(deps_.software);
  header->set_epoch(captured.head.epoch.value());
  header->set_head_commit(captured.head.commit);
  header->set_head_sequence(captured.head.sequence.value());
  header->set_head_time_nanos(absl::ToUnixNanos(captured.head.commit_time));
  header->set_create_time_nanos(absl::ToUnixNanos(deps_.clock.Now()));
  const std::string record = backup::kRestoreRecordName;
  CDGATE_RETURN_IF_ERROR(Link(JoinPath(deps_.config.data_dir(), record), JoinPath(folder, record)));
  CDGATE_ASSIGN_OR_RETURN(const auto paths, backup::ListTree(folder));
  std::vector<backup::Source> sources;
  for (const std::string& path : paths) {
    const std::string from = JoinPath(folder, path);
    const auto counted = bytes.find(path);
    const uint64_t size = counted == bytes.end() ? SizeOf(from) : counted->second;
    sources.push_back({.from = from, .path = path, .bytes = size});
  }
  return sources;
}

absl::Status Backups::Name(const std::string& part, const std::string& folder,
                           std::map<std::string, uint64_t>* bytes) const {
  CDGATE_ASSIGN_OR_RETURN(const auto paths,
                          backup::ListTree(JoinPath(deps_.config.data_dir(), part)));
  for (const std::string& name : paths) {
    if (IsPassing(name)) continue;
    const std::string path = JoinPath(part, name);
    const std::string to = JoinPath(folder, path);
    CDGATE_RETURN_IF_ERROR(Link(JoinPath(deps_.config.data_dir(), path), to));
    (*bytes)[path] = SizeOf(to);
  }
  return absl::OkStatus();
}

}  // namespace cdgate::app
