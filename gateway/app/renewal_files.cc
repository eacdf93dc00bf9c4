#include "gateway/app/renewal_files.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "auth/credentials/identity_files.h"
#include "auth/trust/trust_registry.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

namespace fs = std::filesystem;
using base::JoinPath;

absl::Status Remove(const std::string& folder) {
  std::error_code error;
  fs::remove_all(folder, error);
  if (!error) return absl::OkStatus();
  return base::MakeError(base::Reason::kFileUnwritable,
                         absl::StrCat("cannot remove ", folder, ": ", error.message()),
                         {{"path", folder}});
}

absl::Status Copy(const std::string& from, const std::string& to, mode_t mode) {
  CDGATE_ASSIGN_OR_RETURN(const std::string content, base::ReadFile(from));
  return base::WriteFileAtomically(to, content, mode);
}

// A bundle that means the same stays as it is written, in a form or a place of its owner's.
bool SameBundle(const std::string& a, const std::string& b) {
  const auto digest_of = [](const std::string& path) -> absl::StatusOr<std::string> {
    CDGATE_ASSIGN_OR_RETURN(const std::string pem, credentials::ReadBundle(path));
    return trust::BundleDigest(pem);
  };
  const auto first = digest_of(a);
  const auto second = digest_of(b);
  return first.ok() && second.ok() && *first == *second;
}

// It may end sooner, where lifetimes were shortened.
absl::Status CheckIsNewer(const credentials::IdentityInfo& in_use,
                          const credentials::IdentityInfo& next) {
  if (next.serial != in_use.serial && next.not_before >= in_use.not_before) {
    return absl::OkStatus();
  }
  return base::MakeError(
      base::Reason::kCredentialsInvalid,
      absl::StrCat("certificate ", next.serial, " is no renewed one: it is the one in use, ",
                   in_use.serial, ", or was made before it"),
      {{"serial", next.serial}});
}

}  // namespace

std::string RenewalFiles::NewFolder() const { return JoinPath(directory_, "new"); }
std::string RenewalFiles::ReadyFolder() const { return JoinPath(directory_, "ready"); }

absl::Status RenewalFiles::FinishInstall() const {
  CDGATE_RETURN_IF_ERROR(Remove(NewFolder()));
  return base::FileExists(ReadyFolder()) ? CopyReady() : absl::OkStatus();
}

absl::StatusOr<std::string> RenewalFiles::MakeFolder() const {
  CDGATE_RETURN_IF_ERROR(Remove(NewFolder()));
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(NewFolder(), 0700));
  return NewFolder();
}

// Two that write one bundle would meet.
bool RenewalFiles::HasBundle(const std::string& folder) const {
  return in_use_.use == credentials::IdentityUse::kConnections &&
         base::FileExists(JoinPath(folder, "bundle.pem"));
}

bool RenewalFiles::HasCertificate() const {
  return base::FileExists(JoinPath(NewFolder(), "tls.crt"));
}

absl::Status RenewalFiles::Install(absl::Time now, const credentials::IdentityInfo* in_use) const {
  credentials::IdentityOptions fresh = in_use_;
  fresh.certificate_path = JoinPath(NewFolder(), "tls.crt");
  fresh.key_path = JoinPath(NewFolder(), "tls.key");
  const std::string bundle = JoinPath(NewFolder(), "bundle.pem");
  if (HasBundle(NewFolder())) fresh.bundle_path = bundle;
  CDGATE_ASSIGN_OR_RETURN(const credentials::Material material,
                          credentials::LoadMaterial(fresh, now));
  if (in_use != nullptr) CDGATE_RETURN_IF_ERROR(CheckIsNewer(*in_use, material.info));
  CDGATE_RETURN_IF_ERROR(Remove(ReadyFolder()));
  std::error_code error;
  fs::rename(NewFolder(), ReadyFolder(), error);
  if (error) {
    return base::MakeError(base::Reason::kFileUnwritable,
                           absl::StrCat("cannot write ", ReadyFolder(), ": ", error.message()));
  }
  return CopyReady();
}

// The bundle first: the certificate before is taken under it as well.
absl::Status RenewalFiles::CopyReady() const {
  const std::string bundle = JoinPath(ReadyFolder(), "bundle.pem");
  if (HasBundle(ReadyFolder()) && !SameBundle(bundle, in_use_.bundle_path)) {
    CDGATE_RETURN_IF_ERROR(Copy(bundle, in_use_.bundle_path, 0644));
  }
  CDGATE_RETURN_IF_ERROR(Copy(JoinPath(ReadyFolder(), "tls.key"), in_use_.key_path, 0600));
  CDGATE_RETURN_IF_ERROR(Copy(JoinPath(ReadyFolder(), "tls.crt"), in_use_.certificate_path, 0644));
  return Remove(ReadyFolder());
}

}  // namespace cdgate::app
