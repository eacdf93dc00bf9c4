#include "auth/trust/trust_registry.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/status_macros.h"

namespace cdgate::trust {
namespace {

using crypto::Certificate;
using crypto::RevocationList;

// A root may leave its domain out; one that names another's was put into the wrong bundle.
absl::Status CheckNamesDomain(const Certificate& root, absl::string_view domain) {
  const std::vector<std::string>& uris = root.uri_names();
  if (uris.empty() || (uris.size() == 1 && uris[0] == absl::StrCat("spiffe://", domain))) {
    return absl::OkStatus();
  }
  return base::MakeError(
      base::Reason::kCertificateMalformed,
      absl::StrCat("root ", base::Shorten(root.subject()), " names ", base::Shorten(uris[0]),
                   " and so does not belong into the bundle of ", base::Shorten(domain)));
}

absl::StatusOr<std::vector<RevocationList>> ParseLists(const std::vector<std::string>& pems) {
  std::vector<RevocationList> out;
  for (const std::string& pem : pems) {
    CDGATE_ASSIGN_OR_RETURN(std::vector<RevocationList> lists, RevocationList::ParsePem(pem));
    for (RevocationList& list : lists) out.push_back(std::move(list));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const crypto::TrustStore>> MakeTrustStore(
    absl::string_view domain, absl::string_view bundle_pem,
    const std::vector<std::string>& crl_pems) {
  if (!ValidTrustDomain(domain)) {
    return base::MakeError(
        base::Reason::kInvalidArgument,
        absl::StrCat("\"", base::Shorten(domain),
                     "\" is not a domain: it has 1 to 255 characters of a-z 0-9 . - _"));
  }
  CDGATE_ASSIGN_OR_RETURN(std::vector<Certificate> roots, Certificate::ParsePemChain(bundle_pem));
  for (const Certificate& root : roots) CDGATE_RETURN_IF_ERROR(CheckNamesDomain(root, domain));
  CDGATE_ASSIGN_OR_RETURN(std::vector<RevocationList> lists, ParseLists(crl_pems));
  return crypto::TrustStore::Create(std::move(roots), std::move(lists));
}

absl::StatusOr<std::string> BundleDigest(absl::string_view bundle_pem) {
  CDGATE_ASSIGN_OR_RETURN(const std::vector<Certificate> roots,
                          Certificate::ParsePemChain(bundle_pem));
  std::set<std::string> fingerprints;
  for (const Certificate& root : roots) fingerprints.insert(root.FingerprintSha256());
  crypto::Sha256Hasher hasher;
  for (const std::string& fingerprint : fingerprints) hasher.Update(fingerprint);
  return hasher.Final();
}

const crypto::TrustStore* TrustSnapshot::Find(absl::string_view domain) const {
  const auto found = stores_.find(std::string(domain));
  return found == stores_.end() ? nullptr : found->second.get();
}

std::string TrustSnapshot::UnionOfRootsPem() const {
  std::string out;
  for (const auto& [domain, store] : stores_) absl::StrAppend(&out, crypto::ToPem(store->roots()));
  return out;
}

std::shared_ptr<const TrustSnapshot> SnapshotSource::Current() const {
  base::MutexLock lock(mu_);
  return current_;
}

void SnapshotSource::Change(const std::function<void(TrustSnapshot::Stores&)>& change) {
  base::MutexLock lock(mu_);
  TrustSnapshot::Stores stores = current_->stores();
  change(stores);
  current_ = std::make_shared<const TrustSnapshot>(std::move(stores));
}

absl::Status TrustRegistry::Replace(absl::string_view domain, absl::string_view bundle_pem,
                                    const std::vector<std::string>& crl_pems) {
  CDGATE_ASSIGN_OR_RETURN(auto store, MakeTrustStore(domain, bundle_pem, crl_pems));
  source_->Change([&](TrustSnapshot::Stores& stores) {
    stores.insert_or_assign(std::string(domain), std::move(store));
  });
  Notify();
  return absl::OkStatus();
}

void TrustRegistry::Remove(absl::string_view domain) {
  source_->Change([&](TrustSnapshot::Stores& stores) { stores.erase(std::string(domain)); });
  Notify();
}

TrustRegistry::WatchHandle TrustRegistry::Watch(Watcher watcher) {
  auto handle = std::make_shared<const Watcher>(std::move(watcher));
  base::MutexLock lock(mu_);
  watchers_.push_back(handle);
  return handle;
}

void TrustRegistry::Notify() {
  std::vector<WatchHandle> live;
  {
    base::MutexLock lock(mu_);
    watchers_.erase(std::remove_if(watchers_.begin(), watchers_.end(),
                                   [](const auto& watcher) { return watcher.expired(); }),
                    watchers_.end());
    for (const auto& watcher : watchers_) {
      if (WatchHandle handle = watcher.lock()) live.push_back(std::move(handle));
    }
  }
  for (const WatchHandle& handle : live) (*handle)();
}

}  // namespace cdgate::trust
