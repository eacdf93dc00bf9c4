// The attestors of testdata/attestors.json: their keys follow from their names, so that what they
// sign comes out the same each time, but for those of gamma.example, whose key is P-256.
//
//   const TestAttestor& alpha = AttestorOf("alpha.example");
//   FakeKeys keys;                                       // holds all but rogue.example
//   keys.Forget("beta.example");
#pragma once

#include <map>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "auth/crypto/certificate.h"
#include "auth/crypto/private_key.h"
#include "cdgate/storage/v1/storage.pb.h"
#include "federation/attestation/attestor_keys.h"
#include "federation/attestation/merkle.h"

namespace cdgate::test {

struct TestAttestor {
  std::string domain;
  std::string bundle_pem;
  std::string certificate_pem;
  std::string key_id;
  std::shared_ptr<const crypto::Certificate> certificate;
  std::shared_ptr<const crypto::PrivateKey> key;

  std::string Sign(absl::string_view text) const;
  // `text` is over the tree's root.
  storage::v1::TreeSignature SignTree(absl::string_view seed, int64_t sign_time_nanos,
                                      absl::string_view text) const;
};

// By domain; of one that has none the test ends.
const TestAttestor& AttestorOf(absl::string_view domain);
const std::map<std::string, TestAttestor>& AllAttestors();

// A time within the validity of all of them.
inline constexpr int64_t kSignTime = 1'780'000'000'000'000'000;

class FakeKeys : public attestation::AttestorKeys {
 public:
  absl::StatusOr<attestation::AttestorKey> Find(absl::string_view domain, absl::string_view key_id,
                                                absl::Time sign_time) override;
  void Forget(const std::string& domain) { forgotten_ = domain; }
  int asked() const { return asked_; }

 private:
  std::string forgotten_ = "rogue.example";
  int asked_ = 0;
};

// A salt or seed of 16 bytes that follows from `name`.
std::string FixedSeed(absl::string_view name);

}  // namespace cdgate::test
