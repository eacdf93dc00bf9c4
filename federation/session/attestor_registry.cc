#include "federation/session/attestor_registry.h"

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/trust/verify.h"
#include "gateway/base/encoding.h"
#include "gateway/base/errors.h"
#include "gateway/base/logging.h"
#include "gateway/base/status_macros.h"
#include "gateway/state/resources.h"

namespace cdgate::session {
namespace {

using base::Reason;
using credentials::kMaxAttestorBytes;
using credentials::kMaxAttestorCertificates;
using crypto::Certificate;

// Of one domain that is not ours, as a part of all.
constexpr size_t kDomainsShare = 16;
// How many wait for a bundle of their domain.
constexpr size_t kMaxWaiting = 64;
// A key that has verified so many signatures is worth what it takes to prepare it; no more than so
// many are at once, 10 MiB.
constexpr uint64_t kManyUses = 32;
constexpr size_t kMaxPrepared = 64;
constexpr absl::Duration kPreparedFor = absl::Hours(1);  // after its last use

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// As people are shown it: enough to tell one from another.
std::string ShortId(absl::string_view key_id) {
  return base::HexEncode(key_id.substr(0, std::min<size_t>(key_id.size(), 6)));
}

absl::Status Unproven(absl::string_view key_id, absl::string_view domain, absl::string_view why,
                      base::Metadata more = {}) {
  more.emplace_back("domain", std::string(domain));
  more.emplace_back("keyId", base::HexEncode(key_id));
  return base::MakeError(
      Reason::kAttestationUnproven,
      absl::StrCat("attestor ", ShortId(key_id), " of ", base::Shorten(domain), ": ", why),
      std::move(more));
}

// What its certificates are judged by is the cause.
absl::Status UnprovenBy(absl::string_view key_id, absl::string_view domain,
                        const absl::Status& cause) {
  const Reason reason = base::ReasonOf(cause).value_or(Reason::kInternal);
  return Unproven(key_id, domain, cause.message(),
                  {{"cause", std::string(base::ReasonText(reason))}});
}

absl::Status CheckBounds(const federation::v1::AttestorCertificate& sent) {
  size_t bytes = 0;
  for (const std::string& certificate : sent.certificates()) bytes += certificate.size();
  if (!sent.certificates().empty() && sent.certificates_size() <= kMaxAttestorCertificates &&
      bytes <= kMaxAttestorBytes) {
    return absl::OkStatus();
  }
  return base::MakeError(
      Reason::kProtocolError,
      absl::StrCat("an attestor came with ", sent.certificates_size(), " certificates of ", bytes,
                   " bytes; they are 1 to ", kMaxAttestorCertificates, " of at most ",
                   kMaxAttestorBytes, " bytes together"));
}

absl::Status CheckBounds(const federation::v1::Attestors& sent) {
  if (sent.attestors_size() > kMaxAttestorsOfFrame) {
    return base::MakeError(Reason::kProtocolError,
                           absl::StrCat("a frame has ", sent.attestors_size(),
                                        " attestors; it may have ", kMaxAttestorsOfFrame));
  }
  for (const auto& attestor : sent.attestors()) CDGATE_RETURN_IF_ERROR(CheckBounds(attestor));
  return absl::OkStatus();
}

void LogRefused(absl::string_view peer, const absl::Status& why) {
  base::LogError(base::LogLevel::kWarning, "attestor not taken", why,
                 {{"peer", std::string(peer)}});
}

// What List() sorts by and pages after.
std::string PlaceOf(absl::string_view domain, absl::string_view key_id) {
  return absl::StrCat(domain, " ", base::HexEncode(key_id));
}

}  // namespace

struct AttestorRegistry::Entry {
  std::string key_id;
  storage::v1::KeptAttestor kept;
  std::string id;
  std::vector<Certificate> chain;
  std::shared_ptr<crypto::VerifyingKey> key;
  const Certificate& leaf() const { return key->certificate(); }
};

struct AttestorRegistry::Verdict {
  uint64_t version = 0;  // of what was trusted
  absl::Status status;
  // Where it is OK: of the whole chain.
  absl::Time not_before = absl::InfiniteFuture();
  absl::Time not_after = absl::InfinitePast();
};

// --- what comes in

absl::StatusOr<std::unique_ptr<AttestorRegistry>> AttestorRegistry::Open(
    AttestorRegistryDeps deps) {
  std::unique_ptr<AttestorRegistry> registry(new AttestorRegistry(std::move(deps)));
  registry->Load();
  return registry;
}

void AttestorRegistry::Load() {
  for (const auto& resource : deps_.store.Resources()->List(state::kAttestorKind)) {
    const auto kept = resource->As<storage::v1::KeptAttestor>();
    const auto entry = kept.ok() ? Read(*kept) : absl::StatusOr<EntryPtr>(kept.status());
    if (!entry.ok()) {
      base::LogError(base::LogLevel::kError, "attestor ignored", entry.status(),
                     {{"name", resource->name}});
      continue;
    }
    base::MutexLock lock(mu_);
    kept_[(*entry)->key_id] = {.entry = *entry,
                               .verdict = nullptr,
                               .last_used = absl::FromUnixNanos(kept->first_seen_nanos()),
                               .on_disk = OnDisk::kStored};
  }
}

absl::StatusOr<AttestorRegistry::EntryPtr> AttestorRegistry::Read(
    const storage::v1::KeptAttestor& kept) {
  auto entry = std::make_shared<Entry>();
  entry->kept = kept;
  for (const std::string& der : kept.certificates()) {
    CDGATE_ASSIGN_OR_RETURN(Certificate certificate, Certificate::FromDer(der));
    entry->chain.push_back(std::move(certificate));
  }
  if (entry->chain.empty()) {
    return base::MakeError(Reason::kCertificateMalformed, "there is no certificate");
  }
  entry->key = std::make_shared<crypto::VerifyingKey>(entry->chain.front());
  entry->key_id = entry->leaf().FingerprintSha256();
  CDGATE_ASSIGN_OR_RETURN(const trust::SpiffeId id, trust::ClaimedId(entry->leaf()));
  entry->id = id.text();
  entry->kept.set_domain(std::string(id.trust_domain()));
  return EntryPtr(std::move(entry));
}

void AttestorRegistry::TakeOwn(const credentials::AttestorIdentity& own) {
  if (Use(own.key_id) != nullptr) return;
  storage::v1::KeptAttestor kept;
  for (const std::string& der : own.certificates) kept.add_certificates(der);
  kept.set_first_seen_nanos(absl::ToUnixNanos(deps_.clock.Now()));
  const auto entry = Read(kept);
  const absl::Status added = entry.ok() ? Add(*entry, nullptr) : entry.status();
  if (!added.ok()) base::LogError(base::LogLevel::kError, "our attestor not kept", added);
  Store();
}

absl::Status AttestorRegistry::Take(absl::string_view peer, const federation::v1::Attestors& sent) {
  CDGATE_RETURN_IF_ERROR(CheckBounds(sent));
  absl::Status first;
  for (const auto& attestor : sent.attestors()) {
    const absl::Status taken = TakeOne(peer, attestor);
    if (!taken.ok()) LogRefused(peer, taken);
    first.Update(taken);
  }
  Store();
  return first;
}

absl::Status AttestorRegistry::TakeOne(absl::string_view peer,
                                       const federation::v1::AttestorCertificate& sent) {
  const std::string key_id = crypto::Sha256(sent.certificates(0));
  if (Use(key_id) != nullptr) return absl::OkStatus();
  storage::v1::KeptAttestor kept;
  *kept.mutable_certificates() = sent.certificates();
  kept.set_first_seen_nanos(absl::ToUnixNanos(deps_.clock.Now()));
  kept.set_received_from(std::string(peer));
  const auto entry = Read(kept);
  if (!entry.ok()) return UnprovenBy(key_id, peer, entry.status());
  const VerdictPtr verdict = Judge(**entry);
  if (verdict->status.ok()) return Add(*entry, verdict);
  if (base::ReasonOf(verdict->status) == Reason::kUnknownTrustDomain) Wait(*entry, verdict);
  return UnprovenBy(key_id, (*entry)->kept.domain(), verdict->status);
}

absl::Status AttestorRegistry::Add(const EntryPtr& entry, VerdictPtr verdict) {
  const absl::Time now = deps_.clock.Now();
  base::MutexLock lock(mu_);
  if (kept_.contains(entry->key_id)) return absl::OkStatus();
  // Ours is kept in any case: it is by its own choice that a gateway has more of them.
  const absl::Status room = MakeRoom(entry->kept.domain());
  if (!room.ok() && entry->kept.domain() != deps_.domain) return room;
  kept_[entry->key_id] = {.entry = entry, .verdict = std::move(verdict), .last_used = now};
  return absl::OkStatus();
}

absl::Status AttestorRegistry::MakeRoom(const std::string& domain) {
  const size_t share = std::max<size_t>(deps_.max_attestors / kDomainsShare, 1);
  const auto of_domain =
      static_cast<size_t>(std::count_if(kept_.begin(), kept_.end(), [&domain](const auto& kept) {
        return kept.second.entry->kept.domain() == domain;
      }));
  const bool share_is_used = domain != deps_.domain && of_domain >= share;
  if (!share_is_used && kept_.size() < deps_.max_attestors) return absl::OkStatus();
  auto oldest = kept_.end();
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    if (it->second.entry->leaf().not_after() >= deps_.clock.Now()) continue;
    if (share_is_used && it->second.entry->kept.domain() != domain) continue;
    if (it->second.on_disk == OnDisk::kUnderWay) continue;  // it could not be removed there
    if (oldest == kept_.end() || it->second.last_used < oldest->second.last_used) oldest = it;
  }
  if (oldest == kept_.end()) {
    return base::MakeError(
        Reason::kQuota,
        absl::StrCat("of ", share_is_used ? domain : "all domains together", " ",
                     share_is_used ? of_domain : kept_.size(),
                     " attestors are kept, no more are, and none of them has ended; have the "
                     "domain use fewer"),
        {{"domain", domain}});
  }
  if (oldest->second.on_disk == OnDisk::kStored) dropped_.push_back(oldest->first);
  kept_.erase(oldest);
  return absl::OkStatus();
}

