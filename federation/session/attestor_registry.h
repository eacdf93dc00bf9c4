// Whose statements count: the attestors of our own domain and of others, by key id, with their
// certificates. They are kept as resources, so that what was signed can be verified, and passed
// on, for as long as the events are here.
//
//   CDGATE_ASSIGN_OR_RETURN(auto attestors, AttestorRegistry::Open({...}));
//   attestors->TakeOwn(next);                            // before it signs anything
//   ...an Attestors frame came:
//   const absl::Status taken = attestors->Take("beta.example", frame);
//   ...then a statement by one of them:
//   CDGATE_ASSIGN_OR_RETURN(auto key, attestors->Find("beta.example", key_id, sign_time));
//   if (!key->Fits(text, signature)) ...
//   ...before it is passed on:
//   if (auto chain = attestors->ChainOf(key_id)) *frame.add_attestors() = *chain;
//
// Keeping is no trust. What is kept was verified once; Find() judges by what is trusted now: the
// current bundle of the domain, its revocation lists, the deny list. That an attestor has ended
// does not matter, as long as the statement was signed before. A statement whose time of signing
// lies in the validity of a key that is revoked or denied counts for nothing, as nobody can tell
// when it was really made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/attestor.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/verifying_key.h"
#include "auth/trust/trust_registry.h"
#include "cdgate/federation/v1/statement.pb.h"
#include "cdgate/storage/v1/state.pb.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"
#include "gateway/state/store.h"

namespace cdgate::session {

// Bound of a frame, as statement.proto has it; those of an attestor are in
// auth/credentials/attestor.h.
inline constexpr int kMaxAttestorsOfFrame = 64;

// All outlive the registry; the store is shut down before it goes.
struct AttestorRegistryDeps {
  std::string domain;  // ours
  state::Store& store;
  const trust::TrustRegistry& trust;
  const trust::TrustRegistry& origins;  // of domains that the first does not have
  const base::Clock& clock;
  // How many are kept; of one domain that is not ours a sixteenth, so that none takes the room
  // of the others.
  size_t max_attestors = 4096;
};

// One attestor as people see it. A value.
struct AttestorFacts {
  std::string key_id;  // 32 bytes
  std::string domain;
  std::string id;      // SPIFFE ID
  std::string serial;  // lower-case hex
  absl::Time not_before;
  absl::Time not_after;
  absl::Time first_seen;
  std::string received_from;  // domain of the peer; empty: it is our own gateway's
  bool own = false;           // of our domain
  std::string chain_pem;      // leaf first
  // OK: what it signs, or signed in its validity, counts. Otherwise why not.
  absl::Status state;
};

// Thread-safe. Nothing blocks; what verifies takes half a millisecond for each attestor, once
// after trust has changed.
class AttestorRegistry {
 public:
  // What the store has. One that does not parse is logged and left out.
  static absl::StatusOr<std::unique_ptr<AttestorRegistry>> Open(AttestorRegistryDeps deps);
  AttestorRegistry(const AttestorRegistry&) = delete;
  AttestorRegistry& operator=(const AttestorRegistry&) = delete;

  // Takes our own gateway's, as it was loaded: it can be found when this returns, and is stored
  // before whatever is proposed to the store from then on. It is never dropped before it ends.
  void TakeOwn(const credentials::AttestorIdentity& own);

  // Takes what `peer`, authenticated, sent: of itself or of others. Each that verifies can be
  // found when this returns, and is stored before whatever is proposed to the store from then on.
  // What is known already costs a digest. What does not verify is logged and left out, the others
  // are taken, and the first of these faults is returned: ATTESTATION_UNPROVEN saying whose and
  // why; QUOTA where no more are kept. PROTOCOL_ERROR, and nothing is taken, where the frame is
  // beyond its bounds.
  absl::Status Take(absl::string_view peer, const federation::v1::Attestors& sent);

  // The key that signed, where its statements of that time count. ATTESTATION_UNPROVEN
  // saying why not: it is not known; it is of another domain; `sign_time` is outside the validity
  // of its chain; the chain does not verify now, is revoked or denied (metadata "cause" has that
  // reason). `key_id`: 32 bytes.
  absl::StatusOr<std::shared_ptr<const crypto::VerifyingKey>> Find(absl::string_view domain,
                                                                   absl::string_view key_id,
                                                                   absl::Time sign_time);

  // As it is sent to peers; none where it is not known.
  std::optional<federation::v1::AttestorCertificate> ChainOf(absl::string_view key_id);

  // By domain and key id, those after the one named (domain and key id in hex, with a blank between
  // them; empty: all), at most `limit`.
  std::vector<AttestorFacts> List(absl::string_view after, size_t limit);
  // Those whose key id begins with these lower-case hexadecimal digits, by key id; two at most.
  std::vector<AttestorFacts> FindByPrefix(absl::string_view digits);

  // Stores what could not be stored when it was taken, as while the disk was full, and has keys
  // that many statements are verified by prepared (crypto::VerifyingKey), one at each call, which
  // takes two milliseconds: 64 at once, none for longer than an hour after its last use. For every
  // few seconds, on a thread that has time.
  void Tick();

 private:
  // An attestor as it was read; never changes.
  struct Entry;
  using EntryPtr = std::shared_ptr<const Entry>;
  // What was trusted at one moment says of it.
  struct Verdict;
  using VerdictPtr = std::shared_ptr<const Verdict>;
  enum class OnDisk { kMissing, kUnderWay, kStored };
  struct Kept {
    EntryPtr entry;
    VerdictPtr verdict;  // null: nobody has asked yet
    absl::Time last_used;
    OnDisk on_disk = OnDisk::kMissing;
  };
  using Map = absl::flat_hash_map<std::string, Kept>;

  explicit AttestorRegistry(AttestorRegistryDeps deps) : deps_(std::move(deps)) {}
  void Load();
  static absl::StatusOr<EntryPtr> Read(const storage::v1::KeptAttestor& kept);
  absl::Status TakeOne(absl::string_view peer, const federation::v1::AttestorCertificate& sent);
  // Errors of Take() for one.
  absl::Status Add(const EntryPtr& entry, VerdictPtr verdict);
  void Wait(const EntryPtr& entry, VerdictPtr verdict);
  // Null where it does not wait, or has to go on waiting.
  EntryPtr TakeWaiting(absl::string_view key_id);
  absl::Status MakeRoom(const std::string& domain) CDGATE_REQUIRES(mu_);
  // Proposes what is not on disk, and the removal of what was dropped.
  void Store();
  void OnStored(const std::vector<std::string>& key_ids, const absl::Status& status);

  VerdictPtr Judge(const Entry& entry) const;
  // Grows with either.
  uint64_t TrustVersion() const {
    return deps_.trust.source()->version() + deps_.origins.source()->version();
  }
  VerdictPtr CurrentVerdict(const EntryPtr& entry);
  AttestorFacts FactsOf(const EntryPtr& entry);
  void PrepareKeys();
  // Null where it is not known; notes that it was used.
  EntryPtr Use(absl::string_view key_id);
  bool IsCurrent(const VerdictPtr& verdict) const;

  const AttestorRegistryDeps deps_;
  base::Mutex mu_;
  Map kept_ CDGATE_GUARDED_BY(mu_);
  // Of domains without a bundle, until one is set; in memory alone.
  Map waiting_ CDGATE_GUARDED_BY(mu_);
  std::vector<std::string> dropped_ CDGATE_GUARDED_BY(mu_);  // from memory, not yet from disk
};

}  // namespace cdgate::session
