#include "tests/federation/session/test_attestors.h"

#include <utility>

#include "auth/crypto/digest.h"
#include "auth/crypto/private_key.h"
#include "auth/crypto/signature.h"
#include "gateway/base/clock.h"
#include "gateway/base/errors.h"
#include "tests/support/test_ca.h"

namespace cdgate::test {

class TestAttestors::Signer final : public credentials::StatementSigner {
 public:
  explicit Signer(const std::string& domain)
      : ca_(domain, base::SystemClock().Now()), issued_(ca_.Attestor("a1")) {
    certificate_ = std::make_shared<const crypto::Certificate>(
        crypto::Certificate::FromPem(issued_.certificate_pem).value());
    key_ =
        std::make_unique<crypto::PrivateKey>(crypto::PrivateKey::FromPem(issued_.key_pem).value());
    credentials::AttestorIdentity identity;
    identity.certificates = {certificate_->ToDer()};
    identity.key_id = crypto::Sha256(identity.certificates[0]);
    identity_ = std::make_shared<const credentials::AttestorIdentity>(std::move(identity));
  }

  absl::StatusOr<credentials::SignedBytes> Sign(absl::string_view text) const override {
    auto signature = crypto::SignBytes(*key_, text);
    if (!signature.ok()) return signature.status();
    return credentials::SignedBytes{identity_->key_id, *std::move(signature)};
  }
  std::shared_ptr<const credentials::AttestorIdentity> Current() const override {
    return identity_;
  }
  const std::shared_ptr<const crypto::Certificate>& certificate() const { return certificate_; }

 private:
  const TestCa ca_;
  const crypto::IssuedCertificate issued_;
  std::shared_ptr<const crypto::Certificate> certificate_;
  std::unique_ptr<crypto::PrivateKey> key_;
  std::shared_ptr<const credentials::AttestorIdentity> identity_;
};

TestAttestors::TestAttestors() = default;
TestAttestors::~TestAttestors() = default;

const credentials::StatementSigner& TestAttestors::Of(const std::string& domain) {
  base::MutexLock lock(mu_);
  auto& signer = signers_[domain];
  if (signer == nullptr) signer = std::make_unique<Signer>(domain);
  return *signer;
}

void TestAttestors::Distrust(const std::string& domain) {
  base::MutexLock lock(mu_);
  distrusted_.insert(domain);
}

absl::StatusOr<attestation::AttestorKey> TestAttestors::Find(absl::string_view domain,
                                                             absl::string_view key_id, absl::Time) {
  base::MutexLock lock(mu_);
  const auto it = signers_.find(std::string(domain));
  const bool known = it != signers_.end() && it->second->Current()->key_id == key_id &&
                     !distrusted_.contains(std::string(domain));
  if (known) return attestation::AttestorKey(it->second->certificate());
  return base::MakeError(base::Reason::kAttestationUnproven, "the key is not known here");
}

std::optional<federation::v1::AttestorCertificate> TestAttestors::ChainOf(
    absl::string_view key_id) {
  base::MutexLock lock(mu_);
  for (const auto& [domain, signer] : signers_) {
    if (signer->Current()->key_id != key_id) continue;
    federation::v1::AttestorCertificate out;
    out.add_certificates(signer->Current()->certificates[0]);
    return out;
  }
  return std::nullopt;
}

}  // namespace cdgate::test
