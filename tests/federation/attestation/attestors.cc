#include "tests/federation/attestation/attestors.h"

#include <cstdlib>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "auth/crypto/signature.h"
#include "gateway/base/errors.h"
#include "gateway/base/file.h"
#include "tests/support/json_tree.h"

namespace cdgate::test {
namespace {

constexpr char kFile[] = "tests/federation/attestation/testdata/attestors.json";
// What is before the 32 bytes of a key in PKCS#8 (RFC 8410; RFC 5958 with RFC 5915).
constexpr char kEd25519Head[] = "302e020100300506032b657004220420";
constexpr char kP256Head[] =
    "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";

crypto::PrivateKey KeyOf(const std::string& domain) {
  const std::string seed = crypto::Sha256(absl::StrCat("cdgate test key: ", domain, " attestor"));
  const char* const head = domain == "gamma.example" ? kP256Head : kEd25519Head;
  const std::string der = absl::HexStringToBytes(head) + seed;
  return crypto::PrivateKey::FromPem(absl::StrCat("-----BEGIN PRIVATE KEY-----\n",
                                                  absl::Base64Escape(der),
                                                  "\n-----END PRIVATE KEY-----\n"))
      .value();
}

TestAttestor Load(const std::string& domain, const JsonTree& entry) {
  TestAttestor out;
  out.domain = domain;
  out.bundle_pem = entry.Find("bundle")->text;
  out.certificate_pem = entry.Find("attestor")->text;
  out.certificate = std::make_shared<const crypto::Certificate>(
      crypto::Certificate::FromPem(out.certificate_pem).value());
  out.key_id = out.certificate->FingerprintSha256();
  out.key = std::make_shared<const crypto::PrivateKey>(KeyOf(domain));
  if (!out.certificate->MatchesKey(*out.key)) std::abort();
  return out;
}

}  // namespace

std::string TestAttestor::Sign(absl::string_view text) const {
  return crypto::SignBytes(*key, text).value();
}

storage::v1::TreeSignature TestAttestor::SignTree(absl::string_view seed, int64_t sign_time_nanos,
                                                  absl::string_view text) const {
  storage::v1::TreeSignature signature;
  signature.set_seed(std::string(seed));
  signature.set_sign_time_nanos(sign_time_nanos);
  signature.set_key_id(key_id);
  signature.set_signature(Sign(text));
  return signature;
}

const std::map<std::string, TestAttestor>& AllAttestors() {
  static const auto* const all = [] {
    auto* const made = new std::map<std::string, TestAttestor>;
    const JsonTree file = ParseJsonTree(base::ReadFile(kFile).value());
    for (const auto& [domain, entry] : file.members) made->emplace(domain, Load(domain, entry));
    return made;
  }();
  return *all;
}

const TestAttestor& AttestorOf(absl::string_view domain) {
  return AllAttestors().at(std::string(domain));
}

absl::StatusOr<attestation::AttestorKey> FakeKeys::Find(absl::string_view domain,
                                                        absl::string_view key_id,
                                                        absl::Time sign_time) {
  ++asked_;
  const auto it = AllAttestors().find(std::string(domain));
  const bool known = it != AllAttestors().end() && domain != forgotten_ &&
                     it->second.key_id == key_id &&
                     it->second.certificate->not_before() <= sign_time &&
                     sign_time <= it->second.certificate->not_after();
  if (known) return attestation::AttestorKey(*it->second.certificate);
  return base::MakeError(base::Reason::kAttestationUnproven, "no such key is trusted");
}

std::string FixedSeed(absl::string_view name) {
  return crypto::Sha256(absl::StrCat("seed: ", name)).substr(0, 16);
}

}  // namespace cdgate::test