// --- on disk

void AttestorRegistry::Tick() {
  Store();
  PrepareKeys();
}

void AttestorRegistry::Store() {
  state::Proposal proposal;
  std::vector<std::string> stored;
  {
    base::MutexLock lock(mu_);
    for (auto& [key_id, kept] : kept_) {
      if (kept.on_disk != OnDisk::kMissing) continue;
      kept.on_disk = OnDisk::kUnderWay;
      stored.push_back(key_id);
      const std::string& sender = kept.entry->kept.received_from();
      proposal.resources.push_back({.kind = state::kAttestorKind,
                                    .name = base::HexEncode(key_id),
                                    .value = kept.entry->kept.SerializeAsString(),
                                    .author = sender.empty() ? kept.entry->id : sender});
    }
    for (const std::string& key_id : dropped_) {
      proposal.resources.push_back({.kind = state::kAttestorKind,
                                    .name = base::HexEncode(key_id),
                                    .deleted = true,
                                    .author = deps_.domain});
    }
    dropped_.clear();
  }
  if (proposal.resources.empty()) return;
  const absl::Status queued = deps_.store.Propose(
      std::move(proposal),
      [this, stored](const state::Outcome& outcome) { OnStored(stored, outcome.status); });
  if (!queued.ok()) OnStored(stored, queued);
}

