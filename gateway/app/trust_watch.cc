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

std::vector<std::string> ListsIn(const state::ResourcePtr& said) {
  storage::v1::PeerTrust trust;
  if (said == nullptr || !trust.ParseFromString(said->value)) return {};
  return {trust.revocation_lists().begin(), trust.revocation_lists().end()};
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
  deps_.trust.SetDenied(*std::move(list));
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
    const state::ResourcePtr said = resources.Find(state::kPeerTrustKind, resource->name);
    const Versions versions(resource->version, said == nullptr ? 0 : said->version);
    now[resource->name] = versions;
    const auto before = peers_.find(resource->name);
    if (before != peers_.end() && before->second == versions) continue;
    if (peer->frozen()) to_cut.push_back(resource->name);
    const absl::Status trusted =
        deps_.trust.Replace(resource->name, peer->bundle_pem(), ListsIn(said));
    if (!trusted.ok()) {
      base::LogError(base::LogLevel::kError, "peer's bundle not taken", trusted,
                     {{"peer", resource->name}});
    }
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
