#include "gateway/cli/token_file.h"

#include <grpcpp/security/credentials.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::cli {
namespace {

// What fits into the metadata that a gateway takes, with room for the rest of it.
constexpr size_t kMaxTokenBytes = 7 << 10;

class TokenFilePlugin final : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenFilePlugin(std::string path) : path_(std::move(path)) {}

  grpc::Status GetMetadata(grpc::string_ref, grpc::string_ref, const grpc::AuthContext&,
                           std::multimap<grpc::string, grpc::string>* metadata) override {
    const auto token = ReadTokenFile(path_);
    if (!token.ok()) {
      return {grpc::StatusCode::UNAUTHENTICATED, std::string(token.status().message())};
    }
    metadata->emplace("authorization", absl::StrCat("Bearer ", *token));
    return grpc::Status::OK;
  }
  grpc::string DebugString() override { return "token file"; }

 private:
  const std::string path_;
};

absl::Status Unusable(const std::string& path, absl::string_view why) {
  return base::MakeError(base::Reason::kCredentialsInvalid, absl::StrCat(path, ": ", why),
                         {{"file", path}});
}

}  // namespace

absl::StatusOr<std::string> ReadTokenFile(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) == 0 && (file.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return Unusable(path, "every user of this machine may read or write it; chmod 600 it");
  }
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxTokenBytes));
  const absl::string_view token = absl::StripAsciiWhitespace(text);
  const bool one = !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!one) return Unusable(path, "does not hold one token, and nothing else");
  return std::string(token);
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> WithToken(
    std::shared_ptr<grpc::ChannelCredentials> channel, const std::string& path) {
  CDGATE_RETURN_IF_ERROR(ReadTokenFile(path).status());
  return grpc::CompositeChannelCredentials(
      channel, grpc::MetadataCredentialsFromPlugin(std::make_unique<TokenFilePlugin>(path)));
}

}  // namespace cdgate::cli
