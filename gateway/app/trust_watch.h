// Keeps what is derived from resources in step with them: the trust bundles of peers and
// their revocation lists, the deny list, the compiled grants and schemas, and who is frozen.
//
// Called with each new snapshot of resources, and by the calls that change grants and schemas
// before they answer; what it publishes is read from any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "auth/authz/grants.h"
#include "auth/authz/principal.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/mutex.h"
#include "gateway/schema/schema_set.h"
#include "gateway/state/resources.h"

namespace cdgate::app {

// All outlive it.
struct TrustWatchDeps {
  std::string domain;  // our own; its bundle is the identity store's affair
  trust::TrustRegistry& trust;
  trust::TrustRegistry& origins;  // domains whose statements count, and who may not connect
  authz::GrantRegistry& grants;
  schema::SchemaRegistry& schemas;
  // Ends the connections of a domain that may not be connected any more.
  std::function<void(const std::string& domain)> cut;
};

class TrustWatch {
 public:
  explicit TrustWatch(TrustWatchDeps deps) : deps_(std::move(deps)) {}

  // Brings everything in step; nothing where it is with these or later ones already. A grant,
  // peer or schema that does not compile (it was checked when it was applied) leaves what is
  // in force and is logged. Thread-safe.
  void Apply(const state::ResourceSnapshot& resources);

  // FROZEN where the principal's domain is a frozen peer, CERTIFICATE_DENIED where it or its
  // domain is on the deny list. Thread-safe, fast.
  absl::Status Denied(const authz::Principal& principal) const;

 private:
  // The domains whose connections are to be ended.
  std::vector<std::string> ApplyPeers(const state::ResourceSnapshot& resources)
      CDGATE_REQUIRES(applying_);
  // `by_hand`: roots that are dropped count no more at once.
  void TakeBundle(const std::string& domain, const std::string& bundle_pem,
                  const storage::v1::PeerTrust& besides, bool by_hand);
  void ApplyOrigins(const state::ResourceSnapshot& resources) CDGATE_REQUIRES(applying_);
  void ApplyGrants(const state::ResourceSnapshot& resources);
  void ApplyDenials(const state::ResourceSnapshot& resources) CDGATE_REQUIRES(applying_);
  void ApplySchemas(const state::ResourceSnapshot& resources) CDGATE_REQUIRES(applying_);

  const TrustWatchDeps deps_;

  base::Mutex applying_;
  // Of what was applied last, and by domain the versions of the peer and of what is known of its
  // trust besides (0: nothing), and how often its bundle was set by hand.
  struct Versions {
    uint64_t peer = 0;
    uint64_t trust = 0;
    uint64_t times_set = 0;
    bool operator==(const Versions&) const = default;
  };
  uint64_t commit_ CDGATE_GUARDED_BY(applying_) = 0;
  std::map<std::string, Versions> peers_ CDGATE_GUARDED_BY(applying_);
  std::map<std::string, uint64_t> origins_ CDGATE_GUARDED_BY(applying_);  // versions by domain
  std::map<std::string, uint64_t> schemas_ CDGATE_GUARDED_BY(applying_);  // the same by URI
  std::map<std::string, uint64_t> denials_ CDGATE_GUARDED_BY(applying_);  // the same by name

  mutable base::Mutex mu_;
  std::shared_ptr<const absl::flat_hash_set<std::string>> frozen_ CDGATE_GUARDED_BY(mu_) =
      std::make_shared<const absl::flat_hash_set<std::string>>();
};

}  // namespace cdgate::app
