// Attestors of several domains, and what is known of them, without files or stores.
//
//   test::TestAttestors attestors;
//   deps.attestor = &attestors.Of("alpha.example");
//   deps.attestors = &attestors;
//   attestors.Distrust("alpha.example");     // nobody holds its bundle any more
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "auth/credentials/attestor.h"
#include "federation/attestation/attestor_directory.h"
#include "gateway/base/mutex.h"

namespace cdgate::test {

// Thread-safe.
class TestAttestors final : public attestation::AttestorDirectory {
 public:
  TestAttestors();
  ~TestAttestors() override;

  // Made when it is asked for first.
  const credentials::StatementSigner& Of(const std::string& domain);
  // Another key signs from now on; what the ones before signed counts.
  void Renew(const std::string& domain);
  void Distrust(const std::string& domain);
  // Of batches, by the key of `domain` that is in use now.
  int BatchesSigned(const std::string& domain);

  absl::StatusOr<attestation::AttestorKey> Find(absl::string_view domain, absl::string_view key_id,
                                                absl::Time sign_time) override;
  std::optional<federation::v1::AttestorCertificate> ChainOf(absl::string_view key_id) override;

 private:
  class Signer;
  Signer& SignerOf(const std::string& domain);

  base::Mutex mu_;
  std::map<std::string, std::unique_ptr<Signer>> signers_ CDGATE_GUARDED_BY(mu_);  // by domain
  std::set<std::string> distrusted_ CDGATE_GUARDED_BY(mu_);
};

}  // namespace cdgate::test
