#include "auth/credentials/identity_files.h"

#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/passphrase.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/verify.h"
#include "auth/trust/bundle_document.h"
#include "auth/trust/verify.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "gateway/base/status_macros.h"

namespace cdgate::credentials {
namespace {

using crypto::Certificate;

constexpr size_t kMaxFileBytes = 1 << 20;

absl::Status Invalid(const std::string& path, absl::string_view fault) {
  return base::MakeError(base::Reason::kCredentialsInvalid, absl::StrCat(path, ": ", fault),
                         {{"path", path}});
}

// `status`, about the file, under the reason that all faults of an identity have.
absl::Status InvalidBecause(const std::string& path, const absl::Status& status) {
  return Invalid(path, status.message());
}

absl::Status CheckKeyIsPrivate(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & S_IRWXO) != 0) {
    return Invalid(path, "every user of this machine can read the key: chmod 600 it");
  }
  return absl::OkStatus();
}

// A certificate that connects does so as both ends.
std::vector<crypto::Purpose> PurposesOf(const IdentityOptions& options) {
  if (options.use == IdentityUse::kStatements) return {crypto::Purpose::kStatements};
  return {crypto::Purpose::kServer, crypto::Purpose::kClient};
}

absl::StatusOr<trust::SpiffeId> IdOf(const Certificate& leaf, const IdentityOptions& options) {
  const auto id = trust::ClaimedId(leaf);
  if (!id.ok()) return InvalidBecause(options.certificate_path, id.status());
  if (!options.expected_id.empty() && id->text() != options.expected_id) {
    return Invalid(options.certificate_path, absl::StrCat("the certificate is of ", id->text(),
                                                          " and not of ", options.expected_id));
  }
  if (!options.expected_domain.empty() && id->trust_domain() != options.expected_domain) {
    return Invalid(options.certificate_path,
                   absl::StrCat("the certificate is of ", id->text(), " and not of our domain, ",
                                options.expected_domain));
  }
  const absl::Status use = trust::CheckUse(*id, PurposesOf(options).front());
  if (use.ok()) return id;
  return Invalid(options.certificate_path,
                 absl::StrCat("the certificate is of ", id->text(), ": ", use.message()));
}

// The key unencrypted, as it is published where nobody else looks.
absl::StatusOr<std::string> OpenKey(absl::string_view key_pem, const IdentityOptions& options,
                                    const Certificate& leaf) {
  CDGATE_RETURN_IF_ERROR(CheckKeyIsPrivate(options.key_path));
  crypto::Passphrase passphrase;
  if (!options.key_passphrase_path.empty()) {
    CDGATE_ASSIGN_OR_RETURN(passphrase, crypto::Passphrase::FromFile(options.key_passphrase_path));
  }
  const auto key = crypto::PrivateKey::FromPem(key_pem, passphrase);
  if (!key.ok()) return InvalidBecause(options.key_path, key.status());
  if (leaf.MatchesKey(*key)) {
    return crypto::PrivateKey::IsEncrypted(key_pem) ? key->ToPem() : std::string(key_pem);
  }
  return Invalid(options.key_path,
                 absl::StrCat("the key is not that of the certificate in ",
                              options.certificate_path, ", serial ", leaf.serial()));
}

// Which the verification of what signs statements leaves to others.
absl::Status CheckIsValid(const crypto::ChainFacts& facts, const IdentityOptions& options,
                          absl::Time now) {
  if (now >= facts.not_before && now <= facts.not_after) return absl::OkStatus();
  const bool ended = now > facts.not_after;
  return Invalid(
      options.certificate_path,
      absl::StrCat(
          "the certificate, or one above it, ", ended ? "has ended at " : "is not valid before ",
          absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", ended ? facts.not_after : facts.not_before,
                           absl::UTCTimeZone()),
          ended ? ": renew it with cdgate cert renew" : ": check the clocks"));
}

// As others will verify it, in both directions.
absl::Status CheckChain(const std::vector<Certificate>& chain, const trust::SpiffeId& id,
                        const Material& material, const IdentityOptions& options, absl::Time now) {
  const auto store = trust::MakeTrustStore(id.trust_domain(), material.info.bundle_pem,
                                           material.crl_pems, options.crl_grace);
  if (!store.ok()) return InvalidBecause(options.bundle_path, store.status());
  for (const crypto::Purpose purpose : PurposesOf(options)) {
    const auto facts = crypto::VerifiedChain(chain.front(), chain, **store, purpose, now);
    if (!facts.ok()) return InvalidBecause(options.certificate_path, facts.status());
    CDGATE_RETURN_IF_ERROR(CheckIsValid(*facts, options, now));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadBundle(const std::string& path) {
  CDGATE_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(path, kMaxFileBytes));
  auto pem = trust::BundlePemOf(text);
  return pem.ok() ? std::move(pem) : InvalidBecause(path, pem.status());
}

absl::StatusOr<Material> LoadMaterial(const IdentityOptions& options, absl::Time now) {
  Material material{};
  CDGATE_ASSIGN_OR_RETURN(material.chain_pem,
                          base::ReadFile(options.certificate_path, kMaxFileBytes));
  CDGATE_ASSIGN_OR_RETURN(const std::string key_pem,
                          base::ReadFile(options.key_path, kMaxFileBytes));
  CDGATE_ASSIGN_OR_RETURN(material.info.bundle_pem, ReadBundle(options.bundle_path));
  CDGATE_ASSIGN_OR_RETURN(material.crl_pems, LoadLists(options));
  const auto chain = Certificate::ParsePemChain(material.chain_pem);
  if (!chain.ok()) return InvalidBecause(options.certificate_path, chain.status());
  const Certificate& leaf = chain->front();
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, IdOf(leaf, options));
  CDGATE_ASSIGN_OR_RETURN(material.key_pem, OpenKey(key_pem, options, leaf));
  CDGATE_RETURN_IF_ERROR(CheckChain(*chain, id, material, options, now));
  material.info.id = id.text();
  material.info.domain = std::string(id.trust_domain());
  material.info.serial = leaf.serial();
  material.info.not_before = leaf.not_before();
  material.info.not_after = leaf.not_after();
  material.info.leaf_pem = leaf.ToPem();
  CDGATE_ASSIGN_OR_RETURN(material.info.bundle_digest,
                          trust::BundleDigest(material.info.bundle_pem));
  return material;
}

absl::StatusOr<std::vector<std::string>> LoadLists(const IdentityOptions& options) {
  std::vector<std::string> out;
  for (const std::string& path : options.crl_paths) {
    CDGATE_ASSIGN_OR_RETURN(std::string pem, base::ReadFile(path, kMaxFileBytes));
    out.push_back(std::move(pem));
  }
  return out;
}

std::string FilesVersion(const IdentityOptions& options) {
  std::vector<std::string> paths = {options.certificate_path, options.key_path,
                                    options.bundle_path};
  paths.insert(paths.end(), options.crl_paths.begin(), options.crl_paths.end());
  std::string out;
  for (const std::string& path : paths) {
    struct stat info {};
    if (stat(path.c_str(), &info) != 0) {
      absl::StrAppend(&out, "absent;");
    } else {
      absl::StrAppend(&out, info.st_dev, ":", info.st_ino, ":", info.st_size, ":",
                      info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec, ";");
    }
  }
  return out;
}

}  // namespace cdgate::credentials
