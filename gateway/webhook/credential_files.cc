#include "gateway/webhook/credential_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::webhook {
namespace {

using base::MakeError;
using base::Reason;

constexpr size_t kMaxFileBytes = 1 << 20;

absl::Status Unreadable(const std::string& path, absl::string_view why) {
  return MakeError(Reason::kFileUnreadable, absl::StrCat(path, ": ", why), {{"path", path}});
}

absl::Status CheckPrivate(const std::string& path) {
  struct stat file {};
  if (path.empty() || stat(path.c_str(), &file) != 0 || (file.st_mode & S_IROTH) == 0) {
    return absl::OkStatus();
  }
  return Unreadable(path, "everybody can read it; run chmod 600");
}

bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
}

absl::Status CheckReadable(const std::string& path) {
  return path.empty() ? absl::OkStatus() : base::ReadFile(path, kMaxFileBytes).status();
}

}  // namespace

absl::StatusOr<std::string> TokenOf(const AllowedTarget& target) {
  CDGATE_RETURN_IF_ERROR(CheckPrivate(target.key));
  const std::string& path = target.token_file;
  if (path.empty()) return std::string();
  CDGATE_RETURN_IF_ERROR(CheckPrivate(path));
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxFileBytes));
  const absl::string_view line = absl::string_view(text).substr(0, text.find('\n'));
  const absl::string_view token = absl::StripAsciiWhitespace(line);
  if (IsToken(token)) return std::string(token);
  return Unreadable(path,
                    "its first line is no token; expected visible ASCII characters without spaces");
}

absl::Status CheckFiles(const AllowedTarget& target) {
  const std::pair<const char*, absl::Status> checks[] = {
      {"ca_file", CheckReadable(target.ca_file)},
      {"certificate", CheckReadable(target.certificate)},
      {"key", CheckReadable(target.key)},
      {"token_file", TokenOf(target).status()},
  };
  for (const auto& [key, status] : checks) {
    if (status.ok()) continue;
    return MakeError(Reason::kInvalidConfig, absl::StrCat("webhook target ", target.name, ": ", key,
                                                          ": ", status.message()));
  }
  return absl::OkStatus();
}

}  // namespace cdgate::webhook
