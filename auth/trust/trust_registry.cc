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

std::shared_ptr<const crypto::TrustStore> StoreIn(const TrustSnapshot::Stores& stores,
                                                  absl::string_view domain) {
  const auto found = stores.find(std::string(domain));
  return found == stores.end() ? nullptr : found->second;
}

// `before` and what `now` has, the newer first, without repetition and at most as many as a
// bundle may have.
std::vector<Certificate> RootsOfBoth(const crypto::TrustStore& now,
                                     const crypto::TrustStore& before) {
  std::vector<Certificate> roots = now.roots();
  std::set<std::string> known;
  for (const Certificate& root : roots) known.insert(root.FingerprintSha256());
  for (const Certificate& root : before.roots()) {
    if (roots.size() == Certificate::kMaxCertificates) break;
    if (known.insert(root.FingerprintSha256()).second) roots.push_back(root);
  }
  return roots;
}

// The lists of `now`, and those of `before` by issuers that have none in it: what was issued
// under a retired root is still looked up.
std::vector<RevocationList> ListsOfBoth(const crypto::TrustStore& now,
                                        const crypto::TrustStore& before) {
  std::vector<RevocationList> lists = now.crls();
  // Roots that follow each other may have the same name.
  const auto key_of = [](const RevocationList& list) {
    return std::make_pair(list.issuer(), list.issuer_key_id());
  };
  std::set<std::pair<std::string, std::string>> issuers;
  for (const RevocationList& list : lists) issuers.insert(key_of(list));
  for (const RevocationList& list : before.crls()) {
    if (!issuers.contains(key_of(list))) lists.push_back(list);
  }
  return lists;
}

// Null where nothing that `before` trusted has gone.
std::shared_ptr<const crypto::TrustStore> WithRetired(const crypto::TrustStore& now,
                                                      const crypto::TrustStore& before) {
  std::vector<Certificate> roots = RootsOfBoth(now, before);
  if (roots.size() == now.roots().size()) return nullptr;
  auto store =
      crypto::TrustStore::Create(std::move(roots), ListsOfBoth(now, before), now.crl_grace());
  // Each of its roots was taken before.
  return store.ok() ? *std::move(store) : nullptr;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const crypto::TrustStore>> MakeTrustStore(
    absl::string_view domain, absl::string_view bundle_pem,
    const std::vector<std::string>& crl_pems, absl::Duration crl_grace) {
  if (!ValidTrustDomain(domain)) {
    return base::MakeError(
        base::Reason::kInvalidArgument,
        absl::StrCat("\"", base::Shorten(domain),
                     "\" is not a domain: it has 1 to 255 characters of a-z 0-9 . - _"));
  }
  CDGATE_ASSIGN_OR_RETURN(std::vector<Certificate> roots, Certificate::ParsePemChain(bundle_pem));
  for (const Certificate& root : roots) CDGATE_RETURN_IF_ERROR(CheckNamesDomain(root, domain));
  CDGATE_ASSIGN_OR_RETURN(std::vector<RevocationList> lists, ParseLists(crl_pems));
  return crypto::TrustStore::Create(std::move(roots), std::move(lists), crl_grace);
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
  return StoreIn(parts_.stores, domain).get();
}

const crypto::TrustStore* TrustSnapshot::FindForEstablished(absl::string_view domain) const {
  const auto store = StoreIn(parts_.with_retired, domain);
  return store != nullptr ? store.get() : Find(domain);
}

std::string TrustSnapshot::UnionOfRootsPem() const {
  std::string out;
  for (const auto& [domain, store] : parts_.stores)
    absl::StrAppend(&out, crypto::ToPem(store->roots()));
  return out;
}

std::shared_ptr<const TrustSnapshot> SnapshotSource::Current() const {
  base::MutexLock lock(mu_);
  return current_;
}

uint64_t SnapshotSource::version() const { return version_.load(std::memory_order_acquire); }

void SnapshotSource::Change(const std::function<void(TrustSnapshot::Parts&)>& change) {
  base::MutexLock lock(mu_);
  TrustSnapshot::Parts parts = current_->parts_;
  change(parts);
  ++parts.version;
  const uint64_t version = parts.version;
  current_ = std::make_shared<const TrustSnapshot>(std::move(parts));
  version_.store(version, std::memory_order_release);
}

absl::Status TrustRegistry::Replace(absl::string_view domain, absl::string_view bundle_pem,
                                    const std::vector<std::string>& crl_pems, Leaving leaving) {
  CDGATE_ASSIGN_OR_RETURN(const auto store,
                          MakeTrustStore(domain, bundle_pem, crl_pems, crl_grace_));
  source_->Change([&](TrustSnapshot::Parts& parts) {
    const std::string name(domain);
    auto before = StoreIn(parts.with_retired, name);
    if (before == nullptr) before = StoreIn(parts.stores, name);
    parts.stores.insert_or_assign(name, store);
    parts.with_retired.erase(name);
    if (before == nullptr || leaving == Leaving::kDrop) return;
    if (auto both = WithRetired(*store, *before)) parts.with_retired[name] = std::move(both);
  });
  Notify();
  return absl::OkStatus();
}

void TrustRegistry::Remove(absl::string_view domain) {
  source_->Change([&](TrustSnapshot::Parts& parts) {
    parts.stores.erase(std::string(domain));
    parts.with_retired.erase(std::string(domain));
  });
  Notify();
}

void TrustRegistry::SetDenied(std::shared_ptr<const DenyList> denied) {
  source_->Change([&](TrustSnapshot::Parts& parts) { parts.denied = std::move(denied); });
  Notify();
}

void TrustRegistry::TimePassed() {
  source_->Change([](TrustSnapshot::Parts&) {});
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
