// One issuing CA on disk, with the root above it.
//
//   ca.crt    the certificate that issues, then those above it but for the root
//   ca.key    its key
//   root.crt  the root, where that is another; else ca.crt is the root
//   root.key  its key; it may be kept elsewhere
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/passphrase.h"

namespace cdgate::ca {

struct AuthorityOptions {
  std::string domain;
  absl::Duration validity = absl::Hours(24 * 3650);  // of the root
  // An issuing CA below the root, so that the root's key can be kept elsewhere.
  bool intermediate = false;
  absl::Duration intermediate_validity = absl::Hours(24 * 365);
  crypto::KeyType key_type = crypto::KeyType::kP256;
  // DNS names that certificates may have, and those below them; none: any. URI names are bounded
  // to the domain in any case.
  std::vector<std::string> dns_suffixes;
  std::string label;  // behind the root's name, to tell roots apart
};

// Certificates as they were read; keys are read when they are needed. A value.
class Authority {
 public:
  // (blocks) Makes the keys and certificates and writes them into `directory`, which exists.
  // FILE_UNWRITABLE, INVALID_ARGUMENT.
  static absl::Status Make(const std::string& directory, const AuthorityOptions& options,
                           const crypto::Passphrase& passphrase, absl::Time now);
  // (blocks) FILE_UNREADABLE, CERTIFICATE_MALFORMED, or CREDENTIALS_INVALID where no root is there.
  static absl::StatusOr<Authority> Read(const std::string& directory);
  // (blocks) The name of ca.key, without reading it: whether there is such an authority.
  static bool Exists(const std::string& directory);

  const std::string& directory() const { return directory_; }
  const crypto::Certificate& issuing() const { return chain_.front(); }
  const crypto::Certificate& root() const { return root_; }
  bool root_is_apart() const { return issuing().serial() != root_.serial(); }
  // Whether the root's key is here.
  bool has_root_key() const;

  // (blocks) With their keys. FILE_UNREADABLE, or CREDENTIALS_INVALID naming the file: a key of
  // something else, or a passphrase that is missing or wrong.
  absl::StatusOr<crypto::CertificateAuthority> Issuing(const crypto::Passphrase& passphrase) const;
  absl::StatusOr<crypto::CertificateAuthority> Root(const crypto::Passphrase& passphrase) const;

  // (blocks) Another issuing CA below the same root takes the place of this one's files. The root's
  // key must be here. The certificate that issues from now on.
  absl::StatusOr<crypto::Certificate> ReplaceIntermediate(const AuthorityOptions& options,
                                                          const crypto::Passphrase& passphrase,
                                                          absl::Time now) const;

 private:
  Authority(std::string directory, std::vector<crypto::Certificate> chain, crypto::Certificate root)
      : directory_(std::move(directory)), chain_(std::move(chain)), root_(std::move(root)) {}

  std::string directory_;
  std::vector<crypto::Certificate> chain_;
  crypto::Certificate root_;
};

// Key before certificate, each replaced whole. `key_pem` is encrypted where there is a passphrase.
absl::Status WriteKeyAndCertificate(const std::string& key_path, const std::string& key_pem,
                                    const std::string& certificate_path,
                                    const std::string& certificate_pem,
                                    const crypto::Passphrase& passphrase);

}  // namespace cdgate::ca