void AttestorRegistry::OnStored(const std::vector<std::string>& key_ids,
                                const absl::Status& status) {
  if (!status.ok()) {
    base::LogError(base::LogLevel::kWarning, "attestors not stored; it is tried again", status);
  }
  base::MutexLock lock(mu_);
  for (const std::string& key_id : key_ids) {
    const auto kept = kept_.find(key_id);
    if (kept == kept_.end()) continue;
    kept->second.on_disk = status.ok() ? OnDisk::kStored : OnDisk::kMissing;
  }
}

// --- keys that are much used

void AttestorRegistry::PrepareKeys() {
  const absl::Time now = deps_.clock.Now();
  std::shared_ptr<crypto::VerifyingKey> wanted;
  size_t prepared = 0;
  {
    base::MutexLock lock(mu_);
    for (const auto& [key_id, kept] : kept_) {
      crypto::VerifyingKey& key = *kept.entry->key;
      const bool idle = now - kept.last_used > kPreparedFor;
      if (idle) key.Forget();
      if (key.prepared()) ++prepared;
      const bool worth_it = !idle && key.used() >= kManyUses && key.can_be_prepared();
      if (!worth_it || key.prepared()) continue;
      if (wanted == nullptr || key.used() > wanted->used()) wanted = kept.entry->key;
    }
  }
  if (wanted != nullptr && prepared < kMaxPrepared) wanted->Prepare();
}

