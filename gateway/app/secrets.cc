#include "gateway/app/secrets.h"

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

constexpr size_t kMasterBytes = 32;

}  // namespace

absl::StatusOr<Secrets> Secrets::Load(const std::string& data_dir, base::Random& random) {
  const std::string directory = base::JoinPath(data_dir, "secrets");
  const std::string path = base::JoinPath(directory, "sealing.key");
  CDGATE_RETURN_IF_ERROR(base::MakeDirectories(directory, 0700));
  if (!base::FileExists(path)) {
    const std::string master = random.Bytes(kMasterBytes);
    CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(path, master, 0600));
    return Secrets(master);
  }
  CDGATE_ASSIGN_OR_RETURN(std::string master, base::ReadFile(path));
  if (master.size() == kMasterBytes) return Secrets(std::move(master));
  return base::MakeError(base::Reason::kCredentialsInvalid,
                         absl::StrCat(path, " has ", master.size(), " bytes, not ", kMasterBytes,
                                      "; restore it with the log it belongs to"),
                         {{"path", path}});
}

std::string Secrets::KeyFor(absl::string_view purpose) const {
  const std::string label = absl::StrCat("cdgate/seal/v1/", purpose, "/");
  return absl::StrCat(crypto::HmacSha256(master_, absl::StrCat(label, "1")),
                      crypto::HmacSha256(master_, absl::StrCat(label, "2")));
}

}  // namespace cdgate::app
