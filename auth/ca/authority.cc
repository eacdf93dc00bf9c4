#include "auth/ca/authority.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::ca {
namespace {

using base::JoinPath;
using crypto::Certificate;
using crypto::CertificateAuthority;
using crypto::IssuedCertificate;
using crypto::Passphrase;

constexpr mode_t kSecret = 0600;

std::string CaPath(const std::string& directory) { return JoinPath(directory, "ca.crt"); }
std::string CaKeyPath(const std::string& directory) { return JoinPath(directory, "ca.key"); }
std::string RootPath(const std::string& directory) { return JoinPath(directory, "root.crt"); }
std::string RootKeyPath(const std::string& directory) { return JoinPath(directory, "root.key"); }

crypto::RootOptions RootOptionsOf(const AuthorityOptions& options) {
  return {.validity = options.validity,
          .key_type = options.key_type,
          .permitted = {.uri_hosts = {options.domain}, .dns_suffixes = options.dns_suffixes},
          .label = options.label};
}

crypto::RootOptions IntermediateOptionsOf(const AuthorityOptions& options) {
  crypto::RootOptions out = RootOptionsOf(options);
  out.validity = options.intermediate_validity;
  return out;
}

absl::StatusOr<CertificateAuthority> WithKey(const std::string& certificate_path,
                                             const std::string& key_path,
                                             const Passphrase& passphrase) {
  CDGATE_ASSIGN_OR_RETURN(const std::string pem, base::ReadFile(certificate_path));
  CDGATE_ASSIGN_OR_RETURN(const std::string key_pem, base::ReadFile(key_path));
  auto loaded = CertificateAuthority::Load(pem, key_pem, passphrase);
  return loaded.ok() ? std::move(loaded) : base::Annotate(loaded.status(), key_path);
}

}  // namespace

absl::Status WriteKeyAndCertificate(const std::string& key_path, const std::string& key_pem,
                                    const std::string& certificate_path,
                                    const std::string& certificate_pem,
                                    const Passphrase& passphrase) {
  std::string stored = key_pem;
  if (!passphrase.empty()) {
    CDGATE_ASSIGN_OR_RETURN(const auto key, crypto::PrivateKey::FromPem(key_pem, passphrase));
    stored = key.ToPem(passphrase);
  }
  CDGATE_RETURN_IF_ERROR(base::WriteFileAtomically(key_path, stored, kSecret));
  return base::WriteFileAtomically(certificate_path, certificate_pem);
}

absl::Status Authority::Make(const std::string& directory, const AuthorityOptions& options,
                             const Passphrase& passphrase, absl::Time now) {
  CDGATE_ASSIGN_OR_RETURN(
      const IssuedCertificate root,
      CertificateAuthority::InitRoot(options.domain, RootOptionsOf(options), now));
  if (!options.intermediate) {
    return WriteKeyAndCertificate(CaKeyPath(directory), root.key_pem, CaPath(directory),
                                  root.certificate_pem, passphrase);
  }
  CDGATE_ASSIGN_OR_RETURN(const auto above,
                          CertificateAuthority::Load(root.certificate_pem, root.key_pem));
  CDGATE_ASSIGN_OR_RETURN(
      const IssuedCertificate issuing,
      above.IssueIntermediate(options.domain, IntermediateOptionsOf(options), now));
  CDGATE_RETURN_IF_ERROR(WriteKeyAndCertificate(
      RootKeyPath(directory), root.key_pem, RootPath(directory), root.certificate_pem, passphrase));
  return WriteKeyAndCertificate(CaKeyPath(directory), issuing.key_pem, CaPath(directory),
                                issuing.certificate_pem, passphrase);
}

absl::StatusOr<Authority> Authority::Read(const std::string& directory) {
  CDGATE_ASSIGN_OR_RETURN(const std::string pem, base::ReadFile(CaPath(directory)));
  CDGATE_ASSIGN_OR_RETURN(std::vector<Certificate> chain, Certificate::ParsePemChain(pem));
  if (base::FileExists(RootPath(directory))) {
    CDGATE_ASSIGN_OR_RETURN(const std::string root_pem, base::ReadFile(RootPath(directory)));
    CDGATE_ASSIGN_OR_RETURN(Certificate root, Certificate::FromPem(root_pem));
    return Authority(directory, std::move(chain), std::move(root));
  }
  const auto root = std::find_if(chain.begin(), chain.end(),
                                 [](const Certificate& one) { return one.is_self_signed(); });
  if (root == chain.end()) {
    return base::MakeError(
        base::Reason::kCredentialsInvalid,
        absl::StrCat(CaPath(directory), ": no root is in it; put that into ", RootPath(directory)),
        {{"path", CaPath(directory)}});
  }
  Certificate found = *root;
  return Authority(directory, std::move(chain), std::move(found));
}

bool Authority::Exists(const std::string& directory) {
  return base::FileExists(CaKeyPath(directory));
}

bool Authority::has_root_key() const {
  return base::FileExists(root_is_apart() ? RootKeyPath(directory_) : CaKeyPath(directory_));
}

absl::StatusOr<CertificateAuthority> Authority::Issuing(const Passphrase& passphrase) const {
  return WithKey(CaPath(directory_), CaKeyPath(directory_), passphrase);
}

absl::StatusOr<CertificateAuthority> Authority::Root(const Passphrase& passphrase) const {
  if (!root_is_apart()) return Issuing(passphrase);
  if (!has_root_key()) {
    return base::MakeError(base::Reason::kFileUnreadable,
                           absl::StrCat("the root's key is needed for this and not there: put it "
                                        "into ",
                                        RootKeyPath(directory_), " for as long as it takes"),
                           {{"path", RootKeyPath(directory_)}});
  }
  return WithKey(RootPath(directory_), RootKeyPath(directory_), passphrase);
}

absl::StatusOr<Certificate> Authority::ReplaceIntermediate(const AuthorityOptions& options,
                                                           const Passphrase& passphrase,
                                                           absl::Time now) const {
  CDGATE_ASSIGN_OR_RETURN(const CertificateAuthority above, Root(passphrase));
  CDGATE_ASSIGN_OR_RETURN(
      const IssuedCertificate issuing,
      above.IssueIntermediate(options.domain, IntermediateOptionsOf(options), now));
  CDGATE_RETURN_IF_ERROR(WriteKeyAndCertificate(CaKeyPath(directory_), issuing.key_pem,
                                                CaPath(directory_), issuing.certificate_pem,
                                                passphrase));
  return Certificate::FromPem(issuing.certificate_pem);
}

}  // namespace cdgate::ca
