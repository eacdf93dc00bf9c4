#include "tests/federation/session/test_attestors.h"

#include <algorithm>
#include <atomic>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/digest.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/signature.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "tests/support/test_ca.h"

namespace cdgate::test {

namespace {

class TestKey final : public credentials::Attestor {
 public:
  TestKey(const crypto::Certificate& certificate, const std::string& key_pem)
      : Attestor(IdentityOf(certificate)),
        certificate_(std::make_shared<const crypto::Certificate>(certificate)),
        key_(crypto::PrivateKey::FromPem(key_pem).value()) {}

  absl::StatusOr<std::string> Sign(absl::string_view text) const override {
    if (absl::StrContains(text, "cdgate/export-statement/")) ++batches_;
    return crypto::SignBytes(key_, text);
  }
  int batches() const { return batches_; }
  const std::shared_ptr<const crypto::Certificate>& certificate() const { return certificate_; }

 private:
  static credentials::AttestorIdentity IdentityOf(const crypto::Certificate& certificate) {
    credentials::AttestorIdentity identity;
    identity.certificates = {certificate.ToDer()};
    identity.key_id = crypto::Sha256(identity.certificates[0]);
    return identity;
  }

  const std::shared_ptr<const crypto::Certificate> certificate_;
  const crypto::PrivateKey key_;
  mutable std::atomic<int> batches_{0};
};

}  // namespace

class TestAttestors::Signer final : public credentials::StatementSigner {
 public:
  explicit Signer(const std::string& domain) : ca_(domain, base::SystemClock().Now()) { Renew(); }

  void Renew() {
    const crypto::IssuedCertificate issued = ca_.Attestor(absl::StrCat("a", ++issued_));
    auto next = std::make_shared<const TestKey>(
        crypto::Certificate::FromPem(issued.certificate_pem).value(), issued.key_pem);
    base::MutexLock lock(mu_);
    keys_.push_back(std::move(next));
  }

  std::shared_ptr<const credentials::Attestor> Current() const override {
    base::MutexLock lock(mu_);
    return keys_.back();
  }
  int batches() const {
    base::MutexLock lock(mu_);
    return keys_.back()->batches();
  }
  // Null where it is none of these.
  std::shared_ptr<const TestKey> Find(absl::string_view key_id) const {
    base::MutexLock lock(mu_);
    const auto it = std::find_if(keys_.begin(), keys_.end(),
                                 [key_id](const auto& key) { return key->key_id == key_id; });
    return it == keys_.end() ? nullptr : *it;
  }

 private:
  const TestCa ca_;
  int issued_ = 0;
  mutable base::Mutex mu_;
  std::vector<std::shared_ptr<const TestKey>> keys_ CDGATE_GUARDED_BY(mu_);
};

TestAttestors::TestAttestors() = default;
TestAttestors::~TestAttestors() = default;

TestAttestors::Signer& TestAttestors::SignerOf(const std::string& domain) {
  base::MutexLock lock(mu_);
  auto& signer = signers_[domain];
  if (signer == nullptr) signer = std::make_unique<Signer>(domain);
  return *signer;
}

const credentials::StatementSigner& TestAttestors::Of(const std::string& domain) {
  return SignerOf(domain);
}

void TestAttestors::Renew(const std::string& domain) { SignerOf(domain).Renew(); }

int TestAttestors::BatchesSigned(const std::string& domain) { return SignerOf(domain).batches(); }

void TestAttestors::Distrust(const std::string& domain) {
  base::MutexLock lock(mu_);
  distrusted_.insert(domain);
}

absl::StatusOr<attestation::AttestorKey> TestAttestors::Find(absl::string_view domain,
                                                             absl::string_view key_id, absl::Time) {
  base::MutexLock lock(mu_);
  const auto it = signers_.find(std::string(domain));
  const auto key = it == signers_.end() ? nullptr : it->second->Find(key_id);
  const bool known = key != nullptr && !distrusted_.contains(std::string(domain));
  if (known) return attestation::AttestorKey(*key->certificate());
  return base::MakeError(base::Reason::kAttestationUnproven, "the key is not known here");
}

std::optional<federation::v1::AttestorCertificate> TestAttestors::ChainOf(
    absl::string_view key_id) {
  base::MutexLock lock(mu_);
  for (const auto& [domain, signer] : signers_) {
    const auto key = signer->Find(key_id);
    if (key == nullptr) continue;
    federation::v1::AttestorCertificate out;
    out.add_certificates(key->certificates[0]);
    return out;
  }
  return std::nullopt;
}

}  // namespace cdgate::test
