// The folder of a small CA: its keys, what it issued, what it revoked.
//
//   CDGATE_RETURN_IF_ERROR(ca::Folder::Init("ca", {.domain = "alpha.example"}, {}, now));
//   CDGATE_ASSIGN_OR_RETURN(auto folder, ca::Folder::Open("ca", passphrase));
//   CDGATE_ASSIGN_OR_RETURN(auto leaf, folder->Issue({.uri_names = {id}}, now));
//
//   ca.crt ca.key [root.crt root.key]   the CA that issues (authority.h)
//   bundle.pem                          the domain's roots: what others trust
//   issued.jsonl                        what was issued and revoked (register.h)
//   crl.pem, root.crl.pem               lists: all of them; the root's, kept while its key is away
//   next/                               the CA to come, between the steps of a rotation
//   old/SERIAL/                         CAs before, while what they issued is in force
//
// Every file is replaced whole, and each step of a rotation can be repeated after a crash. What
// is issued is in the register before anybody has it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/ca/authority.h"
#include "auth/ca/folder_lock.h"
#include "auth/ca/register.h"
#include "auth/crypto/certificate_authority.h"
#include "auth/crypto/passphrase.h"

namespace cdgate::ca {

// How long certificates of gateways, services and people are valid unless something else is asked
// for. Short, so that one that leaks is of little use for long; gateways renew their own.
inline constexpr absl::Duration kLeafValidity = absl::Hours(24 * 7);
// The same of attestors. Longer, as each new one has to get to everybody who verifies what it
// signs, and a connection's key is what meets strangers.
inline constexpr absl::Duration kAttestorValidity = absl::Hours(24 * 90);
// The same of revocation lists: by then there has to be another one.
inline constexpr absl::Duration kListValidity = absl::Hours(24 * 7);

// A request for a certificate with the names, the lifetime, the use and the kind of key of `leaf`.
crypto::LeafRequest RequestLike(const crypto::Certificate& leaf);

// What was written into crl.pem.
struct Lists {
  uint64_t number = 0;
  size_t revoked = 0;                // certificates on them
  absl::Time next_update;            // the first end of the validity of one of them
  std::vector<std::string> remarks;  // for people, such as a root's list that ends soon
};

// Not thread-safe. All calls block; those that make keys or signatures for some milliseconds, a
// fifth of a second more for each encrypted key.
class Folder {
 public:
  // A new CA. ALREADY_EXISTS where there is one; errors of Authority::Make.
  static absl::Status Init(const std::string& directory, const AuthorityOptions& options,
                           const crypto::Passphrase& passphrase, absl::Time now);

  // Takes the folder's lock for as long as the object lives. `passphrase` is that of all keys in
  // it; it is used when a key is needed. Errors of FolderLock::Take, Authority::Read and
  // Register::Parse.
  static absl::StatusOr<std::unique_ptr<Folder>> Open(const std::string& directory,
                                                      crypto::Passphrase passphrase);

  // What was issued, without the lock and any key. Empty for a CA that has no register yet.
  static absl::StatusOr<Register> ReadRegister(const std::string& directory);

  const std::string& domain() const { return register_.domain; }
  const Register& issued() const { return register_; }
  // The domain's roots, as bundle.pem has them.
  const std::string& bundle_pem() const { return bundle_pem_; }

  // A leaf with a new key, verified as others will. INVALID_ARGUMENT for names that a
  // certificate of this CA cannot have: an id of another domain, a DNS name outside
  // the constraints, an attestor's with a use or a name for connections.
  absl::StatusOr<crypto::IssuedCertificate> Issue(const crypto::LeafRequest& request,
                                                  absl::Time now);

  // The same for whoever has `before`, which must be of this CA. INVALID_ARGUMENT where it is
  // revoked: what was revoked is not renewed.
  absl::StatusOr<crypto::IssuedCertificate> Renew(const crypto::Certificate& before,
                                                  const crypto::LeafRequest& request,
                                                  absl::Time now);

  // Enters a certificate that this CA issued before it had a register. INVALID_ARGUMENT where it
  // did not.
  absl::Status Adopt(const crypto::Certificate& certificate);
  // Marks it, and writes the lists. NOT_FOUND where the register does not have it; nothing
  // changes where it is revoked already.
  absl::StatusOr<Lists> Revoke(const std::vector<std::string>& serials,
                               crypto::RevocationReason reason, absl::Duration validity,
                               absl::Time now);
  // New lists, with a higher number.
  absl::StatusOr<Lists> WriteLists(absl::Duration validity, absl::Time now);

  // Another root, in three steps (docs/operations.md says what to do between them):
  // 1. The next CA is made, and is in the bundle. ALREADY_EXISTS where there is one.
  absl::Status PrepareNext(absl::Time now);
  // 2. It issues from now on. NOT_FOUND where there is none.
  absl::Status SwitchToNext(absl::Time now);
  // 3. The CAs before are forgotten, their roots leave the bundle. INVALID_ARGUMENT where what they
  // issued is in force, unless `force`.
  absl::Status Retire(bool force, absl::Time now);

  // Another issuing CA below the same root, whose key must be there.
  absl::Status RotateIntermediate(absl::Duration validity, absl::Time now);

 private:
  Folder(std::string directory, crypto::Passphrase passphrase, std::unique_ptr<FolderLock> lock,
         Register issued)
      : directory_(std::move(directory)),
        passphrase_(std::move(passphrase)),
        lock_(std::move(lock)),
        register_(std::move(issued)) {}

  std::string Path(absl::string_view name) const;
  absl::StatusOr<std::vector<Authority>> Authorities() const;
  absl::Status Save();
  absl::Status WriteBundle();
  absl::StatusOr<AuthorityOptions> OptionsOf(const Authority& authority) const;
  absl::Status KeepCurrent(const Authority& current, bool with_root_key) const;
  absl::Status CheckLeaf(const crypto::IssuedCertificate& leaf, crypto::LeafUse use,
                         absl::Time now) const;
  absl::Status AddList(const crypto::CertificateAuthority& issuer, absl::Duration validity,
                       absl::Time now, std::string* pem, Lists* lists) const;
  absl::Status AddRootList(const Authority& authority, absl::Time now, std::string* pem,
                           Lists* lists) const;

  const std::string directory_;
  const crypto::Passphrase passphrase_;
  const std::unique_ptr<FolderLock> lock_;
  Register register_;
  std::string bundle_pem_;
};

}  // namespace cdgate::ca
