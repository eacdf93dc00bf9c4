#include "auth/credentials/attestor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/credentials/identity_files.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/signature.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::credentials {
namespace {

using crypto::Certificate;

IdentityOptions ForStatements(IdentityOptions options) {
  options.use = IdentityUse::kStatements;
  return options;
}

absl::Status Invalid(const std::string& path, absl::string_view fault) {
  return base::MakeError(base::Reason::kCredentialsInvalid, absl::StrCat(path, ": ", fault),
                         {{"path", path}});
}

absl::Status CheckCanBeTold(const std::vector<std::string>& chain, const std::string& path) {
  size_t bytes = 0;
  for (const std::string& der : chain) bytes += der.size();
  if (chain.size() <= kMaxAttestorCertificates && bytes <= kMaxAttestorBytes) {
    return absl::OkStatus();
  }
  return Invalid(path, absl::StrCat("it has ", chain.size(), " certificates of ", bytes,
                                    " bytes; an attestor has at most ", kMaxAttestorCertificates,
                                    " of ", kMaxAttestorBytes,
                                    " bytes together, without the root, as peers are sent them"));
}

absl::StatusOr<AttestorIdentity> IdentityOf(const Material& material, const std::string& path) {
  CDGATE_ASSIGN_OR_RETURN(const auto chain, Certificate::ParsePemChain(material.chain_pem));
  AttestorIdentity out{.key_id = chain.front().FingerprintSha256(),
                       .id = material.info.id,
                       .certificates = {},
                       .not_before = material.info.not_before,
                       .not_after = material.info.not_after};
  for (const Certificate& certificate : chain) {
    if (!certificate.is_self_signed()) out.certificates.push_back(certificate.ToDer());
  }
  CDGATE_RETURN_IF_ERROR(CheckCanBeTold(out.certificates, path));
  return out;
}

// A key of a kind that signs nothing would be found out with the first event.
absl::Status CheckSigns(const crypto::PrivateKey& key, const std::string& path) {
  const absl::Status tried = crypto::SignBytes(key, "").status();
  return tried.ok() ? absl::OkStatus() : Invalid(path, tried.message());
}

}  // namespace

absl::StatusOr<SignedBytes> StatementSigner::Sign(absl::string_view text) const {
  const auto attestor = Current();
  CDGATE_ASSIGN_OR_RETURN(std::string signature, attestor->Sign(text));
  return SignedBytes{attestor->key_id, std::move(signature)};
}

class AttestorStore::Loaded final : public Attestor {
 public:
  Loaded(AttestorIdentity identity, IdentityInfo info, crypto::PrivateKey key,
         const base::Clock& clock)
      : Attestor(std::move(identity)),
        info_(std::move(info)),
        key_(std::move(key)),
        clock_(clock) {}

  absl::StatusOr<std::string> Sign(absl::string_view text) const override {
    if (clock_.Now() <= not_after) return crypto::SignBytes(key_, text);
    return base::MakeError(base::Reason::kCertificateExpired,
                           absl::StrCat("the certificate of ", id,
                                        " has ended and signs nothing any more: renew it with "
                                        "cdgate cert renew"),
                           {{"id", id}});
  }

  const IdentityInfo& info() const { return info_; }

 private:
  const IdentityInfo info_;
  const crypto::PrivateKey key_;
  const base::Clock& clock_;
};

AttestorStore::AttestorStore(IdentityOptions options, const base::Clock& clock,
                             BeforeUse before_use)
    : options_(ForStatements(std::move(options))),
      clock_(clock),
      before_use_(std::move(before_use)) {}
AttestorStore::~AttestorStore() = default;

absl::StatusOr<std::unique_ptr<AttestorStore>> AttestorStore::Create(IdentityOptions options,
                                                                     const base::Clock& clock,
                                                                     BeforeUse before_use) {
  std::unique_ptr<AttestorStore> store(
      new AttestorStore(std::move(options), clock, std::move(before_use)));
  CDGATE_RETURN_IF_ERROR(store->Reload());
  return store;
}

absl::Status AttestorStore::Reload() {
  {
    base::MutexLock lock(mu_);
    while (loading_) idle_.Wait(mu_);
    loading_ = true;
  }
  const absl::Status status = Load();
  base::MutexLock lock(mu_);
  last_ = status;
  loading_ = false;
  idle_.SignalAll();
  return status;
}

absl::Status AttestorStore::LastReload() const {
  base::MutexLock lock(mu_);
  return last_;
}

absl::Status AttestorStore::Load() {
  const std::string files_version = FilesVersion(options_);
  {
    base::MutexLock lock(mu_);
    files_version_ = files_version;  // also a bad set is tried once, not at every look
  }
  CDGATE_ASSIGN_OR_RETURN(const Material material, LoadMaterial(options_, clock_.Now()));
  CDGATE_ASSIGN_OR_RETURN(auto key, crypto::PrivateKey::FromPem(material.key_pem));
  CDGATE_RETURN_IF_ERROR(CheckSigns(key, options_.key_path));
  CDGATE_ASSIGN_OR_RETURN(AttestorIdentity identity,
                          IdentityOf(material, options_.certificate_path));
  const auto before = InUse();
  // The same object for as long as it is the same certificate.
  if (before != nullptr && before->key_id == identity.key_id) return absl::OkStatus();
  auto next =
      std::make_shared<const Loaded>(std::move(identity), material.info, std::move(key), clock_);
  if (before_use_) before_use_(*next);
  base::MutexLock lock(mu_);
  loaded_ = std::move(next);
  return absl::OkStatus();
}

bool AttestorStore::FilesChanged() const {
  const std::string now = FilesVersion(options_);
  base::MutexLock lock(mu_);
  return now != files_version_;
}

std::shared_ptr<const AttestorStore::Loaded> AttestorStore::InUse() const {
  base::MutexLock lock(mu_);
  return loaded_;
}

std::shared_ptr<const Attestor> AttestorStore::Current() const { return InUse(); }

std::shared_ptr<const IdentityInfo> AttestorStore::Info() const {
  const auto in_use = InUse();
  return std::shared_ptr<const IdentityInfo>(in_use, &in_use->info());
}

}  // namespace cdgate::credentials
