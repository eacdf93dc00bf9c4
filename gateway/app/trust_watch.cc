#include "gateway/app/trust_watch.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cdgate/admin/v1/resources.pb.h"
#include "cdgate/admin/v1/trust.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/api/trust_api.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"

namespace cdgate::app {
namespace {

storage::v1::PeerTrust TrustIn(const state::ResourcePtr& stored) {
  storage::v1::PeerTrust trust;
  if (stored != nullptr && !trust.ParseFromString(stored->value)) trust.Clear();
  return trust;
}

absl::StatusOr<trust::Denial> DenialIn(const state::StoredResource& resource) {
  CDGATE_ASSIGN_OR_RETURN(const auto denial, resource.As<admin::v1::Denial>());
  return api::DenialOf(denial);
}

}  // namespace

void TrustWatch::Apply(const state::ResourceSnapshot& resources) {
  std::vector<std::string> to_cut;
  {
    base::MutexLock lock(applying_);
    if (commit_ != 0 && resources.commit() <= commit_) return;
    // Before the grants that refuse events by them.
    ApplySchemas(resources);
    ApplyGrants(resources);
    ApplyDenials(resources);
    ApplyOrigins(resources);
    to_cut = ApplyPeers(resources);
    commit_ = resources.commit();
  }
  for (const std::string& domain : to_cut) deps_.cut(domain);
}

void TrustWatch::ApplySchemas(const state::ResourceSnapshot& resources) {
  std::map<std::string, uint64_t> now;
  const std::vector<state::ResourcePtr> stored = resources.List(state::kSchemaKind);
  for (const state::ResourcePtr& resource : stored) now[resource->name] = resource->version;
  if (now == schemas_) return;
  std::vector<schema::SchemaDocument> documents;
  for (const state::ResourcePtr& resource : stored) {
    auto schema = resource->As<admin::v1::Schema>();
    if (schema.ok()) {
      documents.push_back({resource->name, std::move(*schema->mutable_document())});
    } else {
      base::LogError(base::LogLevel::kError, "schema ignored", schema.status(),
                     {{"uri", resource->name}});
    }
  }
  const auto before = deps_.schemas.Current();
  auto compiled = schema::SchemaSet::Compile(documents, before.get());
  for (const auto& [uri, status] : compiled.refused) {
    base::LogError(base::LogLevel::kError, "schema ignored", status, {{"uri", uri}});
  }
  deps_.schemas.Replace(std::move(compiled.set));
  schemas_ = std::move(now);
}

void TrustWatch::ApplyGrants(const state::ResourceSnapshot& resources) {
  std::vector<admin::v1::Grant> grants;
  for (const state::ResourcePtr& resource : resources.List(state::kGrantKind)) {
    auto grant = resource->As<admin::v1::Grant>();
    if (!grant.ok()) {
      base::LogError(base::LogLevel::kError, "grant ignored", grant.status(),
                     {{"name", resource->name}});
      continue;
    }
    grants.push_back(*std::move(grant));
  }
  auto compiled = authz::Grants::Compile(grants);
  if (!compiled.ok()) {
    base::LogError(base::LogLevel::kError, "grants unchanged", compiled.status());
    return;
  }
  deps_.grants.Replace(*std::move(compiled));
}

void TrustWatch::ApplyDenials(const state::ResourceSnapshot& resources) {
  std::map<std::string, uint64_t> now;
  std::vector<trust::Denial> denials;
  for (const state::ResourcePtr& resource : resources.List(state::kDenialKind)) {
    now[resource->name] = resource->version;
    auto denial = DenialIn(*resource);
    if (denial.ok()) {
      denials.push_back(*std::move(denial));
    } else {
      base::LogError(base::LogLevel::kError, "denial ignored", denial.status(),
                     {{"name", resource->name}});
    }
  }
  if (now == denials_) return;
  auto list = trust::DenyList::Compile(denials);
  if (!list.ok()) {
    base::LogError(base::LogLevel::kError, "deny list unchanged", list.status());
    return;
  }
  denials_ = std::move(now);
  deps_.origins.SetDenied(*list);
  deps_.trust.SetDenied(*std::move(list));
}

void TrustWatch::ApplyOrigins(const state::ResourceSnapshot& resources) {
  std::map<std::string, uint64_t> now;
  for (const state::ResourcePtr& resource : resources.List(state::kOriginKind)) {
    const auto origin = resource->As<admin::v1::Peer>();
    const state::ResourcePtr besides = resources.Find(state::kPeerTrustKind, resource->name);
    now[resource->name] = resource->version + (besides == nullptr ? 0 : besides->version);
    const auto before = origins_.find(resource->name);
    if (before != origins_.end() && before->second == now[resource->name]) continue;
    const storage::v1::PeerTrust trust = TrustIn(besides);
    const absl::Status taken =
        origin.ok() ? deps_.origins.Replace(
                          resource->name, origin->bundle_pem(),
                          {trust.revocation_lists().begin(), trust.revocation_lists().end()},
                          trust::Leaving::kDrop)
                    : origin.status();
    if (taken.ok()) continue;
    base::LogError(base::LogLevel::kError, "origin's bundle not taken", taken,
                   {{"domain", resource->name}});
  }
  for (const auto& [domain, version] : origins_) {
    if (!now.contains(domain)) deps_.origins.Remove(domain);
  }
  origins_ = std::move(now);
}

void TrustWatch::TakeBundle(const std::string& domain, const std::string& bundle_pem,
                            const storage::v1::PeerTrust& besides, bool by_hand) {
  const absl::Status taken = deps_.trust.Replace(
      domain, bundle_pem, {besides.revocation_lists().begin(), besides.revocation_lists().end()},
      by_hand ? trust::Leaving::kDrop : trust::Leaving::kRetire);
  if (taken.ok()) return;
  base::LogError(base::LogLevel::kError, "peer's bundle not taken", taken, {{"peer", domain}});
}

std::vector<std::string> TrustWatch::ApplyPeers(const state::ResourceSnapshot& resources) {
  std::map<std::string, Versions> now;
  absl::flat_hash_set<std::string> frozen;
  std::vector<std::string> to_cut;
  for (const state::ResourcePtr& resource : resources.List(state::kPeerKind)) {
    const auto peer = resource->As<admin::v1::Peer>();
    if (!peer.ok()) {
      base::LogError(base::LogLevel::kError, "peer ignored", peer.status(),
                     {{"peer", resource->name}});
      continue;
    }
    if (peer->frozen()) frozen.insert(resource->name);
    const state::ResourcePtr besides = resources.Find(state::kPeerTrustKind, resource->name);
    const storage::v1::PeerTrust trust = TrustIn(besides);
    const Versions versions{resource->version, besides == nullptr ? 0 : besides->version,
                            trust.times_set()};
    now[resource->name] = versions;
    const auto before = peers_.find(resource->name);
    if (before != peers_.end() && before->second == versions) continue;
    if (peer->frozen()) to_cut.push_back(resource->name);
    const bool by_hand = before != peers_.end() && before->second.times_set != versions.times_set;
    TakeBundle(resource->name, peer->bundle_pem(), trust, by_hand);
  }
  {
    base::MutexLock lock(mu_);
    frozen_ = std::make_shared<const absl::flat_hash_set<std::string>>(std::move(frozen));
  }
  for (const auto& [domain, version] : peers_) {
    if (now.contains(domain)) continue;
    deps_.trust.Remove(domain);
    to_cut.push_back(domain);
  }
  peers_ = std::move(now);
  return to_cut;
}

absl::Status TrustWatch::Denied(const authz::Principal& principal) const {
  std::shared_ptr<const absl::flat_hash_set<std::string>> frozen;
  {
    base::MutexLock lock(mu_);
    frozen = frozen_;
  }
  if (!frozen->contains(principal.domain)) {
    return deps_.trust.Current()->denied().CheckPrincipal(principal.id, principal.domain);
  }
  return base::MakeError(base::Reason::kFrozen,
                         absl::StrCat("peer ", principal.domain, " is frozen here"),
                         {{"peer", principal.domain}});
}

}  // namespace cdgate::app
