#include "gateway/app/renewal_source.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "auth/ca/folder.h"
#include "auth/crypto/passphrase.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

using base::JoinPath;
using crypto::Passphrase;

// Of a program's output, in an error: enough for its last message.
constexpr size_t kQuotedOutput = 400;

absl::StatusOr<Passphrase> PassphraseIn(const std::string& path) {
  if (path.empty()) return Passphrase();
  return Passphrase::FromFile(path);
}

// Of an attestor the configuration does not say its name: its certificate does. Empty where that
// cannot be read.
std::string IdInUse(const credentials::IdentityOptions& in_use) {
  if (!in_use.expected_id.empty()) return in_use.expected_id;
  const auto pem = base::ReadFile(in_use.certificate_path);
  if (!pem.ok()) return "";
  const auto certificate = crypto::Certificate::FromPem(*pem);
  if (!certificate.ok() || certificate->uri_names().size() != 1) return "";
  return certificate->uri_names().front();
}

class CaSource final : public RenewalSource {
 public:
  CaSource(std::string ca_folder, std::string ca_passphrase_file, absl::Duration validity,
           credentials::IdentityOptions in_use, const base::Clock& clock)
      : ca_folder_(std::move(ca_folder)),
        ca_passphrase_file_(std::move(ca_passphrase_file)),
        validity_(validity),
        in_use_(std::move(in_use)),
        clock_(clock) {}

  absl::Status Renew(const std::string& folder) override {
    CDGATE_ASSIGN_OR_RETURN(const std::string pem, base::ReadFile(in_use_.certificate_path));
    CDGATE_ASSIGN_OR_RETURN(const auto before, crypto::Certificate::FromPem(pem));
    CDGATE_ASSIGN_OR_RETURN(const Passphrase key_passphrase,
                            PassphraseIn(in_use_.key_passphrase_path));
    CDGATE_ASSIGN_OR_RETURN(Passphrase ca_passphrase, PassphraseIn(ca_passphrase_file_));
    CDGATE_ASSIGN_OR_RETURN(const auto ca, ca::Folder::Open(ca_folder_, std::move(ca_passphrase)));
    crypto::LeafRequest request = ca::RequestLike(before);
    if (validity_ > absl::ZeroDuration()) request.validity = validity_;
    CDGATE_ASSIGN_OR_RETURN(const auto issued, ca->Renew(before, request, clock_.Now()));
    CDGATE_RETURN_IF_ERROR(
        base::WriteFileAtomically(JoinPath(folder, "bundle.pem"), ca->bundle_pem()));
    return ca::WriteKeyAndCertificate(JoinPath(folder, "tls.key"), issued.key_pem,
                                      JoinPath(folder, "tls.crt"), issued.certificate_pem,
                                      key_passphrase);
  }

  void Cancel() override {}  // it takes no longer than the folder's lock

 private:
  const std::string ca_folder_;
  const std::string ca_passphrase_file_;
  const absl::Duration validity_;
  const credentials::IdentityOptions in_use_;
  const base::Clock& clock_;
};

class ProgramSource final : public RenewalSource {
 public:
  ProgramSource(std::vector<std::string> argv, absl::Duration timeout,
                credentials::IdentityOptions in_use)
      : argv_(std::move(argv)), timeout_(timeout), in_use_(std::move(in_use)) {}

  absl::Status Renew(const std::string& folder) override {
    base::Program program{.argv = argv_, .environment = Environment(folder), .timeout = timeout_};
    CDGATE_ASSIGN_OR_RETURN(const base::ProgramEnd end, base::RunProgram(program, cancel_));
    if (end.ok()) return absl::OkStatus();
    const absl::string_view said = absl::StripAsciiWhitespace(end.output);
    const absl::string_view last =
        said.substr(said.size() > kQuotedOutput ? said.size() - kQuotedOutput : 0);
    return base::MakeError(
        base::Reason::kCredentialsInvalid,
        absl::StrCat(
            "the renewal command ", argv_.front(), ": ", end.Describe(),
            last.empty() ? "" : absl::StrCat("; it said: ", base::Shorten(last, kQuotedOutput))));
  }

  void Cancel() override { cancel_.Cancel(); }

 private:
  std::vector<std::string> Environment(const std::string& folder) const {
    std::vector<std::string> out = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        absl::StrCat("CDGATE_RENEWAL_DIR=", folder),
        absl::StrCat("CDGATE_SPIFFE_ID=", IdInUse(in_use_)),
        absl::StrCat("CDGATE_CERTIFICATE=", in_use_.certificate_path),
        absl::StrCat("CDGATE_KEY=", in_use_.key_path),
        absl::StrCat("CDGATE_BUNDLE=", in_use_.bundle_path)};
    if (!in_use_.key_passphrase_path.empty()) {
      out.push_back(absl::StrCat("CDGATE_KEY_PASSPHRASE_FILE=", in_use_.key_passphrase_path));
    }
    return out;
  }

  const std::vector<std::string> argv_;
  const absl::Duration timeout_;
  const credentials::IdentityOptions in_use_;
  base::Cancellation cancel_;
};

}  // namespace

std::unique_ptr<RenewalSource> RenewFromCa(std::string ca_folder, std::string ca_passphrase_file,
                                           absl::Duration validity,
                                           credentials::IdentityOptions in_use,
                                           const base::Clock& clock) {
  return std::make_unique<CaSource>(std::move(ca_folder), std::move(ca_passphrase_file), validity,
                                    std::move(in_use), clock);
}

std::unique_ptr<RenewalSource> RenewByProgram(std::vector<std::string> argv, absl::Duration timeout,
                                              credentials::IdentityOptions in_use) {
  return std::make_unique<ProgramSource>(std::move(argv), timeout, std::move(in_use));
}

}  // namespace cdgate::app
