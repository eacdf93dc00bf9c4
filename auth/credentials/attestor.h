// Our own attestor: the key that signs statements about events, and its certificate. Read from
// files, checked, and read again as our own certificate is (identity_store.h): what does not fit
// is refused, and the last good one goes on signing.
//
//   CDGATE_ASSIGN_OR_RETURN(auto attestor, AttestorStore::Create({
//       .certificate_path = "/etc/cdgate/attestor/tls.crt",
//       .key_path = "/etc/cdgate/attestor/tls.key", .bundle_path = "/etc/cdgate/bundle.pem",
//       .expected_domain = "alpha.example"}, base::SystemClock()));
//   ...who signs has a StatementSigner:
//   CDGATE_ASSIGN_OR_RETURN(const SignedBytes done, attestor->Sign(text));
//   statement.set_key_id(done.key_id);
//   statement.set_signature(done.signature);
//
// What the texts are, docs/attestation.md says. The certificate goes to peers beforehand
// (federation/session/attestor_registry.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "auth/credentials/identity_store.h"
#include "gateway/base/clock.h"
#include "gateway/base/mutex.h"

namespace cdgate::credentials {

// No chain of an attestor is longer, so that it can be told to peers: the leaf with what is
// between it and the root.
inline constexpr int kMaxAttestorCertificates = 4;
inline constexpr size_t kMaxAttestorBytes = 8 << 10;  // DER, together

struct SignedBytes {
  std::string key_id;     // 32 bytes: of the certificate whose key signed
  std::string signature;  // at most crypto::kMaxSignatureBytes
};

// Whose key signs. A value.
struct AttestorIdentity {
  std::string key_id;                     // 32 bytes: SHA-256 of the certificate, DER
  std::string id;                         // SPIFFE ID
  std::vector<std::string> certificates;  // DER, leaf first, without the root
  absl::Time not_before;
  absl::Time not_after;
};

// One key and whose it is. Never changes; thread-safe.
class Attestor : public AttestorIdentity {
 public:
  explicit Attestor(AttestorIdentity identity) : AttestorIdentity(std::move(identity)) {}
  virtual ~Attestor() = default;

  // At most crypto::kMaxSignatureBytes. Some 30 microseconds; does not block. CERTIFICATE_EXPIRED
  // where the certificate has ended: nobody would take what it signs.
  virtual absl::StatusOr<std::string> Sign(absl::string_view text) const = 0;
};

// Signs by whichever key is in use. Thread-safe.
class StatementSigner {
 public:
  virtual ~StatementSigner() = default;

  // Another object exactly where another certificate is in use; who has the one before can go on
  // signing by it.
  virtual std::shared_ptr<const Attestor> Current() const = 0;

  // By the current one; its errors. Which that was, SignedBytes::key_id says.
  absl::StatusOr<SignedBytes> Sign(absl::string_view text) const;
};

// Thread-safe.
class AttestorStore final : public StatementSigner {
 public:
  // (blocks) `options.expected_domain` is our domain; `use` and `publish_under` do not matter.
  // Errors as IdentityStore::Create, besides where the SPIFFE ID is no attestor's, the
  // certificate could be used for TLS, its chain is too long, or the key is of a kind that does
  // not sign. `clock` outlives the store. `before_use`: called with each attestor before it signs
  // anything, in the call that loads it.
  using BeforeUse = std::function<void(const AttestorIdentity& next)>;
  static absl::StatusOr<std::unique_ptr<AttestorStore>> Create(IdentityOptions options,
                                                               const base::Clock& clock,
                                                               BeforeUse before_use = nullptr);
  ~AttestorStore() override;
  AttestorStore(const AttestorStore&) = delete;
  AttestorStore& operator=(const AttestorStore&) = delete;

  // (blocks) Reads the files again. On an error the last good attestor stays in use. A second
  // call at the same time waits for the first.
  absl::Status Reload();

  // What the last Reload() gave; OK before the first.
  absl::Status LastReload() const;

  // (blocks) True where one of the files was modified since the last Reload() that read them.
  bool FilesChanged() const;

  std::shared_ptr<const Attestor> Current() const override;
  // The same as it is said of identities.
  std::shared_ptr<const IdentityInfo> Info() const;

 private:
  class Loaded;
  AttestorStore(IdentityOptions options, const base::Clock& clock, BeforeUse before_use);
  absl::Status Load();
  std::shared_ptr<const Loaded> InUse() const;

  const IdentityOptions options_;
  const base::Clock& clock_;
  const BeforeUse before_use_;

  mutable base::Mutex mu_;
  base::CondVar idle_;
  std::shared_ptr<const Loaded> loaded_ CDGATE_GUARDED_BY(mu_);
  std::string files_version_ CDGATE_GUARDED_BY(mu_);
  absl::Status last_ CDGATE_GUARDED_BY(mu_);
  bool loading_ CDGATE_GUARDED_BY(mu_) = false;
};

}  // namespace cdgate::credentials