// --- those of domains without a bundle

void AttestorRegistry::Wait(const EntryPtr& entry, VerdictPtr verdict) {
  const absl::Time now = deps_.clock.Now();
  base::MutexLock lock(mu_);
  if (waiting_.size() >= kMaxWaiting && !waiting_.contains(entry->key_id)) {
    waiting_.erase(std::min_element(
        waiting_.begin(), waiting_.end(),
        [](const auto& a, const auto& b) { return a.second.last_used < b.second.last_used; }));
  }
  waiting_[entry->key_id] = {.entry = entry, .verdict = std::move(verdict), .last_used = now};
}

AttestorRegistry::EntryPtr AttestorRegistry::TakeWaiting(absl::string_view key_id) {
  EntryPtr entry;
  {
    base::MutexLock lock(mu_);
    const auto found = waiting_.find(key_id);
    if (found == waiting_.end() || IsCurrent(found->second.verdict)) return nullptr;
    entry = found->second.entry;
  }
  VerdictPtr verdict = Judge(*entry);
  if (!verdict->status.ok()) {
    Wait(entry, std::move(verdict));
    return nullptr;
  }
  {
    base::MutexLock lock(mu_);
    waiting_.erase(entry->key_id);
  }
  const absl::Status added = Add(entry, std::move(verdict));
  if (!added.ok()) LogRefused(entry->kept.received_from(), added);
  Store();
  return added.ok() ? entry : nullptr;
}

// --- what is asked

AttestorRegistry::EntryPtr AttestorRegistry::Use(absl::string_view key_id) {
  const absl::Time now = deps_.clock.Now();
  base::MutexLock lock(mu_);
  const auto found = kept_.find(key_id);
  if (found == kept_.end()) return nullptr;
  found->second.last_used = now;
  return found->second.entry;
}

bool AttestorRegistry::IsCurrent(const VerdictPtr& verdict) const {
  return verdict != nullptr && verdict->version == TrustVersion();
}

AttestorRegistry::VerdictPtr AttestorRegistry::Judge(const Entry& entry) const {
  auto verdict = std::make_shared<Verdict>();
  verdict->version = TrustVersion();  // before what is looked at: newer trust is asked again
  auto trusted = deps_.trust.Current();
  if (trusted->Find(entry.kept.domain()) == nullptr) trusted = deps_.origins.Current();
  const auto verified = trust::VerifyAttestor(*trusted, entry.chain, deps_.clock.Now());
  verdict->status = verified.status();
  if (verified.ok()) {
    verdict->not_before = verified->not_before;
    verdict->not_after = verified->not_after;
  }
  return verdict;
}

