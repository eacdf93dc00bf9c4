// Whose certificates we take: one trust bundle per domain, never pooled. A chain that
// verifies under the bundle of a domain may speak as that domain, and as no other.
//
//   trust::TrustRegistry registry;
//   CDGATE_RETURN_IF_ERROR(registry.Replace("beta.example", bundle_pem, {}));
//   auto snapshot = registry.Current();        // cheap; holds still while in use
//   auto peer = trust::Verify(*snapshot, leaf_pem, chain_pem, Purpose::kClient, clock.Now());
//
// A root that leaves a bundle is *retired*: no new handshake is accepted under it, while
// connections that stand go on until their certificates end, so that a rotation drops
// nobody. A root that must not be trusted any more at all is denied besides (deny_list.h),
// which ends what stands; or an operator sets the bundle, and what leaves it is dropped. All
// roots of a domain that is removed go at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/crypto/verify.h"
#include "auth/trust/deny_list.h"
#include "auth/trust/spiffe_id.h"
#include "gateway/base/mutex.h"

namespace cdgate::trust {

// The trust of one domain, checked: at least one root; each is a CA that is its own
// issuer and, where it carries a URI name, names this very domain and nothing else.
// CERTIFICATE_MALFORMED otherwise; CREDENTIALS_INVALID for a list that does not parse.
// Lists are good for `crl_grace` past their validity.
absl::StatusOr<std::shared_ptr<const crypto::TrustStore>> MakeTrustStore(
    absl::string_view domain, absl::string_view bundle_pem,
    const std::vector<std::string>& crl_pems, absl::Duration crl_grace = absl::ZeroDuration());

// SHA-256 over what the bundle means and not how it is written: over the SHA-256 of the
// DER of each certificate, sorted, without repetition. 32 bytes. The number that people
// compare by voice and that invites pin. CERTIFICATE_MALFORMED where it does not parse.
absl::StatusOr<std::string> BundleDigest(absl::string_view bundle_pem);

// Immutable; thread-safe.
class TrustSnapshot {
 public:
  using Stores = std::map<std::string, std::shared_ptr<const crypto::TrustStore>>;

  struct Parts {
    Stores stores;
    // Where roots of a domain are retired: its store with them.
    Stores with_retired = {};
    std::shared_ptr<const DenyList> denied = std::make_shared<const DenyList>();
    uint64_t version = 0;
  };
  explicit TrustSnapshot(Parts parts) : parts_(std::move(parts)) {}

  // Null where the domain is not known.
  const crypto::TrustStore* Find(absl::string_view domain) const;
  // What connections that stand are judged by: besides, the roots that were retired.
  const crypto::TrustStore* FindForEstablished(absl::string_view domain) const;
  const Stores& stores() const { return parts_.stores; }
  const DenyList& denied() const { return *parts_.denied; }

  // Grows with each change: whoever verified under another version verifies again.
  uint64_t version() const { return parts_.version; }

  // All roots of all domains, for the TLS library's own check in front of ours. Never
  // verify with it alone: under it every CA may speak for every domain.
  std::string UnionOfRootsPem() const;

 private:
  friend class SnapshotSource;
  const Parts parts_;
};

// Where the current snapshot is read. Outlives the registry, so that a verifier inside
// gRPC may run at any time. Thread-safe.
class SnapshotSource {
 public:
  std::shared_ptr<const TrustSnapshot> Current() const;
  // Of the current snapshot, without a lock: for who asks at every call.
  uint64_t version() const;

 private:
  friend class TrustRegistry;
  // Replaces the snapshot by a changed copy; `change` must not call out.
  void Change(const std::function<void(TrustSnapshot::Parts&)>& change);

  mutable base::Mutex mu_;
  std::shared_ptr<const TrustSnapshot> current_ CDGATE_GUARDED_BY(mu_) =
      std::make_shared<const TrustSnapshot>(TrustSnapshot::Parts{});
  std::atomic<uint64_t> version_{0};
};

// What becomes of roots that leave a bundle.
enum class Leaving {
  kRetire,  // who is connected under them stays
  kDrop,    // nobody does, nor under those that were retired before
};

// The one place trust changes. A failed call leaves everything as it was. Thread-safe.
class TrustRegistry {
 public:
  // Called after each change, in the thread that made it, with no lock held; two changes
  // at once may call at once, so a watcher reads Current() and takes what it finds. A call
  // under way while its handle goes away still ends: capture only what the watcher owns.
  using Watcher = std::function<void()>;
  using WatchHandle = std::shared_ptr<const Watcher>;

  // Revocation lists are good for `crl_grace` past their validity.
  explicit TrustRegistry(absl::Duration crl_grace = absl::ZeroDuration()) : crl_grace_(crl_grace) {}
  TrustRegistry(const TrustRegistry&) = delete;
  TrustRegistry& operator=(const TrustRegistry&) = delete;

  std::shared_ptr<const TrustSnapshot> Current() const { return source_->Current(); }
  std::shared_ptr<const SnapshotSource> source() const { return source_; }

  // Adds the domain or replaces its bundle and lists, whole. Errors of MakeTrustStore.
  absl::Status Replace(absl::string_view domain, absl::string_view bundle_pem,
                       const std::vector<std::string>& crl_pems,
                       Leaving leaving = Leaving::kRetire);

  // Forgets the domain. Nothing happens where it is not known.
  void Remove(absl::string_view domain);

  void SetDenied(std::shared_ptr<const DenyList> denied);

  // Time has changed what verifies (a list has ended): as a change, without one.
  void TimePassed();

  // `watcher` is called for as long as the handle lives.
  [[nodiscard]] WatchHandle Watch(Watcher watcher);

 private:
  void Notify();

  const absl::Duration crl_grace_;
  const std::shared_ptr<SnapshotSource> source_ = std::make_shared<SnapshotSource>();
  base::Mutex mu_;
  std::vector<std::weak_ptr<const Watcher>> watchers_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::trust