AttestorRegistry::VerdictPtr AttestorRegistry::CurrentVerdict(const EntryPtr& entry) {
  {
    base::MutexLock lock(mu_);
    const auto found = kept_.find(entry->key_id);
    if (found != kept_.end() && IsCurrent(found->second.verdict)) return found->second.verdict;
  }
  VerdictPtr verdict = Judge(*entry);
  base::MutexLock lock(mu_);
  const auto found = kept_.find(entry->key_id);
  if (found != kept_.end()) found->second.verdict = verdict;
  return verdict;
}

absl::StatusOr<std::shared_ptr<const crypto::VerifyingKey>> AttestorRegistry::Find(
    absl::string_view domain, absl::string_view key_id, absl::Time sign_time) {
  EntryPtr entry = Use(key_id);
  if (entry == nullptr) entry = TakeWaiting(key_id);
  if (entry == nullptr) {
    return Unproven(key_id, domain,
                    "it is not known: no peer sent its certificate, or it did not verify");
  }
  if (entry->kept.domain() != domain) {
    return Unproven(key_id, domain, absl::StrCat("it is ", entry->id, ", of another domain"));
  }
  const VerdictPtr verdict = CurrentVerdict(entry);
  if (!verdict->status.ok()) return UnprovenBy(key_id, domain, verdict->status);
  if (sign_time < verdict->not_before || sign_time > verdict->not_after) {
    return Unproven(
        key_id, domain,
        absl::StrCat("it was signed at ", TimeText(sign_time),
                     ", and its certificates are valid from ", TimeText(verdict->not_before),
                     " to ", TimeText(verdict->not_after)));
  }
  return entry->key;
}

std::optional<federation::v1::AttestorCertificate> AttestorRegistry::ChainOf(
    absl::string_view key_id) {
  const EntryPtr entry = Use(key_id);
  if (entry == nullptr) return std::nullopt;
  federation::v1::AttestorCertificate out;
  *out.mutable_certificates() = entry->kept.certificates();
  return out;
}

AttestorFacts AttestorRegistry::FactsOf(const EntryPtr& entry) {
  return {.key_id = entry->key_id,
          .domain = entry->kept.domain(),
          .id = entry->id,
          .serial = entry->leaf().serial(),
          .not_before = entry->leaf().not_before(),
          .not_after = entry->leaf().not_after(),
          .first_seen = absl::FromUnixNanos(entry->kept.first_seen_nanos()),
          .received_from = entry->kept.received_from(),
          .own = entry->kept.domain() == deps_.domain,
          .chain_pem = crypto::ToPem(entry->chain),
          .state = CurrentVerdict(entry)->status};
}

std::vector<AttestorFacts> AttestorRegistry::List(absl::string_view after, size_t limit) {
  std::vector<std::pair<std::string, EntryPtr>> found;
  {
    base::MutexLock lock(mu_);
    for (const auto& [key_id, kept] : kept_) {
      std::string place = PlaceOf(kept.entry->kept.domain(), key_id);
      if (place > after) found.emplace_back(std::move(place), kept.entry);
    }
  }
  std::sort(found.begin(), found.end());
  if (found.size() > limit) found.resize(limit);
  std::vector<AttestorFacts> out;
  for (const auto& [place, entry] : found) out.push_back(FactsOf(entry));
  return out;
}

std::vector<AttestorFacts> AttestorRegistry::FindByPrefix(absl::string_view digits) {
  std::map<std::string, EntryPtr> found;
  {
    base::MutexLock lock(mu_);
    for (const auto& [key_id, kept] : kept_) {
      if (absl::StartsWith(base::HexEncode(key_id), digits)) found[key_id] = kept.entry;
    }
  }
  std::vector<AttestorFacts> out;
  for (const auto& [key_id, entry] : found) {
    if (out.size() < 2) out.push_back(FactsOf(entry));
  }
  return out;
}

}  // namespace cdgate::session
